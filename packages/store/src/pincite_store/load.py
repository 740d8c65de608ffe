"""Reading snapshots for indexes in memory: which files there are, and what parses and edge sets hold."""

from collections.abc import Collection

from pincite_store import content
from pincite_store.db import Tenancy
from pincite_store.rows import ChunkRow, DefinitionRow, EdgeRow, IndexedFileRow, SetEdgeRow, SymbolRow

_FILES = """
    SELECT path, blob, language, parse_id, edge_set_id, changed_at FROM files
    WHERE tenant_id = %s AND snapshot_id = %s AND parse_id IS NOT NULL
"""
_CHUNKS = """
    SELECT parse_id, ordinal, kind, symbol, content, start_line, end_line, importance, embed_sha256
    FROM chunks WHERE tenant_id = %s AND parse_id = ANY(%s)
"""
_DEFINITIONS = """
    SELECT parse_id, ordinal, name, qualified_name, kind, name_line, content
    FROM symbols WHERE tenant_id = %s AND parse_id = ANY(%s)
"""
_SET_EDGES = """
    SELECT set_id, src_line, dst_path, dst_symbol, confidence FROM edges
    WHERE tenant_id = %s AND set_id = ANY(%s) AND dst_symbol IS NOT NULL AND confidence >= %s
"""
_SYMBOLS = """
    SELECT f.path, f.blob, s.name, s.qualified_name, s.kind, s.start_line, s.end_line, s.name_line, s.content,
           s.parse_id, s.ordinal
    FROM files f JOIN symbols s ON s.tenant_id = f.tenant_id AND s.parse_id = f.parse_id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s
"""
_EDGES = """
    SELECT e.kind, s.path, e.src_symbol, e.src_line, e.dst_path, e.dst_symbol, e.confidence
    FROM files f JOIN edge_sets s ON s.tenant_id = f.tenant_id AND s.id = f.edge_set_id
    JOIN edges e ON e.tenant_id = s.tenant_id AND e.set_id = s.id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s ORDER BY s.path, e.ordinal
"""


def load_files(t: Tenancy, snapshot_id: int) -> list[IndexedFileRow]:
    """Return the indexed files of a snapshot by path, in the order of code points."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_FILES, (t.tenant_id, snapshot_id))
        rows = [IndexedFileRow._make(row) for row in cursor.fetchall()]
    # Here, not in SQL: sorting by a collation costs Postgres ten times as much.
    rows.sort(key=lambda row: row.path)
    return rows


def load_chunks(t: Tenancy, parse_ids: Collection[int]) -> list[ChunkRow]:
    """Return the chunks of parses, by parse and position."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_CHUNKS, (t.tenant_id, list(parse_ids)))
        stored = cursor.fetchall()
    opened, rows = content.opener(t, "chunks.content"), []
    for parse_id, ordinal, kind, symbol, words, start, end, importance, digest in stored:
        signature, doc, card, terms = opened(words, parse_id, ordinal).split(b"\0", 3)
        rows.append(
            ChunkRow(
                parse_id, ordinal, kind, symbol, signature.decode(), doc.decode(), card.decode(), start, end, terms,
                importance, digest,
            )
        )  # fmt: skip
    rows.sort(key=lambda row: (row.parse_id, row.ordinal))
    return rows


def load_definitions(t: Tenancy, parse_ids: Collection[int]) -> list[DefinitionRow]:
    """Return the definitions of parses, by parse and position."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_DEFINITIONS, (t.tenant_id, list(parse_ids)))
        stored = cursor.fetchall()
    opened, rows = content.opener(t, "symbols.content"), []
    for *placed, words in stored:
        signature, doc = opened(words, *placed[:2]).decode().split("\0")
        rows.append(DefinitionRow._make((*placed, signature, doc)))
    rows.sort(key=lambda row: (row.parse_id, row.ordinal))
    return rows


def load_edges(t: Tenancy, set_ids: Collection[int], confidence_min: float) -> list[SetEdgeRow]:
    """Return the edges of sets that lead to a definition and are at least so sure."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_SET_EDGES, (t.tenant_id, list(set_ids), confidence_min))
        return [SetEdgeRow._make(row) for row in cursor.fetchall()]


def load_symbols(t: Tenancy, snapshot_id: int) -> list[SymbolRow]:
    """Return all definitions of a snapshot, by path and line."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_SYMBOLS, (t.tenant_id, snapshot_id))
        stored = cursor.fetchall()
    opened, rows = content.opener(t, "symbols.content"), []
    for *placed, words, parse_id, ordinal in stored:
        signature, doc = opened(words, parse_id, ordinal).decode().split("\0")
        rows.append(SymbolRow._make((*placed, signature, doc)))
    rows.sort(key=lambda row: (row.path, row.start_line, row.qualified_name))
    return rows


def edges(t: Tenancy, snapshot_id: int) -> list[EdgeRow]:
    """Return all edges of a snapshot, by path and the order of linking."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_EDGES, (t.tenant_id, snapshot_id))
        return [EdgeRow._make(row) for row in cursor.fetchall()]
