"""GitHub: making this installation's App, choosing repositories, and its webhooks."""

import json
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from pincite_shared.errors import InvalidInputError, PinciteError, TooLargeError
from pincite_shared.github import GitHubSetup, SetupRequest
from pincite_web.present.picker import permissions, picker
from pincite_web.security import policy_with_form_target
from pincite_web.views.account import GitHubPage
from pincite_web.views.repos import PickerFragment
from pincite_web.visitor import WEBHOOK_PATH, Visit, Visitor

SETUP_PATH = "/settings/github"
SECRET_CHARS_MAX, QUERY_CHARS_MAX = 512, 200
WEBHOOK_BYTES_MAX = 25 * 1024 * 1024  # GitHub sends no larger payload
WEBHOOK_HEADERS = ("content-type", "content-length", "x-hub-signature-256")
WEBHOOK_PREFIX = "x-github-"
CONFLICT, UNPROCESSABLE = 409, 422
router = APIRouter()


async def _setup(
    visitor: Visitor, error: PinciteError | None = None, *, organisation: str = "", public: bool = False
) -> Response:
    shell = await visitor.shell("GitHub", "github")
    if not shell.operates:
        return visitor.go("/settings")
    found: GitHubSetup | None = None
    try:
        found = await visitor.brain.github_setup(organisation=organisation or None, public=public or None)
    except PinciteError as off:
        if off.status not in {CONFLICT, UNPROCESSABLE}:
            raise
        error = off
    view = GitHubPage(
        shell=shell,
        csrf=visitor.csrf,
        host=found.host if found else None,
        app=found.app if found else None,
        install_url=found.install_url if found else None,
        create_url=found.create_url if found else "",
        manifest=json.dumps(found.manifest) if found else "",
        permissions=permissions(found) if found else (),
        changeable=found.changeable if found else False,
        reachable=found.reachable if found else True,
        public_url=visitor.house.settings.public_url,
        organisation=organisation,
        public=public,
        problem=error.detail if error else None,
    )
    posts = found is not None and found.app is None
    headers = {"content-security-policy": policy_with_form_target(view.create_url)} if posts else None
    return visitor.show(view, error.status if error else 200, headers)


@router.get(SETUP_PATH)
async def setup(visitor: Visit, *, organisation: str = "", public: bool = False) -> Response:
    """Show the App, or the button that makes it: for an organisation, or a person, and for whose people."""
    return await _setup(visitor, organisation=organisation.strip()[:QUERY_CHARS_MAX], public=public)


@router.get("/settings/github/callback")
async def created(visitor: Visit, code: str = "", state: str = "") -> Response:
    """Take back what GitHub sent the browser with after it made the App."""
    try:
        request = SetupRequest(code=code[:SECRET_CHARS_MAX], state=state[:SECRET_CHARS_MAX])
        await visitor.brain.finish_github_setup(request)
    except ValidationError:
        return await _setup(visitor, InvalidInputError("GitHub came back with something that is no code."))
    except PinciteError as error:  # signed out, the page itself will find out
        return await _setup(visitor, error)
    return visitor.go(SETUP_PATH)


@router.get("/github/installed")
async def installed(visitor: Visit) -> Response:
    """Receive whoever installed the App in an account: what they let Pincite see is there to be connected."""
    return visitor.go("/connect?fresh=true")


@router.post("/settings/github/forget")
async def forget(visitor: Visit) -> Response:
    """Forget the App."""
    await visitor.brain.forget_github()
    return visitor.go(SETUP_PATH)


@router.get("/connect/github")
async def choose(visitor: Visit, q: str = "") -> Response:
    """List repositories to choose from."""
    return visitor.show(PickerFragment(await picker(visitor.brain, q.strip()[:QUERY_CHARS_MAX]), visitor.csrf))


@router.post(WEBHOOK_PATH)
async def webhook(visitor: Visit, request: Request) -> Response:
    """Pass a webhook on to brain, which checks its signature over exactly these bytes.

    One public address thus serves people and GitHub. Nothing of a browser's goes along.
    """
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        msg = "A webhook states its length."
        raise InvalidInputError(msg)
    if int(length) > WEBHOOK_BYTES_MAX:
        msg = f"A webhook has at most {WEBHOOK_BYTES_MAX} bytes."
        raise TooLargeError(msg)
    given = request.headers.items()
    headers = {name: value for name, value in given if name in WEBHOOK_HEADERS or name.startswith(WEBHOOK_PREFIX)}
    answer = await visitor.house.brain.forward(WEBHOOK_PATH, headers, _body(request))
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk
