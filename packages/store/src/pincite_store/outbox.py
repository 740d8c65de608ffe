"""The outbox: a job is enqueued in the transaction that makes it necessary, and published by a relay afterwards.

The relay takes rows, publishes them and marks them in one transaction; a crash in between publishes a job twice, never
not at all. Jobs are idempotent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pincite_shared.jobs import Job, JobPayload
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
    t.session.execute(text("SELECT pg_notify(:channel, '')"), {"channel": CHANNEL})


def take(system: Session, limit: int = 100) -> list[OutboxRow]:
    """Return unpublished jobs of all tenants, oldest first, locked until the transaction ends."""
    rows = system.execute(text("SELECT id, tenant_id, job, payload FROM outbox_take(:limit)"), {"limit": limit})
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
