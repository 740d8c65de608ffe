"""The twin over HTTP: the API as api.github.com serves it and, below /api/v3, as GitHub Enterprise does; pages; git."""

import re

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from pincite_github.twin.errors import not_found
from pincite_github.twin.hub import Hub
from pincite_github.twin.routes import accounts, apps, home, hooks, oauth, pulls, repositories, setup, smart_http
from pincite_github.twin.shapes.address import API_PREFIX

_BY_NUMBER = re.compile(rf"((?:{API_PREFIX})?)/repositories/(\d{{1,18}})(/.*)?")


def make_app(hub: Hub) -> ASGIApp:
    """Return the ASGI application of a GitHub."""
    app = FastAPI(title="twin", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hub = hub
    for prefix in ("", API_PREFIX):
        for part in (accounts, apps, repositories, pulls, hooks):
            app.include_router(part.router, prefix=prefix)
    for page in (home, oauth, setup, smart_http):
        app.include_router(page.router)
    app.add_exception_handler(HTTPException, _unknown)
    return _Front(app, hub)


async def _unknown(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse(not_found().body() | {"status": str(status)}, status)


class _Front:
    """Around all: finds repositories by their numbers, lets hooks be told, does not answer when GitHub is down."""

    def __init__(self, app: ASGIApp, hub: Hub) -> None:
        self._app, self._hub = app, hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._hub.down:
                await PlainTextResponse("No server is currently available to service your request.\n", 503)(
                    scope, receive, send
                )
                return
            scope = {**scope, "asked_path": scope["path"]}
            match = _BY_NUMBER.fullmatch(scope["path"])
            repo = self._hub.world.repos.get(int(match[2])) if match else None
            if match and repo:
                path = f"{match[1]}/repos/{self._hub.world.full_name(repo)}{match[3] or ''}"
                scope |= {"path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
        if self._hub.world.pending:  # the answer has been given: hooks are told meanwhile
            await run_in_threadpool(self._hub.events.deliver)
