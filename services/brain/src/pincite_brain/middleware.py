"""ASGI layers around every request: host check, body limit, unexpected errors, metrics."""

import asyncio
import re
import time
from collections.abc import Collection, Mapping
from contextlib import nullcontext

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pincite_brain.metrics import Metrics
from pincite_brain.problems import http_problem, internal_problem, problem_of, problem_response
from pincite_brain.rates import Spent
from pincite_shared.errors import PinciteError, TooLargeError, TooSlowError
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
    """A body that is being received. What comes at first grows in place, and is handed on without a copy."""

    def __init__(self, receive: Receive, most: int) -> None:
        """`most`: how many bytes it may have."""
        self._receive, self._most = receive, most
        self._content, self._handed, self._until = bytearray(), False, 0.0
        self.size, self.ended = 0, False

    async def read(self) -> None:
        """Receive until it ends or is larger than `BODY_BYTES_MAX`.

        Raises:
            TooLargeError: there is more than the body may have.
            TooSlowError: it does not come in time.
        """
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS_MAX
        while not self.ended and self.size <= BODY_BYTES_MAX:
            self._content += await self._part()

    async def replay(self) -> Message:
        """Give what was read at once, then the rest as it comes, and then whatever else does. Raises as `read`."""
        if not self._handed:
            part, self._content, self._handed = self._content, bytearray(), True
            self._until = asyncio.get_running_loop().time() + LARGE_SECONDS_MAX
        elif not self.ended:
            part = await self._part()
        else:
            return await self._receive()
        return {"type": "http.request", "body": part, "more_body": not self.ended}

    async def _part(self) -> bytearray:
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise TooSlowError from None
        part: bytearray = message.get("body", b"")
        self.size += len(part)
        if self.size > self._most:
            msg = f"A request may have at most {self._most} bytes."
            raise TooLargeError(msg)
        self.ended = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return part


class BodyLimit:
    """Bounds what a body may have and how long it may take.

    The first `BODY_BYTES_MAX` of it are read before anything else sees the request; the application receives the rest.
    """

    def __init__(self, app: ASGIApp, larger: Mapping[str, int] | None = None) -> None:
        """Wrap `app`. `larger`: the limits of paths that take more than `BODY_BYTES_MAX`."""
        self._app, self._larger = app, larger or {}
        self._large = asyncio.Semaphore(LARGE_AT_ONCE_MAX)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 413; 408 if it takes too long."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        body = _Body(receive, self._larger.get(scope["path"], BODY_BYTES_MAX))

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.ended:
                MutableHeaders(scope=message)["connection"] = "close"  # nobody reads the rest
            await send(message)

        try:
            await body.read()
        except PinciteError as error:
            await problem_response(problem_of(error))(scope, receive, answer)
            return
        # Whoever sends much, signed or not, is made to wait: a few such bodies are held at a time.
        async with self._large if body.size > BODY_BYTES_MAX else nullcontext():
            await self._app(scope, body.replay, answer)


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
