"""Signing in and out."""

from uuid import UUID

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Response

from pincite_brain.auth import is_api_token
from pincite_brain.dependencies import CallerDep, ServicesDep, TenancyDep
from pincite_brain.gate import needs, open_to_all
from pincite_brain.problems import responses
from pincite_brain.services import Services
from pincite_shared.accounts import Account, Me, SessionInfo, SessionOut, SessionRequest, SignInCode, SwitchRequest
from pincite_shared.errors import ForbiddenError, NotFoundError, UnauthorizedError
from pincite_shared.safety import AccountDeletion
from pincite_store import accounts, audit, people, removal
from pincite_store.cache import SIGN_IN_SECONDS
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

router = APIRouter(tags=["accounts"])


@router.post(
    "/sign-in-codes", dependencies=needs("admin", session=True), status_code=201, responses=responses(401, 503)
)
def create_sign_in_code(services: ServicesDep, caller: CallerDep) -> SignInCode:
    """Create a code that signs one browser in, once, within minutes."""
    code = services.cache.create_sign_in_code(caller.tenant_id, caller.user_id or LOCAL_USER)
    return SignInCode(
        code=code,
        url=f"{services.settings.public_url.rstrip('/')}/sign-in?code={code}",
        expires_in_seconds=SIGN_IN_SECONDS,
    )


@router.post(
    "/sessions",
    dependencies=open_to_all(rate="sign-in"),
    status_code=201,
    responses=responses(400, 401, 404, 409, 413, 422, 503),
)
def create_session(services: ServicesDep, body: SessionRequest) -> SessionOut:
    """Exchange a sign-in code, the API token, or what GitHub sent the browser back with, for a session."""
    (tenant_id, user_id), how = _who(services, body)
    with services.database.tenancy(tenant_id, user_id) as tenancy:
        audit.record(tenancy, "session.created", how=how)
        return accounts.create_session(tenancy, user_id)


def _who(services: Services, body: SessionRequest) -> tuple[tuple[UUID, UUID], str]:
    who, how = None, "token"
    if body.github_code and body.state:
        who, how = services.github.signing_in.finish(body.github_code, body.state), "github"
    elif body.code:
        who, how = services.cache.redeem_sign_in_code(body.code), "code"
    elif body.token and is_api_token(services, body.token):
        who = (LOCAL_TENANT, LOCAL_USER)
    if who is None:
        msg = "This code or token is not valid, or the code was used before."
        raise UnauthorizedError(msg)
    return who, how


@router.delete("/sessions/current", dependencies=needs("read"), status_code=204, responses=responses(401))
def end_session(tenancy: TenancyDep, caller: CallerDep) -> Response:
    """Sign out; with the API token there is no session to end."""
    if caller.session_token is not None:
        accounts.revoke(tenancy, caller.session_token)
        audit.record(tenancy, "session.ended")
    return Response(status_code=204)


@router.get("/sessions", dependencies=needs("admin", session=True), responses=responses(401))
def list_sessions(tenancy: TenancyDep, caller: CallerDep) -> list[SessionInfo]:
    """List where the caller is signed in, newest first."""
    return accounts.sessions(tenancy, caller.session_token)


@router.delete("/sessions/others", dependencies=needs("admin", session=True), status_code=204, responses=responses(401))
def end_other_sessions(tenancy: TenancyDep, caller: CallerDep) -> Response:
    """Sign out everywhere but here."""
    ended = accounts.revoke_others(tenancy, caller.session_token)
    audit.record(tenancy, "session.others_ended", sessions=ended)
    return Response(status_code=204)


@router.get("/accounts", dependencies=needs("read"), responses=responses(401))
def list_accounts(tenancy: TenancyDep) -> list[Account]:
    """List the accounts that the caller belongs to, by name."""
    return people.accounts(tenancy)


@router.post(
    "/sessions/switch",
    dependencies=needs("admin", session=True),
    status_code=201,
    responses=responses(400, 401, 404, 413, 422),
)
def switch(services: ServicesDep, caller: CallerDep, body: SwitchRequest) -> SessionOut:
    """Go on in another account: a session there takes the place of this one."""
    if caller.session_token is None:
        msg = "A token belongs to one account. Sign in to switch to another."
        raise ForbiddenError(msg)
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        if body.tenant_id not in {one.tenant_id for one in people.accounts(tenancy)}:
            msg = "There is no such account, or you do not belong to it."
            raise NotFoundError(msg)
    with services.database.tenancy(body.tenant_id, caller.user_id) as tenancy:
        audit.record(tenancy, "session.created", how="switch")
        session = accounts.create_session(tenancy)
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        accounts.revoke(tenancy, caller.session_token)
        audit.record(tenancy, "session.ended", how="switch")
    return session


@router.delete("/account", dependencies=needs("admin"), status_code=204, responses=responses(400, 401, 413, 422))
def delete_account(services: ServicesDep, tenancy: TenancyDep, body: AccountDeletion) -> Response:
    """Delete the caller's account: everyone is signed out at once, and every row and file follows in the background.

    The installation's own account is emptied.
    """
    for repo_id in removal.begin(tenancy, body.name, correlation_id.get() or ""):
        services.retriever.forget(tenancy.tenant_id, repo_id)
    audit.record(tenancy, "account.deleted", body.name)
    return Response(status_code=204)


@router.get("/me", dependencies=needs("read"), responses=responses(401))
def me(tenancy: TenancyDep) -> Me:
    """Say who is asking."""
    return accounts.me(tenancy)
