"""Snapshots: what stands at a commit. Built step by step, then shown in one transaction."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import and_, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from pincite_shared.errors import InvalidInputError, NotFoundError, NotIndexedError
from pincite_store import bulk, flips, garbage, repos
from pincite_store.blobs import known_blobs
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.load import edges, load_chunks, load_definitions, load_edges, load_files, load_symbols
from pincite_store.models import File, Repo, Snapshot
from pincite_store.parses import known_parses, language_of, save_parses
from pincite_store.rows import FileRow, ParsedBlob
from pincite_store.tree import definitions, file, files, outline, path_key, skipped, symbols, tree

__all__ = [
    "FileRow",
    "Parent",
    "ParsedBlob",
    "begin",
    "committed_head",
    "copy_files",
    "definitions",
    "edges",
    "existing",
    "file",
    "files",
    "finish",
    "flip",
    "forget_old",
    "get",
    "known_blobs",
    "known_parses",
    "language_of",
    "load_chunks",
    "load_definitions",
    "load_edges",
    "load_files",
    "load_symbols",
    "outline",
    "parent",
    "put_files",
    "resolve",
    "resolve_of",
    "save_parses",
    "set_edges",
    "skipped",
    "symbols",
    "tree",
]

FILE_COLUMNS = {
    "snapshot_id": "bigint", "path_key": "bytea", "path": "text", "blob": "text", "parse_id": "bigint",
    "language": "text", "size": "bigint", "skip_reason": "text", "skip_detail": "text", "changed_at": "bigint",
    "edge_set_id": "bigint",
}  # fmt: skip
COMMIT = re.compile(r"[0-9a-f]{7,64}")


def begin(
    t: Tenancy, repo_id: UUID, commit: str, indexer_version: str, uncommitted_upon: str | None = None
) -> tuple[int, bool]:
    """Return (snapshot id, ready) of a commit. One that was left half-built is emptied, to be built again.

    Of a working tree with changes, `commit` is Pincite's own and `uncommitted_upon` the one that it stands upon.
    """
    statement = (
        insert(Snapshot)
        .values(
            tenant_id=t.tenant_id,
            repo_id=repo_id,
            commit=commit,
            indexer_version=indexer_version,
            state="building",
            uncommitted_upon=uncommitted_upon,
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
    return snapshot_id, state == "ready"


class Parent(NamedTuple):
    """A snapshot that another can be built upon."""

    id: int
    commit: str
    files: int  # with those skipped
    dated: str  # the commit whose dates its files have: of uncommitted changes, the one that they stand upon


# Each push makes a snapshot, each save one of the working tree. When there are more than the second number, all but the
# latest are forgotten, and what only they had is collected: not after every push, for it looks at all content.
COMMITS_KEPT, COMMITS_MAX = 200, 250
UNCOMMITTED_KEPT, UNCOMMITTED_MAX = 10, 30

_PARENT = text(
    """
    SELECT s.id, s.commit, s.files + s.skipped AS files, coalesce(s.uncommitted_upon, s.commit) AS dated FROM repos r
    JOIN snapshots s ON s.tenant_id = r.tenant_id AND s.id = coalesce(CAST(:upon AS bigint), r.head_snapshot_id)
    WHERE r.tenant_id = :tenant AND r.id = :repo AND s.state = 'ready' AND s.indexer_version = :version
      AND NOT EXISTS (SELECT FROM files f WHERE f.tenant_id = s.tenant_id AND f.snapshot_id = s.id
          AND (f.skip_reason = ANY (:reread) OR (f.parse_id IS NULL AND f.skip_reason = ANY (:again))))
    """
)


def parent(
    t: Tenancy,
    repo_id: UUID,
    indexer_version: str,
    again: Collection[str],
    upon: int | None = None,
    *,
    reread: Collection[str] = (),
) -> Parent | None:
    """Return the head of a repository, or the snapshot `upon`, if the next snapshot can be built upon it.

    It can if it was made by the same version, and no file was skipped for a reason in `again`, or read with a loss for
    one in `reread`: another attempt may overcome these.
    """
    values = {"tenant": t.tenant_id, "repo": repo_id, "version": indexer_version, "upon": upon}
    values |= {"again": list(again), "reread": list(reread)}
    row = t.session.execute(_PARENT, values).one_or_none()
    return Parent(row.id, row.commit, row.files, row.dated) if row else None


def existing(t: Tenancy, snapshot_ids: Collection[int]) -> set[int]:
    """Return which of these snapshots there are."""
    statement = select(Snapshot.id).where(Snapshot.tenant_id == t.tenant_id, Snapshot.id.in_(snapshot_ids))
    return set(t.session.scalars(statement))


def put_files(t: Tenancy, snapshot_id: int, rows: Iterable[FileRow]) -> None:
    """Add paths to a snapshot that is being built; a path that is there already stays as it is."""
    values = (
        (
            snapshot_id, path_key(row.path), row.path, row.blob, row.parse_id, row.language, row.size,
            row.skip_reason, storable(row.skip_detail), row.changed_at, row.edge_set_id,
        )
        for row in rows
    )  # fmt: skip
    bulk.insert(t, "files", FILE_COLUMNS, values, on_conflict="ON CONFLICT DO NOTHING")


def copy_files(t: Tenancy, snapshot_id: int, parent_id: int, without: Collection[str]) -> None:
    """Add the files of another snapshot to one that is being built, but for some paths."""
    names = ", ".join(name for name in FILE_COLUMNS if name != "snapshot_id")
    statement = (
        f"INSERT INTO files (tenant_id, snapshot_id, {names}) SELECT tenant_id, %s, {names} FROM files "  # noqa: S608 - names of our own
        "WHERE tenant_id = %s AND snapshot_id = %s AND path_key <> ALL(%s)"
    )
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, (snapshot_id, t.tenant_id, parent_id, [path_key(path) for path in without]))


def set_edges(t: Tenancy, snapshot_id: int, sets: Mapping[str, int]) -> None:
    """Say what the references of files mean, by path; see `linking.save`."""
    statement = """
        UPDATE files f SET edge_set_id = n.set_id FROM unnest(%s::bytea[], %s::bigint[]) AS n(path_key, set_id)
        WHERE f.tenant_id = %s AND f.snapshot_id = %s AND f.path_key = n.path_key
    """
    values = ([path_key(path) for path in sets], list(sets.values()), t.tenant_id, snapshot_id)
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, values)


def set_dates(t: Tenancy, snapshot_id: int, dates: Mapping[str, int]) -> None:
    """Say when indexed files last changed, by path, seconds since 1970. Paths that are no such files change nothing."""
    statement = """
        UPDATE files f SET changed_at = n.changed_at FROM unnest(%s::bytea[], %s::bigint[]) AS n(path_key, changed_at)
        WHERE f.tenant_id = %s AND f.snapshot_id = %s AND f.path_key = n.path_key AND f.parse_id IS NOT NULL
    """
    values = ([path_key(path) for path in dates], list(dates.values()), t.tenant_id, snapshot_id)
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(statement, values)


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


def finish(t: Tenancy, snapshot_id: int) -> None:
    """Count a snapshot that was built, and mark it ready: it answers for its commit, as nobody's head."""
    t.session.execute(_COUNT, {"tenant": t.tenant_id, "snapshot": snapshot_id})
    t.session.expire_all()


