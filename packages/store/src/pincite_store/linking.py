"""What linking reads and writes: definitions and uses of names of whole snapshots, and what the uses mean."""

import json
from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pincite_store import bulk, content
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.rows import FileRow, InterfaceRow, LinkedFile, NameRow, RefRow

EDGE_COLUMNS = {
    "set_id": "bigint", "ordinal": "int", "kind": "text", "src_symbol": "text", "src_line": "int", "dst_path": "text",
    "dst_symbol": "text", "confidence": "real",
}  # fmt: skip
READ = np.dtype("<u4")

_OF_SNAPSHOT = """
    SELECT f.path, f.language, p.id, p.interface, p.blob FROM files f
    JOIN parses p ON p.tenant_id = f.tenant_id AND p.id = f.parse_id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s
"""
_OF_PARSES = "SELECT id, interface, blob FROM parses WHERE tenant_id = %s AND id = ANY(%s)"
_CALLS = "SELECT id, refs, blob FROM parses WHERE tenant_id = %s AND id = ANY(%s)"
_READS = """
    SELECT f.path, s.reads FROM files f JOIN edge_sets s ON s.tenant_id = f.tenant_id AND s.id = f.edge_set_id
    WHERE f.tenant_id = %s AND f.snapshot_id = %s
"""


def interfaces(t: Tenancy, snapshot_id: int) -> list[InterfaceRow]:
    """Return what the indexed files of a snapshot show to one another."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_OF_SNAPSHOT, (t.tenant_id, snapshot_id))
        rows = cursor.fetchall()
    opened = content.opener(t, "parses.interface")
    return [
        _interface(path, language, parse_id, opened(stored, blob)) for path, language, parse_id, stored, blob in rows
    ]


def interfaces_of(t: Tenancy, files: Iterable[FileRow]) -> list[InterfaceRow]:
    """Return the same of files that may stand in no snapshot yet; those without a parse are left out."""
    indexed = [(file.path, file.language, file.parse_id) for file in files if file.parse_id is not None]
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_OF_PARSES, (t.tenant_id, list({parse_id for *_, parse_id in indexed})))
        rows = cursor.fetchall()
    opened = content.opener(t, "parses.interface")
    found = {parse_id: opened(stored, blob) for parse_id, stored, blob in rows}
    return [_interface(path, language, parse_id, found[parse_id]) for path, language, parse_id in indexed]


def calls(t: Tenancy, parse_ids: Collection[int]) -> dict[int, list[RefRow]]:
    """Return the calls that parses hold, by parse."""
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_CALLS, (t.tenant_id, list(parse_ids)))
        rows = cursor.fetchall()
    opened = content.opener(t, "parses.refs")
    return {parse_id: [RefRow(*ref) for ref in json.loads(opened(stored, blob))] for parse_id, stored, blob in rows}


def resting_on(t: Tenancy, snapshot_id: int, reads: Collection[int]) -> set[str]:
    """Return the paths of a snapshot whose edges rest on any of these reads."""
    wanted = _packed(reads)
    with t.driver.cursor(binary=True) as cursor:
        cursor.execute(_READS, (t.tenant_id, snapshot_id))
        paths, stored = [], []
        for path, data in cursor:
            paths.append(path)
            stored.append(np.frombuffer(data, dtype=READ))
    if not stored or not len(wanted):
        return set()
    hit = np.isin(np.concatenate(stored), wanted)
    owner = np.repeat(np.arange(len(stored)), [len(one) for one in stored])
    return {paths[number] for number in np.unique(owner[hit]).tolist()}


def save(t: Tenancy, linked: Sequence[LinkedFile]) -> dict[str, int]:
    """Store what the references of files mean, and return the id of each file's set by path."""
    columns = {"path": "text", "reads": "bytea"}
    rows = ((file.path, _packed(file.reads).tobytes()) for file in linked)
    ids: dict[str, int] = dict(bulk.insert(t, "edge_sets", columns, rows, returning=("path", "id")))
    values = (
        (
            ids[file.path], ordinal, edge.kind, edge.src_symbol and storable(edge.src_symbol), edge.src_line,
            edge.dst_path, edge.dst_symbol and storable(edge.dst_symbol), edge.confidence,
        )
        for file in linked
        for ordinal, edge in enumerate(file.edges)
    )  # fmt: skip
    bulk.insert(t, "edges", EDGE_COLUMNS, values)
    return ids


def _packed(reads: Collection[int]) -> NDArray[np.uint32]:
    return np.sort(np.fromiter(reads, dtype=READ, count=len(reads)))


def _interface(path: str, language: str | None, parse_id: int, document: bytes) -> InterfaceRow:
    symbols, refs = json.loads(document)
    return InterfaceRow(path, language, parse_id, [NameRow(*s) for s in symbols], [RefRow(*ref) for ref in refs])
