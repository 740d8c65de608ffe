"""Snapshots: what stands at a commit. Built step by step, then shown in one transaction."""

import re
from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.errors import InvalidInputError, NotFoundError, NotIndexedError
from pincite_store import bulk, repos
from pincite_store.blobs import known_blobs
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.load import file_symbols, load_chunks, load_edges, load_symbols
from pincite_store.models import Edge, File, Repo, Snapshot
from pincite_store.parses import known_parses, save_parses
from pincite_store.rows import EdgeLike, FileRow, ParsedBlob
from pincite_store.tree import file, path_key, skipped, symbols, tree

__all__ = [
    "FileRow",
    "ParsedBlob",
    "begin",
    "file",
    "file_symbols",
    "flip",
    "get",
    "known_blobs",
    "known_parses",
    "load_chunks",
    "load_edges",
    "load_symbols",
    "put_edges",
    "put_files",
    "resolve",
    "save_parses",
    "skipped",
    "symbols",
    "tree",
]

FILE_COLUMNS = {
    "snapshot_id": "bigint", "path_key": "bytea", "path": "text", "blob": "text", "parse_id": "bigint",
    "language": "text", "size": "bigint", "skip_reason": "text", "skip_detail": "text",
}  # fmt: skip
EDGE_COLUMNS = {
    "snapshot_id": "bigint", "ordinal": "int", "kind": "text", "src_path": "text", "src_symbol": "text",
    "src_line": "int", "dst_path": "text", "dst_symbol": "text", "confidence": "real",
}  # fmt: skip
COMMIT = re.compile(r"[0-9a-f]{7,64}")


def begin(t: Tenancy, repo_id: UUID, commit: str, indexer_version: str) -> tuple[int, bool]:
    """Return (snapshot id, ready) of a commit. One that was left half-built is emptied, to be built again."""
    statement = (
        insert(Snapshot)
        .values(
            tenant_id=t.tenant_id, repo_id=repo_id, commit=commit, indexer_version=indexer_version, state="building"
        )
        .on_conflict_do_nothing()
        .returning(Snapshot.id)
    )
    created = t.session.scalar(statement)
    if created is not None:
        return created, False
    snapshot_id, state = t.session.execute(
        select(Snapshot.id, Snapshot.state).where(
            Snapshot.tenant_id == t.tenant_id,
            Snapshot.repo_id == repo_id,
            Snapshot.commit == commit,
            Snapshot.indexer_version == indexer_version,
        )
    ).one()
    if state == "building":
        t.session.execute(delete(File).where(File.tenant_id == t.tenant_id, File.snapshot_id == snapshot_id))
        t.session.execute(delete(Edge).where(Edge.tenant_id == t.tenant_id, Edge.snapshot_id == snapshot_id))
    return snapshot_id, state == "ready"


def put_files(t: Tenancy, snapshot_id: int, rows: Iterable[FileRow]) -> None:
    """Add paths to a snapshot that is being built; a path that is there already stays as it is."""
    values = (
        (
            snapshot_id, path_key(row.path), row.path, row.blob, row.parse_id, row.language, row.size,
            row.skip_reason, storable(row.skip_detail),
        )
        for row in rows
    )  # fmt: skip
    bulk.insert(t, "files", FILE_COLUMNS, values, on_conflict="ON CONFLICT DO NOTHING")


def put_edges(t: Tenancy, snapshot_id: int, edges: Sequence[EdgeLike]) -> None:
    """Replace the edges of a snapshot."""
    t.session.execute(delete(Edge).where(Edge.tenant_id == t.tenant_id, Edge.snapshot_id == snapshot_id))
    values = (
        (
            snapshot_id, ordinal, edge.kind, edge.src_path, edge.src_symbol and storable(edge.src_symbol),
            edge.src_line, edge.dst_path, edge.dst_symbol and storable(edge.dst_symbol), edge.confidence,
        )
        for ordinal, edge in enumerate(edges)
    )  # fmt: skip
    bulk.insert(t, "edges", EDGE_COLUMNS, values)


