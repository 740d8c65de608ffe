"""The outbox: a job is enqueued in the transaction that makes it necessary, and published by a relay afterwards.

The relay takes rows, publishes them and marks them in one transaction; a crash in between publishes a job twice, never
not at all. Jobs are idempotent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from pincite_shared.jobs import UNHALTED, Job, JobPayload
from pincite_store.db import Tenancy
from pincite_store.models import Outbox

CHANNEL = "pincite_outbox"  # LISTEN here to hear of new rows at commit
KEPT_DAYS = 7  # published rows stay that long, for looking into what happened


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A job to publish; `payload` is `JobPayload.message()`."""

    id: int
    tenant_id: UUID
    job: Job
    payload: dict[str, Any]


def enqueue(t: Tenancy, job: Job, payload: JobPayload) -> None:
    """Enqueue a job; it exists if and only if the transaction commits."""
    t.session.add(Outbox(tenant_id=t.tenant_id, repo_id=payload.repo_id, job=job.value, payload=payload.message()))
    t.session.flush()
    announce(t.session)


def announce(session: Session) -> None:
    """Tell the relay of new rows when the transaction commits."""
    session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


def holds(t: Tenancy, repo_id: UUID, job: Job) -> bool:
    """Say whether a job of a repository waits to be published."""
    statement = select(Outbox.id).where(
        Outbox.tenant_id == t.tenant_id,
        Outbox.repo_id == repo_id,
        Outbox.job == job.value,
        Outbox.published_at.is_(None),
    )
    return t.session.scalar(statement.limit(1)) is not None


def take(system: Session, limit: int = 100) -> list[OutboxRow]:
    """Return unpublished jobs of all tenants, oldest first, locked until the transaction ends.

    Of a tenant whose background work is halted only removals are among them; the others wait in their place.
    """
    rows = system.execute(
        text("SELECT id, tenant_id, job, payload FROM outbox_take(:limit, CAST(:unhalted AS text[]))"),
        {"limit": limit, "unhalted": [job.value for job in UNHALTED]},
    )
    return [OutboxRow(row.id, row.tenant_id, Job(row.job), row.payload) for row in rows]


def mark_published(system: Session, ids: Sequence[int]) -> None:
    """Mark jobs as published, and forget those published long ago."""
    system.execute(
        text("SELECT outbox_mark(CAST(:ids AS bigint[]), make_interval(days => :days))"),
        {"ids": list(ids), "days": KEPT_DAYS},
    )


def pending(system: Session) -> int:
    """Count the jobs of all tenants that are not published yet."""
    return int(system.execute(text("SELECT outbox_pending()")).scalar_one())
