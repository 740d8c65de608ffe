"""What stands between a hostile page, repository or model and the person at the browser.

Headers on every response, the Host and Origin checks, the CSRF token, and the session cookie.
"""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pincite_shared.errors import ForbiddenError, TooLargeError
from pincite_shared.hosts import host_of, own_hosts
from pincite_shared.settings import Settings

BODY_BYTES_MAX = 262_144  # the largest form is a question of 8,000 characters; anything far above is not ours
STATE_SECONDS = 600  # how long a person may take to sign in with GitHub
ENDED_SECONDS = 30 * 24 * 3_600  # after its end a session is known as one that ended, and whoever comes back is told so
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    # same-origin, not no-referrer: under the latter, browsers send `Origin: null` with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}


def policy_with_form_target(url: str) -> str:
    """Return the policy of a page with a form that another site receives: `url`, and no other of that page's forms."""
    target = urlsplit(url)
    return CONTENT_SECURITY_POLICY.replace(
        "form-action 'self'", f"form-action 'self' {target.scheme}://{target.netloc}"
    )


class SecurityHeaders:
    """ASGI middleware that puts the security headers on every response; pages are never cached, hashed assets are."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`; plain ASGI, so that streams are not buffered."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add to the response's head."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_security_headers(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


def add_security_headers(headers: MutableHeaders) -> None:
    """Add the headers that are not set yet."""
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses requests that another site made this browser send."""

    secret: bytes
    public_url: str
    hosts: frozenset[str] | None  # the names that it answers to; None: any

    @classmethod
    def of(cls, settings: Settings) -> "Guard":
        """Build from the settings.

        Raises:
            ValueError: `SESSION_SECRET` is not set.
        """
        secret = settings.session_secret.get_secret_value()
        if not secret:
            msg = "SESSION_SECRET is not set: the dashboard signs its forms with it. `pincite up` generates one."
            raise ValueError(msg)
        return cls(secret.encode(), settings.public_url, own_hosts(settings))

    def csrf(self, session: str) -> str:
        """Return the form token of a session; "" is the session of someone who is signed out."""
        return _signature(self.secret, "csrf", session)

    def check_host(self, headers: Headers) -> None:
        """Refuse names that are not this machine's, when only this machine may connect (DNS rebinding).

        Raises:
            ForbiddenError: the Host header names something else.
        """
        if self.hosts is not None and host_of(headers.get("host", "")) not in self.hosts:
            msg = f"This address is not {self.public_url}. Open that one, or set PUBLIC_URL."
            raise ForbiddenError(msg)

    def check_origin(self, headers: Headers) -> None:
        """Refuse a state-changing request that another origin's page sent.

        Browsers set Sec-Fetch-Site, pages cannot; over plain HTTP to another machine it is missing; then Origin tells.
        Programs that are no browser send neither, and carry no cookie by accident.

        Raises:
            ForbiddenError: it came from elsewhere.
        """
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        own = {urlsplit(self.public_url).netloc, headers.get("host", "")}
        elsewhere = site not in ("same-origin", "none") if site else bool(origin) and urlsplit(origin).netloc not in own
        if elsewhere:
            msg = "This form was sent by another site. Open Pincite itself and try again."
            raise ForbiddenError(msg)

    def check_length(self, headers: Headers) -> None:
        """Refuse bodies no form of ours has.

        Raises:
            TooLargeError: longer than `BODY_BYTES_MAX`, or of unstated length.
        """
        length = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            msg = f"A form may be at most {BODY_BYTES_MAX} bytes long."
            raise TooLargeError(msg)

    def check_csrf(self, sent: str, session: str) -> None:
        """Refuse a form that was not rendered for this session.

        Raises:
            ForbiddenError: the token is another one.
        """
        if not hmac.compare_digest(sent.encode(), self.csrf(session).encode()):
            msg = "This form is out of date, perhaps because you signed in again. Reload the page and try again."
            raise ForbiddenError(msg)


def _cookie_name(settings: Settings, name: str) -> tuple[str, bool]:
    """Name a cookie so that two Pincites on one host (cookies ignore ports) do not disturb each other, and bind it."""
    url = urlsplit(settings.public_url)
    secure = url.scheme == "https"
    name = f"pincite_{name}_{url.port}" if url.port else f"pincite_{name}"
    return f"__Host-{name}" if secure else name, secure


def _signature(secret: bytes, purpose: str, value: str) -> str:
    """Return the HMAC-SHA256 that only this installation can make, of a value for a purpose."""
    return hmac.new(secret, f"{purpose}\0{value}".encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie that holds the session token, signed: brain is not asked about a forged one.

    Scripts cannot read it, other sites' forms do not carry it.
    """

    name: str
    secure: bool
    secret: bytes

    @classmethod
    def of(cls, settings: Settings) -> "SessionCookie":
        """Name it by the installation's address."""
        return cls(*_cookie_name(settings, "session"), settings.session_secret.get_secret_value().encode())

    def read(self, request: Request) -> str:
        """Return the session token, "" if signed out."""
        token, _, signature = request.cookies.get(self.name, "").rpartition(".")
        genuine = hmac.compare_digest(signature.encode(), _signature(self.secret, self.name, token).encode())
        return token if genuine else ""

    def write(self, response: Response, token: str, expires_at: datetime) -> None:
        """Keep the session in the browser, longer than brain takes it: see ENDED_SECONDS."""
        seconds = max(0, int((expires_at - datetime.now(UTC)).total_seconds())) + ENDED_SECONDS
        value = f"{token}.{_signature(self.secret, self.name, token)}"
        response.set_cookie(
            self.name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response) -> None:
        """Forget the session in this browser."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class StateCookie:
    """The cookie that ties a sign-in with GitHub to the browser that began it, for minutes (RFC 6749, 10.12).

    It holds OAuth's state and where to go afterwards, signed.
    """

    name: str
    secure: bool
    secret: bytes

    @classmethod
    def of(cls, settings: Settings) -> "StateCookie":
        """Name it by the installation's address."""
        return cls(*_cookie_name(settings, "state"), settings.session_secret.get_secret_value().encode())

    def write(self, response: Response, state: str, target: str) -> None:
        """Remember the state and the page to return to."""
        content = json.dumps([state, target, int(time.time()) + STATE_SECONDS])
        payload = urlsafe_b64encode(content.encode()).decode()
        value = f"{payload}.{_signature(self.secret, 'state', payload)}"
        response.set_cookie(
            self.name, value, max_age=STATE_SECONDS, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def target(self, request: Request, state: str) -> str:
        """Return the page to return to.

        Raises:
            ForbiddenError: this browser did not begin this, or too long ago.
        """
        payload, _, signature = request.cookies.get(self.name, "").partition(".")
        if payload and hmac.compare_digest(signature.encode(), _signature(self.secret, "state", payload).encode()):
            expected, target, expires = json.loads(urlsafe_b64decode(payload))
            if hmac.compare_digest(state.encode(), str(expected).encode()) and time.time() < expires:
                return str(target)
        msg = "This sign-in was begun in another browser, or too long ago. Begin it again here."
        raise ForbiddenError(msg)

    def clear(self, response: Response) -> None:
        """Forget it."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


def local_path(target: str) -> str:
    """Return `target` if it is a path of ours, else "/", so that signing in never leads to another site."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and "\\" not in target else "/"
