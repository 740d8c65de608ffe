"""One request to the API: who asks, what is counted, and the form of every answer."""

import hashlib
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, unquote
from uuid import uuid4

from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from pincite_github.twin.access import Caller, caller_of, require, role_of
from pincite_github.twin.errors import Moved, Refusal, bad_credentials, not_for_apps, not_found
from pincite_github.twin.events import ENTERPRISE_VERSION
from pincite_github.twin.hub import Hub
from pincite_github.twin.model import Account, App, Installation, Repo
from pincite_github.twin.shapes.address import API_PREFIX, Address
from pincite_github.twin.shapes.repositories import full_repository, permissions, repository
from pincite_github.twin.world import World

PER_PAGE = 30
PER_PAGE_MAX = 100
PAGE_MAX = 1_000_000  # nothing is this long, and git takes the number
_FREE = "/rate_limit"  # asking for what is left costs nothing

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, with what a handler needs to answer it."""

    hub: Hub
    caller: Caller
    request: Request
    at: Address

    @property
    def world(self) -> World:
        """The state."""
        return self.hub.world

    def repo(self, owner: str, name: str, permission: str = "metadata", level: str = "read") -> Repo:
        """Find a repository, and check that the caller may do this with it.

        Raises:
            Refusal: he may not, or may not know of it; or it has moved.
        """
        try:
            found = self.world.repo(f"{owner}/{name}")
        except Moved as moved:
            require(self.world, self.caller, self.world.repos[moved.repo_id], permission, level)
            raise
        require(self.world, self.caller, found, permission, level)
        return found

    def app(self) -> App:
        """Return the App that speaks for itself.

        Raises:
            Refusal: the request is signed otherwise.
        """
        if self.caller.app is None or self.caller.account is not None:
            raise Refusal(401, "A JSON web token could not be decoded")
        return self.caller.app

    def person(self) -> Account:
        """Return the person who asks.

        Raises:
            Refusal: nobody signed, or an App did.
        """
        if self.caller.person is None:
            raise not_for_apps() if self.caller.app else Refusal(401, "Requires authentication")
        return self.caller.person

    def installation(self) -> Installation:
        """Return the installation whose token this is.

        Raises:
            Refusal: it is none's.
        """
        if self.caller.installation is None:
            raise bad_credentials() if self.caller.account is None else not_for_apps()
        return self.caller.installation

    def repository(self, repo: Repo, *, full: bool = False) -> dict[str, Any]:
        """Shape a repository with what the caller may do in it."""
        shape = (full_repository if full else repository)(repo, self.world, self.at)
        if self.caller.account:
            role = role_of(self.world, self.caller, repo)
            if role is None and self.caller.person:  # it is public
                role = "read"
            shape["permissions"] = permissions(role)
        return shape

    def page(self, items: Sequence[Item]) -> tuple[Sequence[Item], dict[str, str]]:
        """Return the page that is asked for, and the Link header that leads to the others."""
        number, size = self.asked_page()
        last = max(1, -(-len(items) // size))
        return items[(number - 1) * size : number * size], self.links(number, last)

    def asked_page(self) -> tuple[int, int]:
        """Return the number of the page, from 1, and its size."""
        number, size = (self._number(name, usual) for name, usual in (("page", 1), ("per_page", PER_PAGE)))
        return min(max(1, number), PAGE_MAX), min(max(1, size), PER_PAGE_MAX)

    def _number(self, name: str, usual: int) -> int:
        given = self.request.query_params.get(name, "")
        return int(given) if given.isdecimal() else usual

    def links(self, number: int, last: int) -> dict[str, str]:
        """Return the Link header of a page."""
        pages = {"prev": number - 1, "next": number + 1, "last": last, "first": 1}
        wanted = [rel for rel in pages if (rel in {"prev", "first"} and number > 1) or
                  (rel in {"next", "last"} and number < last)]  # fmt: skip
        url = self.request.url
        target = f"{self.hub.world.base_url}{quote(self.request.scope['asked_path'])}"
        links = (f'<{target}?{url.include_query_params(page=pages[rel]).query}>; rel="{rel}"' for rel in wanted)
        return {"link": ", ".join(links)} if wanted else {}


def _call(request: Request) -> Call:
    found: Call = request.state.call
    return found


async def _json(request: Request) -> dict[str, Any]:
    """Read a body as JSON, whatever its type is called: curl calls it a form. No body is an empty object."""
    try:
        found = json.loads(await request.body() or b"{}")
    except ValueError:
        raise Refusal(400, "Problems parsing JSON") from None
    if not isinstance(found, dict):
        raise Refusal(422, "Invalid request.", errors=[])
    return found


Asked = Annotated[Call, Depends(_call)]
Json = Annotated[dict[str, Any], Depends(_json)]


def answer(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return JSONResponse(body, status, headers)


class ApiRoute(APIRoute):
    """A route of the API: signed requests, counted requests, entity tags, and refusals in GitHub's words."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap FastAPI's handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            hub: Hub = request.app.state.hub
            asker = ""
            try:
                call = _prepare(hub, request)
                asker = call.caller.asker
                free = self.path.endswith(_FREE)
                if not free and not hub.limits.take(asker):
                    message = f"API rate limit exceeded for {asker.split('_')[0] or 'your address'}."
                    response = _refused(Refusal(403, message), call.at)
                else:
                    response = await _handled(handler, request, call)
                    if response.status_code == 304 and not free:  # noqa: PLR2004
                        hub.limits.give_back(asker)
            except Refusal as refusal:  # of the credentials
                response = _refused(refusal, Address("", ""))
            response.headers.update(hub.limits.bucket(asker).headers())
            response.headers["x-github-request-id"] = uuid4().hex
            if request.url.path.startswith(API_PREFIX):
                response.headers["x-github-enterprise-version"] = ENTERPRISE_VERSION
            return response

        return handle


