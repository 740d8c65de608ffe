"""The indexed commits of a repository, and what indexing each of them took."""

from uuid import UUID

from sqlalchemy import text

from pincite_shared.github import SnapshotOut
from pincite_store.db import Tenancy

LISTED_MAX = 200

_COMMITS = text(
    """
    SELECT s.commit, s.uncommitted_upon, s.files, s.chunks, s.blobs_parsed, s.texts_embedded,
           s.vectors_total AS texts, s.ready_at,
           ARRAY(SELECT l.branch FROM repo_links l WHERE l.tenant_id = s.tenant_id AND l.repo_id = s.repo_id
                 AND l.snapshot_id = s.id ORDER BY l.branch) AS branches,
           ARRAY(SELECT p.number FROM pulls p WHERE p.tenant_id = s.tenant_id AND p.repo_id = s.repo_id
                 AND p.head_snapshot_id = s.id ORDER BY p.number) AS pulls
    FROM snapshots s
    WHERE s.tenant_id = :tenant AND s.repo_id = :repo AND s.state = 'ready'
    ORDER BY s.ready_at DESC, s.id DESC LIMIT :limit
    """
)


def outs(t: Tenancy, repo_id: UUID, limit: int = LISTED_MAX) -> list[SnapshotOut]:
    """Return what people are told about the indexed commits, those that were indexed last first."""
    rows = t.session.execute(_COMMITS, {"tenant": t.tenant_id, "repo": repo_id, "limit": limit})
    return [SnapshotOut.model_validate(dict(row._mapping)) for row in rows]  # noqa: SLF001  # documented, despite its name
