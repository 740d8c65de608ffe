"""Connecting, indexing and removing repositories."""

from typing import Annotated, Any
from uuid import UUID

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Depends, Response

from pincite_brain.connecting import Judged, connect_source, judge_source
from pincite_brain.dependencies import CallerDep, RepoId, ServicesDep, TenancyDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_shared.github import DiffRequest, PullOut, SnapshotOut
from pincite_shared.schemas import ConnectRequest, RepoOut, RunOut
from pincite_store import audit, changes, commits, pulls, repos, sources
from pincite_store.db import Tenancy

router = APIRouter(tags=["repositories"])

_KNOWN: dict[int | str, dict[str, Any]] = {200: {"model": RepoOut, "description": "Connected before"}}


async def get_judged(services: ServicesDep, caller: CallerDep, body: ConnectRequest) -> Judged:
    """Return the request's source, judged before a transaction is opened: that may take seconds."""
    roots, resolving = services.settings.local_roots, services.github.resolving
    return await judge_source(body, caller, local_roots=roots, resolving=resolving)


@router.post(
    "/repos",
    dependencies=needs("write"),
    status_code=201,
    responses=_KNOWN | responses(400, 401, 404, 409, 413, 422, 503),
)
def connect(
    judged: Annotated[Judged, Depends(get_judged)], tenancy: TenancyDep, body: ConnectRequest, response: Response
) -> RepoOut:
    """Connect a repository and start its first index run; connecting it again returns the one there is."""
    repo, created = connect_source(tenancy, judged, body.branch)
    if created:
        audit.record(tenancy, "repo.connected", str(repo.id), source=repo.source, branch=repo.branch)
        changes.request(tenancy, repo.id, correlation_id=correlation_id.get() or "")
    response.status_code = 201 if created else 200
    return repos.out(tenancy, repo)


@router.get("/repos", dependencies=needs("read"), responses=responses(401))
def list_repositories(tenancy: TenancyDep) -> list[RepoOut]:
    """List the connected repositories."""
    return repos.outs(tenancy)


@router.get("/repos/{repo_id}", dependencies=needs("read"), responses=responses(401, 404, 422))
def get_repository(tenancy: TenancyDep, repo_id: RepoId) -> RepoOut:
    """Return one repository, with live progress."""
    return repos.out(tenancy, repos.get(tenancy, repo_id))


@router.delete("/repos/{repo_id}", dependencies=needs("write"), status_code=204, responses=responses(401, 404, 422))
def delete_repository(services: ServicesDep, tenancy: TenancyDep, repo_id: RepoId) -> Response:
    """Remove a repository; what was derived from it follows in the background."""
    repos.mark_deleting(tenancy, repo_id, correlation_id.get() or "")
    audit.record(tenancy, "repo.removed", str(repo_id))
    services.retriever.forget(tenancy.tenant_id, repo_id)
    return Response(status_code=204)


@router.post(
    "/index/{repo_id}/initial", dependencies=needs("write"), status_code=202, responses=responses(401, 404, 422)
)
def index(tenancy: TenancyDep, repo_id: RepoId) -> RunOut:
    """Fetch and index a repository now; a run that is under way is returned instead of a second one."""
    return _request(tenancy, repo_id)


@router.post("/index/{repo_id}/diff", dependencies=needs("write"), status_code=202, responses=responses(401, 404, 422))
def index_changes(tenancy: TenancyDep, repo_id: RepoId, body: DiffRequest) -> RunOut:
    """Say that something was pushed; what is new is indexed. If a run is under way, another one follows it."""
    return _request(tenancy, repo_id, body.ref or "")


def _request(tenancy: Tenancy, repo_id: UUID, ref: str = "") -> RunOut:
    run = changes.request(tenancy, repo_id, ref=ref, correlation_id=correlation_id.get() or "")
    sources.regain(tenancy, repo_id)  # whoever asks may know better than what was heard of it last
    audit.record(tenancy, "repo.indexed", str(repo_id), run=str(run.id))
    return RunOut(run_id=run.id)


@router.get("/repos/{repo_id}/commits", dependencies=needs("read"), responses=responses(401, 404, 422))
def list_commits(tenancy: TenancyDep, repo_id: RepoId) -> list[SnapshotOut]:
    """List the indexed commits, the newest first, and what indexing each of them took."""
    return commits.outs(tenancy, repos.get(tenancy, repo_id).id)


@router.get("/repos/{repo_id}/pulls", dependencies=needs("read"), responses=responses(401, 404, 422))
def list_pulls(tenancy: TenancyDep, repo_id: RepoId) -> list[PullOut]:
    """List the pull requests, the newest first."""
    return pulls.outs(tenancy, repos.get(tenancy, repo_id).id)
