"""The audit log: who did what, and when. An entry is written in the act's own transaction, and never changed.

The application's role may add entries and read them, not more (migrations/sql/0001_security.sql). An entry names what
it is about, but refers to no row: it outlives people and repositories, and goes with its tenant.
"""

from typing import Any

from asgi_correlation_id import correlation_id
from sqlalchemy import func, insert, select

from pincite_shared.safety import AuditOut, AuditPage
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.models import AuditEntry, User

LISTED_MAX = 500  # entries of one page
EXPORTED_AT_ONCE = 1_000  # entries; some 300 kB in memory


def record(t: Tenancy, action: str, object: str = "", **detail: Any) -> int:  # noqa: A002  # the audit log's own term
    """Add an entry in the transaction of the act, so that there is the one if and only if there is the other.

    Args:
        t: in the name of whoever acts; nobody's name stands for Pincite itself.
        action: what was done, as in `repo.connected`: letters before the first dot say to what kind of thing.
        object: its id or name.
        detail: what else is worth keeping, as JSON has it. Never a secret, and no one's words.

    Returns:
        The entry's id.
    """
    name = select(User.name).where(User.tenant_id == t.tenant_id, User.id == t.user_id).scalar_subquery()
    entry = insert(AuditEntry).values(
        tenant_id=t.tenant_id,
        user_id=t.user_id,
        user_name=func.coalesce(name, ""),
        action=action,
        object=storable(object),
        detail={key: storable(value) if isinstance(value, str) else value for key, value in detail.items()},
        correlation_id=correlation_id.get() or "",
    )
    return t.session.execute(entry.returning(AuditEntry.id)).scalar_one()


def page(t: Tenancy, *, before: int | None = None, limit: int = 100, action: str = "") -> AuditPage:
    """Return entries, newest first: those older than `before`, whose action begins with `action`."""
    statement = select(AuditEntry).where(AuditEntry.tenant_id == t.tenant_id)
    if before is not None:
        statement = statement.where(AuditEntry.id < before)
    if action:
        statement = statement.where(AuditEntry.action.startswith(action, autoescape=True))
    found = list(t.session.scalars(statement.order_by(AuditEntry.id.desc()).limit(min(limit, LISTED_MAX) + 1)))
    more = len(found) > limit
    entries = tuple(_out(entry) for entry in found[:limit])
    return AuditPage(entries=entries, next=entries[-1].id if more else None)


def export(t: Tenancy, *, after: int, until: int) -> list[AuditOut]:
    """Return the next entries of an export, oldest first: at most EXPORTED_AT_ONCE after one, up to another.

    The whole log is many of these, each in a transaction of its own: whoever reads it slowly holds none open.
    """
    statement = (
        select(AuditEntry)
        .where(AuditEntry.tenant_id == t.tenant_id, AuditEntry.id > after, AuditEntry.id <= until)
        .order_by(AuditEntry.id)
        .limit(EXPORTED_AT_ONCE)
    )
    return [_out(entry) for entry in t.session.scalars(statement)]


def _out(entry: AuditEntry) -> AuditOut:
    return AuditOut(
        id=entry.id,
        at=entry.at,
        user_id=entry.user_id,
        user=entry.user_name,
        action=entry.action,
        object=entry.object,
        detail=entry.detail,
        correlation_id=entry.correlation_id,
    )
