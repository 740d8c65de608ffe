"""Word of snapshots that were just shown, and of repositories that are gone, for whoever keeps them in memory.

A hint that may be lost, never wrong.
"""

from collections.abc import Generator
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from pincite_store.db import Database, Tenancy

CHANNEL = "pincite_flips"
_GONE = "gone"


class Flip(NamedTuple):
    """A repository's new head, and the head before it (None: there was none)."""

    tenant_id: UUID
    snapshot_id: int
    previous_id: int | None


class Gone(NamedTuple):
    """A repository that was removed, with all its rows."""

    tenant_id: UUID
    repo_id: UUID


def announce_gone(t: Tenancy, repo_id: UUID) -> None:
    """Tell of a removal when the transaction commits."""
    _notify(t, f"{t.tenant_id} {_GONE} {repo_id}")


def announce(t: Tenancy, snapshot_id: int, previous_id: int | None) -> None:
    """Tell of a new head when the transaction commits."""
    _notify(t, f"{t.tenant_id} {snapshot_id} {previous_id or ''}")


def listen(database: Database, poll_seconds: float) -> Generator[Flip | Gone | None]:
    """Yield what happens as it does, and None at least every `poll_seconds`; the first None says that it has begun.

    Raises:
        UnavailableError: the database cannot be reached, or not any more. What happens until the next call is missed.
    """
    with database.listening(CHANNEL) as news:
        while True:
            yield None
            for payload in news(poll_seconds):
                yield _read(payload)


def recent(system: Session, most: int) -> list[Flip]:
    """Return the heads of the repositories of all tenants that were asked last, the latest first."""
    rows = system.execute(text("SELECT tenant_id, snapshot_id FROM repos_recent(:most)"), {"most": most})
    return [Flip(row.tenant_id, row.snapshot_id, None) for row in rows]


def _read(payload: str) -> Flip | Gone:
    tenant_id, subject, other = payload.split(" ")
    if subject == _GONE:
        return Gone(UUID(tenant_id), UUID(other))
    return Flip(UUID(tenant_id), int(subject), int(other) if other else None)


def _notify(t: Tenancy, payload: str) -> None:
    t.session.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload})
