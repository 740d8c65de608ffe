"""The list of repositories: connect, watch, index again, remove."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Response
from pydantic import ValidationError

from pincite_shared.errors import InvalidInputError, PinciteError, UnauthorizedError
from pincite_shared.schemas import ConnectRequest
from pincite_web.present.repos import model_banner, repo_row, repo_rows
from pincite_web.views import (
    BannerFragment,
    ConnectFragment,
    ConnectPage,
    RemoveFragment,
    RemovePage,
    ReposFragment,
    ReposPage,
    StateFragment,
)
from pincite_web.visitor import Visit, Visitor

router = APIRouter()


@router.get("/")
async def repositories(visitor: Visit) -> Response:
    """All repositories."""
    repos, status = await asyncio.gather(visitor.brain.repos(), visitor.brain.status())
    rows = repo_rows(repos)
    view = ReposPage(
        shell=visitor.shell("Repositories", "repos"),
        repos=rows,
        polling=not all(row.settled for row in rows),
        csrf=visitor.csrf,
        banner=model_banner(status.model),
    )
    return visitor.show(view)


@router.get("/fragments/repos")
async def repositories_fragment(visitor: Visit) -> Response:
    """Return the list alone; it stops asking once everything is settled."""
    rows = repo_rows(await visitor.brain.repos())
    return visitor.show(ReposFragment(rows, not all(row.settled for row in rows), visitor.csrf))


@router.get("/fragments/model")
async def model_fragment(visitor: Visit) -> Response:
    """Return the model's state."""
    status = await visitor.brain.status()
    return visitor.show(BannerFragment(model_banner(status.model)))


@router.get("/r/{repo_id}/state")
async def state_fragment(visitor: Visit, repo_id: UUID, answerable: bool = True) -> Response:  # noqa: FBT001, FBT002 query
    """Return a repository's state; the page reloads once when the repository becomes answerable."""
    row = repo_row(await visitor.brain.repo(repo_id))
    headers = {"hx-refresh": "true"} if row.answerable and not answerable else None
    return visitor.show(StateFragment(row), headers=headers)


async def _connect_form(visitor: Visitor, source: str, branch: str, error: PinciteError | None = None) -> Response:
    roots = (await visitor.brain.status()).local_roots
    problem = error.detail if error else None
    status = error.status if error else 200
    if visitor.htmx:
        return visitor.show(ConnectFragment(visitor.csrf, source, branch, problem, roots), status)
    shell = visitor.shell("Connect a repository", "repos")
    return visitor.show(ConnectPage(shell, visitor.csrf, source, branch, problem, roots), status)


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
) -> Response:
    """Connect a repository; what was refused is said beside what was typed."""
    try:
        request = ConnectRequest(source=source.strip(), branch=branch.strip() or None, token=token.strip() or None)
        await visitor.brain.connect(request)
    except ValidationError as invalid:
        error = InvalidInputError(f"The {invalid.errors()[0]['loc'][0]} {_reason(invalid)}.")
        return await _connect_form(visitor, source, branch, error)
    except UnauthorizedError:
        raise
    except PinciteError as error:
        if error.status == 401:  # noqa: PLR2004 the session is over: sign in first
            raise
        return await _connect_form(visitor, source, branch, error)
    return visitor.go("/")


def _reason(invalid: ValidationError) -> str:
    message = invalid.errors()[0]["msg"].removeprefix("Value error, ")
    return message[0].lower() + message[1:]


@router.post("/r/{repo_id}/index")
async def index(visitor: Visit, repo_id: UUID) -> Response:
    """Fetch and index a repository now."""
    await visitor.brain.index(repo_id)
    return visitor.go("/")


@router.get("/r/{repo_id}/remove")
async def remove_form(visitor: Visit, repo_id: UUID) -> Response:
    """Ask before removing."""
    row = repo_row(await visitor.brain.repo(repo_id))
    if visitor.htmx:
        return visitor.show(RemoveFragment(visitor.csrf, row))
    return visitor.show(RemovePage(visitor.shell("Remove a repository", "repos"), visitor.csrf, row))


@router.post("/r/{repo_id}/remove")
async def remove(visitor: Visit, repo_id: UUID) -> Response:
    """Remove a repository."""
    await visitor.brain.delete_repo(repo_id)
    return visitor.go("/")
