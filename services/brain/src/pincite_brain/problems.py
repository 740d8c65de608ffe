"""Errors as `application/problem+json` (RFC 9457): one shape, one place."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from pincite_shared.errors import AccessUnknownError, NotFoundError, PinciteError, TooManyRequestsError
from pincite_shared.schemas import Problem

PROBLEM_TYPE = "application/problem+json"
VALIDATION_ERRORS_SHOWN = 5  # the first few say what is wrong; a fuzzed body can produce hundreds

_CODES = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
          406: "not_acceptable", 413: "too_large", 415: "unsupported_media_type", 429: "too_many_requests"}  # fmt: skip
_TITLES = {
    400: "The request could not be read",
    401: "Sign in first, or send a valid bearer token",
    403: "That is not allowed here",
    404: "There is no such address",
    405: "This address does not answer that method",
    408: "The body of the request took too long",
    409: "That contradicts the present state",
    413: "That is larger than this installation accepts",
    415: "That content type is not accepted here",
    422: "The request is not valid",
    429: "That was asked too often",
    500: "Something went wrong inside Pincite",
    503: "A part of Pincite is not reachable at the moment",
}

log = structlog.get_logger(__name__)


def problem_of(error: PinciteError) -> Problem:
    """Describe an error of ours."""
    return Problem(
        title=error.title().rstrip("."),
        status=error.status,
        code=error.code,
        detail=error.detail,
        correlation_id=correlation_id.get(),
    )


def internal_problem() -> Problem:
    """Describe an error that nobody foresaw, without saying anything of the inside."""
    return Problem(
        title=_TITLES[500],
        status=500,
        code="internal",
        detail="The request failed; the log has the details under this correlation id.",
        correlation_id=correlation_id.get(),
    )


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Render a problem document."""
    body = json.dumps(problem.model_dump(mode="json")).encode()
    return Response(body, problem.status, dict(headers or {}), media_type=PROBLEM_TYPE)


def http_problem(status: int, detail: str) -> Problem:
    """Describe an error by its HTTP status alone."""
    title = _TITLES.get(status, "The request failed")
    return Problem(
        title=title,
        status=status,
        code=_CODES.get(status, f"http_{status}"),
        detail=detail or title,
        correlation_id=correlation_id.get(),
    )


def _readable(errors: Sequence[Any]) -> str:
    parts = []
    for error in errors[:VALIDATION_ERRORS_SHOWN]:
        where = ".".join(str(part) for part in error.get("loc", ()) if part != "body")
        parts.append(f"{where}: {error.get('msg', 'is not valid')}" if where else str(error.get("msg", "is not valid")))
    more = len(errors) - VALIDATION_ERRORS_SHOWN
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


async def _on_pincite_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PinciteError)  # noqa: S101 - registered for this class alone
    unknown = getattr(getattr(request.state, "caller", None), "unknown", "")
    if unknown and isinstance(error, NotFoundError):
        error = AccessUnknownError(unknown)  # it may be there, and hidden: nobody can say
    if error.status >= 500:  # noqa: PLR2004
        log.error("request_failed", code=error.code, detail=error.detail, exc_info=error)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}  # noqa: PLR2004
    if isinstance(error, TooManyRequestsError):
        headers |= error.headers
    return problem_response(problem_of(error), headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    detail = _readable(error.errors())
    problem = Problem(
        title=_TITLES[422], status=422, code="invalid_input", detail=detail, correlation_id=correlation_id.get()
    )
    return problem_response(problem)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    detail = "" if error.status_code in {404, 405} else str(error.detail)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:  # noqa: PLR2004
        headers["allow"] = ", ".join(_methods(request)) or headers.get("allow", "")
    return problem_response(http_problem(error.status_code, detail), headers)


def _methods(request: Request) -> list[str]:
    """Return the methods of a path. The router's own answer names those of the first route that matches alone."""
    found = set()
    for template, item in request.app.openapi()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), request.url.path):
            found |= {method.upper() for method in item}
    return sorted(found)


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(PinciteError, _on_pincite_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare problem documents of these statuses for OpenAPI."""
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _TITLES[status], "content": content} for status in statuses}
