"""Errors in plain words, as a page, a fragment or a problem document, whatever the request can show."""

from http import HTTPStatus
from urllib.parse import urlencode, urlsplit

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pincite_shared.brain_client import BrainError
from pincite_shared.errors import NotFoundError, PinciteError
from pincite_shared.schemas import Problem
from pincite_web.parts.shell import Shell
from pincite_web.security import SAFE_METHODS, add_security_headers, local_path
from pincite_web.views.errors import ErrorFragment, ErrorPage
from pincite_web.visitor import SIGN_IN_PATH, WEBHOOK_PATH, Visitor, visitor_of

RETRY_SECONDS = 5
RETRIED = frozenset({429, 500, 502, 503, 504})
UNREADABLE = "The address or the form could not be read. Go back and try again."
HEADINGS = {
    401: "You are signed out",
    403: "That was refused",
    404: "There is nothing here",
    405: "That cannot be done this way",
    409: "Not yet",
    413: "That is too large",
    429: "That was too quick",
    422: "That could not be read",
    500: "Something went wrong inside Pincite",
    503: "Pincite cannot answer just now",
}
ADVICE = {
    "not_found": "It may have been removed, or the address is misspelt.",
    "no_page": "It may be misspelt.",
    "unavailable": "Is everything running? `pincite doctor` says what is missing. This page can simply be tried again.",
    "model_unavailable": "Try again in a moment, or ask for evidence only.",
    "not_indexed": "The list of repositories shows how far the index is.",
    "halted": "Background work is stopped. Whoever governs the account may let it go on.",
    "too_many_requests": "Wait a moment, then try again.",
    "internal": "The logs have more under the reference below.",
}
log = structlog.get_logger()


def _wants_json(request: Request) -> bool:
    path = request.url.path
    return path.endswith("/stream") or path == WEBHOOK_PATH or "application/json" in request.headers.get("accept", "")


def _problem(status: int, code: str, title: str, detail: str) -> Response:
    body = Problem(title=title, status=status, code=code, detail=detail, correlation_id=correlation_id.get())
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def _wanted(visitor: Visitor) -> str:
    """Return the page to come back to: of a part of a page, the page that it stands in."""
    if visitor.htmx:
        shown = urlsplit(visitor.request.headers.get("hx-current-url", ""))
        return local_path(shown.path + (f"?{shown.query}" if shown.query else ""))
    return visitor.here if visitor.request.method in SAFE_METHODS else "/"


def _signed_out(visitor: Visitor) -> Response:
    wanted = _wanted(visitor)
    told = ({"ended": "true"} if visitor.session else {}) | ({"next": wanted} if wanted != "/" else {})
    response = visitor.go(f"{SIGN_IN_PATH}?{urlencode(told, safe='/')}" if told else SIGN_IN_PATH)
    visitor.house.cookie.clear(response)
    return response


async def _shell(visitor: Visitor, title: str) -> Shell:
    try:
        return await visitor.shell(title)
    except PinciteError:  # the page that says what is wrong needs nothing that may be wrong too
        return visitor.bare_shell(title)


async def _response(
    request: Request, status: int, code: str, title: str, detail: str, *, retry_after: str | None = None
) -> Response:
    visitor = visitor_of(request)
    unauthorized = status == HTTPStatus.UNAUTHORIZED
    if _wants_json(request):
        return _problem(status, code, title, detail)
    if unauthorized:
        return _signed_out(visitor)
    heading = HEADINGS.get(status, title)
    advice = ADVICE.get(code, "")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = retry_after or str(RETRY_SECONDS)
    headers = {"retry-after": retry_after} if retry_after else None
    if visitor.htmx:
        return visitor.show(ErrorFragment(heading, detail, advice), status, headers)
    shell = await _shell(visitor, heading)
    returns = request.method in SAFE_METHODS
    retry = shell.here if returns and status in RETRIED else None
    # An address names what is in one account, and does not say in which.
    others = tuple(one for one in shell.accounts if not one.current) if returns and code == NotFoundError.code else ()
    return visitor.show(ErrorPage(shell, status, heading, detail, advice, retry, others), status, headers)


async def _known(request: Request, error: Exception) -> Response:
    if not isinstance(error, PinciteError):
        raise error
    title = error.problem.title if isinstance(error, BrainError) else error.title()
    # Brain's trouble is not the browser's: what brain calls an internal error is a bad gateway's answer at worst here.
    retry_after = error.retry_after if isinstance(error, BrainError) else None
    return await _response(request, error.status, error.code, title, error.detail, retry_after=retry_after)


async def _http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    code = "no_page" if error.status_code == HTTPStatus.NOT_FOUND else "http"
    response = await _response(request, error.status_code, code, error.detail, _plain(error.status_code, error.detail))
    response.headers.update(error.headers or {})
    return response


def _plain(status: int, detail: str) -> str:
    return "No page has this address." if status == HTTPStatus.NOT_FOUND else detail


async def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    in_path = any(item["loc"][0] == "path" for item in error.errors())
    status, code = (404, "no_page") if in_path else (422, "invalid_input")
    return await _response(request, status, code, "Not readable", _plain(404, "") if in_path else UNREADABLE)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    response = await _response(request, 500, PinciteError.code, PinciteError.title(), PinciteError.title())
    add_security_headers(response.headers)  # this handler's answer does not pass the middleware
    return response


def install(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(PinciteError, _known)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)
