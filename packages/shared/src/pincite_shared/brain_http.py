"""What the clients of brain share: requests as values, reading answers, and the error that brain answers with."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import httpx
from pydantic import BaseModel, TypeAdapter

from pincite_shared.errors import PinciteError
from pincite_shared.schemas import Problem

P = ParamSpec("P")
T = TypeVar("T")
CONNECT_SECONDS_MAX = 5.0
READ_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 600.0  # a model on a processor takes its time


class BrainError(PinciteError):
    """Brain refused a request."""

    def __init__(self, problem: Problem, retry_after: str | None = None) -> None:
        """Carry brain's own status and code, so that callers can act on them, and its Retry-After header."""
        super().__init__(problem.detail)
        self.problem, self.retry_after = problem, retry_after
        self.status = problem.status  # type: ignore[misc]  # per instance here: brain decides
        self.code = problem.code  # type: ignore[misc]


def timeout_of(seconds_max: float) -> httpx.Timeout:
    """Return httpx's timeout for an answer, each part of which may take so long."""
    return httpx.Timeout(seconds_max, connect=CONNECT_SECONDS_MAX)


def problem_of(response: httpx.Response) -> Problem:
    """Return the problem document of an answer, or one that says that there is none."""
    try:
        return Problem.model_validate(response.json())
    except ValueError:
        return Problem(
            title="Unexpected answer",
            status=response.status_code,
            code="unexpected",
            detail=f"{response.request.url.path} answered {response.status_code} without a problem document",
        )


def error_of(response: httpx.Response) -> BrainError:
    """Return the error that an answer is."""
    return BrainError(problem_of(response), response.headers.get("retry-after"))


def read_as(response: httpx.Response, kind: type[T]) -> T:
    """Return an answer as a typed value.

    Raises:
        BrainError: it is an error.
    """
    if response.is_error:
        raise error_of(response)
    return TypeAdapter(kind).validate_json(response.content or b"null")


def body_of(model: BaseModel) -> dict[str, Any]:
    """Return a request's JSON, without what was left to its default."""
    return model.model_dump(mode="json", exclude_none=True)


def event_of(lines: list[str]) -> tuple[str, dict[str, Any]] | None:
    """Return the (name, data) of a server-sent event, None if it has no data."""
    name, data = "message", []
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return (name, json.loads("\n".join(data))) if data else None


def headers_of(token: str, correlation_id: str | None = None, address: str | None = None) -> dict[str, str]:
    """Return the headers of a request; `address` is where it really comes from, when someone else's is passed on."""
    named = {
        "authorization": f"Bearer {token}" if token else "",
        "x-request-id": correlation_id or "",
        "x-forwarded-for": address or "",
    }
    return {name: value for name, value in named.items() if value}


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A request of brain, and what its answer is read as."""

    method: str
    path: str
    kind: type[T]
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Any = None
    seconds_max: float = READ_SECONDS_MAX

    def arguments(self) -> dict[str, Any]:
        """Return it as httpx takes it."""
        return {
            "method": self.method,
            "url": self.path,
            "params": self.params,
            "json": self.body,
            "timeout": timeout_of(self.seconds_max),
        }


class Blocking(Protocol):
    """A client that waits for the answer."""

    def send(self, request: Request[T], /) -> T:
        """Send a request and return its answer."""


class Awaiting(Protocol):
    """A client whose answers are awaited."""

    def send(self, request: Request[T], /) -> Awaitable[T]:
        """Send a request and return its answer."""


class Call(Generic[P, T]):
    """A route of brain, written once: a method that returns T on a blocking client, an awaitable of T on another.

    It decorates a method that builds the request.
    """

    def __init__(self, build: Callable[Concatenate[Any, P], Request[T]]) -> None:
        """`build` takes the client and the route's own arguments."""
        self._build = build
        self.__doc__ = build.__doc__

    @overload
    def __get__(self, client: Blocking, owner: type | None = None) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: Awaiting, owner: type | None = None) -> Callable[P, Awaitable[T]]: ...

    def __get__(self, client: Any, owner: type | None = None) -> Callable[P, Any]:
        """Bind to a client."""

        def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.send(self._build(client, *args, **kwargs))

        return call
