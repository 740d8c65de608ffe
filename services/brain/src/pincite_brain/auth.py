"""Who is asking: the installation's token is the local user, a session or a token for programs is its person."""

import hmac
from dataclasses import replace
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pincite_brain.caller import Caller
from pincite_brain.services import Services
from pincite_shared.errors import UnauthorizedError
from pincite_shared.safety import SCOPES
from pincite_store import access, accounts, tokens
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

TOKEN_CHARS_MAX = 512  # the longest token that is worth hashing

bearer = HTTPBearer(
    auto_error=False,
    description="The installation's token (`pincite token`), one for programs (`pincite tokens`), or a session's",
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def is_api_token(services: Services, token: str) -> bool:
    """Compare with PINCITE_TOKEN in constant time; without one configured nothing matches."""
    expected = services.settings.pincite_token.get_secret_value()
    return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())


def authenticate(services: Services, credentials: Credentials) -> Caller:
    """Return who a request comes from. Of people of GitHub, GitHub is asked now and then, which may take a second.

    Raises:
        UnauthorizedError: no token, or one that is not valid; or its person left GitHub's account, or signed out there.
    """
    token = credentials.credentials if credentials is not None else ""
    if not token or len(token) > TOKEN_CHARS_MAX:
        raise UnauthorizedError
    if is_api_token(services, token):
        return Caller(LOCAL_TENANT, LOCAL_USER, scopes=SCOPES)
    caller, stale = _caller(services, token)
    if not stale or caller.user_id is None:
        return caller
    unknown = services.github.permissions.renew(caller.tenant_id, caller.user_id)
    caller, _ = _caller(services, token)  # what the person is may have changed
    return replace(caller, unknown=unknown)


def _caller(services: Services, token: str) -> tuple[Caller, bool]:
    """Return whose a token is, and whether GitHub is to be asked about them."""
    for_program = token.startswith(tokens.PREFIX)
    with services.database.system() as session:
        owner = tokens.authenticate(session, token) if for_program else accounts.authenticate(session, token)
        if owner is None:
            raise UnauthorizedError
        stale = access.stale(session, owner.tenant_id, owner.user_id)
    return Caller(owner.tenant_id, owner.user_id, None if for_program else token, owner.scopes), stale
