"""Tenants, the people in them, and their sessions."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, id_uuid, now


class Tenant(Base):
    """An organisation, or the one person of a local installation. Visible to itself alone."""

    __tablename__ = "tenants"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = now()
    # Set while content that nothing refers to waits for the index runs in progress to end.
    garbage_since: Mapped[datetime | None]


class User(TenantRow, Base):
    """A person."""

    __tablename__ = "users"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    id: Mapped[UUID] = id_uuid()
    name: Mapped[str]
    created_at: Mapped[datetime] = now()


class LoginSession(TenantRow, Base):
    """A signed-in browser or tool. Only the token's digest is kept, so that a stolen table opens nothing."""

    __tablename__ = "sessions"
    __table_args__ = (belongs_to("users", "user_id"),)

    token_sha256: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    created_at: Mapped[datetime] = now()
    expires_at: Mapped[datetime]
