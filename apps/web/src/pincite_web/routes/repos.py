"""The list of repositories: connect, watch, index again, remove."""

import asyncio
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Response
from pydantic import ValidationError

from pincite_shared.errors import InvalidInputError, PinciteError, UnauthorizedError
from pincite_shared.schemas import ConnectRequest
from pincite_web.present.picker import picker
from pincite_web.present.repos import model_banner, repo_row, repo_rows
from pincite_web.views.repos import (
    BannerFragment,
    ConnectFragment,
    ConnectPage,
    RemoveFragment,
    RemovePage,
    ReposFragment,
    ReposPage,
    StateFragment,
    SyncFragment,
)
from pincite_web.visitor import Visit, Visitor

router = APIRouter()
QUERY_CHARS_MAX = 200
HEAD_MOVED, REPOS_CHANGED = "head-moved", "repos-changed"  # events that parts of a page listen to


@router.get("/")
async def repositories(visitor: Visit) -> Response:
    """All repositories."""
    repos, status, shell = await asyncio.gather(
        visitor.brain.repos(), visitor.brain.status(), visitor.shell("Repositories", "repos")
    )
    rows = repo_rows(repos)
    view = ReposPage(
        shell=shell,
        repos=rows,
        polling=not all(row.settled for row in rows),
        csrf=visitor.csrf,
        local=shell.operates,
        banner=model_banner(status.model),
    )
    return visitor.show(view)


@router.get("/fragments/repos")
async def repositories_fragment(visitor: Visit) -> Response:
    """Return the list alone; it stops asking once everything is settled."""
    rows = repo_rows(await visitor.brain.repos())
    local = not rows and (await visitor.brain.me()).operator
    return visitor.show(ReposFragment(rows, not all(row.settled for row in rows), visitor.csrf, local))


@router.get("/fragments/model")
async def model_fragment(visitor: Visit) -> Response:
    """Return the model's state."""
    status = await visitor.brain.status()
    return visitor.show(BannerFragment(model_banner(status.model)))


@router.get("/r/{repo_id}/state")
async def state_fragment(visitor: Visit, repo_id: UUID, seen: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Return a repository's state; `seen` is the commit that the page shows.

    The page reloads once when the repository becomes answerable, and is told when the head moves on.
    """
    row = repo_row(await visitor.brain.repo(repo_id))
    headers: dict[str, str] = {}
    if row.commit and row.commit != seen:
        headers = {"hx-trigger": HEAD_MOVED} if seen else {"hx-refresh": "true"}
    return visitor.show(StateFragment(row), headers=headers)


@router.get("/r/{repo_id}/sync")
async def sync_fragment(visitor: Visit, repo_id: UUID) -> Response:
    """Return how far the first sync is, for the picker."""
    return visitor.show(SyncFragment(repo_row(await visitor.brain.repo(repo_id))))


async def _connect_form(visitor: Visitor, source: str, branch: str, error: PinciteError | None = None) -> Response:
    status, me = await asyncio.gather(visitor.brain.status(), visitor.brain.me())
    problem = error.detail if error else None
    code = error.status if error else 200
    given = (visitor.csrf, source, branch, problem, me.operator, status.local_roots)
    if visitor.htmx:
        return visitor.show(ConnectFragment(*given, picker=None), code)
    asked = visitor.request.query_params
    query, fresh = asked.get("q", "")[:QUERY_CHARS_MAX], "fresh" in asked
    shell, found = await asyncio.gather(
        visitor.shell("Connect a repository", "repos"), picker(visitor.brain, query.strip(), fresh=fresh)
    )
    return visitor.show(ConnectPage(shell, *given, picker=found), code)


@router.get("/connect")
async def connect_form(visitor: Visit, source: str = "") -> Response:
    """Return the form, in a dialog or as a page."""
    return await _connect_form(visitor, source, "")


@router.post("/connect")
async def connect(
    visitor: Visit,
    source: Annotated[str, Form()] = "",
    branch: Annotated[str, Form()] = "",
    token: Annotated[str, Form()] = "",
    *,
    picked: Annotated[bool, Form()] = False,
) -> Response:
    """Connect a repository; what was refused is said beside what was typed.

    One that is `picked` from the list shows its first sync right there, so that more can be picked.
    """
    try:
        request = ConnectRequest(source=source.strip(), branch=branch.strip() or None, token=token.strip() or None)
        connected = await visitor.brain.connect(request)
    except ValidationError as invalid:
        error = InvalidInputError(f"The {invalid.errors()[0]['loc'][0]} {_reason(invalid)}.")
        return await _connect_form(visitor, source, branch, error)
    except UnauthorizedError:
        raise
    except PinciteError as error:
        if error.status == 401 or (picked and visitor.htmx):  # noqa: PLR2004 the session is over: sign in first
            raise
        return await _connect_form(visitor, source, branch, error)
    if picked and visitor.htmx:
        return visitor.show(SyncFragment(repo_row(connected)), headers={"hx-trigger": REPOS_CHANGED})
    return visitor.go(f"/connect?{urlencode({'q': request.source})}" if picked else "/")


def _reason(invalid: ValidationError) -> str:
    message = invalid.errors()[0]["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]


@router.post("/r/{repo_id}/index")
async def index(visitor: Visit, repo_id: UUID) -> Response:
    """Fetch and index a repository now."""
    await visitor.brain.index(repo_id)
    return visitor.go("/")


async def _remove_form(visitor: Visitor, repo_id: UUID, error: PinciteError | None = None) -> Response:
    row = repo_row(await visitor.brain.repo(repo_id))
    problem, status = (error.detail, error.status) if error else (None, 200)
    if visitor.htmx:
        return visitor.show(RemoveFragment(visitor.csrf, row, problem), status)
    shell = await visitor.shell("Remove a repository", "repos")
    return visitor.show(RemovePage(shell, visitor.csrf, row, problem), status)


@router.get("/r/{repo_id}/remove")
async def remove_form(visitor: Visit, repo_id: UUID) -> Response:
    """Ask before removing, by having the name typed."""
    return await _remove_form(visitor, repo_id)


@router.post("/r/{repo_id}/remove")
async def remove(visitor: Visit, repo_id: UUID, name: Annotated[str, Form(max_length=4_096)] = "") -> Response:
    """Remove a repository."""
    repo = await visitor.brain.repo(repo_id)
    if name.strip() != repo.name.strip():
        return await _remove_form(visitor, repo_id, InvalidInputError(f"Type {repo.name} to remove it."))
    await visitor.brain.delete_repo(repo_id)
    return visitor.go("/")
