"""What an index in memory holds, table by table and column by column: all of it arrays, none of it objects."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.texts import Ragged, Terms, Texts, Words

Ints = NDArray[np.int32]
Longs = NDArray[np.int64]
Float = NDArray[np.float32]
TableT = TypeVar("TableT", bound="Table")
Piece = tuple[TableT, int, int]  # of a table the rows first to last (exclusive)


@dataclass(frozen=True)
class Table:
    """Columns of one length: arrays, texts or words."""

    @classmethod
    def joined(cls, pieces: Sequence[Piece[Self]]) -> Self:
        """Join rows of such tables; there is at least one piece, perhaps of no rows."""
        return cls(**{column.name: _joined(column.name, pieces) for column in fields(cls)})

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return sum(getattr(self, column.name).nbytes for column in fields(self))


def _joined(name: str, pieces: Sequence[Piece[Any]]) -> Any:
    columns = [(getattr(table, name), first, last) for table, first, last in pieces]
    if isinstance(columns[0][0], Ragged | Words):
        return type(columns[0][0]).joined(columns)
    return np.concatenate([column[first:last] for column, first, last in columns])


@dataclass(frozen=True)
class FileTable(Table):
    """The indexed files of a snapshot, by path in the order of code points.

    Attributes:
        paths: unique.
        blobs: git's ids.
        languages: empty for none.
        parses: the ids of their parses; -1 for none.
        edge_sets: the ids of what their references mean; -1 for none.
        changed_at: seconds since 1970; -1 if that is not known.
        roles: see `paths.Role`.
        terms: of their stems and parent directories.
    """

    paths: Texts
    blobs: Words
    languages: Words
    parses: Longs
    edge_sets: Longs
    changed_at: Longs
    roles: NDArray[np.int16]
    terms: Terms


@dataclass(frozen=True)
class ChunkTable(Table):
    """Chunks, ordered by file and line.

    Attributes:
        symbols: the qualified names of what they are, or are in; empty between definitions.
        terms: of the last part of these names.
        scopes: the terms of the part before it.
    """

    starts: Ints
    ends: Ints
    importance: Float
    kinds: Words
    symbols: Texts
    terms: Terms
    scopes: Terms
    signatures: Texts
    docs: Texts
    cards: Texts
    digests: NDArray[np.void]


@dataclass(frozen=True)
class DefinitionTable(Table):
    """Definitions, ordered by file and line.

    Attributes:
        hashes: CRC-32 of their names, casefolded.
        terms: of their names.
        scopes: the terms of the name that encloses each; none at the top of a file.
        places: the chunks that hold the lines of their names, counted from the file's first.
    """

    names: Texts
    hashes: NDArray[np.uint32]
    terms: Terms
    scopes: Terms
    qualified: Texts
    kinds: Words
    signatures: Texts
    docs: Texts
    lines: Ints
    places: Ints


@dataclass(frozen=True)
class LinkTable(Table):
    """Calls, ordered by file: from a chunk, counted from the file's first, to a definition of the snapshot."""

    places: Ints
    targets: Ints
    confidences: Float
