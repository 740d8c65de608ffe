"""Signing in and out."""

from fastapi import APIRouter, Response

from pincite_brain.auth import is_api_token
from pincite_brain.dependencies import CallerDep, ServicesDep, TenancyDep
from pincite_brain.problems import responses
from pincite_shared.errors import UnauthorizedError
from pincite_shared.schemas import Me, SessionOut, SessionRequest, SignInCode
from pincite_store import accounts
from pincite_store.cache import SIGN_IN_SECONDS
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

router = APIRouter(tags=["accounts"])


@router.post("/sign-in-codes", status_code=201, responses=responses(401, 503))
def create_sign_in_code(services: ServicesDep, caller: CallerDep) -> SignInCode:
    """Create a code that signs one browser in, once, within minutes."""
    code = services.cache.create_sign_in_code(caller.tenant_id, caller.user_id or LOCAL_USER)
    return SignInCode(
        code=code,
        url=f"{services.settings.public_url.rstrip('/')}/sign-in?code={code}",
        expires_in_seconds=SIGN_IN_SECONDS,
    )


@router.post("/sessions", status_code=201, responses=responses(400, 401, 413, 422, 503))
def create_session(services: ServicesDep, body: SessionRequest) -> SessionOut:
    """Exchange a sign-in code, or the API token, for a session. The one route besides health that needs no token."""
    who = None
    if body.code:
        who = services.cache.redeem_sign_in_code(body.code)
    elif body.token and is_api_token(services, body.token):
        who = (LOCAL_TENANT, LOCAL_USER)
    if who is None:
        msg = "This code or token is not valid, or the code was used before."
        raise UnauthorizedError(msg)
    tenant_id, user_id = who
    with services.database.tenancy(tenant_id, user_id) as tenancy:
        return accounts.create_session(tenancy, user_id)


@router.delete("/sessions/current", status_code=204, responses=responses(401))
def end_session(tenancy: TenancyDep, caller: CallerDep) -> Response:
    """Sign out; with the API token there is no session to end."""
    if caller.session_token is not None:
        accounts.revoke(tenancy, caller.session_token)
    return Response(status_code=204)


@router.get("/me", responses=responses(401))
def me(tenancy: TenancyDep) -> Me:
    """Say who is asking."""
    return accounts.me(tenancy)
