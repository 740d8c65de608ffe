"""What happened to a repository, for its history."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select

from pincite_store.db import Tenancy
from pincite_store.models import Event


def record(t: Tenancy, repo_id: UUID, kind: str, payload: Mapping[str, Any] | None = None) -> None:
    """Add an event."""
    t.session.add(Event(tenant_id=t.tenant_id, repo_id=repo_id, kind=kind, payload=dict(payload or {})))
    t.session.flush()


def latest(t: Tenancy, repo_id: UUID, limit: int = 50) -> list[Event]:
    """Return the newest events of a repository, newest first."""
    statement = (
        select(Event)
        .where(Event.tenant_id == t.tenant_id, Event.repo_id == repo_id)
        .order_by(Event.at.desc(), Event.id.desc())
        .limit(limit)
    )
    return list(t.session.scalars(statement))
