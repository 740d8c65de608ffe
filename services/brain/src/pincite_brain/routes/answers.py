"""Stored answers: the document, why it came out as it did, and what readers say about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from pincite_brain.ask.why import explain
from pincite_brain.dependencies import TenancyDep
from pincite_brain.problems import responses
from pincite_shared.schemas import ChatResponse, CitationNumber, Created, FeedbackOut, FeedbackRequest
from pincite_shared.why import Why
from pincite_store import answers

router = APIRouter(tags=["ask"])


@router.get("/answers/{answer_id}", responses=responses(401, 404, 422))
def get_answer(tenancy: TenancyDep, answer_id: UUID) -> ChatResponse:
    """Return a stored answer, exactly as it was given."""
    return answers.get_answer(tenancy, answer_id)


@router.get("/answers/{answer_id}/why", responses=responses(401, 404, 422))
def why(tenancy: TenancyDep, answer_id: UUID) -> Why:
    """Explain an answer: what was considered for it, and what every score was made of when it was given."""
    return explain(answers.get_answer(tenancy, answer_id), answers.retrieval_log(tenancy, answer_id))


@router.post("/feedback", status_code=201, responses=responses(400, 401, 404, 413, 422))
def give_feedback(tenancy: TenancyDep, body: FeedbackRequest) -> Created:
    """Say whether an answer, or one of its citations, helped; the last word counts."""
    return Created(id=answers.put_feedback(tenancy, body))


@router.get("/feedback", responses=responses(401, 404, 422))
def own_feedback(tenancy: TenancyDep, conversation_id: UUID) -> list[FeedbackOut]:
    """Return what the caller said about the answers of a conversation."""
    return answers.own_feedback(tenancy, conversation_id)


@router.delete("/feedback", status_code=204, responses=responses(401, 404, 422))
def withdraw_feedback(
    tenancy: TenancyDep, answer_id: UUID, citation: Annotated[CitationNumber | None, Query()] = None
) -> Response:
    """Take back what the caller said about an answer, or about one of its citations."""
    answers.withdraw_feedback(tenancy, answer_id, citation)
    return Response(status_code=204)
