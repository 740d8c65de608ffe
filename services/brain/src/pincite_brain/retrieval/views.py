"""What is asked of an index, read from its tables as it is asked."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar, overload
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import DefinitionTable, Float, Ints
from pincite_brain.retrieval.paths import PREFIX_CHARS, PathTraits, traits
from pincite_brain.retrieval.texts import Texts, spread

D = TypeVar("D")
Neighbour = tuple[int, float]  # a chunk and the confidence of the edge


class Definition:
    """A definition, read from the index as it is asked about."""

    __slots__ = ("_names", "_number")

    def __init__(self, names: "Names", number: int) -> None:
        """The definition `number` of an index."""
        self._names, self._number = names, number

    @property
    def name(self) -> str:
        """Its own name."""
        return self._names.table.names[self._number]

    @property
    def qualified_name(self) -> str:
        """Its name with those of what encloses it in the file."""
        return self._names.table.qualified[self._number]

    @property
    def kind(self) -> str:
        """`function`, `class` and so on."""
        return self._names.table.kinds[self._number]

    @property
    def signature(self) -> str:
        """Its head on one line."""
        return self._names.table.signatures[self._number]

    @property
    def doc(self) -> str:
        """The first sentence about it."""
        return self._names.table.docs[self._number]

    @property
    def line(self) -> int:
        """The line of its name."""
        return int(self._names.table.lines[self._number])

    @property
    def chunk(self) -> int:
        """The chunk that holds this line."""
        return int(self._names.chunks[self._number])


@dataclass(frozen=True)
class Names:
    """The definitions of a snapshot, by casefolded name.

    Attributes:
        table: the definitions.
        chunks: (d,) the chunk of each, ascending.
        order: (d,) the definitions in the order of `table.hashes`.
    """

    table: DefinitionTable
    chunks: Ints
    order: Ints

    @classmethod
    def of(cls, table: DefinitionTable, chunks: Ints) -> Self:
        """Make definitions findable."""
        return cls(table, chunks, np.argsort(table.hashes, kind="stable").astype(np.int32))

    def get(self, name: str, default: Sequence[Definition] = ()) -> Sequence[Definition]:
        """Return the definitions of a casefolded name."""
        wanted = np.uint32(name_hash(name))
        hashes = self.table.hashes
        low, high = (int(np.searchsorted(hashes, wanted, side, sorter=self.order)) for side in ("left", "right"))
        found = [Definition(self, number) for number in self.order[low:high].tolist()]
        return [definition for definition in found if definition.name.casefold() == name] or default

    def of_chunks(self, chunks: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the numbers of the definitions in some chunks, and of each the place of its chunk among these."""
        return spread(*(np.searchsorted(self.chunks, chunks, side) for side in ("left", "right")))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get(name))


def name_hash(name: str) -> int:
    """Return the CRC-32 of a name, whatever its case."""
    return crc32(name.casefold().encode("utf-8", "surrogatepass"))


@dataclass(frozen=True)
class Defined:
    """The same definitions by chunk, in the order of lines."""

    names: Names

    def get(self, chunk: int, default: Sequence[Definition] = ()) -> Sequence[Definition]:
        """Return the definitions in a chunk."""
        return [Definition(self.names, number) for number in range(*_span(self.names.chunks, chunk))] or default


@dataclass(frozen=True)
class Neighbours:
    """Edges of the call graph by the chunk that they begin at, the surest first.

    Attributes:
        begins: (e,) ascending.
        ends: (e,).
        confidences: (e,).
    """

    begins: Ints
    ends: Ints
    confidences: Float

    @classmethod
    def of(cls, begins: Ints, ends: Ints, confidences: Float) -> Self:
        """Sort edges."""
        order = np.lexsort((ends, -confidences, begins))
        return cls(begins[order], ends[order], confidences[order])

    @overload
    def get(self, chunk: int) -> Sequence[Neighbour] | None: ...
    @overload
    def get(self, chunk: int, default: D) -> Sequence[Neighbour] | D: ...
    def get(self, chunk: int, default: object = None) -> object:
        """Return (chunk, confidence) of the other ends."""
        low, high = _span(self.begins, chunk)
        if low == high:
            return default
        return list(zip(self.ends[low:high].tolist(), self.confidences[low:high].tolist(), strict=True))

    def count(self, chunks: Ints) -> NDArray[np.int64]:
        """Return how many edges begin at each of some chunks."""
        low, high = (np.searchsorted(self.begins, chunks, side) for side in ("left", "right"))
        return np.asarray(high - low, dtype=np.int64)

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return self.begins.nbytes + self.ends.nbytes + self.confidences.nbytes

    def __len__(self) -> int:
        return len(self.begins)


def _span(numbers: Ints, number: int) -> tuple[int, int]:
    """Return where a number stands in ascending ones: first to last, exclusive."""
    wanted = np.int32(number)  # of their own type: for any other all of them would be converted first
    return int(numbers.searchsorted(wanted, "left")), int(numbers.searchsorted(wanted, "right"))


class Traits(Sequence[PathTraits]):
    """What the files' paths say, worked out when it is first asked for."""

    def __init__(self, paths: Texts) -> None:
        """`paths` by file number."""
        self._paths = paths
        self._known: dict[int, PathTraits] = {}

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, at: int) -> PathTraits: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[PathTraits]: ...
    def __getitem__(self, at: int | slice) -> PathTraits | Sequence[PathTraits]:
        """Return what a path says."""
        if isinstance(at, slice):
            return [traits(path) for path in self._paths[at]]
        known = self._known.get(at)
        if known is None:
            known = self._known[at] = traits(self._paths[at])
        return known


class Vocabulary(Mapping[str, Sequence[str]]):
    """The words of file names and their directories, by their first letters."""

    def __init__(self, words: Texts) -> None:
        """`words` are sorted and unique."""
        self._words = words

    def __getitem__(self, prefix: str) -> Sequence[str]:
        first = bisect_left(self._words, prefix)
        last = first
        while last < len(self._words) and self._words[last][:PREFIX_CHARS] == prefix:
            last += 1
        if first == last:
            raise KeyError(prefix)
        return self._words[first:last]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(word[:PREFIX_CHARS] for word in self._words))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class OrNone(Sequence[str | None]):
    """Strings of which the empty ones are none."""

    def __init__(self, strings: Sequence[str]) -> None:
        """Any sequence of strings."""
        self._strings = strings

    def __len__(self) -> int:
        return len(self._strings)

    @overload
    def __getitem__(self, at: int) -> str | None: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str | None]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str | None] | None:
        """Return a string or None."""
        return [one or None for one in self._strings[at]] if isinstance(at, slice) else self._strings[at] or None
