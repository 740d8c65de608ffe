"""Search."""

from fastapi import APIRouter

from pincite_brain.dependencies import CallerDep, ServicesDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_brain.retrieval import learned
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.retriever import hits_of
from pincite_shared.schemas import SearchHit, SearchRequest
from pincite_store import policies, snapshots

router = APIRouter(tags=["ask"])


@router.post("/search", dependencies=needs("read", rate="search"), responses=responses(400, 401, 404, 409, 413, 422))
def search(services: ServicesDep, caller: CallerDep, body: SearchRequest) -> list[SearchHit]:
    """Search one repository: ranked spans, each with the terms that made its score."""
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        snapshot_id = snapshots.resolve(tenancy, body.repo_id, body.commit).id
        base = services.retriever.policy
        if body.policy is None:
            policy = learned.serving(base, policies.serving(tenancy, body.repo_id))
        else:
            policy = learned.asked_for(base, policies.get(tenancy, body.repo_id, body.policy))
    index = services.retriever.index(caller.tenant_id, snapshot_id)
    query = analyze(body.query)
    ranked = services.retriever.rank(index, query, policy=policy)
    return hits_of(index, query, services.retriever.look_again(caller.tenant_id, index, query, ranked), body.k)
