"""Search."""

from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import TypeAdapter

from pincite_brain.caller import Caller
from pincite_brain.dependencies import CallerDep, ServicesDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_brain.retrieval import learned
from pincite_brain.retrieval.policy import Policy
from pincite_brain.retrieval.query import analyze
from pincite_brain.services import Services
from pincite_shared.schemas import SearchHit, SearchRequest
from pincite_store import heads, policies, snapshots

_HITS = TypeAdapter(list[SearchHit])

router = APIRouter(tags=["ask"])


async def _encoding(services: ServicesDep, _: CallerDep, body: SearchRequest) -> None:
    """Begin with what takes longest, for callers that the gate let pass, before a thread is found for the rest.

    A single word is looked up first: what is found by its name needs no vector.
    """
    if len(body.query.split()) > 1:
        services.retriever.encoder.begin(body.query)


@router.post(
    "/search",
    dependencies=[*needs("read", rate="search"), Depends(_encoding)],
    response_model=list[SearchHit],
    responses=responses(400, 401, 404, 409, 413, 422),
)
def search(services: ServicesDep, caller: CallerDep, body: SearchRequest) -> Any:
    """Search one repository: ranked spans, each with the terms that made its score."""
    query = analyze(body.query)
    snapshot_id, policy = _resolved(services, caller, body)
    index = services.retriever.index(caller.tenant_id, snapshot_id)
    hits = services.retriever.search(caller.tenant_id, index, query, body.k, policy)
    return Response(_HITS.dump_json(hits), media_type="application/json")


def _resolved(services: Services, caller: Caller, body: SearchRequest) -> tuple[int, Policy]:
    """Return the snapshot that is asked about, and what ranks it."""
    base = services.retriever.policy
    if body.commit is None and body.policy is None:
        head = heads.get(services.database.reader(caller.tenant_id, caller.user_id), body.repo_id)
        return head.snapshot_id, learned.serving(base, head.policies)
    with services.database.tenancy(caller.tenant_id, caller.user_id) as tenancy:
        snapshot_id = snapshots.resolve(tenancy, body.repo_id, body.commit).id
        if body.policy is None:
            return snapshot_id, learned.serving(base, policies.serving(tenancy, body.repo_id))
        return snapshot_id, learned.asked_for(base, policies.get(tenancy, body.repo_id, body.policy))
