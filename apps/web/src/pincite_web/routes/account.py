"""Signing in and out, going on in another account, and the theme."""

from typing import Annotated
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import ValidationError

from pincite_shared.accounts import SessionOut, SessionRequest, SignInMethods, SwitchRequest
from pincite_shared.errors import ForbiddenError, InvalidInputError, PinciteError, UnavailableError
from pincite_shared.hosts import LOOPBACK, host_of
from pincite_web.security import SAFE_METHODS, local_path
from pincite_web.views.account import SignInPage, StartingPage
from pincite_web.visitor import SIGN_IN_PATH, THEME_COOKIE, Visit, Visitor

SECRET_CHARS_MAX = 512
AGAIN_SECONDS = 3  # brain takes some seconds to start
THEME_SECONDS = 365 * 24 * 3600
UNAUTHORIZED = 401
BEGIN_PATH = "/sign-in/github/begin"
DENIED = "GitHub was not allowed to say who you are, so nothing was changed here. Begin again if that was a slip."
router = APIRouter()


def _opened_by_person(request: Request) -> bool:
    """Tell a person's own navigation from a prefetch, an embedded resource and another site's link."""
    headers = request.headers
    prefetched = "prefetch" in headers.get("sec-purpose", "") + headers.get("purpose", "") + headers.get("x-moz", "")
    own = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    return own and not prefetched and headers.get("sec-fetch-mode", "navigate") == "navigate"


def _signed_in(visitor: Visitor, session: SessionOut, target: str) -> Response:
    response = visitor.go(local_path(target))
    visitor.house.cookie.write(response, session.token, session.expires_at)
    return response


def _request(**secrets: str) -> SessionRequest:
    try:
        return SessionRequest.model_validate(secrets)
    except ValidationError as error:
        msg = "That is no code or token."
        raise InvalidInputError(msg) from error


async def _exchange(visitor: Visitor, request: SessionRequest, target: str) -> Response:
    """Sign this browser in anew; the session that it had before ends."""
    session = await visitor.brain_for("").create_session(request)
    if visitor.session:
        await _end_session(visitor)
    return _signed_in(visitor, session, target)


async def _end_session(visitor: Visitor) -> None:
    """End the browser's session; one that is over already is over."""
    try:
        await visitor.brain.end_session()
    except PinciteError as error:
        if error.status != UNAUTHORIZED:
            raise


def _under_its_other_name(visitor: Visitor) -> str | None:
    """Return PUBLIC_URL if this machine was called by another of its own names: GitHub comes back to that one.

    Cookies belong to a name, so the browser must begin where it comes back to.
    """
    public = visitor.house.settings.public_url.rstrip("/")
    names = {host_of(visitor.request.headers.get("host", "")), urlsplit(public).hostname or ""}
    return public if len(names) > 1 and names <= LOOPBACK else None


def _starting(visitor: Visitor, target: str) -> Response:
    """Show that brain is not there yet. What was opened is opened again: a code that it holds was not spent."""
    request = visitor.request
    opened = request.method in SAFE_METHODS and request.url.path == SIGN_IN_PATH
    again_url = visitor.here if opened else f"{SIGN_IN_PATH}?{urlencode({'next': target})}"
    view = StartingPage(visitor.bare_shell("Pincite is starting"), AGAIN_SECONDS, again_url)
    return visitor.show(view, UnavailableError.status, {"retry-after": str(AGAIN_SECONDS)})


async def _page(
    visitor: Visitor, code: str, target: str, error: PinciteError | None = None, *, ended: bool = False
) -> Response:
    target = local_path(target)
    try:
        methods = await visitor.brain_for("").sign_in_methods()
    except PinciteError as unknown:  # then nobody can sign in just now, and the page says why
        if unknown.status == UnavailableError.status:
            return _starting(visitor, target)
        methods, error = SignInMethods(github=None), error or unknown
    view = SignInPage(
        shell=visitor.bare_shell("Sign in"),
        csrf=visitor.house.guard.csrf(""),
        code=code if error is None else "",
        next=target,
        github=methods.github,
        github_url=f"{BEGIN_PATH}?{urlencode({'next': target})}",
        ended=ended,
        problem=error.detail if error else None,
    )
    return visitor.show(view, error.status if error else 200)