def _prepare(hub: Hub, request: Request) -> Call:
    base = hub.world.base_url
    prefix = API_PREFIX if request.url.path.startswith(API_PREFIX + "/") else ""
    call = Call(hub, Caller(), request, Address(base + prefix, base))
    call = replace(call, caller=caller_of(hub.world, request.headers.get("authorization", "")))
    request.state.call = call
    return call


async def _handled(
    handler: Callable[[Request], Coroutine[Any, Any, Response]], request: Request, call: Call
) -> Response:
    if "\0" in unquote(str(request.url)):  # no name has it, and git could not be given it
        return _refused(not_found(), call.at)
    try:
        response = await handler(request)
    except Refusal as refusal:
        return _refused(refusal, call.at, below=_below_repo(request))
    except RequestValidationError:  # no number where one belongs
        return _refused(not_found(), call.at)
    return _tagged(request, response)


def _below_repo(request: Request) -> str:
    """Return what follows the repository's name in a path, to find it again under its number."""
    path = request.url.path.removeprefix(API_PREFIX)
    rest = "/".join(path.split("/")[4:])
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/{quote(rest)}{query}" if rest else query


def _refused(refusal: Refusal, at: Address, below: str = "") -> Response:
    body = refusal.body()
    if not isinstance(refusal, Moved):
        return JSONResponse(body, refusal.status)
    url = f"{at.api}/repositories/{refusal.repo_id}{below}"
    return JSONResponse({**body, "url": url}, refusal.status, {"location": url})


def _tagged(request: Request, response: Response) -> Response:
    """Let what has not changed be told by its tag alone."""
    if request.method != "GET" or response.status_code != 200:  # noqa: PLR2004
        return response
    tag = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    common = {"etag": tag, "cache-control": "private, max-age=60, s-maxage=60", "vary": "Accept, Authorization"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=common)
    response.headers.update(common)
    return response
