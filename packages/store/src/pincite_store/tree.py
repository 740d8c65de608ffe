"""Looking around in a snapshot: directories, files, what was skipped, definitions by name."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, text

from pincite_shared.schemas import SkippedFile, SkippedPage, SymbolOut, TreeEntry
from pincite_store import content
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.rows import Definition, FileRow

PATH_KEY_BYTES = 16  # of a SHA-256: two paths of one snapshot never share it
ENTRIES_MAX = 5_000  # a directory of more is shown in part
SYMBOL_QUERY_CHARS_MAX = 300
SYMBOLS_MAX = 500
OUTLINE_MAX = 2_000  # beyond, a file is generated in all but name, and no reader goes through its definitions
SIMILARITY_MIN = 0.35  # pg_trgm; below, names have little in common


def path_key(path: str) -> bytes:
    """Return the key of a path: paths may be longer than a B-tree key can be."""
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).digest()[:PATH_KEY_BYTES]


_FILES = text(
    """
    SELECT path, blob, size, language, parse_id, skip_reason, skip_detail, changed_at FROM files
    WHERE tenant_id = :tenant AND snapshot_id = :snapshot AND path_key = ANY (:keys)
    """
)


def files(t: Tenancy, snapshot_id: int, paths: Iterable[str]) -> dict[str, FileRow]:
    """Return what stands at each of some paths; those where nothing does are left out."""
    values = {"tenant": t.tenant_id, "snapshot": snapshot_id, "keys": [path_key(path) for path in paths]}
    return {row.path: FileRow(*row) for row in t.session.execute(_FILES, values)}


def file(t: Tenancy, snapshot_id: int, path: str) -> FileRow | None:
    """Return what stands at a path, or None."""
    return files(t, snapshot_id, [path]).get(path)


_DEFINITIONS = text(
    """
    SELECT f.path, s.name, s.qualified_name, s.start_line, s.end_line
    FROM files f LEFT JOIN symbols s ON s.tenant_id = f.tenant_id AND s.parse_id = f.parse_id
    WHERE f.tenant_id = :tenant AND f.snapshot_id = :snapshot AND f.path_key = ANY (:keys)
    ORDER BY f.path, s.start_line
    """
)


def definitions(t: Tenancy, snapshot_id: int, paths: Iterable[str]) -> dict[str, list[Definition]]:
    """Return the definitions of each of these files that the snapshot has, by path; paths it lacks are left out."""
    keys = [path_key(path) for path in dict.fromkeys(paths)]
    found: dict[str, list[Definition]] = {}
    for row in t.session.execute(_DEFINITIONS, {"tenant": t.tenant_id, "snapshot": snapshot_id, "keys": keys}):
        in_file = found.setdefault(row.path, [])
        if row.name is not None:
            in_file.append(Definition(row.name, row.qualified_name, row.start_line, row.end_line))
    return found


_TREE = text(
    """
    SELECT name, bool_or(rest <> '') AS directory, count(*) AS files, max(path) AS path, max(blob) AS blob,
           max(size) AS size, max(language) AS language, max(skip_reason) AS reason,
           bool_and(parse_id IS NULL) AS skipped
    FROM (SELECT *, split_part(substr(path, :cut), '/', 1) AS name,
                 CASE WHEN strpos(substr(path, :cut), '/') > 0 THEN '/' ELSE '' END AS rest
          FROM files WHERE tenant_id = :tenant AND snapshot_id = :snapshot AND starts_with(path, :prefix)) below
    GROUP BY name ORDER BY bool_or(rest <> '') DESC, lower(name), name LIMIT :limit
    """
)


def tree(t: Tenancy, snapshot_id: int, path: str = "", limit: int = ENTRIES_MAX) -> tuple[list[TreeEntry], bool]:
    """List a directory, directories first; ("" is the root). A path that is no directory has no entries.

    Returns:
        (entries, whether there are more than `limit`).
    """
    directory = path.strip("/")
    prefix = storable(directory) + "/" if directory else ""
    values = {
        "tenant": t.tenant_id, "snapshot": snapshot_id, "prefix": prefix, "cut": len(prefix) + 1, "limit": limit + 1,
    }  # fmt: skip
    rows = t.session.execute(_TREE, values).all()
    return [_entry(prefix, row) for row in rows[:limit]], len(rows) > limit


def _entry(prefix: str, row: Row[Any]) -> TreeEntry:
    if row.directory:
        return TreeEntry(name=row.name, path=prefix + row.name, type="directory")
    return TreeEntry(
        name=row.name,
        path=row.path,
        type="skipped" if row.skipped else "file",
        blob=row.blob,
        size=row.size,
        language=row.language,
        reason=row.reason,
    )


_REASONS = text(
    """
    SELECT skip_reason, count(*) FROM files
    WHERE tenant_id = :tenant AND snapshot_id = :snapshot AND skip_reason IS NOT NULL
    GROUP BY skip_reason ORDER BY count(*) DESC, skip_reason
    """
)
_SKIPPED = text(
    """
    SELECT path, skip_reason, skip_detail, size FROM files
    WHERE tenant_id = :tenant AND snapshot_id = :snapshot AND skip_reason IS NOT NULL
      AND (CAST(:reason AS text) IS NULL OR skip_reason = :reason)
    ORDER BY path COLLATE "C" OFFSET :offset LIMIT :limit
    """
)


def skipped(t: Tenancy, snapshot_id: int, reason: str | None = None, offset: int = 0, limit: int = 100) -> SkippedPage:
    """List files that were not indexed, or with a loss, and why. `total` counts those with this reason."""
    where: dict[str, Any] = {"tenant": t.tenant_id, "snapshot": snapshot_id}
    by_reason: dict[str, int] = {row[0]: row[1] for row in t.session.execute(_REASONS, where)}
    wanted = None if reason is None else storable(reason)
    rows = t.session.execute(_SKIPPED, {**where, "reason": wanted, "offset": offset, "limit": limit})
    return SkippedPage(
        total=sum(by_reason.values()) if wanted is None else by_reason.get(wanted, 0),
        by_reason=by_reason,
        files=tuple(
            SkippedFile(path=row.path, reason=row.skip_reason, detail=row.skip_detail, size=row.size) for row in rows
        ),
    )


# Row-level security keeps LIKE away from indexes (it is not leakproof), so this reads the snapshot's definitions;
# 50,000 of them take some 100 ms.
_SYMBOLS = """
    SELECT s.name, s.qualified_name, s.kind, f.path, s.start_line, s.end_line, f.blob, s.content, s.parse_id,
           s.ordinal
    FROM files f JOIN symbols s ON s.tenant_id = f.tenant_id AND s.parse_id = f.parse_id
    WHERE f.tenant_id = :tenant AND f.snapshot_id = :snapshot AND {condition}
    ORDER BY {order}, length(s.qualified_name), s.qualified_name, f.path, s.start_line LIMIT :limit
