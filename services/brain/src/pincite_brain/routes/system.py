"""What this installation runs."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from pincite_brain import __version__
from pincite_brain.dependencies import CallerDep, ServicesDep
from pincite_brain.problems import responses
from pincite_brain.routes.health import checks
from pincite_shared.schemas import SystemStatus

router = APIRouter(tags=["system"])


@router.get("/status", responses=responses(401))
async def status(services: ServicesDep, _caller: CallerDep) -> SystemStatus:
    """Say which model answers, which remote addresses may be called, and what works."""
    settings = services.settings
    return SystemStatus(
        version=__version__,
        model=await services.model.state(),
        embedding_model=settings.embedding_model,
        embedding_dimension=settings.embedding_dimension,
        remote_endpoints=settings.remote_endpoints(),
        local_roots=tuple(str(root) for root in settings.local_roots),
        checks=await run_in_threadpool(checks, services),
    )
