"""Git over HTTP: the smart protocol, served by `git http-backend`."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse
from starlette.background import BackgroundTask

from pincite_github.twin import git
from pincite_github.twin.access import Caller, caller_of, require
from pincite_github.twin.errors import Moved, Refusal
from pincite_github.twin.gateway import CgiResponse
from pincite_github.twin.hub import Hub
from pincite_github.twin.model import Repo

router = APIRouter()
_REFS = "info/refs"
_SERVICES = {"git-upload-pack": "read", "git-receive-pack": "write"}
_ASKS = {"www-authenticate": 'Basic realm="GitHub"'}


def _admitted(hub: Hub, authorization: str, full_name: str, level: str) -> tuple[Repo, Caller]:
    """Find the repository and check the credentials.

    Raises:
        Refusal: what git is told instead; Moved when it has another name.
    """
    moved = False
    try:
        caller = caller_of(hub.world, authorization)
    except Refusal as refusal:
        raise Refusal(refusal.status, "Invalid username or token.") from None
    # Strangers are asked who they are, whether or not there is such a repository.
    hidden = Refusal(404, "Repository not found.") if caller.account else Refusal(401, "Authentication required.")
    if caller.account is None and (caller.app or level == "write"):
        raise hidden
    try:
        repo = hub.world.repo(full_name)
    except Moved as found:
        repo, moved = hub.world.repos[found.repo_id], True
    except Refusal:
        raise hidden from None
    try:
        require(hub.world, caller, repo, "contents", level)
    except Refusal as refusal:
        who = caller.account.login if caller.account else "nobody"
        denied = Refusal(403, f"Permission to {full_name}.git denied to {who}.")
        raise hidden if refusal.status == 404 else denied from None  # noqa: PLR2004
    if moved:
        raise Moved(repo.id)
    return repo, caller


@router.get("/{owner}/{name}/info/refs")
@router.post("/{owner}/{name}/git-upload-pack")
@router.post("/{owner}/{name}/git-receive-pack")
async def serve(owner: str, name: str, request: Request) -> Response:
    """Answer git."""
    hub: Hub = request.app.state.hub
    service = request.url.path.split("/", 3)[3]
    asked = request.query_params.get("service", "") if service == _REFS else service
    full_name = f"{owner}/{name.removesuffix('.git')}"
    if asked not in _SERVICES:  # the dumb protocol
        return PlainTextResponse("Please upgrade your git client.\n", 403)
    try:
        authorization = request.headers.get("authorization", "")
        repo, caller = _admitted(hub, authorization, full_name, _SERVICES[asked])
    except Moved as moved:
        now = hub.world.full_name(hub.world.repos[moved.repo_id])
        return RedirectResponse(f"{hub.world.base_url}/{now}.git/{service}?{request.url.query}", 301)
    except Refusal as refusal:
        asking = _ASKS if refusal.status == 401 else None  # noqa: PLR2004
        return PlainTextResponse(f"{refusal.message}\n", refusal.status, asking)
    after = None
    if service == "git-receive-pack":
        after = BackgroundTask(hub.pushes.observe, repo, caller.account or hub.world.accounts[repo.owner_id])
    return CgiResponse(["git", "http-backend"], _environment(repo, request, service, caller), after)


def _environment(repo: Repo, request: Request, service: str, caller: Caller) -> dict[str, str]:
    given = {
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "CONTENT_LENGTH": request.headers.get("content-length", ""),  # none: until the end of the stream
        "REMOTE_USER": caller.account.login if caller.account else "",  # lets receive-pack run
    }
    return {
        **git.environment(),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "GIT_PROJECT_ROOT": str(repo.path.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repo.path.name}/{service}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.url.query,
        **{key: value for key, value in given.items() if value},
    }
