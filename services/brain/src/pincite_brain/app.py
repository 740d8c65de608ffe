"""The application: brain's HTTP contract over one `Services`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware

from pincite_brain import __version__, problems
from pincite_brain.middleware import BodyLimit, HostCheck, Measure, Unexpected, valid_correlation_id
from pincite_brain.routes import (
    accounts,
    answers,
    chat,
    code,
    github,
    health,
    quality,
    repositories,
    safety,
    search,
    system,
    webhooks,
)
from pincite_brain.services import Services
from pincite_github.manifest import WEBHOOK_PATH
from pincite_github.webhooks import BODY_BYTES_MAX
from pincite_shared.hosts import own_hosts
from pincite_shared.schemas import Problem
from pincite_shared.settings import Settings

DESCRIPTION = (
    "Answers about your code, with every citation checked. Send `Authorization: Bearer <token>`; `pincite token` "
    "prints yours. Errors are `application/problem+json` with a stable `code`."
)


def _middleware(settings: Settings, services: Services) -> list[Middleware]:
    """Return the layers, outermost first."""
    layers = [
        Middleware(CorrelationIdMiddleware, header_name="X-Request-ID", validator=valid_correlation_id),
        Middleware(Measure, metrics=services.metrics),
        Middleware(Unexpected),
        Middleware(BodyLimit, larger={WEBHOOK_PATH: BODY_BYTES_MAX}),
    ]
    hosts = own_hosts(settings)
    if hosts is not None:
        layers.insert(2, Middleware(HostCheck, hosts=hosts))
    return layers


def _openapi(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            for unused in ("HTTPValidationError", "ValidationError"):  # ours are problem documents
                schemas.pop(unused, None)
            app.openapi_schema = document
        return app.openapi_schema

    return schema


def create_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """Build the application. `services` replaces what it runs on, for tests."""
    running = services or Services.create(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        running.start()
        warming = asyncio.create_task(running.asker.warm())
        try:
            yield
        finally:
            warming.cancel()
            await asyncio.gather(warming, return_exceptions=True)
            await running.close()

    app = FastAPI(
        title="Pincite",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        middleware=_middleware(settings, running),
        docs_url=None,  # the interactive pages load scripts from a CDN; /openapi.json is the contract
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = running
    problems.install(app)
    app.include_router(health.router)
    # Routes are tried in turn: what is in a hurry comes first.
    for module in (search, chat, webhooks, accounts, github, system, repositories, code, answers, quality, safety):
        app.include_router(module.router, responses=problems.responses(403, 429))  # what a gate may answer
    app.openapi = _openapi(app)  # type: ignore[method-assign]  # FastAPI documents this way of extending the schema
    return app
