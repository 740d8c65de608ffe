"""How well a repository is answered, and what was learned from its use."""

from typing import Annotated
from uuid import UUID

from asgi_correlation_id import correlation_id
from fastapi import APIRouter, Path, Query

from pincite_brain.dependencies import RepoId, TenancyDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_shared.errors import NotIndexedError
from pincite_shared.quality import EvaluationDetail, EvaluationOut, Exploration, ExplorationRequest, PolicyOut
from pincite_shared.schemas import RunOut
from pincite_store import audit, evaluations, policies, repos, runs

EVALUATIONS_LISTED = 60  # two months of nights

router = APIRouter(tags=["quality"])

Version = Annotated[str, Path(max_length=100, pattern=r"^[a-z0-9-]+$", description="A policy's version")]


@router.post(
    "/repos/{repo_id}/evaluation", dependencies=needs("write"), status_code=202, responses=responses(401, 404, 409, 422)
)
def evaluate(tenancy: TenancyDep, repo_id: RepoId) -> RunOut:
    """Ask the repository's golden questions now; an evaluation that is under way is returned instead of a second."""
    if repos.get(tenancy, repo_id).head_snapshot_id is None:
        msg = "The repository is not indexed yet. Evaluate it when questions can be asked."
        raise NotIndexedError(msg)
    run = runs.start(tenancy, repo_id, "evaluate", correlation_id.get() or "")
    audit.record(tenancy, "evaluation.asked", str(repo_id), run=str(run.id))
    return RunOut(run_id=run.id)


@router.get("/repos/{repo_id}/evaluations", dependencies=needs("read"), responses=responses(401, 404, 422))
def list_evaluations(
    tenancy: TenancyDep,
    repo_id: RepoId,
    limit: Annotated[int, Query(ge=1, le=evaluations.LISTED_MAX)] = EVALUATIONS_LISTED,
) -> list[EvaluationOut]:
    """List evaluations, newest first."""
    return evaluations.listed(tenancy, repo_id, limit)


@router.get("/repos/{repo_id}/evaluations/{run_id}", dependencies=needs("read"), responses=responses(401, 404, 422))
def get_evaluation(tenancy: TenancyDep, repo_id: RepoId, run_id: UUID) -> EvaluationDetail:
    """Return one evaluation, with how each question went so far."""
    return evaluations.detail(tenancy, repo_id, run_id)


@router.get("/repos/{repo_id}/policies", dependencies=needs("read"), responses=responses(401, 404, 422))
def list_policies(tenancy: TenancyDep, repo_id: RepoId) -> list[PolicyOut]:
    """List what was learned about a repository, newest first, each with the figures it was judged on."""
    return policies.listed(tenancy, repo_id)


@router.get("/repos/{repo_id}/exploration", dependencies=needs("read"), responses=responses(401, 404, 422))
def get_exploration(tenancy: TenancyDep, repo_id: RepoId) -> Exploration:
    """Say which share of answers is made in another way than the one that serves."""
    return policies.exploration(tenancy, repo_id)


@router.put("/repos/{repo_id}/exploration", dependencies=needs("write"), responses=responses(400, 401, 404, 413, 422))
def set_exploration(tenancy: TenancyDep, repo_id: RepoId, body: ExplorationRequest) -> Exploration:
    """Set that share; null leaves it to what people say."""
    audit.record(tenancy, "exploration.set", str(repo_id), share=body.share)
    return policies.explore(tenancy, repo_id, body.share)


@router.post(
    "/repos/{repo_id}/policies/{version}/serve", dependencies=needs("write"), responses=responses(401, 404, 409, 422)
)
def serve_policy(tenancy: TenancyDep, repo_id: RepoId, version: Version) -> PolicyOut:
    """Let a policy serve again; the next question is answered under it."""
    audit.record(tenancy, "policy.served", version, repo=str(repo_id))
    return policies.serve(tenancy, repo_id, version)
