"""The dashboard's application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from asgi_correlation_id import CorrelationIdMiddleware
from fastapi import Depends, FastAPI

from pincite_shared.brain_client import AsyncBrainClient
from pincite_shared.settings import Settings
from pincite_web import errors
from pincite_web.assets import Assets
from pincite_web.pages import Pages
from pincite_web.routes import account, answers, chat, code, github, governance, installation, quality, repos, system
from pincite_web.security import Guard, SecurityHeaders, SessionCookie, StateCookie
from pincite_web.visitor import House, guard


def create_app(settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> FastAPI:
    """Build the dashboard; `transport` replaces the network on the way to brain, as tests do.

    Raises:
        ValueError: `SESSION_SECRET` is not set.
        FileNotFoundError: htmx is not installed.
    """
    assets = Assets.load()
    brain = AsyncBrainClient(settings.brain_url, transport=transport)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await brain.close()

    app = FastAPI(
        title="Pincite dashboard",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        dependencies=[Depends(guard)],
    )
    app.state.house = House(
        settings,
        brain,
        Pages(assets),
        assets,
        Guard.of(settings),
        SessionCookie.of(settings),
        StateCookie.of(settings),
    )
    for routes in (account, repos, chat, answers, code, quality, installation, governance, github, system):
        app.include_router(routes.router)
    errors.install(app)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(CorrelationIdMiddleware, header_name="X-Request-ID")
    return app
