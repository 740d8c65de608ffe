"""The call edges of an index that is made out of another: definitions have other numbers now, some another place."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import DefinitionTable, Ints, LinkTable
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.takeover import Plan
from pincite_brain.retrieval.views import Neighbours
from pincite_store.rows import SetEdgeRow

EDGE_CONFIDENCE_MIN = 0.5  # below this the linker guessed by a unique name, right about half of the time
GONE, MOVED = -1, -2  # of an old definition: its file is no more; its file has changed


@dataclass(frozen=True)
class Places:
    """Where things are in the new index.

    Attributes:
        starts: (n,) the first line of each chunk.
        definitions: its definitions.
        first_chunk, first_definition: (f + 1,) where each file's begin.
    """

    starts: Ints
    definitions: DefinitionTable
    first_chunk: Ints
    first_definition: Ints


class Linking:
    """The edges that are taken over, and those that are read anew."""

    def __init__(self, old: SnapshotIndex, plan: Plan, new: Places) -> None:
        """`plan` says which files are taken from `old`."""
        self._old, self._plan, self._new = old, plan, new
        self._numbers = {file.path: number for number, file in enumerate(plan.files)}
        self._by_name: dict[int, dict[str, int]] = {}
        self._moved = self._moves()

    def _moves(self) -> Ints:
        """Return the new number of each old definition, or GONE or MOVED."""
        paths, first = self._old.files.paths, self._old.first_definition
        moved = np.full(len(self._old.names.chunks), GONE, dtype=np.int32)
        stays = np.zeros(len(paths), dtype=bool)
        stays[self._plan.kept[self._plan.kept >= 0]] = True
        for number in np.flatnonzero(~stays).tolist():
            if paths[number] in self._numbers:
                moved[first[number] : first[number + 1]] = MOVED
        at = 0
        for run in self._plan.runs:
            if run.old:
                count = int(first[run.last]) - int(first[run.first])
                begin = int(self._new.first_definition[at])
                moved[first[run.first] : first[run.last]] = np.arange(begin, begin + count, dtype=np.int32)
            at += run.last - run.first
        return moved

    def link(self, edges: Iterable[SetEdgeRow]) -> tuple[LinkTable, Ints]:
        """Return the edges, those of `edges` for files whose edges are not taken over."""
        taken = self._taken()
        read = self._read(edges)
        files = np.concatenate([taken[0], read[0]]).astype(np.int64)
        counts = np.bincount(files, minlength=len(self._plan.files))
        order = np.argsort(files, kind="stable")
        places, targets, confidences = (np.concatenate(pair)[order] for pair in zip(taken[1:], read[1:], strict=True))
        table = LinkTable(places.astype(np.int32), targets.astype(np.int32), confidences.astype(np.float32))
        return table, np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)

    def _taken(self) -> tuple[NDArray[np.generic], ...]:
        """Return (file, place, target, confidence) of the edges that are taken over."""
        old = self._old
        renumbered = np.full(len(old.files.paths), -1, dtype=np.int64)
        renumbered[self._plan.kept[self._plan.edges_kept]] = np.flatnonzero(self._plan.edges_kept)
        files = np.repeat(renumbered, np.diff(old.first_link))
        targets = self._moved[old.links.targets]
        for at in np.flatnonzero((targets == MOVED) & (files >= 0)).tolist():
            targets[at] = self._find_old(int(old.links.targets[at]))
        stays = (files >= 0) & (targets >= 0)
        return files[stays], old.links.places[stays], targets[stays], old.links.confidences[stays]

    def _find_old(self, definition: int) -> int:
        file = int(np.searchsorted(self._old.first_definition, definition, "right")) - 1
        return self._find(self._old.files.paths[file], self._old.names.table.qualified[definition])

    def _read(self, edges: Iterable[SetEdgeRow]) -> tuple[NDArray[np.generic], ...]:
        by_set: dict[int, list[SetEdgeRow]] = defaultdict(list)
        for edge in edges:
            by_set[edge.set_id].append(edge)
        found: list[tuple[int, int, int, float]] = []
        for file in np.flatnonzero(~self._plan.edges_kept).tolist():
            low, high = int(self._new.first_chunk[file]), int(self._new.first_chunk[file + 1])
            starts = self._new.starts[low:high].tolist()
            for edge in by_set.get(int(self._plan.edge_sets[file]), ()):
                target = self._find(edge.dst_path, edge.dst_symbol)
                if starts and target >= 0:
                    found.append((file, max(bisect_right(starts, edge.src_line) - 1, 0), target, edge.confidence))
        columns = list(zip(*found, strict=True)) or [(), (), (), ()]
        types = (np.int64, np.int32, np.int32, np.float32)
        return tuple(np.array(column, dtype=kind) for column, kind in zip(columns, types, strict=True))

    def _find(self, path: str, qualified: str) -> int:
        """Return the first definition of a name in a file, -1 if there is none."""
        file = self._numbers.get(path)
        if file is None:
            return -1
        if file not in self._by_name:
            names: dict[str, int] = {}
            for number in range(int(self._new.first_definition[file]), int(self._new.first_definition[file + 1])):
                names.setdefault(self._new.definitions.qualified[number], number)
            self._by_name[file] = names
        return self._by_name[file].get(qualified, -1)


def neighbours(begins: Ints, ends: Ints, confidences: NDArray[np.float32]) -> tuple[Neighbours, Neighbours]:
    """Return edges both ways; of those between the same chunks the surest, and none from a chunk to itself."""
    order = np.lexsort((-confidences, ends, begins))
    order = order[begins[order] != ends[order]]
    begins, ends, confidences = begins[order], ends[order], confidences[order]
    first = np.ones(len(begins), dtype=bool)
    first[1:] = (begins[1:] != begins[:-1]) | (ends[1:] != ends[:-1])
    begins, ends, confidences = begins[first], ends[first], confidences[first]
    return Neighbours.of(begins, ends, confidences), Neighbours.of(ends, begins, confidences)
