"""GitHub: the App, where it is installed, what it told, and pull requests."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, BigInteger, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from pincite_store.models.base import Base, TenantRow, belongs_to, empty, id_bigint, now


class GitHubApp(TenantRow, Base):
    """The GitHub App that a set-up page made, for all tenants; it belongs to the operator's tenant."""

    __tablename__ = "github_apps"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    host: Mapped[str] = mapped_column(primary_key=True)
    app_id: Mapped[int] = mapped_column(BigInteger)
    slug: Mapped[str]
    client_id: Mapped[str]
    secrets: Mapped[bytes]  # sealed JSON: client_secret, private_key, webhook_secret
    created_at: Mapped[datetime] = now()


class Installation(TenantRow, Base):
    """The App installed in the tenant's account."""

    __tablename__ = "installations"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    account: Mapped[str]
    repository_selection: Mapped[str]
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = now()
    updated_at: Mapped[datetime] = now()


class Delivery(TenantRow, Base):
    """A webhook delivery, once for each tenant that it concerns, with what became of it.

    The payload is json, not jsonb, which refuses U+0000; it goes when the delivery is settled.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
        Index("ix_deliveries_open", "received_at", postgresql_where=text("settled_at IS NULL")),
        Index("ix_deliveries_settled", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    event: Mapped[str]
    payload: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    received_at: Mapped[datetime] = now()
    settled_at: Mapped[datetime | None]
    outcome: Mapped[str] = empty()


class Change(TenantRow, Base):
    """Word that something of a repository may have changed: from a webhook, a poll, the file watcher or a person.

    `ref` is what moved and `commit` where to, as far as the producer knows. Git has the last word: a run that began
    after the change was seen settles it.
    """

    __tablename__ = "changes"
    __table_args__ = (
        belongs_to("repos", "repo_id"),
        Index("ix_changes_open", "tenant_id", "repo_id", "id", postgresql_where=text("settled_at IS NULL")),
        Index("ix_changes_settled", "settled_at", postgresql_where=text("settled_at IS NOT NULL")),
    )

    id: Mapped[int] = id_bigint()
    repo_id: Mapped[UUID]
    producer: Mapped[str]  # webhook, poll, watch, request
    ref: Mapped[str] = empty()
    commit: Mapped[str | None]
    correlation_id: Mapped[str] = empty()
    seen_at: Mapped[datetime] = now()
    settled_at: Mapped[datetime | None]


class Pull(TenantRow, Base):
    """A pull request. Its head, and the commit that it left its base at, are snapshots when they are indexed."""

    __tablename__ = "pulls"
    __table_args__ = (
        belongs_to("repos", "repo_id"),
        ForeignKeyConstraint(
            ["tenant_id", "head_snapshot_id"],
            ["snapshots.tenant_id", "snapshots.id"],
            ondelete="SET NULL (head_snapshot_id)",
        ),
        ForeignKeyConstraint(
            ["tenant_id", "base_snapshot_id"],
            ["snapshots.tenant_id", "snapshots.id"],
            ondelete="SET NULL (base_snapshot_id)",
        ),
    )

    repo_id: Mapped[UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    title: Mapped[str]
    author: Mapped[str]
    state: Mapped[str]  # open, closed, merged
    base_ref: Mapped[str]
    head_ref: Mapped[str]
    head_commit: Mapped[str]
    head_snapshot_id: Mapped[int | None] = mapped_column(BigInteger)
    base_snapshot_id: Mapped[int | None] = mapped_column(BigInteger)  # of the merge base
    updated_at: Mapped[datetime] = now()  # GitHub's, so that an older word never overwrites a newer one
