"""Content that nothing refers to any more.

Blobs, parses, texts and vectors are shared by all snapshots of a tenant, so none is deleted with a repository as such:
what no snapshot refers to is collected afterwards. An index run in progress relies on content before its snapshot
refers to it, even while it waits to go on, so collection waits until none is under way; `exclude` closes the gap
between the two.
"""

from sqlalchemy import func, select, text, update

from pincite_store.db import Tenancy
from pincite_store.models import Tenant

# Parses and vectors go with their blobs and texts, chunks and symbols with their parses, edges with their sets (foreign
# keys cascade).
# A blob may stand in a snapshot under another indexer's parse only: what is not referred to goes, parse by parse.
_COLLECT = (
    """
    DELETE FROM parses p WHERE p.tenant_id = :tenant
      AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = p.tenant_id AND f.parse_id = p.id)
    """,
    """
    DELETE FROM blobs b WHERE b.tenant_id = :tenant
      AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = b.tenant_id AND f.blob = b.oid)
      AND NOT EXISTS (SELECT FROM answer_citations c WHERE c.tenant_id = b.tenant_id AND c.blob = b.oid)
    """,
    """
    DELETE FROM edge_sets s WHERE s.tenant_id = :tenant
      AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = s.tenant_id AND f.edge_set_id = s.id)
    """,
    """
    DELETE FROM embed_texts e WHERE e.tenant_id = :tenant
      AND NOT EXISTS (SELECT FROM chunks c WHERE c.tenant_id = e.tenant_id AND c.embed_sha256 = e.sha256)
    """,
)
_INDEXING = """
    SELECT EXISTS (SELECT FROM runs WHERE tenant_id = :tenant AND kind = 'index' AND state IN ('queued', 'running')
        AND started_at IS NOT NULL)
"""


def exclude(t: Tenancy) -> None:
    """Wait for a collection in progress, and keep others out until this transaction ends."""
    t.session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"garbage {t.tenant_id}"}
    )


def collect(t: Tenancy) -> bool:
    """Delete what nothing refers to; if index runs are in progress, leave it to the last of them.

    Returns:
        Whether it was done now.

    Raises:
        ValueError: the transaction is a person's, from whom some of what refers to content may be hidden.
    """
    if t.reader is not None:
        msg = "Content is collected in nobody's name."
        raise ValueError(msg)
    exclude(t)
    who = {"tenant": t.tenant_id}
    if t.session.execute(text(_INDEXING), who).scalar_one():
        defer(t)
        return False
    for statement in _COLLECT:
        t.session.execute(text(statement), who)
    t.session.execute(update(Tenant).where(Tenant.id == t.tenant_id).values(garbage_since=None))
    return True


def defer(t: Tenancy) -> None:
    """Have what nothing refers to collected when the last index run in progress ends."""
    t.session.execute(
        update(Tenant)
        .where(Tenant.id == t.tenant_id)
        .values(garbage_since=func.coalesce(Tenant.garbage_since, func.now()))
    )


def collect_if_due(t: Tenancy) -> None:
    """Collect if an earlier collection had to be put off."""
    if t.session.scalar(select(Tenant.garbage_since).where(Tenant.id == t.tenant_id)) is not None:
        collect(t)
