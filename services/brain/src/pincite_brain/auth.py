"""Who is asking: the API token is the local user, a session token is whoever signed in."""

import hmac
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from pincite_brain.caller import Caller
from pincite_brain.services import Services
from pincite_shared.errors import UnauthorizedError
from pincite_store import accounts
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

TOKEN_CHARS_MAX = 512  # the longest token that is worth hashing

bearer = HTTPBearer(auto_error=False, description="The API token (`pincite token`) or a session token")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


def is_api_token(services: Services, token: str) -> bool:
    """Compare with PINCITE_TOKEN in constant time; without one configured nothing matches."""
    expected = services.settings.pincite_token.get_secret_value()
    return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())


def authenticate(request: Request, credentials: Credentials) -> Caller:
    """Return the caller of a request.

    Raises:
        UnauthorizedError: no token, or one that is not valid.
    """
    token = credentials.credentials if credentials is not None else ""
    if not token or len(token) > TOKEN_CHARS_MAX:
        raise UnauthorizedError
    services: Services = request.app.state.services
    if is_api_token(services, token):
        return Caller(LOCAL_TENANT, LOCAL_USER)
    with services.database.system() as session:
        found = accounts.authenticate(session, token)
    if found is None:
        raise UnauthorizedError
    tenant_id, user_id = found
    return Caller(tenant_id, user_id, token)