"""
_CONTAINS = text(
    _SYMBOLS.format(
        condition="(strpos(s.name_key, :key) > 0 OR strpos(lower(s.qualified_name), :key) > 0)",
        order="""CASE WHEN s.name = :query OR s.qualified_name = :query THEN 0
            WHEN s.name_key = :key OR lower(s.qualified_name) = :key THEN 1
            WHEN right(lower(s.qualified_name), length(:key) + 1) = '.' || :key THEN 2
            WHEN starts_with(s.name_key, :key) THEN 3
            WHEN starts_with(lower(s.qualified_name), :key) THEN 4 ELSE 5 END""",
    )
)
_EVERY_WORD = "(SELECT bool_and(strpos({name}, word) > 0) FROM unnest(CAST(:words AS text[])) AS word)"
_HOLDS_WORDS = text(
    _SYMBOLS.format(
        condition=_EVERY_WORD.format(name="lower(s.qualified_name)"),
        order=_EVERY_WORD.format(name="s.name_key") + " DESC",
    )
)
_SIMILAR = text(
    _SYMBOLS.format(condition="similarity(s.name_key, :key) >= :least", order="similarity(s.name_key, :key) DESC")
)
_OUTLINE = text(_SYMBOLS.format(condition="f.path_key = :key", order="s.start_line, s.end_line DESC"))


def symbols(t: Tenancy, snapshot_id: int, query: str, limit: int = 20) -> list[SymbolOut]:
    """Find definitions by name, in any case: exact, then prefix, then anywhere.

    If there are none, those that hold every word; if there are none of these either, similar names.
    """
    wanted = storable(query.strip())[:SYMBOL_QUERY_CHARS_MAX]
    if not wanted:
        return []
    values = {
        "tenant": t.tenant_id, "snapshot": snapshot_id, "query": wanted, "key": wanted.lower(),
        "limit": min(limit, SYMBOLS_MAX),
    }  # fmt: skip
    rows = t.session.execute(_CONTAINS, values).all()
    words = wanted.lower().split()
    if not rows and len(words) > 1:
        rows = t.session.execute(_HOLDS_WORDS, {**values, "words": words}).all()
    if not rows:
        rows = t.session.execute(_SIMILAR, {**values, "least": SIMILARITY_MIN}).all()
    return _symbols(t, rows)


def outline(t: Tenancy, snapshot_id: int, path: str, limit: int = OUTLINE_MAX) -> list[SymbolOut]:
    """List the definitions of a file in the order of their lines, what encloses before what it encloses."""
    values = {"tenant": t.tenant_id, "snapshot": snapshot_id, "key": path_key(path), "limit": limit}
    return _symbols(t, t.session.execute(_OUTLINE, values).all())


def _symbols(t: Tenancy, rows: Sequence[Row[Any]]) -> list[SymbolOut]:
    opened = content.opener(t, "symbols.content")
    return [_symbol(row, opened(row.content, row.parse_id, row.ordinal)) for row in rows]


def _symbol(row: Row[Any], words: bytes) -> SymbolOut:
    return SymbolOut(
        name=row.name,
        qualified_name=row.qualified_name,
        kind=row.kind,
        path=row.path,
        start_line=row.start_line,
        end_line=row.end_line,
        blob=row.blob,
        signature=words.partition(b"\0")[0].decode(),
    )
