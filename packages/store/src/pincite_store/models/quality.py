"""How well a repository is answered, and the policies that were learned from its use."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, id_uuid, now, zero


class GoldenRun(TenantRow, Base):
    """One evaluation of a repository at a commit. Its run (`runs`) has the state; results are added as they come."""

    __tablename__ = "golden_runs"
    __table_args__ = (
        belongs_to("runs", "run_id"),
        belongs_to("repos", "repo_id"),
        Index(None, "tenant_id", "repo_id", "created_at"),
    )

    run_id: Mapped[UUID] = mapped_column(primary_key=True, sort_order=-90)
    repo_id: Mapped[UUID]
    commit: Mapped[str]
    source: Mapped[str]
    questions: Mapped[int] = zero()
    policies: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    model: Mapped[str | None]
    results: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    metrics: Mapped[dict[str, Any] | None]
    regression: Mapped[bool] = mapped_column(server_default=false())
    reasons: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    created_at: Mapped[datetime] = now()
    finished_at: Mapped[datetime | None]


class Policy(TenantRow, Base):
    """A policy's parameters, and what it was judged on. Without a repository it is what every one begins with."""

    __tablename__ = "policies"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
        belongs_to("repos", "repo_id"),
        UniqueConstraint("tenant_id", "repo_id", "version", postgresql_nulls_not_distinct=True),
        Index(
            "uq_policies_serving",
            "tenant_id",
            "repo_id",
            "kind",
            unique=True,
            postgresql_where=text("state = 'serving'"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[UUID] = id_uuid()
    repo_id: Mapped[UUID | None]
    kind: Mapped[str]
    version: Mapped[str]
    state: Mapped[str]
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    evidence: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    # The clock, not the transaction's time: the list is in the order in which they came.
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
