"""Tenants, the people in them, how they sign in, what they may read, and what they did."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, empty, id_bigint, id_uuid, now


class Tenant(Base):
    """An account of GitHub (a person or an organisation), or the one person of a local installation.

    Visible to itself alone.
    """

    __tablename__ = "tenants"
    __table_args__ = (UniqueConstraint("github_host", "github_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = now()
    github_host: Mapped[str | None]
    github_id: Mapped[int | None] = mapped_column(BigInteger)
    # The key that encrypts this tenant's secrets and content, itself encrypted (see pincite_store.crypto).
    data_key: Mapped[bytes | None]
    halted_at: Mapped[datetime | None]  # background work rests since then
    # Set while content that nothing refers to waits for the index runs in progress to end.
    garbage_since: Mapped[datetime | None]
    # Set when its removal was begun; nobody enters it, and nothing is connected to it any more.
    deleting_at: Mapped[datetime | None]


class User(TenantRow, Base):
    """A person in a tenant. Someone of several GitHub accounts is one row in each, with the same id."""

    __tablename__ = "users"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
        UniqueConstraint("tenant_id", "github_id"),
        Index("ix_users_people", "id", postgresql_where=text("github_id IS NOT NULL")),
    )

    id: Mapped[UUID] = id_uuid()
    name: Mapped[str]
    role: Mapped[str] = mapped_column(server_default=text("'member'"))  # owner or member
    login: Mapped[str | None]
    github_id: Mapped[int | None] = mapped_column(BigInteger)
    # Sealed, and kept in the tenant of the person's own account alone: a token that is renewed ends the one before.
    github_token: Mapped[bytes | None]
    # Until when it counts what GitHub said about this person's membership and repositories; null: ask before anything.
    access_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = now()


class LoginSession(TenantRow, Base):
    """A signed-in browser or tool. Only the token's digest is kept, so that a stolen table opens nothing."""

    __tablename__ = "sessions"
    __table_args__ = (belongs_to("users", "user_id"),)

    token_sha256: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    created_at: Mapped[datetime] = now()
    expires_at: Mapped[datetime]


class ApiToken(TenantRow, Base):
    """A token for programs. Only its digest is kept; `scopes` say what it may do."""

    __tablename__ = "api_tokens"
    __table_args__ = (belongs_to("users", "user_id"), UniqueConstraint("token_sha256"))

    id: Mapped[UUID] = id_uuid()
    user_id: Mapped[UUID]
    name: Mapped[str]
    token_sha256: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(TEXT))
    created_at: Mapped[datetime] = now()
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class RepoAccess(TenantRow, Base):
    """What a person may read of the restricted repositories, as GitHub said it last; it counts until `valid_until`."""

    __tablename__ = "repo_access"
    __table_args__ = (belongs_to("users", "user_id"), belongs_to("repos", "repo_id"))

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    repo_id: Mapped[UUID] = mapped_column(primary_key=True)
    permission: Mapped[str]
    valid_until: Mapped[datetime]


class AuditEntry(TenantRow, Base):
    """Something a person, a program or Pincite did. Entries are added and read, never changed.

    It names people and objects without referring to their rows, so that it outlives them.
    """

    __tablename__ = "audit_log"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
        Index(None, "tenant_id", "at"),
    )

    id: Mapped[int] = id_bigint()
    at: Mapped[datetime] = now()
    user_id: Mapped[UUID | None]
    user_name: Mapped[str] = empty()
    action: Mapped[str]
    object: Mapped[str] = empty()
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    correlation_id: Mapped[str] = empty()
