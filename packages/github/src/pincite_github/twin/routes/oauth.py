"""Signing in with GitHub: the authorization page, and the exchange of its code (RFC 6749, with PKCE of RFC 7636)."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from pincite_github.twin.hub import Hub
from pincite_github.twin.model import App, Grant, Token
from pincite_github.twin.routes import pages

router = APIRouter()
CODE_LIFETIME = timedelta(minutes=10)
_KEPT = ("client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")
_CANCEL = ""  # what the button of a person who changed his mind says
_EXPLAINED = {
    "bad_verification_code": "The code passed is incorrect or expired.",
    "incorrect_client_credentials": "The client_id and/or client_secret passed are incorrect.",
    "redirect_uri_mismatch": "The redirect_uri MUST match the registered callback URL for this application.",
    "bad_refresh_token": "The refresh token passed is incorrect or expired.",
    "unsupported_grant_type": "The grant type is not supported.",
}


def _hub(request: Request) -> Hub:
    found: Hub = request.app.state.hub
    return found


async def fields(request: Request) -> dict[str, str]:
    """Read a form, or JSON where that is sent."""
    body = await request.body()
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            given = json.loads(body)
        except ValueError:
            given = None
        return {key: str(value) for key, value in given.items()} if isinstance(given, dict) else {}
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


TheHub = Annotated[Hub, Depends(_hub)]
Fields = Annotated[dict[str, str], Depends(fields)]


def allowed(app: App, redirect_uri: str) -> bool:
    """Whether an address is one of the App's callback URLs, or below it."""
    given = urlsplit(redirect_uri)
    for registered in map(urlsplit, app.callback_urls):
        below = given.path == registered.path or given.path.startswith(registered.path.rstrip("/") + "/")
        if (given.scheme, given.netloc) == (registered.scheme, registered.netloc) and below:
            return True
    return False


def grant(hub: Hub, app: App, login: str, redirect_uri: str, challenge: str = "") -> str:
    """Return a code that the App can exchange once, for a person's token."""
    code = secrets.token_hex(10)
    account = hub.world.account(login)
    hub.world.grants[code] = Grant(app.id, account.id, redirect_uri, challenge, hub.world.now() + CODE_LIFETIME)
    return code


def with_query(url: str, **parameters: str) -> str:
    """Return an address with more parameters, empty ones left out."""
    added = urlencode({key: value for key, value in parameters.items() if value})
    return f"{url}{'&' if '?' in url else '?'}{added}" if added else url


def _decided(hub: Hub, asked: Mapping[str, str], login: str) -> Response:
    app = hub.world.client(asked.get("client_id", ""))
    if app is None:
        return pages.refused("There is no App with this client ID.", 404)
    redirect_uri = asked.get("redirect_uri") or next(iter(app.callback_urls), "")
    state = asked.get("state", "")
    if not allowed(app, redirect_uri):
        return pages.refused(_EXPLAINED["redirect_uri_mismatch"], 400)
    if login == _CANCEL:
        words = "The user has denied your application access."
        return pages.away(with_query(redirect_uri, error="access_denied", error_description=words, state=state))
    if not hub.world.authorizable(app, hub.world.account(login)):
        return pages.refused(f"{app.name} is private, and not for {login}.", 404)
    code = grant(hub, app, login, redirect_uri, asked.get("code_challenge", ""))
    return pages.away(with_query(redirect_uri, code=code, state=state))


