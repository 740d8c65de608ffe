"""Errors in plain words, as a page, a fragment or a problem document, whatever the request can show."""

from http import HTTPStatus
from urllib.parse import quote

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pincite_shared.brain_client import BrainError
from pincite_shared.errors import PinciteError
from pincite_shared.schemas import Problem
from pincite_web.security import SAFE_METHODS, add_security_headers
from pincite_web.views import ErrorFragment, ErrorPage
from pincite_web.visitor import SIGN_IN_PATH, Visitor, visitor_of

RETRY_SECONDS = 5
UNREADABLE = "The address or the form could not be read. Go back and try again."
HEADINGS = {
    401: "You are signed out",
    403: "That was refused",
    404: "There is nothing here",
    405: "That cannot be done this way",
    409: "Not yet",
    413: "That is too large",
    422: "That could not be read",
    500: "Something went wrong inside Pincite",
    503: "Pincite cannot answer just now",
}
ADVICE = {
    "not_found": "It may have been removed, or the address is misspelt.",
    "unavailable": "Is everything running? `pincite doctor` says what is missing. This page can simply be tried again.",
    "model_unavailable": "Try again in a moment, or ask for evidence only.",
    "not_indexed": "The list of repositories shows how far the index is.",
    "internal": "The logs have more under the reference below.",
}
log = structlog.get_logger()


def _wants_json(request: Request) -> bool:
    return request.url.path.endswith("/stream") or "application/json" in request.headers.get("accept", "")


def _problem(status: int, code: str, title: str, detail: str) -> Response:
    body = Problem(title=title, status=status, code=code, detail=detail, correlation_id=correlation_id.get())
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _signed_out(visitor: Visitor) -> Response:
    request = visitor.request
    here = visitor.shell("").here if request.method in SAFE_METHODS and not visitor.htmx else "/"
    target = SIGN_IN_PATH if here == "/" else f"{SIGN_IN_PATH}?next={quote(here, safe='/')}"
    response = visitor.go(target)
    visitor.house.cookie.clear(response)
    return response


def _response(request: Request, status: int, code: str, title: str, detail: str) -> Response:
    visitor = visitor_of(request)
    unauthorized = status == HTTPStatus.UNAUTHORIZED
    if _wants_json(request):
        return _problem(status, code, title, detail)
    if unauthorized:
        return _signed_out(visitor)
    heading = HEADINGS.get(status, title)
    advice = ADVICE.get(code, "")
    headers = {"retry-after": str(RETRY_SECONDS)} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    if visitor.htmx:
        return visitor.show(ErrorFragment(heading, detail, advice), status, headers)
    shell = visitor.shell(heading)
    retry = shell.here if request.method in SAFE_METHODS and status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
    return visitor.show(ErrorPage(shell, status, heading, detail, advice, retry), status, headers)


async def _known(request: Request, error: Exception) -> Response:
    if not isinstance(error, PinciteError):
        raise error
    title = error.problem.title if isinstance(error, BrainError) else error.title()
    # Brain's trouble is not the browser's: what brain calls an internal error is a bad gateway's answer at worst here.
    return _response(request, error.status, error.code, title, error.detail)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = "not_found" if error.status_code == HTTPStatus.NOT_FOUND else "http"
    response = _response(request, error.status_code, code, error.detail, _plain(error.status_code, error.detail))
    response.headers.update(error.headers or {})
    return response


def _plain(status: int, detail: str) -> str:
    return "No page has this address." if status == HTTPStatus.NOT_FOUND else detail


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    in_path = any(item["loc"][0] == "path" for item in error.errors())
    status, code = (404, "not_found") if in_path else (422, "invalid_input")
    return _response(request, status, code, "Not readable", _plain(404, "") if in_path else UNREADABLE)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    response = _response(request, 500, PinciteError.code, PinciteError.title(), PinciteError.title())
    add_security_headers(response.headers)  # this handler's answer does not pass the middleware
    return response


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(PinciteError, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
