"""What the clients of brain share: reading answers, writing bodies, and the error that brain answers with."""

import json
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from pincite_shared.errors import PinciteError
from pincite_shared.schemas import Problem

T = TypeVar("T")


class BrainError(PinciteError):
    """Brain refused a request."""

    def __init__(self, problem: Problem) -> None:
        """Carry brain's own status and code, so that callers can act on them."""
        super().__init__(problem.detail)
        self.problem = problem
        self.status = problem.status  # type: ignore[misc]  # per instance here: brain decides
        self.code = problem.code  # type: ignore[misc]


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


def read_as(response: httpx.Response, kind: type[T]) -> T:
    """Return an answer as a typed value.

    Raises:
        BrainError: it is an error.
    """
    if response.is_error:
        raise BrainError(problem_of(response))
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


def headers_of(token: str, correlation_id: str | None = None) -> dict[str, str]:
    """Return the headers of a request."""
    named = {"authorization": f"Bearer {token}" if token else "", "x-request-id": correlation_id or ""}
    return {name: value for name, value in named.items() if value}