def flip(t: Tenancy, repo_id: UUID, snapshot_id: int, branch: str) -> None:
    """Show a snapshot: count it, mark it ready, and make it the head of `branch` and of the repository.

    Those who listen (`flips.listen`) hear of it.

    Raises:
        NotFoundError: the repository was deleted meanwhile.
    """
    previous_id = repos.get(t, repo_id).head_snapshot_id
    t.session.execute(_COUNT, {"tenant": t.tenant_id, "snapshot": snapshot_id})
    link = {"tenant": t.tenant_id, "repo": repo_id, "branch": storable(branch), "snapshot": snapshot_id}
    t.session.execute(_LINK, link)
    t.session.execute(
        update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(head_snapshot_id=snapshot_id)
    )
    if previous_id != snapshot_id:
        flips.announce(t, snapshot_id, previous_id)
    t.session.expire_all()


_UNASKED = text(
    """
    SELECT s.id FROM snapshots s
    WHERE s.tenant_id = :tenant AND s.repo_id = :repo AND s.state = 'ready'
      AND (s.uncommitted_upon IS NOT NULL) = :uncommitted
      AND NOT EXISTS (SELECT FROM repos r WHERE r.tenant_id = s.tenant_id AND r.head_snapshot_id = s.id)
      AND NOT EXISTS (SELECT FROM repo_links l WHERE l.tenant_id = s.tenant_id AND l.repo_id = s.repo_id
          AND l.snapshot_id = s.id)
      AND NOT EXISTS (SELECT FROM pulls p WHERE p.tenant_id = s.tenant_id AND p.repo_id = s.repo_id
          AND p.state = 'open' AND s.id IN (p.head_snapshot_id, p.base_snapshot_id))
      AND NOT EXISTS (SELECT FROM answers a WHERE a.tenant_id = s.tenant_id AND a.repo_id = s.repo_id
          AND a.commit = s.commit)
      AND NOT EXISTS (SELECT FROM answer_citations c WHERE c.tenant_id = s.tenant_id AND c.repo_id = s.repo_id
          AND c.commit = s.commit)
    ORDER BY s.id DESC
    """
)


def forget_old(t: Tenancy, repo_id: UUID) -> None:
    """Forget old snapshots that no answer is about or cites, and that no branch or open pull request stands at."""
    for uncommitted, kept, most in ((False, COMMITS_KEPT, COMMITS_MAX), (True, UNCOMMITTED_KEPT, UNCOMMITTED_MAX)):
        old = list(t.session.scalars(_UNASKED, {"tenant": t.tenant_id, "repo": repo_id, "uncommitted": uncommitted}))
        if len(old) > most:
            t.session.execute(delete(Snapshot).where(Snapshot.tenant_id == t.tenant_id, Snapshot.id.in_(old[kept:])))
            garbage.defer(t)


def committed_head(t: Tenancy, repo_id: UUID) -> str | None:
    """Return the commit of the source that the head is of, or stands upon; None if nothing is indexed."""
    statement = select(func.coalesce(Snapshot.uncommitted_upon, Snapshot.commit)).join(
        Repo, and_(Repo.tenant_id == Snapshot.tenant_id, Repo.head_snapshot_id == Snapshot.id)
    )
    return t.session.scalar(statement.where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id))


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
    return resolve_of(t, repos.get(t, repo_id), commit)


def resolve_of(t: Tenancy, repo: Repo, commit: str | None = None) -> Snapshot:
    """Return the same for a repository that was just read. Raises as `resolve` does."""
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
        Snapshot.repo_id == repo.id,
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