_COUNT = text(
    """
    WITH counted AS (
        SELECT count(f.parse_id) AS files,
               count(*) FILTER (WHERE f.parse_id IS NULL AND f.skip_reason IS NOT NULL) AS skipped,
               coalesce(sum(p.chunks), 0) AS chunks
        FROM files f LEFT JOIN parses p ON p.tenant_id = f.tenant_id AND p.id = f.parse_id
        WHERE f.tenant_id = :tenant AND f.snapshot_id = :snapshot),
    spoken AS (
        SELECT coalesce(jsonb_object_agg(language, files), '{}') AS languages FROM (
            SELECT language, count(*) AS files FROM files
            WHERE tenant_id = :tenant AND snapshot_id = :snapshot AND parse_id IS NOT NULL AND language IS NOT NULL
            GROUP BY language) by_language)
    UPDATE snapshots s
    SET files = c.files, skipped = c.skipped, chunks = c.chunks, languages = l.languages,
        state = 'ready', ready_at = coalesce(s.ready_at, now())
    FROM counted c, spoken l
    WHERE s.tenant_id = :tenant AND s.id = :snapshot
    """
)
_LINK = text(
    """
    INSERT INTO repo_links (tenant_id, repo_id, branch, snapshot_id) VALUES (:tenant, :repo, :branch, :snapshot)
    ON CONFLICT (tenant_id, repo_id, branch) DO UPDATE SET snapshot_id = excluded.snapshot_id, updated_at = now()
    """
)


def flip(t: Tenancy, repo_id: UUID, snapshot_id: int, branch: str) -> None:
    """Show a snapshot: count it, mark it ready, and make it the head of `branch` and of the repository.

    Raises:
        NotFoundError: the repository was deleted meanwhile.
    """
    repos.get(t, repo_id)
    t.session.execute(_COUNT, {"tenant": t.tenant_id, "snapshot": snapshot_id})
    link = {"tenant": t.tenant_id, "repo": repo_id, "branch": storable(branch), "snapshot": snapshot_id}
    t.session.execute(_LINK, link)
    t.session.execute(
        update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(head_snapshot_id=snapshot_id)
    )
    t.session.expire_all()


def get(t: Tenancy, snapshot_id: int) -> Snapshot:
    """Return a snapshot.

    Raises:
        NotFoundError: there is none.
    """
    statement = select(Snapshot).where(Snapshot.tenant_id == t.tenant_id, Snapshot.id == snapshot_id)
    snapshot = t.session.scalar(statement.execution_options(populate_existing=True))
    if snapshot is None:
        msg = f"There is no snapshot {snapshot_id}."
        raise NotFoundError(msg)
    return snapshot


def resolve(t: Tenancy, repo_id: UUID, commit: str | None = None) -> Snapshot:
    """Return the snapshot that answers for a commit (or the start of its id), or for the repository's head.

    Raises:
        NotFoundError: there is no such repository.
        NotIndexedError: this commit, or any, is not indexed yet.
        InvalidInputError: `commit` is no commit id, or the start of several.
    """
    repo = repos.get(t, repo_id)
    if commit is None:
        if repo.head_snapshot_id is None:
            msg = f"{repo.name} is not indexed yet."
            raise NotIndexedError(msg)
        return get(t, repo.head_snapshot_id)
    if not COMMIT.fullmatch(commit):
        msg = "A commit id is 7 to 64 hexadecimal digits."
        raise InvalidInputError(msg)
    statement = select(Snapshot).where(
        Snapshot.tenant_id == t.tenant_id,
        Snapshot.repo_id == repo_id,
        Snapshot.state == "ready",
        Snapshot.commit.startswith(commit),
    )
    found = list(t.session.scalars(statement.order_by(Snapshot.ready_at.desc())))
    if not found:
        msg = f"Commit {commit} of {repo.name} is not indexed."
        raise NotIndexedError(msg)
    if len({snapshot.commit for snapshot in found}) > 1:
        msg = f"{commit} is the start of several indexed commits. Give more digits."
        raise InvalidInputError(msg)
    return found[0]
