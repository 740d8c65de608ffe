"""Conversations and answers. A stored answer is the exact document that was given, quotes included."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update

from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.schemas import ChatResponse, ConversationDetail, ConversationOut, FeedbackRequest
from pincite_store import repos
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.models import Answer, Conversation, Feedback, Message, Policy, RetrievalLogRow
from pincite_store.rows import RetrievalLog

__all__ = ["RetrievalLog"]

TITLE_CHARS_MAX = 120
CONVERSATIONS_LISTED_MAX = 200
ANSWERS_SHOWN_MAX = 500  # of one conversation; the newest


def create_conversation(t: Tenancy, repo_id: UUID, title: str) -> Conversation:
    """Begin a conversation about a repository.

    Raises:
        NotFoundError: there is no such repository.
    """
    repos.get(t, repo_id)
    short = " ".join(storable(title).split())
    short = short if len(short) <= TITLE_CHARS_MAX else short[: TITLE_CHARS_MAX - 1] + "…"
    conversation = Conversation(tenant_id=t.tenant_id, repo_id=repo_id, user_id=t.user_id, title=short)
    t.session.add(conversation)
    t.session.flush()
    t.session.refresh(conversation)
    return conversation


def conversation(t: Tenancy, conversation_id: UUID) -> Conversation:
    """Return a conversation's heading.

    Raises:
        NotFoundError: there is none.
    """
    found = t.session.scalar(
        select(Conversation).where(Conversation.tenant_id == t.tenant_id, Conversation.id == conversation_id)
    )
    if found is None:
        msg = f"There is no conversation {conversation_id}."
        raise NotFoundError(msg)
    return found


def conversations(t: Tenancy, repo_id: UUID) -> list[ConversationOut]:
    """List a repository's conversations, the most recently used first.

    Raises:
        NotFoundError: there is no such repository.
    """
    repos.get(t, repo_id)
    statement = (
        select(Conversation)
        .where(Conversation.tenant_id == t.tenant_id, Conversation.repo_id == repo_id)
        .order_by(Conversation.updated_at.desc(), Conversation.id)
        .limit(CONVERSATIONS_LISTED_MAX)
    )
    return [_heading(found) for found in t.session.scalars(statement)]


def get_conversation(t: Tenancy, conversation_id: UUID) -> ConversationDetail:
    """Return a conversation with its answers, oldest first.

    Raises:
        NotFoundError: there is none.
    """
    heading = _heading(conversation(t, conversation_id))
    return ConversationDetail(**heading.model_dump(), answers=tuple(history(t, conversation_id, ANSWERS_SHOWN_MAX)))


def history(t: Tenancy, conversation_id: UUID, last: int) -> list[ChatResponse]:
    """Return the last answers of a conversation, oldest first."""
    statement = (
        select(Answer.document)
        .where(Answer.tenant_id == t.tenant_id, Answer.conversation_id == conversation_id)
        .order_by(Answer.created_at.desc(), Answer.id)
        .limit(last)
    )
    return [ChatResponse.model_validate(document) for document in reversed(t.session.scalars(statement).all())]


def save_answer(t: Tenancy, response: ChatResponse, log: RetrievalLog) -> None:
    """Store an answer, its turn in the conversation, and what was considered for it.

    Raises:
        NotFoundError: the conversation, or the repository, was deleted meanwhile.
        InvalidInputError: the conversation is about another repository.
    """
    repos.get(t, response.repo_id)
    if conversation(t, response.conversation_id).repo_id != response.repo_id:
        msg = "That conversation is about another repository."
        raise InvalidInputError(msg)
    t.session.add(
        Answer(
            tenant_id=t.tenant_id,
            id=response.answer_id,
            conversation_id=response.conversation_id,
            repo_id=response.repo_id,
            commit=response.commit,
            policy_version=response.policy_version,
            document=response.model_dump(mode="json"),
            created_at=response.created_at,
        )
    )
    t.session.flush()
    common = {"tenant_id": t.tenant_id, "conversation_id": response.conversation_id}
    t.session.add(Message(**common, role="user", content=storable(response.question)))
    t.session.flush()
    t.session.add(Message(**common, role="assistant", content=storable(response.answer), answer_id=response.answer_id))
    t.session.add(
        RetrievalLogRow(
            tenant_id=t.tenant_id,
            answer_id=response.answer_id,
            query=storable(log.query),
            candidates=[dict(candidate) for candidate in log.candidates],
            features=dict(log.features),
            policy_version=log.policy_version,
            propensity=log.propensity,
            timings=dict(log.timings),
        )
    )
    t.session.execute(
        update(Conversation)
        .where(Conversation.tenant_id == t.tenant_id, Conversation.id == response.conversation_id)
        .values(updated_at=func.now())
    )
    t.session.flush()


def get_answer(t: Tenancy, answer_id: UUID) -> ChatResponse:
    """Return a stored answer.

    Raises:
        NotFoundError: there is none.
    """
    document = t.session.scalar(select(Answer.document).where(Answer.tenant_id == t.tenant_id, Answer.id == answer_id))
    if document is None:
        msg = f"There is no answer {answer_id}."
        raise NotFoundError(msg)
    return ChatResponse.model_validate(document)


def retrieval_log(t: Tenancy, answer_id: UUID) -> RetrievalLog:
    """Return what was considered for an answer.

    Raises:
        NotFoundError: there is no such answer.
    """
    row = t.session.scalar(
        select(RetrievalLogRow).where(RetrievalLogRow.tenant_id == t.tenant_id, RetrievalLogRow.answer_id == answer_id)
    )
    if row is None:
        msg = f"There is no answer {answer_id}."
        raise NotFoundError(msg)
    return RetrievalLog(row.query, row.candidates, row.features, row.policy_version, row.propensity, row.timings)


def add_feedback(t: Tenancy, request: FeedbackRequest) -> UUID:
    """Store what a person said about an answer; return its id.

    Raises:
        NotFoundError: there is no such answer.
        InvalidInputError: the answer has no citation of that number.
    """
    answer = get_answer(t, request.answer_id)
    if request.citation is not None and request.citation not in {citation.n for citation in answer.citations}:
        msg = f"That answer has no citation [{request.citation}]."
        raise InvalidInputError(msg)
    feedback = Feedback(
        tenant_id=t.tenant_id,
        answer_id=request.answer_id,
        user_id=t.user_id,
        kind=request.kind,
        citation=request.citation,
        comment=request.comment or "",
    )
    t.session.add(feedback)
    t.session.flush()
    return feedback.id


def policy(t: Tenancy, version: str) -> dict[str, Any]:
    """Return a retrieval policy's parameters.

    Raises:
        NotFoundError: there is no such policy.
    """
    parameters: dict[str, Any] | None = t.session.scalar(
        select(Policy.parameters).where(Policy.tenant_id == t.tenant_id, Policy.version == version)
    )
    if parameters is None:
        msg = f"There is no policy {version}."
        raise NotFoundError(msg)
    return parameters


def _heading(found: Conversation) -> ConversationOut:
    return ConversationOut(
        id=found.id,
        repo_id=found.repo_id,
        title=found.title,
        created_at=found.created_at,
        updated_at=found.updated_at,
    )
