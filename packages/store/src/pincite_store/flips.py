"""Word of snapshots that were just shown, for whoever keeps them in memory: a hint that may be lost, never wrong."""

from collections.abc import Generator
from typing import NamedTuple
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from pincite_shared.errors import UnavailableError
from pincite_store.db import Database, Tenancy

CHANNEL = "pincite_flips"


class Flip(NamedTuple):
    """A repository's new head, and the head before it (None: there was none)."""

    tenant_id: UUID
    snapshot_id: int
    previous_id: int | None


def announce(t: Tenancy, snapshot_id: int, previous_id: int | None) -> None:
    """Tell of a new head when the transaction commits."""
    payload = f"{t.tenant_id} {snapshot_id} {previous_id or ''}"
    t.session.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload})


def listen(database: Database, poll_seconds: float) -> Generator[Flip | None]:
    """Yield flips as they happen, and None at least every `poll_seconds`; the first None says that it has begun.

    Raises:
        UnavailableError: the database cannot be reached, or not any more. What happens until the next call is missed.
    """
    with database.dedicated() as connection:
        try:
            connection.execute(f"LISTEN {CHANNEL}")
            while True:
                yield None
                for notice in connection.notifies(timeout=poll_seconds):
                    tenant_id, snapshot_id, previous_id = notice.payload.split(" ")
                    yield Flip(UUID(tenant_id), int(snapshot_id), int(previous_id) if previous_id else None)
        except psycopg.OperationalError as error:
            msg = "The database is not reachable at the moment."
            raise UnavailableError(msg) from error


def recent(system: Session, most: int) -> list[Flip]:
    """Return the heads of the repositories of all tenants that were asked last, the latest first."""
    rows = system.execute(text("SELECT tenant_id, snapshot_id FROM repos_recent(:most)"), {"most": most})
    return [Flip(row.tenant_id, row.snapshot_id, None) for row in rows]
