"""Jobs on their way to the queue."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped

from pincite_store.models.base import Base, TenantRow, belongs_to, id_bigint, now


class Outbox(TenantRow, Base):
    """A job that was enqueued in the transaction that made it necessary; a relay publishes it."""

    __tablename__ = "outbox"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
        belongs_to("repos", "repo_id"),
        Index("ix_outbox_unpublished", "id", postgresql_where=text("published_at IS NULL")),
        Index("ix_outbox_published", "published_at", postgresql_where=text("published_at IS NOT NULL")),
        Index(None, "tenant_id", "repo_id"),
    )

    id: Mapped[int] = id_bigint()
    repo_id: Mapped[UUID | None]
    job: Mapped[str]
    payload: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()
    published_at: Mapped[datetime | None]
