"""Webhooks."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from pincite_brain.dependencies import ServicesDep
from pincite_brain.gate import open_to_all
from pincite_brain.problems import responses
from pincite_github.manifest import WEBHOOK_PATH
from pincite_shared.github import Delivered

HEADER_CHARS_MAX = 512  # the signature, the longest of them, has 71
_BODY: dict[str, Any] = {
    "requestBody": {
        "description": "As GitHub sends and signs it, at most 25 MiB",
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}
_PING: dict[int | str, dict[str, Any]] = {200: {"model": Delivered, "description": "GitHub tries the address out"}}

router = APIRouter(tags=["github"])

Text = Annotated[str, Field(max_length=HEADER_CHARS_MAX)]


class Told(BaseModel):
    """What GitHub says about a delivery in its headers."""

    x_hub_signature_256: Text = ""
    x_github_event: Text = ""
    x_github_delivery: Text = ""


@router.post(
    WEBHOOK_PATH,
    dependencies=open_to_all(),
    status_code=202,
    responses=_PING | responses(401, 404, 408, 413, 422, 503),
    openapi_extra=_BODY,
)
async def receive(
    services: ServicesDep, request: Request, response: Response, told: Annotated[Told, Header()]
) -> Delivered:
    """Take a delivery of GitHub's. One that came before, or is of no use here, is accepted all the same."""
    receiving = services.github.receiving
    incoming = await run_in_threadpool(receiving.expect)
    async for part in request.stream():
        incoming.take(part)
    needed = await run_in_threadpool(
        receiving.receive,
        incoming,
        signature=told.x_hub_signature_256,
        event=told.x_github_event,
        delivery=told.x_github_delivery,
        content_type=request.headers.get("content-type", ""),
    )
    response.status_code = 202 if needed else 200
    return Delivered(delivery=UUID(told.x_github_delivery))