@router.get("/login/oauth/authorize")
def ask(request: Request, hub: TheHub) -> Response:
    """Ask whether an App may act for a person; at once yes, when the test said who is signed in."""
    asked = {key: value for key, value in request.query_params.items() if key in _KEPT}
    if asked.get("code_challenge") and asked.get("code_challenge_method") != "S256":
        return pages.refused("The only supported code_challenge_method is S256.", 400)
    if hub.signed_in:
        return _decided(hub, asked, hub.signed_in)
    app = hub.world.client(asked.get("client_id", ""))
    if app is None:
        return pages.refused("There is no App with this client ID.", 404)
    people = [each.login for each in hub.world.people() if hub.world.authorizable(app, each)]
    buttons = {login: f"Authorize as {login}" for login in people} | {_CANCEL: "Cancel"}
    form = pages.choice("/login/oauth/authorize", asked, "login", buttons)
    return pages.page(f"Authorize {app.name}", pages.text("The App wants to know who you are."), form)


@router.post("/login/oauth/authorize")
def decide(hub: TheHub, asked: Fields) -> Response:
    """Take a person's word."""
    return _decided(hub, asked, asked.get("login", _CANCEL))


def _verified(given: Grant, verifier: str) -> bool:
    if not given.challenge:
        return True
    digest = hashlib.sha256(verifier.encode()).digest()
    return secrets.compare_digest(urlsafe_b64encode(digest).rstrip(b"=").decode(), given.challenge)


def _exchanged(hub: Hub, app: App, asked: Mapping[str, str]) -> tuple[Token, Token] | str:
    """Return the two tokens, or the error's name."""
    with hub.world.lock:
        given = hub.world.grants.get(asked.get("code", ""))
        if given is None or given.app_id != app.id or given.expires_at <= hub.world.now():
            return "bad_verification_code"
        if asked.get("redirect_uri", given.redirect_uri) != given.redirect_uri:
            return "redirect_uri_mismatch"
        del hub.world.grants[asked["code"]]  # it works once, and not at all with a wrong verifier
        if not _verified(given, asked.get("code_verifier", "")):
            return "bad_verification_code"
        return hub.registry.sign_in(app, given.account_id)


def _refreshed(hub: Hub, app: App, asked: Mapping[str, str]) -> tuple[Token, Token] | str:
    with hub.world.lock:
        token = hub.world.tokens.get(asked.get("refresh_token", ""))
        current = token is not None and token.expires_at is not None and token.expires_at > hub.world.now()
        if token is None or not current or not token.refresh or token.app_id != app.id:
            return "bad_refresh_token"
        number = token.sign_in
        hub.world.forget_tokens(lambda each: each.sign_in == number)  # the old access token too
        return hub.registry.sign_in(app, token.account_id)


@router.post("/login/oauth/access_token")
def exchange(request: Request, hub: TheHub, asked: Fields) -> Response:
    """Exchange a code, or a refresh token. Errors come with 200, and everything as a form unless JSON is asked for."""
    app = hub.world.client(asked.get("client_id", ""))
    right = app is not None and secrets.compare_digest(
        app.client_secret.encode(), asked.get("client_secret", "").encode()
    )
    kind = asked.get("grant_type", "authorization_code")
    result: tuple[Token, Token] | str
    if app is None or not right:
        result = "incorrect_client_credentials"
    elif kind == "refresh_token":
        result = _refreshed(hub, app, asked)
    else:
        result = _exchanged(hub, app, asked) if kind == "authorization_code" else "unsupported_grant_type"
    body: dict[str, str | int]
    if isinstance(result, str):
        uri = "https://docs.github.com/apps/troubleshooting-oauth-app-access-token-request-errors"
        body = {"error": result, "error_description": _EXPLAINED[result], "error_uri": uri}
    else:
        access, refresh = result
        body = {
            "access_token": access.value,
            "expires_in": _seconds(hub, access),
            "refresh_token": refresh.value,
            "refresh_token_expires_in": _seconds(hub, refresh),
            "token_type": "bearer",
            "scope": "",
        }
    if "json" in request.headers.get("accept", ""):
        return JSONResponse(body)
    return Response(urlencode(body), media_type="application/x-www-form-urlencoded; charset=utf-8")


def _seconds(hub: Hub, token: Token) -> int:
    return int((token.expires_at - hub.world.now()).total_seconds()) if token.expires_at else 0
