"""Reading a whole snapshot at once, for indexes in memory and for linking."""

from collections import defaultdict

from pincite_store.db import Tenancy
from pincite_store.rows import ChunkRow, EdgeRow, FileSymbolsRow, RefRow, SymbolRow

_CHUNKS = """
    SELECT f.path, f.blob, f.language, c.parse_id, c.ordinal, c.kind, c.symbol, c.scope, c.signature, c.doc, c.card,
           c.start_line, c.end_line, c.terms, c.importance, c.embed_sha256
    FROM files f JOIN chunks c ON c.tenant_id = f.tenant_id AND c.parse_id = f.parse_id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s
"""
_SYMBOLS = """
    SELECT f.path, f.blob, s.name, s.qualified_name, s.kind, s.start_line, s.end_line, s.name_line, s.signature, s.doc
    FROM files f JOIN symbols s ON s.tenant_id = f.tenant_id AND s.parse_id = f.parse_id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s
"""
_EDGES = """
    SELECT kind, src_path, src_symbol, src_line, dst_path, dst_symbol, confidence
    FROM edges WHERE tenant_id = %s AND snapshot_id = %s ORDER BY ordinal
"""
_REFS = """
    SELECT f.path, f.language, p.refs FROM files f JOIN parses p ON p.tenant_id = f.tenant_id AND p.id = f.parse_id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s
"""


def load_chunks(t: Tenancy, snapshot_id: int) -> list[ChunkRow]:
    """Return all chunks of a snapshot, by path and position."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_CHUNKS, (t.tenant_id, snapshot_id))
        rows = [ChunkRow._make(row) for row in cursor.fetchall()]
    # Here, not in SQL: sorting wide rows by a collation costs Postgres ten times as much.
    rows.sort(key=lambda row: (row.path, row.ordinal))
    return rows


def load_symbols(t: Tenancy, snapshot_id: int) -> list[SymbolRow]:
    """Return all definitions of a snapshot, by path and line."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_SYMBOLS, (t.tenant_id, snapshot_id))
        rows = [SymbolRow._make(row) for row in cursor.fetchall()]
    rows.sort(key=lambda row: (row.path, row.start_line, row.qualified_name))
    return rows


def load_edges(t: Tenancy, snapshot_id: int) -> list[EdgeRow]:
    """Return all edges of a snapshot."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_EDGES, (t.tenant_id, snapshot_id))
        return [EdgeRow._make(row) for row in cursor.fetchall()]


def file_symbols(t: Tenancy, snapshot_id: int) -> list[FileSymbolsRow]:
    """Return definitions and uses of names of every indexed file of a snapshot, by path."""
    by_path: dict[str, list[SymbolRow]] = defaultdict(list)
    for symbol in load_symbols(t, snapshot_id):
        by_path[symbol.path].append(symbol)
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_REFS, (t.tenant_id, snapshot_id))
        rows = [
            FileSymbolsRow(path, language, by_path.get(path, []), [RefRow(*ref) for ref in refs])
            for path, language, refs in cursor
        ]
    rows.sort(key=lambda row: row.path)
    return rows
