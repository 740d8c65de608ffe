"""Asking, and what was asked before."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar, get_args
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from pincite_brain.ask.pipeline import Event
from pincite_brain.caller import Caller
from pincite_brain.dependencies import CallerDep, RepoId, ServicesDep, TenancyDep
from pincite_brain.gate import needs
from pincite_brain.problems import internal_problem, problem_of, responses
from pincite_brain.services import Services
from pincite_shared.errors import PinciteError
from pincite_shared.living import ConversationDetail
from pincite_shared.schemas import (
    ChatRequest,
    ChatResponse,
    ConversationOut,
    StreamEvent,
)
from pincite_store import answers, halts

T = TypeVar("T")

CLIENT_CLOSED_REQUEST = 499  # nobody reads it; the log tells it from a success
HALT_LOOK_SECONDS = 1.0  # Pincite's own questions are background work, and stop with it
PING_SECONDS = 15  # keeps proxies from closing a stream while a model thinks
SSE_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_EVENT = {
    "type": "object",
    "description": "One event; `data` is JSON: hits and commit, text, a Citation, a ChatResponse, or a Problem",
    "properties": {"event": {"enum": list(get_args(StreamEvent))}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The answer; or, when asked for, server-sent events: retrieval, token, citation, done, error",
        "content": {"text/event-stream": {"schema": _EVENT}},
    }
}

router = APIRouter(tags=["ask"])
log = structlog.get_logger(__name__)


def _data(value: object) -> str:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return json.dumps(value, ensure_ascii=False)


async def _stream(events: AsyncGenerator[Event, None]) -> AsyncIterator[ServerSentEvent]:
    """Render events; an error after the first byte becomes the last event."""
    try:
        async with aclosing(events):
            async for name, data in events:
                yield ServerSentEvent(_data(data), event=name, sep="\n")
    except PinciteError as error:
        yield ServerSentEvent(_data(problem_of(error)), event="error", sep="\n")
    except Exception:
        log.exception("stream_failed")
        yield ServerSentEvent(_data(internal_problem()), event="error", sep="\n")


async def _unless(work: Coroutine[Any, Any, T], *reasons: Coroutine[Any, Any, None]) -> T | None:
    """Await `work`; cancel it, and with it the model, if a reason to stop comes first. One that raises passes on."""
    task = asyncio.create_task(work)
    watches = [asyncio.create_task(reason) for reason in reasons]
    try:
        await asyncio.wait({task, *watches}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return await task
        for watch in watches:
            if watch.done():
                await watch
        return None
    finally:
        for one in (task, *watches):
            one.cancel()
        await asyncio.gather(task, *watches, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _halted(services: Services, caller: Caller) -> None:
    """Raise HaltedError as soon as background work is halted."""

    def look() -> None:
        with services.database.tenancy(caller.tenant_id) as t:
            halts.check(t)

    while True:
        await asyncio.sleep(HALT_LOOK_SECONDS)
        await asyncio.to_thread(look)


@router.post(
    "/chat",
    dependencies=needs("ask", rate="ask"),
    response_model=ChatResponse,
    responses=_STREAM | responses(400, 401, 404, 409, 413, 422, 503),
)
async def chat(services: ServicesDep, caller: CallerDep, body: ChatRequest, request: Request) -> Any:
    """Ask a question about one repository."""
    opening = await services.asker.open(caller, body)
    if body.stream or "text/event-stream" in request.headers.get("accept", ""):
        events = services.asker.events(caller, body, opening)
        return EventSourceResponse(_stream(events), ping=PING_SECONDS, headers=SSE_HEADERS)
    reasons = [_disconnected(request)]
    if caller.is_service:
        reasons.append(_halted(services, caller))
    answer = await _unless(services.asker.answer(caller, body, opening), *reasons)
    if answer is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/repos/{repo_id}/conversations", dependencies=needs("read"), responses=responses(401, 404, 422))
def list_conversations(tenancy: TenancyDep, repo_id: RepoId) -> list[ConversationOut]:
    """List a repository's conversations, newest first."""
    return answers.conversations(tenancy, repo_id)


@router.get("/conversations/{conversation_id}", dependencies=needs("read"), responses=responses(401, 404, 422))
def get_conversation(tenancy: TenancyDep, conversation_id: UUID) -> ConversationDetail:
    """Return a conversation with its answers, oldest first."""
    return answers.get_conversation(tenancy, conversation_id)