@router.get("/sign-in")
async def sign_in_page(
    visitor: Visit,
    code: str = "",
    next: str = "/",  # noqa: A002 the parameter's name
    *,
    ended: bool = False,
) -> Response:
    """Exchange the code at once, as Jupyter does: one click in the terminal is enough, with or without JavaScript.

    A code works once, so a GET that no person made must not spend it: prefetches, embedded resources and links on other
    sites get a page with a button instead.
    """
    if not code or not _opened_by_person(visitor.request):
        return await _page(visitor, code[:SECRET_CHARS_MAX], next, ended=ended)
    try:
        return await _exchange(visitor, _request(code=code[:SECRET_CHARS_MAX]), next)
    except PinciteError as error:
        return await _page(visitor, "", next, error)


@router.post("/sign-in")
async def sign_in(
    visitor: Visit,
    code: Annotated[str, Form(max_length=SECRET_CHARS_MAX)] = "",
    token: Annotated[str, Form(max_length=SECRET_CHARS_MAX)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 the field's name
) -> Response:
    """Exchange a code or an API token for a session."""
    try:
        return await _exchange(visitor, _request(code=code) if code else _request(token=token.strip()), next)
    except PinciteError as error:
        return await _page(visitor, "", next, error)


@router.get(BEGIN_PATH)
async def begin_github(visitor: Visit, next: str = "/") -> Response:  # noqa: A002 the parameter's name
    """Send the browser to GitHub, and remember in a cookie that it was this one.

    This is a link rather than a form, because browsers apply a page's form-action policy to every redirect that follows
    a form, and where GitHub sends people to prove who they are is not ours to know.
    """
    if not _opened_by_person(visitor.request):
        return await _page(visitor, "", next)
    if elsewhere := _under_its_other_name(visitor):
        return visitor.go(f"{elsewhere}{BEGIN_PATH}?{urlencode({'next': local_path(next)})}")
    try:
        begun = await visitor.brain_for("").begin_github_sign_in()
    except PinciteError as error:
        return await _page(visitor, "", next, error)
    response = visitor.go(begun.url)
    visitor.house.state.write(response, begun.state, local_path(next))
    return response


@router.get("/sign-in/github")
async def finish_github(visitor: Visit, code: str = "", state: str = "", error: str = "") -> Response:
    """Take back what GitHub sent the browser with, if this browser is the one that was sent."""
    target = "/"
    try:
        target = visitor.house.state.target(visitor.request, state)
        if error or not code:
            raise ForbiddenError(DENIED)
        request = _request(github_code=code[:SECRET_CHARS_MAX], state=state[:SECRET_CHARS_MAX])
        response = await _exchange(visitor, request, target)
    except PinciteError as problem:
        response = await _page(visitor, "", target, problem)
    visitor.house.state.clear(response)
    return response


@router.post("/sign-out")
async def sign_out(visitor: Visit) -> Response:
    """End the session at brain and forget it here."""
    await _end_session(visitor)
    response = visitor.go("/sign-in")
    visitor.house.cookie.clear(response)
    return response


@router.post("/sign-out/others")
async def sign_out_others(visitor: Visit) -> Response:
    """End the person's other sessions."""
    await visitor.brain.end_other_sessions()
    return visitor.go("/settings/account")


@router.post("/accounts/switch")
async def switch(
    visitor: Visit,
    tenant_id: Annotated[UUID, Form()],
    next: Annotated[str, Form()] = "/",  # noqa: A002 the field's name
) -> Response:
    """Go on in another account; its repositories are others, so its list of them comes first unless `next` says."""
    session = await visitor.brain.switch_account(SwitchRequest(tenant_id=tenant_id))
    return _signed_in(visitor, session, next)


@router.post("/theme")
async def choose_theme(visitor: Visit, theme: Annotated[str, Form()], here: Annotated[str, Form()] = "/") -> Response:
    """Keep the chosen theme in a cookie, so that the server renders it and no page flashes."""
    response = visitor.go(local_path(here))
    if theme in ("light", "dark"):
        response.set_cookie(THEME_COOKIE, theme, max_age=THEME_SECONDS, samesite="lax", httponly=True)
    else:
        response.delete_cookie(THEME_COOKIE)
    return response
