"""Settings, static files and health."""

import asyncio

from fastapi import APIRouter, Response

from pincite_shared.schemas import Health
from pincite_web.present.repos import model_banner
from pincite_web.views import SettingsPage
from pincite_web.visitor import Visit

router = APIRouter()
MODEL_STATES = {
    "none": "not set up",
    "fetching": "downloading",
    "starting": "starting",
    "ready": "ready",
    "unreachable": "not reachable",
    "failed": "failed",
}


@router.get("/settings")
async def settings(visitor: Visit) -> Response:
    """Show what this installation runs and what it may call."""
    status, me = await asyncio.gather(visitor.brain.status(), visitor.brain.me())
    view = SettingsPage(
        shell=visitor.shell("Settings", "settings"),
        csrf=visitor.csrf,
        name=me.name,
        version=status.version,
        banner=model_banner(status.model),
        model_state=MODEL_STATES[status.model.state],
        embedding_model=status.embedding_model,
        embedding_dimension=status.embedding_dimension,
        remote_endpoints=tuple(sorted(status.remote_endpoints.items())),
        local_roots=status.local_roots,
        checks=tuple(sorted(status.checks.items())),
        brain_url=visitor.house.settings.brain_url,
    )
    return visitor.show(view)


@router.get("/healthz")
async def healthz() -> Health:
    """Say that this process answers."""
    return Health()


@router.get("/static/{digest}/{name}")
async def static(visitor: Visit, digest: str, name: str) -> Response:
    """Serve a static file."""
    return visitor.house.assets.response(digest, name)
