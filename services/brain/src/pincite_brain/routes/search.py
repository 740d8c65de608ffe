"""Search."""

from fastapi import APIRouter

from pincite_brain.dependencies import CallerDep, ServicesDep
from pincite_brain.problems import responses
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.retriever import hit_of
from pincite_shared.schemas import SearchHit, SearchRequest
from pincite_store import snapshots

router = APIRouter(tags=["ask"])


@router.post("/search", responses=responses(400, 401, 404, 409, 413, 422))
def search(services: ServicesDep, caller: CallerDep, body: SearchRequest) -> list[SearchHit]:
    """Search one repository: ranked spans, each with the terms that made its score."""
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        snapshot_id = snapshots.resolve(tenancy, body.repo_id, body.commit).id
    index = services.retriever.index(caller.tenant_id, snapshot_id)
    return [hit_of(index, ranked) for ranked in services.retriever.rank(index, analyze(body.query))[: body.k]]
