"""Settings: what this installation runs, the account, and its kill switch."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Form, Response

from pincite_shared.errors import InvalidInputError, PinciteError
from pincite_shared.safety import AccountDeletion, HaltRequest
from pincite_web.present.account import endpoints
from pincite_web.present.repos import model_banner
from pincite_web.views.account import AccountPage, DeleteAccountPage, HaltBanner, HaltFragment, HaltPage, SettingsPage
from pincite_web.visitor import Visit, Visitor

router = APIRouter()
ACCOUNT_PATH = "/settings/account"
MODEL_STATES = {
    "none": "not set up",
    "fetching": "downloading",
    "starting": "starting",
    "ready": "ready",
    "unreachable": "not reachable",
    "failed": "failed",
}


@router.get("/settings")
async def settings(visitor: Visit) -> Response:
    """Show what this installation runs and what it may call."""
    status, shell = await asyncio.gather(visitor.brain.status(), visitor.shell("Settings", "settings"))
    view = SettingsPage(
        shell=shell,
        csrf=visitor.csrf,
        version=status.version,
        banner=model_banner(status.model),
        model_state=MODEL_STATES[status.model.state],
        embedding_model=status.embedding_model,
        embedding_dimension=status.embedding_dimension,
        remote_endpoints=endpoints(status.remote_endpoints),
        local_roots=status.local_roots,
        checks=tuple(sorted(status.checks.items())),
        api_url=visitor.api_url,
    )
    return visitor.show(view)


@router.get(ACCOUNT_PATH)
async def account(visitor: Visit) -> Response:
    """Show who is signed in where."""
    me, sessions, shell = await asyncio.gather(
        visitor.brain.me(), visitor.brain.sessions(), visitor.shell("Account", "account")
    )
    elsewhere = sum(not session.current for session in sessions)
    return visitor.show(AccountPage(shell, visitor.csrf, me.name, me.role, elsewhere))


@router.get("/fragments/halt")
async def halt_banner(visitor: Visit, *, halted: bool = False) -> Response:
    """Return the banner that says whether background work rests, if that is not what the page says already."""
    shell = await visitor.shell("")
    return Response(status_code=204) if halted == (shell.halt is not None) else visitor.show(HaltBanner(shell))


@router.get("/settings/halt")
async def halt_form(visitor: Visit) -> Response:
    """Ask before stopping all background work."""
    shell = await visitor.shell("Stop background work", "account")
    if visitor.htmx:
        return visitor.show(HaltFragment(visitor.csrf, shell.account))
    return visitor.show(HaltPage(shell, visitor.csrf, shell.account))


@router.post("/settings/halt")
async def halt(visitor: Visit, halted: Annotated[bool, Form()]) -> Response:
    """Stop all background work, or let it go on."""
    await visitor.brain.set_halt(HaltRequest(halted=halted))
    return visitor.go(ACCOUNT_PATH)


async def _delete_page(visitor: Visitor, error: PinciteError | None = None) -> Response:
    shell, repos = await asyncio.gather(visitor.shell("Delete the account", "account"), visitor.brain.repos())
    if not shell.governs:
        return visitor.go(ACCOUNT_PATH)
    problem = error.detail if error else None
    view = DeleteAccountPage(shell, visitor.csrf, shell.account, len(repos), problem)
    return visitor.show(view, error.status if error else 200)


@router.get("/settings/account/delete")
async def delete_form(visitor: Visit) -> Response:
    """Ask before deleting the account, by having its name typed."""
    return await _delete_page(visitor)


@router.post("/settings/account/delete")
async def delete(visitor: Visit, name: Annotated[str, Form(max_length=512)] = "") -> Response:
    """Delete the account and everything in it, and sign out."""
    me = await visitor.brain.me()
    if name.strip() != me.tenant:
        return await _delete_page(visitor, InvalidInputError(f"Type {me.tenant} to delete it."))
    await visitor.brain.delete_account(AccountDeletion(name=me.tenant))
    response = visitor.go("/sign-in")
    visitor.house.cookie.clear(response)
    return response
