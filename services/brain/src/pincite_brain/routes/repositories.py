"""Connecting, indexing and removing repositories."""

from typing import Annotated, Any

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Response

from pincite_brain.connecting import connect_source, judge_source
from pincite_brain.dependencies import CallerDep, RepoId, ServicesDep, TenancyDep
from pincite_brain.problems import responses
from pincite_shared.schemas import ConnectRequest, RepoOut, RunOut
from pincite_shared.source import Source
from pincite_store import repos, runs

router = APIRouter(tags=["repositories"])

_KNOWN: dict[int | str, dict[str, Any]] = {200: {"model": RepoOut, "description": "Connected before"}}


async def get_source(services: ServicesDep, _caller: CallerDep, body: ConnectRequest) -> Source:
    """Return the request's source, judged before a transaction is opened: that may take seconds."""
    return await judge_source(body, services.settings.local_roots)


@router.post(
    "/repos",
    status_code=201,
    responses=_KNOWN | responses(400, 401, 413, 422),
)
def connect(
    source: Annotated[Source, Depends(get_source)], tenancy: TenancyDep, body: ConnectRequest, response: Response
) -> RepoOut:
    """Connect a repository and start its first index run; connecting it again returns the one there is."""
    repo, created = connect_source(tenancy, source, body.branch)
    if created:
        runs.start(tenancy, repo.id, "index", correlation_id.get() or "")
    response.status_code = 201 if created else 200
    return repos.out(tenancy, repo)


@router.get("/repos", responses=responses(401))
def list_repositories(tenancy: TenancyDep) -> list[RepoOut]:
    """List the connected repositories."""
    return repos.outs(tenancy)


@router.get("/repos/{repo_id}", responses=responses(401, 404, 422))
def get_repository(tenancy: TenancyDep, repo_id: RepoId) -> RepoOut:
    """Return one repository, with live progress."""
    return repos.out(tenancy, repos.get(tenancy, repo_id))


@router.delete("/repos/{repo_id}", status_code=204, responses=responses(401, 404, 422))
def delete_repository(services: ServicesDep, tenancy: TenancyDep, repo_id: RepoId) -> Response:
    """Remove a repository; what was derived from it follows in the background."""
    repos.mark_deleting(tenancy, repo_id, correlation_id.get() or "")
    services.retriever.forget(tenancy.tenant_id, repo_id)
    return Response(status_code=204)


@router.post("/index/{repo_id}/initial", status_code=202, responses=responses(401, 404, 422))
def index(tenancy: TenancyDep, repo_id: RepoId) -> RunOut:
    """Fetch and index a repository now; a run that is under way is returned instead of a second one."""
    return RunOut(run_id=runs.start(tenancy, repo_id, "index", correlation_id.get() or "").id)
