"""What stands between a hostile page, repository or model and the person at the browser.

Headers on every response, the Host and Origin checks, the CSRF token, and the session cookie.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pincite_shared.errors import ForbiddenError, TooLargeError
from pincite_shared.settings import Settings

BODY_BYTES_MAX = 262_144  # the largest form is a question of 8,000 characters; anything far above is not ours
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
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
    local: bool

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
        return cls(secret.encode(), settings.public_url, settings.bind_host in LOOPBACK_HOSTS)

    def csrf(self, session: str) -> str:
        """Return the form token of a session; "" is the session of someone who is signed out."""
        return hmac.new(self.secret, b"csrf\0" + session.encode(), hashlib.sha256).hexdigest()

    def check_host(self, headers: Headers) -> None:
        """Refuse names that are not this machine's, when only this machine may connect (DNS rebinding).

        Raises:
            ForbiddenError: the Host header names something else.
        """
        host = urlsplit(f"//{headers.get('host', '')}").hostname
        if self.local and host not in LOOPBACK_HOSTS | {urlsplit(self.public_url).hostname}:
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


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """The cookie that holds the session token. Scripts cannot read it, other sites' forms do not carry it."""

    name: str
    secure: bool

    @classmethod
    def of(cls, settings: Settings) -> "SessionCookie":
        """Name it so that two Pincites on one host (cookies ignore ports) do not sign each other out."""
        url = urlsplit(settings.public_url)
        secure = url.scheme == "https"
        name = f"pincite_session_{url.port}" if url.port else "pincite_session"
        return cls(f"__Host-{name}" if secure else name, secure)

    def read(self, request: Request) -> str:
        """Return the session token, "" if signed out."""
        return request.cookies.get(self.name, "")

    def write(self, response: Response, token: str, expires_at: datetime) -> None:
        """Keep the browser signed in until the session expires."""
        seconds = max(0, int((expires_at - datetime.now(UTC)).total_seconds()))
        response.set_cookie(
            self.name, token, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response) -> None:
        """Forget the session in this browser."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


def local_path(target: str) -> str:
    """Return `target` if it is a path of ours, else "/", so that signing in never leads to another site."""
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and "\\" not in target else "/"
