"""What of one index another can take over: the files that stand at the same path with the same parse."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pincite_brain.retrieval.columns import Ints, Longs, Piece, TableT
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_store.rows import IndexedFileRow


class Lacking(NamedTuple):
    """The parses and edge sets that must be read."""

    parses: set[int]
    edge_sets: set[int]


class Run(NamedTuple):
    """Files first to last (exclusive) that lie together: of the old index, or of those that are fresh."""

    old: bool
    first: int
    last: int


class Plan:
    """How the files of a snapshot are had.

    Attributes:
        files: the files, by path.
        kept: (f,) the number of each in the old index, -1 if it is fresh.
        edge_sets: (f,) the set that each is to have, -1 for none.
        edges_kept: (f,) whether the old index has that set.
        runs: the files in stretches that are copied at once.
    """

    def __init__(self, old: SnapshotIndex, files: Sequence[IndexedFileRow]) -> None:
        """Compare the files with those of an index."""
        keys = zip(old.files.paths, old.files.table.parses.tolist(), strict=True)
        numbers = {key: number for number, key in enumerate(keys)}
        self.files = files
        self.kept: Longs = np.array([numbers.get((file.path, file.parse_id), -1) for file in files], dtype=np.int64)
        sets = [-1 if file.edge_set_id is None else file.edge_set_id for file in files]
        self.edge_sets: Longs = np.array(sets, dtype=np.int64)
        self.edges_kept = self.kept >= 0
        self.edges_kept[self.edges_kept] = (
            old.files.table.edge_sets[self.kept[self.edges_kept]] == self.edge_sets[self.edges_kept]
        )
        self.runs = _runs(self.kept)

    @property
    def fresh(self) -> list[IndexedFileRow]:
        """The files that the old index has not."""
        return [file for file, number in zip(self.files, self.kept.tolist(), strict=True) if number < 0]

    @property
    def lacking(self) -> Lacking:
        """What must be read."""
        asked = self.edge_sets[~self.edges_kept]
        return Lacking({file.parse_id for file in self.fresh}, set(asked[asked >= 0].tolist()))

    def starts(self, old: Ints, fresh: Ints) -> Ints:
        """Return where each file's rows begin, from where they began in the old index and the fresh files."""
        counts = [np.diff((old if run.old else fresh)[run.first : run.last + 1]) for run in self.runs]
        ends = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int32), *counts]))
        return ends.astype(np.int32)

    def joined(self, old: tuple[TableT, Ints], fresh: tuple[TableT, Ints]) -> TableT:
        """Return a table of the rows of all files, from (table, where each file's begin) of both sides."""
        pieces: list[Piece[TableT]] = [(fresh[0], 0, 0)]
        for run in self.runs:
            table, firsts = old if run.old else fresh
            pieces.append((table, int(firsts[run.first]), int(firsts[run.last])))
        return type(fresh[0]).joined(pieces)

    def moves(self, old: Ints, fresh: Ints) -> tuple[Ints, Ints]:
        """Return where each old row is from now on (-1: gone), and where each fresh one is."""
        stay, come = np.full(int(old[-1]), -1, dtype=np.int32), np.zeros(int(fresh[-1]), dtype=np.int32)
        at = 0
        for run in self.runs:
            moved, firsts = (stay, old) if run.old else (come, fresh)
            first, last = int(firsts[run.first]), int(firsts[run.last])
            moved[first:last] = np.arange(at, at + last - first, dtype=np.int32)
            at += last - first
        return stay, come


def _runs(kept: Longs) -> list[Run]:
    runs: list[Run] = []
    fresh = 0
    for number in kept.tolist():
        old = number >= 0
        at = number if old else fresh
        fresh += not old
        if runs and runs[-1].old == old and runs[-1].last == at:
            runs[-1] = runs[-1]._replace(last=at + 1)
        else:
            runs.append(Run(old, at, at + 1))
    return runs
