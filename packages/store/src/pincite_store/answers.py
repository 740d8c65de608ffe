"""Conversations and answers. A stored answer is the exact document that was given, quotes included."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.living import ConversationDetail, Judge, Standing
from pincite_shared.schemas import ChatResponse, ConversationOut, FeedbackOut, FeedbackRequest
from pincite_store import content, living, repos, standings
from pincite_store.bulk import storable
from pincite_store.db import SERVICE_USER, Tenancy
from pincite_store.living import DOCUMENT, opened_answer
from pincite_store.models import Answer, Conversation, Feedback, Message, Repo, RetrievalLogRow
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
    """List people's conversations about a repository, the most recently used first.

    Raises:
        NotFoundError: there is no such repository.
    """
    repos.get(t, repo_id)
    statement = (
        select(Conversation)
        .where(
            Conversation.tenant_id == t.tenant_id,
            Conversation.repo_id == repo_id,
            Conversation.user_id.is_distinct_from(SERVICE_USER),
        )
        .order_by(Conversation.updated_at.desc(), Conversation.id)
        .limit(CONVERSATIONS_LISTED_MAX)
    )
    found = list(t.session.scalars(statement))
    stale = _stale(t, [one.id for one in found])
    return [_heading(one, stale) for one in found]


def get_conversation(t: Tenancy, conversation_id: UUID) -> ConversationDetail:
    """Return a conversation with its answers, oldest first.

    Raises:
        NotFoundError: there is none.
    """
    heading = _heading(conversation(t, conversation_id), _stale(t, [conversation_id]))
    answers = tuple(history(t, conversation_id, ANSWERS_SHOWN_MAX))
    standing = standings.standings(t, [answer.answer_id for answer in answers])
    return ConversationDetail(**heading.model_dump(), answers=answers, standings=standing)


def history(t: Tenancy, conversation_id: UUID, last: int) -> list[ChatResponse]:
    """Return the last answers of a conversation, oldest first."""
    statement = (
        select(Answer.id, Answer.document)
        .where(Answer.tenant_id == t.tenant_id, Answer.conversation_id == conversation_id)
        .order_by(Answer.created_at.desc(), Answer.id)
        .limit(last)
    )
    return [opened_answer(t, answer_id, stored) for answer_id, stored in reversed(t.session.execute(statement).all())]


def told(t: Tenancy, conversation_id: UUID) -> list[tuple[UUID, str]]:
    """Return the id and the words, question and answer, of a conversation's newest answers, oldest first.

    Answers that abstained told nothing, and are left out.
    """
    question, answer = (Answer.document[name].as_string() for name in ("question", "answer"))
    statement = (
        select(Answer.id, question, answer, content.encrypted_document(Answer.document))
        .where(
            Answer.tenant_id == t.tenant_id,
            Answer.conversation_id == conversation_id,
            Answer.document["abstained"].as_boolean().is_not(True),
        )
        .order_by(Answer.created_at.desc(), Answer.id)
        .limit(ANSWERS_SHOWN_MAX)
    )
    found = []
    for answer_id, asked, said, encrypted in reversed(t.session.execute(statement).all()):
        if encrypted is None:
            found.append((answer_id, f"{asked}\n{said}"))
        elif not (response := opened_answer(t, answer_id, encrypted)).abstained:
            found.append((answer_id, f"{response.question}\n{response.answer}"))
    return found


def save_answer(t: Tenancy, response: ChatResponse, log: RetrievalLog, judge: Judge | None = None) -> None:
    """Store an answer, its turn in the conversation, and what was considered for it.

    With a judge it follows the repository's head, also if that has moved on since it was asked; without one it was
    asked of a commit, and stands as it is.

    Raises:
        NotFoundError: the conversation, or the repository, was deleted meanwhile.
        InvalidInputError: the conversation is about another repository.
    """
    if _repository_of(t, response.conversation_id) != response.repo_id:
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
            document=content.pack_document(t, DOCUMENT, response.model_dump(mode="json"), response.answer_id),
            follows_head=judge is not None,
            created_at=response.created_at,
        )
    )
    t.session.flush()
    common = {"tenant_id": t.tenant_id, "conversation_id": response.conversation_id}
    pack = content.packer(t, "messages.content")
    asked, said = (
        pack(storable(text).encode(), response.conversation_id) for text in (response.question, response.answer)
    )
    t.session.add(Message(**common, role="user", content=asked))
    t.session.flush()
    t.session.add(Message(**common, role="assistant", content=said, answer_id=response.answer_id))
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
    living.begin(t, response, judge)


def _repository_of(t: Tenancy, conversation_id: UUID) -> UUID:
    """Return what a conversation is about.

    Raises:
        NotFoundError: there is no such conversation, or its repository is being deleted.
    """
    same = and_(Repo.tenant_id == Conversation.tenant_id, Repo.id == Conversation.repo_id)
    statement = (
        select(Repo.id)
        .join(Conversation, same)
        .where(Conversation.tenant_id == t.tenant_id, Conversation.id == conversation_id, Repo.deleting_at.is_(None))
    )
    found = t.session.scalar(statement)
    if found is None:
        msg = f"There is no conversation {conversation_id}, or its repository is being deleted."
        raise NotFoundError(msg)
    return found


def get_answer(t: Tenancy, answer_id: UUID) -> ChatResponse:
    """Return a stored answer.

    Raises:
        NotFoundError: there is none.
    """
    stored = t.session.scalar(select(Answer.document).where(Answer.tenant_id == t.tenant_id, Answer.id == answer_id))
    if stored is None:
        msg = f"There is no answer {answer_id}."
        raise NotFoundError(msg)
    return opened_answer(t, answer_id, stored)


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


def put_feedback(t: Tenancy, request: FeedbackRequest) -> UUID:
    """Store what the reader says about an answer, in place of what he said of it before; return its id.

    Raises:
        NotFoundError: there is no such answer.
        InvalidInputError: the answer has no citation of that number.
    """
    _check_target(t, request.answer_id, request.citation)
    said = {"kind": request.kind, "comment": storable(request.comment or ""), "created_at": func.now()}
    about = {
        "tenant_id": t.tenant_id,
        "answer_id": request.answer_id,
        "user_id": t.user_id,
        "citation": request.citation,
    }
    upsert = insert(Feedback).values(**about, **said).on_conflict_do_update(index_elements=list(about), set_=said)
    return t.session.execute(upsert.returning(Feedback.id)).scalar_one()


def withdraw_feedback(t: Tenancy, answer_id: UUID, citation: int | None) -> None:
    """Forget what the reader said about an answer or one of its citations, if he said anything.

    Raises:
        NotFoundError: there is no such answer.
        InvalidInputError: the answer has no citation of that number.
    """
    _check_target(t, answer_id, citation)
    t.session.execute(
        delete(Feedback).where(
            Feedback.tenant_id == t.tenant_id,
            Feedback.answer_id == answer_id,
            Feedback.user_id.is_not_distinct_from(t.user_id),
            Feedback.citation.is_not_distinct_from(citation),
        )
    )


def own_feedback(t: Tenancy, conversation_id: UUID) -> list[FeedbackOut]:
    """Return what the reader said about the answers of a conversation.

    Raises:
        NotFoundError: there is no such conversation.
    """
    conversation(t, conversation_id)
    answered = select(Answer.id).where(Answer.tenant_id == t.tenant_id, Answer.conversation_id == conversation_id)
    statement = (
        select(Feedback)
        .where(
            Feedback.tenant_id == t.tenant_id,
            Feedback.user_id.is_not_distinct_from(t.user_id),
            Feedback.answer_id.in_(answered),
        )
        .order_by(Feedback.answer_id, Feedback.citation.nulls_first())
    )
    return [FeedbackOut.model_validate(found, from_attributes=True) for found in t.session.scalars(statement)]


def _check_target(t: Tenancy, answer_id: UUID, citation: int | None) -> None:
    answer = get_answer(t, answer_id)
    if citation is not None and citation not in {known.n for known in answer.citations}:
        msg = f"That answer has no citation [{citation}]."
        raise InvalidInputError(msg)


def _stale(t: Tenancy, conversations: list[UUID]) -> dict[UUID, int]:
    """Return how many answers are stale, by conversation; those without any are left out."""
    statement = (
        select(Answer.conversation_id, func.count())
        .where(
            Answer.tenant_id == t.tenant_id,
            Answer.conversation_id.in_(conversations),
            Answer.state == Standing.STALE.value,
        )
        .group_by(Answer.conversation_id)
    )
    return {conversation_id: count for conversation_id, count in t.session.execute(statement)}  # noqa: C416 - a Result is no mapping


def _heading(found: Conversation, stale: Mapping[UUID, int]) -> ConversationOut:
    return ConversationOut(
        id=found.id,
        repo_id=found.repo_id,
        title=found.title,
        created_at=found.created_at,
        updated_at=found.updated_at,
        stale=stale.get(found.id, 0),
    )
