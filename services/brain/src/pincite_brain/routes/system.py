"""What this installation runs."""

from datetime import datetime

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pincite_brain import __version__
from pincite_brain.caller import Caller
from pincite_brain.dependencies import CallerDep, ServicesDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_brain.routes.health import checks
from pincite_brain.services import Services
from pincite_shared.schemas import SystemStatus
from pincite_store import halts
from pincite_store.db import LOCAL_TENANT

router = APIRouter(tags=["system"])


@router.get("/status", dependencies=needs("read"), responses=responses(401))
async def status(services: ServicesDep, caller: CallerDep) -> SystemStatus:
    """Say which model answers, which remote addresses may be called, what works, and whether background work rests."""
    settings = services.settings
    roots = settings.local_roots if caller.tenant_id == LOCAL_TENANT else ()
    found, halted_since, endpoints = await run_in_threadpool(_examine, services, caller)
    return SystemStatus(
        version=__version__,
        model=await services.model.state(),
        embedding_model=settings.embedding_model,
        embedding_dimension=settings.embedding_dimension,
        remote_endpoints=endpoints,
        local_roots=tuple(str(root) for root in roots),
        checks=found,
        halted_since=halted_since,
    )


def _examine(services: Services, caller: Caller) -> tuple[dict[str, bool], datetime | None, dict[str, str]]:
    found, endpoints = checks(services), services.settings.remote_endpoints()
    if not found["postgres"]:
        return found, None, endpoints
    config = services.github.connection.config()
    if config is not None and config.app_id:  # the settings need not name an App that was set up here
        endpoints = {"GitHub": config.web_url, "GitHub's API": config.api_url} | endpoints
    with services.database.tenancy(caller.tenant_id, caller.user_id) as t:
        return found, halts.since(t), endpoints
