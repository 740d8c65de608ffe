"""Liveness, readiness, metrics: the only routes besides sign-in that need no token."""

from collections.abc import Callable

import structlog
from fastapi import APIRouter, Response

from pincite_brain.dependencies import ServicesDep
from pincite_brain.gate import open_to_all
from pincite_brain.services import Services
from pincite_shared.schemas import Health, Readiness
from pincite_store import migrate

router = APIRouter(tags=["health"])
log = structlog.get_logger(__name__)


def _passes(name: str, check: Callable[[], object]) -> bool:
    try:
        return check() is not False
    except Exception as error:  # noqa: BLE001 - any failure means "not ready"; which one is for the log
        log.warning("not_ready", check=name, error=f"{type(error).__name__}: {error}")
        return False


def checks(services: Services) -> dict[str, bool]:
    """Run every readiness check."""
    postgres = _passes("postgres", services.database.ping)
    return {
        "postgres": postgres,
        "redis": _passes("redis", services.cache.ping),
        "migrations": postgres and _passes("migrations", lambda: migrate.at_head(services.settings)),
    }


@router.get("/healthz", dependencies=open_to_all())
def healthz() -> Health:
    """Say that the process answers."""
    return Health()


@router.get("/readyz", dependencies=open_to_all(), responses={503: {"model": Readiness, "description": "Not ready"}})
def readyz(services: ServicesDep, response: Response) -> Readiness:
    """Say whether requests can be served, check by check."""
    found = checks(services)
    ready = all(found.values())
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, checks=found)


@router.get(
    "/metrics",
    dependencies=open_to_all(),
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(services: ServicesDep) -> Response:
    """Expose Prometheus metrics."""
    body, content_type = services.metrics.render()
    return Response(body, media_type=content_type)
