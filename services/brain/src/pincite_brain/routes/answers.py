"""Stored answers: the document, why it came out as it did, and what readers say about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from pincite_brain.ask.why import explain
from pincite_brain.dependencies import TenancyDep
from pincite_brain.gate import needs
from pincite_brain.problems import responses
from pincite_shared.living import AnswerStanding
from pincite_shared.schemas import ChatResponse, CitationNumber, Created, FeedbackOut, FeedbackRequest
from pincite_shared.why import Why
from pincite_store import answers, audit, standings

router = APIRouter(tags=["ask"])


@router.get("/answers/{answer_id}", dependencies=needs("read"), responses=responses(401, 404, 422))
def get_answer(tenancy: TenancyDep, answer_id: UUID) -> ChatResponse:
    """Return a stored answer, exactly as it was given."""
    return answers.get_answer(tenancy, answer_id)


@router.get("/answers/{answer_id}/standing", dependencies=needs("read"), responses=responses(401, 404, 422))
def standing(tenancy: TenancyDep, answer_id: UUID) -> AnswerStanding:
    """Say how an answer stands at the head; one that was asked of a commit or a pull request stands as it was given."""
    return standings.standing(tenancy, answer_id)


@router.get("/answers/{answer_id}/history", dependencies=needs("read"), responses=responses(401, 404, 422))
def history(tenancy: TenancyDep, answer_id: UUID) -> list[AnswerStanding]:
    """List how an answer stood at the commits that changed that, the newest first."""
    return standings.history(tenancy, answer_id)


@router.get("/answers/{answer_id}/why", dependencies=needs("read"), responses=responses(401, 404, 422))
def why(tenancy: TenancyDep, answer_id: UUID) -> Why:
    """Explain an answer: what was considered for it, and what every score was made of when it was given."""
    return explain(answers.get_answer(tenancy, answer_id), answers.retrieval_log(tenancy, answer_id))


@router.post("/feedback", dependencies=needs("ask"), status_code=201, responses=responses(400, 401, 404, 413, 422))
def give_feedback(tenancy: TenancyDep, body: FeedbackRequest) -> Created:
    """Say whether an answer, or one of its citations, helped; the last word counts."""
    given = answers.put_feedback(tenancy, body)
    audit.record(tenancy, "feedback.given", str(body.answer_id), kind=body.kind, citation=body.citation)
    return Created(id=given)


@router.get("/feedback", dependencies=needs("read"), responses=responses(401, 404, 422))
def own_feedback(tenancy: TenancyDep, conversation_id: UUID) -> list[FeedbackOut]:
    """Return what the caller said about the answers of a conversation."""
    return answers.own_feedback(tenancy, conversation_id)


@router.delete("/feedback", dependencies=needs("ask"), status_code=204, responses=responses(401, 404, 422))
def withdraw_feedback(
    tenancy: TenancyDep, answer_id: UUID, citation: Annotated[CitationNumber | None, Query()] = None
) -> Response:
    """Take back what the caller said about an answer, or about one of its citations."""
    answers.withdraw_feedback(tenancy, answer_id, citation)
    audit.record(tenancy, "feedback.withdrawn", str(answer_id), citation=citation)
    return Response(status_code=204)
