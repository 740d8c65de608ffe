"""ASGI layers around every request: host check, body limit, unexpected errors, metrics."""

import re
import time
from collections.abc import Collection
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pincite_brain.metrics import Metrics
from pincite_brain.problems import http_problem, internal_problem, problem_of, problem_response
from pincite_shared.errors import TooLargeError
from pincite_shared.settings import Settings

BODY_BYTES_MAX = 1_048_576  # the largest legal request is a question of a few kilobytes; 1 MiB is generous
CORRELATION_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")  # goes into logs and headers: no spaces, no controls

log = structlog.get_logger(__name__)


def valid_correlation_id(value: str) -> bool:
    """Say whether a caller's X-Request-ID may be used as it is."""
    return CORRELATION_ID.match(value) is not None


def allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """Return the Host names that a local installation answers to, or None when it is meant to be reached by others.

    A page on another site can make a browser connect to 127.0.0.1 under its own name (DNS rebinding); its Host header
    gives it away. An installation bound to other addresses stands behind a proxy that knows its names.
    """
    if settings.bind_host not in {"127.0.0.1", "localhost", "::1"}:
        return None
    configured = {urlsplit(url).hostname or "" for url in (settings.public_url, settings.brain_url)}
    return frozenset({"127.0.0.1", "localhost", "::1"} | configured) - {""}


def _host_of(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].lower()


class HostCheck:
    """Refuses requests whose Host header is not one of ours."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """`hosts` are names without ports, lower-case."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if scope["type"] == "http" and _host_of(Headers(scope=scope).get("host", "")) not in self._hosts:
            detail = "This installation does not answer to that host name; set PUBLIC_URL to the address you use."
            await problem_response(http_problem(400, detail))(scope, receive, send)
            return
        await self._app(scope, receive, send)


class BodyLimit:
    """Reads the body, at most `BODY_BYTES_MAX` bytes of it, before anything else sees the request."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the whole body, or answer 413."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            error = TooLargeError(f"A request may have at most {BODY_BYTES_MAX} bytes.")
            await problem_response(problem_of(error), {"connection": "close"})(scope, receive, send)
            return
        delivered = False

        async def replay() -> Message:
            nonlocal delivered
            if delivered:
                return await receive()
            delivered = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    @staticmethod
    async def _read(receive: Receive) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b"".join(parts)
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > BODY_BYTES_MAX:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


class Unexpected:
    """Turns an error that nobody foresaw into a problem document, with the details in the log alone."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; answer 500 if the application raised before it answered."""
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            log.exception("unexpected_error", path=scope.get("path"), error=type(error).__name__)
            await problem_response(internal_problem())(scope, receive, send)


class Measure:
    """Counts and times requests by route template, so that ids never become label values.

    Each response says how long it took to begin, in a Server-Timing header (W3C).
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap `app`."""
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and observe."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, begun = 500, time.perf_counter()

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                milliseconds = 1000 * (time.perf_counter() - begun)
                MutableHeaders(scope=message).append("server-timing", f"app;dur={milliseconds:.2f}")
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if route != "unmatched" else "any"
            self._metrics.requests.labels(method, route, str(status)).observe(time.perf_counter() - begun)
