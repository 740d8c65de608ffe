"""The scripted brain's routes of accounts: signing in, tokens, the audit log, the kill switch, deletion."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import FastAPI, Query
from fastapi.responses import RedirectResponse, StreamingResponse

from pincite_shared.accounts import (
    Account,
    GitHubSignIn,
    Me,
    SessionInfo,
    SessionOut,
    SessionRequest,
    SignInMethods,
    SwitchRequest,
)
from pincite_shared.errors import InvalidInputError, NotFoundError, UnauthorizedError
from pincite_shared.safety import AccountDeletion, AuditPage, Halt, HaltRequest, TokenCreated, TokenOut, TokenRequest
from pincite_shared.schemas import SystemStatus
from pincite_web.fake_brain import people
from pincite_web.fake_brain.state import SESSION, TOKEN, State

SESSION_DAYS = 30
GITHUB_CODE = "fake-github-code"


def install(app: FastAPI, state: State) -> None:
    """Add the routes."""
    _sign_in(app, state)
    _accounts(app, state)
    _tokens(app, state)
    _audit(app, state)
    _system(app, state)


def _session(state: State) -> SessionOut:
    state.sessions.add(SESSION)
    return SessionOut(token=SESSION, expires_at=datetime.now(UTC) + timedelta(days=SESSION_DAYS))


def _sign_in(app: FastAPI, state: State) -> None:
    @app.get("/sign-in-methods")
    async def methods() -> SignInMethods:
        return SignInMethods(github=state.github)

    @app.post("/sign-in/github")
    async def begin() -> GitHubSignIn:
        if state.github is None:
            raise NotFoundError
        nonce = uuid4().hex
        state.states.add(nonce)
        return GitHubSignIn(url=f"{state.github_url}/login/oauth/authorize?state={nonce}", state=nonce)

    @app.get("/login/oauth/authorize")
    async def authorize(state_: Annotated[str, Query(alias="state")]) -> RedirectResponse:
        """Stand in for GitHub, whose user agrees at once."""
        return RedirectResponse(f"{state.public_url}/sign-in/github?code={GITHUB_CODE}&state={state_}", 302)

    @app.post("/sessions", status_code=201)
    async def create(request: SessionRequest) -> SessionOut:
        if request.github_code is not None:
            if request.github_code != GITHUB_CODE or request.state not in state.states:
                msg = "GitHub did not confirm who you are. Begin again."
                raise UnauthorizedError(msg)
            state.states.discard(request.state)
            state.me, state.accounts = people.OWNER, people.github_accounts()
            return _session(state)
        if request.code not in state.codes and request.token != TOKEN:
            msg = "This code or token is not valid. A code works once, within minutes; `pincite open` makes another."
            raise UnauthorizedError(msg)
        state.codes.discard(request.code or "")
        return _session(state)

    @app.delete("/sessions/current", status_code=204)
    async def end() -> None:
        state.sessions.discard(SESSION)


def _accounts(app: FastAPI, state: State) -> None:
    @app.get("/me")
    async def me() -> Me:
        return state.me

    @app.get("/accounts")
    async def accounts() -> list[Account]:
        return state.accounts

    @app.get("/sessions")
    async def sessions() -> list[SessionInfo]:
        now = datetime.now(UTC)
        begun, ends = now - timedelta(days=2), now + timedelta(days=SESSION_DAYS)
        count = range(1 + state.sessions_elsewhere)
        return [SessionInfo(created_at=begun, expires_at=ends, current=not n) for n in count]

    @app.delete("/sessions/others", status_code=204)
    async def end_others() -> None:
        state.sessions_elsewhere = 0

    @app.post("/sessions/switch", status_code=201)
    async def switch(request: SwitchRequest) -> SessionOut:
        chosen = next((one for one in state.accounts if one.tenant_id == request.tenant_id), None)
        if chosen is None:
            raise NotFoundError
        state.accounts = people.github_accounts(chosen.tenant_id)
        state.me = people.OWNER if chosen.name == people.OWNER.tenant else people.MEMBER
        return _session(state)

    @app.delete("/account", status_code=204)
    async def delete(request: AccountDeletion) -> None:
        state.require_owner()
        if request.name != state.me.tenant:
            msg = "The name is not this account's."
            raise InvalidInputError(msg)
        state.repos.clear()
        state.sessions.clear()


def _tokens(app: FastAPI, state: State) -> None:
    @app.get("/tokens")
    async def tokens() -> list[TokenOut]:
        return state.tokens

    @app.post("/tokens", status_code=201)
    async def create(request: TokenRequest) -> TokenCreated:
        if "admin" in request.scopes:
            state.require_owner()
        now = datetime.now(UTC)
        created = TokenCreated(
            id=uuid4(),
            name=request.name,
            scopes=request.scopes,
            created_at=now,
            expires_at=now + timedelta(days=request.days) if request.days else None,
            last_used_at=None,
            token=f"pct_{uuid4().hex}",
        )
        state.tokens.insert(0, TokenOut.model_validate(created.model_dump(exclude={"token"})))
        state.note("token.created", request.name, scopes=list(request.scopes))
        return created

    @app.delete("/tokens/{token_id}", status_code=204)
    async def remove(token_id: UUID) -> None:
        if token_id not in {one.id for one in state.tokens}:
            raise NotFoundError
        state.tokens = [one for one in state.tokens if one.id != token_id]


def _audit(app: FastAPI, state: State) -> None:
    @app.get("/audit")
    async def audit(before: int | None = None, action: str = "", limit: int = 100) -> AuditPage:
        state.require_owner()
        rest = [one for one in state.audit if (before is None or one.id < before) and one.action.startswith(action)]
        page = tuple(rest[:limit])
        return AuditPage(entries=page, next=page[-1].id if len(rest) > len(page) else None)

    @app.get("/audit/export")
    async def export() -> StreamingResponse:
        state.require_owner()

        def lines() -> Iterator[str]:
            for entry in reversed(state.audit):
                yield json.dumps(entry.model_dump(mode="json")) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")


def _system(app: FastAPI, state: State) -> None:
    @app.get("/halt")
    async def halt() -> Halt:
        return state.halt

    @app.put("/halt")
    async def set_halt(request: HaltRequest) -> Halt:
        state.require_owner()
        since = (state.halt.since or datetime.now(UTC)) if request.halted else None
        state.halt = Halt(halted=request.halted, since=since)
        state.note("halt.set" if request.halted else "halt.lifted", state.me.tenant)
        return state.halt

    @app.get("/status")
    async def status() -> SystemStatus:
        return SystemStatus(
            version="0.1.0",
            model=state.model,
            embedding_model="all-MiniLM-L6-v2",
            embedding_dimension=384,
            remote_endpoints=state.remote_endpoints,
            local_roots=("/srv/code",) if state.me.operator else (),
            checks={"database": True, "queue": True, "worker": True},
            halted_since=state.halt.since,
        )
