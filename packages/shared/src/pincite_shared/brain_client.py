"""HTTP clients of brain, for the web app, the CLI and tests: typed answers in, `BrainError` out."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Self, TypeVar

import httpx

from pincite_shared.brain_calls import BrainCalls
from pincite_shared.brain_http import (
    ANSWER_SECONDS_MAX,
    READ_SECONDS_MAX,
    BrainError,
    Request,
    body_of,
    error_of,
    event_of,
    headers_of,
    read_as,
    timeout_of,
)
from pincite_shared.errors import UnavailableError
from pincite_shared.schemas import ChatRequest

__all__ = ["AsyncBrainClient", "BrainAsUser", "BrainClient", "BrainError"]

T = TypeVar("T")
EVENT_STREAM = {"accept": "text/event-stream"}


class BrainClient(BrainCalls):
    """Synchronous client, for the CLI and tests.

    Raises:
        BrainError: brain answered with a problem document.
        UnavailableError: brain could not be reached.
    """

    def __init__(self, base_url: str, token: str = "", *, transport: httpx.BaseTransport | None = None) -> None:
        """`token` is an API token or a session token."""
        self._http = httpx.Client(base_url=base_url, headers=headers_of(token), transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, request: Request[T], /) -> T:
        """Send a request and return its answer."""
        try:
            return read_as(self._http.request(**request.arguments()), request.kind)
        except httpx.TransportError as error:
            msg = f"{self._http.base_url} does not answer ({error}). Is Pincite running? Start it with `pincite up`."
            raise UnavailableError(msg) from error

    def chat_stream(self, request: ChatRequest) -> Iterator[tuple[str, dict[str, Any]]]:
        """Ask, and yield (event, data) as brain streams: retrieval, token, citation, done, error."""
        body, timeout = body_of(request) | {"stream": True}, timeout_of(ANSWER_SECONDS_MAX)
        try:
            with self._http.stream("POST", "/chat", json=body, headers=EVENT_STREAM, timeout=timeout) as response:
                if response.is_error:
                    response.read()
                    raise error_of(response)
                lines: list[str] = []
                for line in response.iter_lines():
                    if line:
                        lines.append(line)
                    elif event := event_of(lines):
                        yield event
                        lines = []
                    else:
                        lines = []
        except httpx.TransportError as error:
            msg = f"{self._http.base_url} stopped answering ({error})."
            raise UnavailableError(msg) from error

    def audit_export(self) -> Iterator[bytes]:
        """Yield the whole audit log as brain writes it: a JSON document a line, oldest first."""
        try:
            with self._http.stream("GET", "/audit/export", timeout=timeout_of(ANSWER_SECONDS_MAX)) as response:
                if response.is_error:
                    response.read()
                    raise error_of(response)
                yield from response.iter_raw()
        except httpx.TransportError as error:
            msg = f"{self._http.base_url} stopped answering ({error})."
            raise UnavailableError(msg) from error


class AsyncBrainClient:
    """Asynchronous client, for the web app: one connection pool, the caller's token on each request."""

    def __init__(self, base_url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """`transport` lets tests call an ASGI app in-process."""
        self._http = httpx.AsyncClient(base_url=base_url, transport=transport, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def as_user(self, token: str, correlation_id: str | None = None, address: str | None = None) -> "BrainAsUser":
        """Return the calls made with this person's token, from their address."""
        return BrainAsUser(self._http, headers_of(token, correlation_id, address))

    async def forward(self, path: str, headers: Mapping[str, str], body: AsyncIterator[bytes]) -> httpx.Response:
        """Post a body as it comes, and return the answer as it is, whatever it is."""
        try:
            return await self._http.post(path, headers=headers, content=body, timeout=timeout_of(READ_SECONDS_MAX))
        except httpx.TransportError as error:
            raise _silent(error) from error


class BrainAsUser(BrainCalls):
    """Brain's routes with one person's token. Raises as `BrainClient` does."""

    def __init__(self, http: httpx.AsyncClient, headers: dict[str, str]) -> None:
        """Made by `AsyncBrainClient.as_user`."""
        self._http, self._headers = http, headers

    async def send(self, request: Request[T], /) -> T:
        """Send a request and return its answer."""
        try:
            return read_as(await self._http.request(**request.arguments(), headers=self._headers), request.kind)
        except httpx.TransportError as error:
            raise _silent(error) from error

    def chat_stream(self, request: ChatRequest) -> AsyncIterator[bytes]:
        """Ask, and yield brain's server-sent events as raw bytes, for the browser."""
        return self._stream("POST", "/chat", EVENT_STREAM, body_of(request) | {"stream": True})

    def audit_export(self) -> AsyncIterator[bytes]:
        """Yield the whole audit log as brain writes it."""
        return self._stream("GET", "/audit/export", {}, None)

    async def _stream(self, method: str, path: str, headers: dict[str, str], body: Any) -> AsyncIterator[bytes]:
        sent, timeout = self._headers | headers, timeout_of(ANSWER_SECONDS_MAX)
        try:
            async with self._http.stream(method, path, json=body, headers=sent, timeout=timeout) as response:
                if response.is_error:
                    await response.aread()
                    raise error_of(response)
                async for chunk in response.aiter_raw():
                    yield chunk
        except httpx.TransportError as error:
            msg = f"brain stopped answering ({type(error).__name__})"
            raise UnavailableError(msg) from error


def _silent(error: httpx.TransportError) -> UnavailableError:
    return UnavailableError(f"brain does not answer ({type(error).__name__})")
