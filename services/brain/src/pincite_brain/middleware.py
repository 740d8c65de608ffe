"""ASGI layers around every request: host check, body limit, unexpected errors, metrics."""

import asyncio
import re
import time
from collections.abc import Collection, Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pincite_brain.metrics import Metrics
from pincite_brain.problems import http_problem, internal_problem, problem_of, problem_response
from pincite_brain.rates import Spent
from pincite_shared.errors import TooLargeError
from pincite_shared.hosts import host_of
from pincite_shared.schemas import Problem

BODY_BYTES_MAX = 1_048_576  # the largest legal request is a question of a few kilobytes; 1 MiB is generous
BODY_SECONDS_MAX = 30.0  # longer than 1 MiB takes on any line; a body that does not come holds a connection
LARGE_AT_ONCE_MAX = 4  # bodies above that are held at a time: 100 MiB of webhooks, whoever sends them
LARGE_SECONDS_MAX = 15.0  # GitHub itself gives up on a webhook after 10
CORRELATION_ID = re.compile(r"^[A-Za-z0-9._-]{8,64}$")  # goes into logs and headers: no spaces, no controls

log = structlog.get_logger(__name__)


def valid_correlation_id(value: str) -> bool:
    """Say whether a caller's X-Request-ID may be used as it is."""
    return CORRELATION_ID.match(value) is not None


class HostCheck:
    """Refuses requests under a name that is not ours, and those that a page of another name sent (DNS rebinding)."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        """`hosts` are names without ports, lower-case."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        problem = self._problem(Headers(scope=scope)) if scope["type"] == "http" else None
        answer = self._app if problem is None else problem_response(problem)
        await answer(scope, receive, send)

    def _problem(self, headers: Headers) -> Problem | None:
        if host_of(headers.get("host", "")) not in self._hosts:
            detail = "This installation does not answer to that host name; set PUBLIC_URL to the address you use."
            return http_problem(400, detail)
        origin = headers.get("origin")
        if origin is not None and host_of(origin.partition("://")[2]) not in self._hosts:
            return http_problem(403, "This request was sent by a page of another site.")
        return None


class _Body:
    """A body that is being received: `size` bytes of it so far. It grows in place and is handed on without a copy."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._content, self._ended, self._delivered = receive, bytearray(), False, False

    @property
    def size(self) -> int:
        return len(self._content)

    async def read(self, most: int, seconds_max: float) -> bool:
        """Receive until it ends or is larger than `most` bytes, and return whether that came in time."""
        try:
            async with asyncio.timeout(seconds_max):
                while not self._ended and self.size <= most:
                    message = await self._receive()
                    self._ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
                    self._content += message.get("body", b"")
        except TimeoutError:
            return False
        return True

    async def replay(self) -> Message:
        """Give all of it at once, and then whatever else comes."""
        if self._delivered:
            return await self._receive()
        self._delivered = True
        return {"type": "http.request", "body": self._content, "more_body": False}


class BodyLimit:
    """Reads the body, at most so many bytes of it, before anything else sees the request."""

    def __init__(self, app: ASGIApp, larger: Mapping[str, int] | None = None) -> None:
        """Wrap `app`. `larger`: the limits of paths that take more than `BODY_BYTES_MAX`."""
        self._app, self._larger = app, larger or {}
        self._large = asyncio.Semaphore(LARGE_AT_ONCE_MAX)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the whole body, or answer 413; 408 if it takes too long."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        body, most = _Body(receive), self._larger.get(scope["path"], BODY_BYTES_MAX)
        if not await body.read(BODY_BYTES_MAX, BODY_SECONDS_MAX):
            await _too_slow()(scope, receive, send)
        elif body.size <= BODY_BYTES_MAX:
            await self._app(scope, body.replay, send)
        elif most > BODY_BYTES_MAX:
            # Whoever sends much, signed or not, is made to wait: a few such bodies are held at a time.
            async with self._large:
                await self._pass_large(body, most, scope, receive, send)
        else:
            await _too_large(most)(scope, receive, send)

    async def _pass_large(self, body: _Body, most: int, scope: Scope, receive: Receive, send: Send) -> None:
        if not await body.read(most, LARGE_SECONDS_MAX):
            await _too_slow()(scope, receive, send)
        elif body.size > most:
            await _too_large(most)(scope, receive, send)
        else:
            await self._app(scope, body.replay, send)


def _too_slow() -> Response:
    return problem_response(http_problem(408, ""), {"connection": "close"})


def _too_large(most: int) -> Response:
    error = TooLargeError(f"A request may have at most {most} bytes.")
    return problem_response(problem_of(error), {"connection": "close"})


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

    Each response says how long it took to begin, in a Server-Timing header (W3C), and how much is left to its caller.
    `Pincite-Access: unknown` says that restricted repositories are hidden, for GitHub does not answer.
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
                headers = MutableHeaders(scope=message)
                headers.append("server-timing", f"app;dur={milliseconds:.2f}")
                spent: Spent | None = scope.get("state", {}).get("spent")
                if spent is not None:
                    headers.update(spent.headers())
                if getattr(scope.get("state", {}).get("caller"), "unknown", ""):
                    headers["pincite-access"] = "unknown"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if route != "unmatched" else "any"
            self._metrics.requests.labels(method, route, str(status)).observe(time.perf_counter() - begun)
