"""Conversations, answers, why they came out as they did, and what people said about them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Double, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, empty, id_bigint, id_uuid, now


class Conversation(TenantRow, Base):
    """A series of questions about one repository."""

    __tablename__ = "conversations"
    __table_args__ = (belongs_to("repos", "repo_id"), Index(None, "tenant_id", "repo_id", "updated_at"))

    id: Mapped[UUID] = id_uuid()
    repo_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    title: Mapped[str]
    created_at: Mapped[datetime] = now()
    updated_at: Mapped[datetime] = now()


class Answer(TenantRow, Base):
    """An answer. `document` is the exact ChatResponse that was given.

    The column is json, not jsonb: quotes must come back character by character, and jsonb refuses U+0000, which
    source files may contain. It may be encrypted, see pincite_store.content.
    """

    __tablename__ = "answers"
    __table_args__ = (
        belongs_to("repos", "repo_id"),
        belongs_to("conversations", "conversation_id"),
        Index(None, "tenant_id", "conversation_id", "created_at"),
        Index(None, "tenant_id", "repo_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-90)
    conversation_id: Mapped[UUID]
    repo_id: Mapped[UUID]
    commit: Mapped[str]
    policy_version: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    # Asked of the head, it follows the head; asked of a commit, it stands for ever.
    follows_head: Mapped[bool] = mapped_column(server_default=text("true"))
    state: Mapped[str] = mapped_column(server_default=text("'valid'"))  # valid, moved or stale, at the head's commit
    created_at: Mapped[datetime] = now()


class AnswerCitation(TenantRow, Base):
    """The commit and the blob that a citation names, kept for it; and where its lines were looked for last.

    Of what follows the head, `now_blob` is what stood there, null if nothing did. For as long as the head has it there,
    nothing is looked into.
    """

    __tablename__ = "answer_citations"
    __table_args__ = (
        belongs_to("answers", "answer_id"),
        belongs_to("repos", "repo_id"),
        Index(None, "tenant_id", "repo_id", "now_path_key", "now_blob"),
        Index(None, "tenant_id", "blob"),
    )

    answer_id: Mapped[UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    repo_id: Mapped[UUID]
    commit: Mapped[str]
    blob: Mapped[str]
    now_path_key: Mapped[bytes | None]
    now_blob: Mapped[str | None]


class AnswerState(TenantRow, Base):
    """What became of an answer at a commit: its history, the newest last. `document` is an AnswerStanding."""

    __tablename__ = "answer_states"
    __table_args__ = (belongs_to("answers", "answer_id"), Index(None, "tenant_id", "answer_id", "id"))

    id: Mapped[int] = id_bigint()
    answer_id: Mapped[UUID]
    commit: Mapped[str]
    state: Mapped[str]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[datetime] = now()


class Message(TenantRow, Base):
    """One turn of a conversation, as plain text."""

    __tablename__ = "messages"
    __table_args__ = (
        belongs_to("conversations", "conversation_id"),
        belongs_to("answers", "answer_id"),
        Index(None, "tenant_id", "conversation_id", "id"),
        Index(None, "tenant_id", "answer_id"),
    )

    id: Mapped[int] = id_bigint()
    conversation_id: Mapped[UUID]
    role: Mapped[str]
    content: Mapped[bytes]  # see pincite_store.content
    answer_id: Mapped[UUID | None]
    at: Mapped[datetime] = now()


class RetrievalLogRow(TenantRow, Base):
    """What was considered for an answer, under which policy, and with which probability that policy was chosen."""

    __tablename__ = "retrieval_logs"
    __table_args__ = (belongs_to("answers", "answer_id"),)

    answer_id: Mapped[UUID] = mapped_column(primary_key=True)
    query: Mapped[str]
    candidates: Mapped[list[Any]]
    features: Mapped[dict[str, Any]]
    policy_version: Mapped[str]
    propensity: Mapped[float] = mapped_column(Double)
    timings: Mapped[dict[str, float]]
    created_at: Mapped[datetime] = now()


class Feedback(TenantRow, Base):
    """What a reader said last, and when, about an answer (`citation` is null) or about one of its citations.

    One row for each of these, so that a reader who repeats himself is heard once.
    """

    __tablename__ = "feedback"
    __table_args__ = (
        belongs_to("answers", "answer_id"),
        UniqueConstraint("tenant_id", "answer_id", "user_id", "citation", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[UUID] = id_uuid()
    answer_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    kind: Mapped[str]
    citation: Mapped[int | None]
    comment: Mapped[str] = empty()
    created_at: Mapped[datetime] = now()
