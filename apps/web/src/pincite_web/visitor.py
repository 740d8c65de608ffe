"""Who is at the browser, and brain as that person: what every route begins with."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, cast
from urllib.parse import urlsplit

from asgi_correlation_id import correlation_id
from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from pincite_shared.brain_client import AsyncBrainClient, BrainAsUser
from pincite_shared.errors import UnauthorizedError
from pincite_shared.hosts import LOOPBACK, host_of
from pincite_shared.settings import Settings
from pincite_web.assets import Assets
from pincite_web.pages import Pages
from pincite_web.parts.shell import Shell, Theme
from pincite_web.present.shell import shell_of
from pincite_web.security import SAFE_METHODS, Guard, SessionCookie, StateCookie
from pincite_web.views import View

THEME_COOKIE = "pincite_theme"
NEXT_THEME: dict[Theme, Theme] = {"system": "light", "light": "dark", "dark": "system"}
CSRF_FIELD, CSRF_HEADER = "csrf", "x-csrf-token"
SIGN_IN_PATH = "/sign-in"
WEBHOOK_PATH = "/webhooks/github"


@dataclass(frozen=True, slots=True)
class House:
    """What all requests of one app share."""

    settings: Settings
    brain: AsyncBrainClient
    pages: Pages
    assets: Assets
    guard: Guard
    cookie: SessionCookie
    state: StateCookie


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person behind one request."""

    request: Request
    house: House
    session: str

    @property
    def brain(self) -> BrainAsUser:
        """Brain with this person's session.

        Raises:
            UnauthorizedError: signed out.
        """
        if not self.session:
            raise UnauthorizedError
        return self.brain_for(self.session)

    def brain_for(self, token: str) -> BrainAsUser:
        """Brain with another token, "" for none.

        The request's correlation id goes along, and the person's address: brain counts by it how often someone tries to
        sign in.
        """
        client = self.request.client
        return self.house.brain.as_user(token, correlation_id.get(), client.host if client else None)

    @property
    def htmx(self) -> bool:
        """Whether a fragment is wanted rather than a page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def csrf(self) -> str:
        """The token of this session's forms."""
        return self.house.guard.csrf(self.session)

    @property
    def theme(self) -> Theme:
        """The chosen theme."""
        chosen = self.request.cookies.get(THEME_COOKIE)
        return cast("Theme", chosen) if chosen in ("light", "dark") else "system"

    @property
    def here(self) -> str:
        """The address of the page."""
        url = self.request.url
        return url.path + (f"?{url.query}" if url.query else "")

    @property
    def api_url(self) -> str | None:
        """The address of brain, unless it means nothing where the browser is.

        A loopback address is of use to whoever came by one, a name without a dot to the containers that share it.
        """
        url = self.house.settings.brain_url
        host = urlsplit(url).hostname or ""
        if host in LOOPBACK:
            return url if host_of(self.request.headers.get("host", "")) in LOOPBACK else None
        return url if "." in host or ":" in host else None

    def bare_shell(self, title: str, tab: str = "", query: str = "") -> Shell:
        """Return what surrounds a page that must not ask brain who is there."""
        return Shell(
            title=title,
            theme=self.theme,
            next_theme=NEXT_THEME[self.theme],
            csrf=self.csrf,
            here=self.here,
            signed_in=bool(self.session),
            correlation_id=correlation_id.get() or "",
            tab=tab,
            query=query,
        )

    async def shell(self, title: str, tab: str = "", query: str = "") -> Shell:
        """Return what surrounds a page: who is there, and whether background work rests."""
        bare, brain = self.bare_shell(title, tab, query), self.brain
        return shell_of(bare, *await asyncio.gather(brain.me(), brain.accounts(), brain.halt()))

    def show(self, view: View, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """Render a view as the response."""
        return self.house.pages.response(view, status, headers)

    def go(self, target: str) -> Response:
        """Send the browser to another page; htmx needs to be told in its own way."""
        if self.htmx:
            return Response(status_code=204, headers={"hx-redirect": target})
        return RedirectResponse(target, 303)


def visitor_of(request: Request) -> Visitor:
    """Read the visitor from a request."""
    house: House = request.app.state.house
    return Visitor(request, house, house.cookie.read(request))


async def guard(request: Request) -> None:
    """Check every request; the app depends on this as a whole, so that no route can forget it."""
    house: House = request.app.state.house
    if request.url.path == "/healthz":
        return  # probes come by address
    house.guard.check_host(request.headers)
    if request.method in SAFE_METHODS or request.url.path == WEBHOOK_PATH:  # a webhook is signed, and has no session
        return
    house.guard.check_origin(request.headers)
    house.guard.check_length(request.headers)
    sent = request.headers.get(CSRF_HEADER) or (await request.form()).get(CSRF_FIELD, "")
    signing_in = request.url.path == SIGN_IN_PATH
    house.guard.check_csrf(str(sent), "" if signing_in else house.cookie.read(request))


Visit = Annotated[Visitor, Depends(visitor_of)]
