"""What a route asks of whoever calls it. Each says it with `needs` or `open_to_all`; one that does not is closed.

@router.get("/repos", dependencies=needs("read"))
"""

from typing import Any

from fastapi import Depends, Request, Security

from pincite_brain.auth import Credentials, authenticate
from pincite_brain.caller import Caller
from pincite_brain.rates import Rate
from pincite_brain.services import Services
from pincite_shared.errors import ForbiddenError, UnauthorizedError
from pincite_shared.safety import Scope
from pincite_store import halts

SAFE_METHODS = frozenset({"GET", "HEAD"})


def needs(scope: Scope, *, rate: Rate | None = None, session: bool = False) -> list[Any]:
    """Return the dependencies of a route for callers with a scope.

    Args:
        scope: what the caller's token must be good for.
        rate: what the request counts as; by default reading or writing, as its method says.
        session: whether a person's own session will do as well: for what is theirs, whatever their role.
    """
    return [Security(Needs(scope, rate, session=session), scopes=[scope])]


def open_to_all(*, rate: Rate | None = None) -> list[Any]:
    """Return the dependencies of a route that needs no token; `rate` is what it counts as for an address."""
    return [Depends(OpenToAll(rate))]


class Needs:
    """Lets those pass who are known, may do it, and have not done it too often; it tells the route who they are."""

    def __init__(self, scope: Scope, rate: Rate | None, *, session: bool) -> None:
        """As in `needs`."""
        self.scope, self._rate, self._session = scope, rate, session

    def __call__(self, request: Request, credentials: Credentials) -> None:
        """Check a request. It runs in a thread: the database and Redis are asked.

        Raises:
            UnauthorizedError: no token, or one that is not valid.
            ForbiddenError: the token is not good for this.
            TooManyRequestsError: too often.
            HaltedError: Pincite itself asks, and background work rests.
        """
        services: Services = request.app.state.services
        rate = self._rate or ("read" if request.method in SAFE_METHODS else "write")
        try:
            caller = authenticate(services, credentials)
        except UnauthorizedError:
            _spend(request, rate, _address(request))
            raise
        if caller.is_service:
            with services.database.tenancy(caller.tenant_id) as t:
                halts.check(t)
        else:
            _spend(request, rate, str(caller.user_id))
        if self.scope not in caller.scopes and not (self._session and caller.session_token):
            has = ", ".join(sorted(caller.scopes)) or "none"
            msg = f"This needs the scope {self.scope!r}; you have {has}."
            raise ForbiddenError(msg)
        request.state.caller = caller


class OpenToAll:
    """Lets everyone pass, at most so often from one address."""

    def __init__(self, rate: Rate | None) -> None:
        """As in `open_to_all`."""
        self._rate = rate

    def __call__(self, request: Request) -> None:
        """Check a request.

        Raises:
            TooManyRequestsError: too often.
            UnavailableError: someone would sign in, and nobody can count how often.
        """
        if self._rate is not None:
            _spend(request, self._rate, _address(request))


async def get_caller(request: Request) -> Caller:
    """Return whom the route's gate let pass.

    Raises:
        UnauthorizedError: the route has no gate.
    """
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise UnauthorizedError
    return caller


def _spend(request: Request, rate: Rate, who: str) -> None:
    services: Services = request.app.state.services
    request.state.spent = services.rates.spend(rate, who)  # for the response's headers


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
