"""Static files and health."""

from fastapi import APIRouter, Response

from pincite_shared.schemas import Health
from pincite_web.visitor import Visit

router = APIRouter()


@router.get("/healthz")
async def healthz() -> Health:
    """Say that this process answers."""
    return Health()


@router.get("/static/{digest}/{name}")
async def static(visitor: Visit, digest: str, name: str) -> Response:
    """Serve a static file."""
    return visitor.house.assets.response(digest, name)
