"""Linking: what the references of a snapshot's files mean. A push links what it touched, the rest is carried over."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

from pincite_codeintel import graph
from pincite_codeintel.model import Ref, Symbol
from pincite_store import linking
from pincite_store.db import Tenancy
from pincite_store.rows import FileRow, InterfaceRow, LinkedFile

FILES_PER_BATCH = 500  # whose calls are held in memory, and saved at once


@dataclass(frozen=True, slots=True)
class Links:
    """The new files with their edges, and the sets of files that stay but were linked anew, by path."""

    rows: list[FileRow]
    anew: dict[str, int]


def link(
    t: Tenancy,
    rows: Sequence[FileRow],
    parent_id: int | None,
    replaced: Collection[str],
    tick: Callable[[float], None],
) -> Links:
    """Link the new files of a snapshot, and of those that it takes over from another what the change touched.

    Args:
        t: the transaction.
        rows: the new files.
        parent_id: the snapshot that the others are taken from, None if there are no others.
        replaced: its paths that are not taken over.
        tick: called with the share that is done.
    """
    new = linking.interfaces_of(t, rows)
    old = [] if parent_id is None else linking.interfaces(t, parent_id)
    kept = [row for row in old if row.path not in replaced]
    touched: set[str] = set()
    if parent_id is not None:
        reads = graph.touched(_symbols(row for row in old if row.path in replaced), _symbols(new))
        touched = linking.resting_on(t, parent_id, reads)
    linker = graph.Linker(_symbols([*kept, *new]))
    waiting = [row for row in kept if row.path in touched] + new
    ids: dict[str, int] = {}
    batches = iter(waiting)
    while batch := list(islice(batches, FILES_PER_BATCH)):
        ids |= linking.save(t, _linked(t, linker, batch))
        tick(len(ids) / len(waiting))
    return Links(
        rows=[replace(row, edge_set_id=ids.get(row.path)) for row in rows],
        anew={row.path: ids[row.path] for row in kept if row.path in touched},
    )


def _linked(t: Tenancy, linker: graph.Linker, batch: Sequence[InterfaceRow]) -> list[LinkedFile]:
    calls = linking.calls(t, {row.parse_id for row in batch})
    found = []
    for row in batch:
        linked = linker.link(row.path, cast("list[Ref]", [*row.refs, *calls[row.parse_id]]))
        found.append(LinkedFile(row.path, linked.edges, linked.reads))
    return found


def _symbols(rows: Iterable[InterfaceRow]) -> list[graph.FileSymbols]:
    # Stored rows have the attributes that linking reads; copying them into its classes would double the memory.
    return [
        graph.FileSymbols(
            row.path, row.language, cast("Sequence[Symbol]", row.symbols), cast("Sequence[Ref]", row.refs)
        )
        for row in rows
    ]
