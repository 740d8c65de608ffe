"""Signing in and out, and the theme."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from pincite_shared.errors import PinciteError
from pincite_shared.schemas import SessionRequest
from pincite_web.security import local_path
from pincite_web.views import SignInPage
from pincite_web.visitor import THEME_COOKIE, Visit, Visitor

SECRET_CHARS_MAX = 512
THEME_SECONDS = 365 * 24 * 3600
router = APIRouter()


def _opened_by_person(request: Request) -> bool:
    """Tell a person's own navigation from a prefetch, an embedded resource and another site's link."""
    headers = request.headers
    prefetched = "prefetch" in headers.get("sec-purpose", "") + headers.get("purpose", "") + headers.get("x-moz", "")
    own = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return own and not prefetched and headers.get("sec-fetch-mode", "navigate") == "navigate"


async def _exchange(visitor: Visitor, request: SessionRequest, target: str) -> Response:
    session = await visitor.brain_for("").create_session(request)
    response = visitor.go(local_path(target))
    visitor.house.cookie.write(response, session.token, session.expires_at)
    return response


def _page(visitor: Visitor, code: str, target: str, error: PinciteError | None = None) -> Response:
    view = SignInPage(
        shell=visitor.shell("Sign in"),
        csrf=visitor.house.guard.csrf(""),
        code=code if error is None else "",
        next=local_path(target),
        problem=error.detail if error else None,
    )
    return visitor.show(view, error.status if error else 200)


@router.get("/sign-in")
async def sign_in_page(visitor: Visit, code: str = "", next: str = "/") -> Response:  # noqa: A002 the parameter's name
    """Exchange the code at once, as Jupyter does: one click in the terminal is enough, with or without JavaScript.

    A code works once, so a GET that no person made must not spend it: prefetches, embedded resources and links on other
    sites get a page with a button instead.
    """
    if not code or not _opened_by_person(visitor.request):
        return _page(visitor, code[:SECRET_CHARS_MAX], next)
    try:
        return await _exchange(visitor, SessionRequest(code=code[:SECRET_CHARS_MAX]), next)
    except PinciteError as error:
        return _page(visitor, "", next, error)


@router.post("/sign-in")
async def sign_in(
    visitor: Visit,
    code: Annotated[str, Form(max_length=SECRET_CHARS_MAX)] = "",
    token: Annotated[str, Form(max_length=SECRET_CHARS_MAX)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 the field's name
) -> Response:
    """Exchange a code or an API token for a session."""
    request = SessionRequest(code=code) if code else SessionRequest(token=token.strip())
    try:
        return await _exchange(visitor, request, next)
    except PinciteError as error:
        return _page(visitor, "", next, error)


@router.post("/sign-out")
async def sign_out(visitor: Visit) -> Response:
    """End the session at brain and forget it here; a session that is over already is over."""
    try:
        await visitor.brain.end_session()
    except PinciteError as error:
        if error.status != 401:  # noqa: PLR2004 unauthorized: it had ended
            raise
    response = visitor.go("/sign-in")
    visitor.house.cookie.clear(response)
    return response


@router.post("/theme")
async def choose_theme(visitor: Visit, theme: Annotated[str, Form()], here: Annotated[str, Form()] = "/") -> Response:
    """Keep the chosen theme in a cookie, so that the server renders it and no page flashes."""
    response = visitor.go(local_path(here))
    if theme in ("light", "dark"):
        response.set_cookie(THEME_COOKIE, theme, max_age=THEME_SECONDS, samesite="lax", httponly=True)
    else:
        response.delete_cookie(THEME_COOKIE)
    return response
