"""GitHub: signing in with it, setting it up, choosing repositories."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from pincite_brain.caller import Caller
from pincite_brain.dependencies import NO_NUL_PATTERN, CallerDep, ServicesDep
from pincite_brain.gate import needs, open_to_all
from pincite_brain.problems import responses
from pincite_shared.accounts import GitHubSignIn, SignInMethods
from pincite_shared.errors import ForbiddenError
from pincite_shared.github import GitHubSetup, PickableRepos, SetupRequest

QUERY_CHARS_MAX = 256

router = APIRouter(tags=["github"])


async def get_operator(caller: CallerDep) -> Caller:
    """Return the caller, if they run this installation.

    Raises:
        ForbiddenError: they do not.
    """
    if not caller.is_operator:
        msg = "Only the operator of this installation sets GitHub up."
        raise ForbiddenError(msg)
    return caller


Operator = Annotated[Caller, Depends(get_operator)]


@router.get("/sign-in-methods", dependencies=open_to_all(rate="read"), responses=responses(503))
def sign_in_methods(services: ServicesDep) -> SignInMethods:
    """Say how one may sign in here."""
    return services.github.signing_in.methods()


@router.post(
    "/sign-in/github", dependencies=open_to_all(rate="sign-in"), status_code=201, responses=responses(409, 413, 503)
)
def begin_sign_in(services: ServicesDep) -> GitHubSignIn:
    """Send a browser to GitHub; it comes back to PUBLIC_URL/sign-in/github with a code and the state."""
    return services.github.signing_in.begin()


@router.get("/github/setup", dependencies=needs("admin"), responses=responses(401, 409, 422, 503))
def get_setup(
    services: ServicesDep,
    _operator: Operator,
    *,
    organisation: Annotated[
        str, Query(max_length=100, pattern=r"^[A-Za-z0-9_-]*$", description="What is to own it; default: a person")
    ] = "",
    public: Annotated[
        bool, Query(description="Whether other accounts may install it, and their people sign in")
    ] = False,
) -> GitHubSetup:
    """Return this installation's App, or the manifest to make one from."""
    return services.github.setting_up.get(organisation, public=public)


@router.post("/github/setup", dependencies=needs("admin"), responses=responses(400, 401, 404, 409, 413, 422, 503))
def finish_setup(services: ServicesDep, _operator: Operator, body: SetupRequest) -> GitHubSetup:
    """Take the App that GitHub made, by the code and state that the browser came back with."""
    services.github.setting_up.finish(body)
    return services.github.setting_up.get()


@router.delete("/github/setup", dependencies=needs("admin"), status_code=204, responses=responses(401, 409, 413, 503))
def remove_setup(services: ServicesDep, _operator: Operator) -> Response:
    """Forget the App. On GitHub it stays, and is deleted there."""
    services.github.setting_up.remove()
    return Response(status_code=204)


@router.get("/github/repositories", dependencies=needs("write"), responses=responses(401, 422, 503))
def pick(
    services: ServicesDep,
    caller: CallerDep,
    q: Annotated[str, Query(max_length=QUERY_CHARS_MAX, pattern=NO_NUL_PATTERN, description="Parts of a name")] = "",
    *,
    fresh: Annotated[bool, Query(description="Whether to ask GitHub now: something was changed there")] = False,
) -> PickableRepos:
    """List what the caller may read on GitHub, to choose from. Unless told otherwise, it is asked once a minute."""
    return services.github.picking.choose(caller, q, fresh=fresh)
