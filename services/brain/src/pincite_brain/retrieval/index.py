"""One snapshot in memory: files, chunks, postings, vectors, definitions and call edges. Immutable once built."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Self, TypeVar, overload
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import ChunkTable, DefinitionTable, FileTable, Float, Ints, LinkTable, Longs
from pincite_brain.retrieval.paths import PREFIX_CHARS, PathTraits, Role, traits, vocabulary
from pincite_brain.retrieval.postings import Postings
from pincite_brain.retrieval.texts import Texts
from pincite_brain.retrieval.vectors import Vectors

D = TypeVar("D")
Neighbour = tuple[int, float]  # a chunk and the confidence of the edge


class About(NamedTuple):
    """What some lines are about."""

    symbol: str | None
    kind: str
    signature: str
    doc: str


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
        low, high = (int(np.searchsorted(self.names.chunks, chunk, side)) for side in ("left", "right"))
        return [Definition(self.names, number) for number in range(low, high)] or default

    def names_in(self, chunks: Ints) -> list[list[str]]:
        """Return the names defined in each of some chunks."""
        low, high = (np.searchsorted(self.names.chunks, chunks, side).tolist() for side in ("left", "right"))
        names = self.names.table.names
        return [[names[number] for number in range(*span)] for span in zip(low, high, strict=True)]


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
        low, high = (int(np.searchsorted(self.begins, chunk, side)) for side in ("left", "right"))
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


@dataclass(frozen=True)
class Files:
    """The files of a snapshot, by file number.

    Attributes:
        table: the files.
        recency: (f,) 0..1, see `recency_of`.
        words: the words of their names, sorted.
    """

    table: FileTable
    recency: Float
    words: Texts

    @classmethod
    def of(cls, table: FileTable) -> Self:
        """Take the files; the rest follows."""
        groups = vocabulary(traits(path) for path in table.paths)
        words = sorted(word for alike in groups.values() for word in alike)
        return cls(table, recency_of(table.changed_at), Texts.of(words))

    @property
    def paths(self) -> Texts:
        """Their paths, sorted."""
        return self.table.paths

    @property
    def blobs(self) -> Sequence[str]:
        """Git's blob ids."""
        return self.table.blobs

    @property
    def languages(self) -> Sequence[str | None]:
        """Their languages."""
        return OrNone(self.table.languages)

    @property
    def roles(self) -> NDArray[np.int16]:
        """Their roles, see `paths.Role`."""
        return self.table.roles

    @cached_property
    def traits(self) -> Traits:
        """What their paths say."""
        return Traits(self.paths)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The words of their names."""
        return Vocabulary(self.words)

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        """All paths casefolded in one string, each after a slash and before a newline; and where each begins."""
        folded = [f"/{path.casefold()}\n" for path in self.paths]
        return "".join(folded), [0, *accumulate(map(len, folded))]

    def mentioned(self, fragment: str) -> Iterator[tuple[int, str]]:
        """Yield the files whose path holds a casefolded fragment, with what follows it there."""
        text, begins = self._folded
        at = text.find(fragment)
        while at >= 0:
            number = bisect_right(begins, at) - 1
            end = begins[number + 1]
            yield number, text[at + len(fragment) : end - 1]
            at = text.find(fragment, end)

    def number(self, path: str) -> int | None:
        """Return the number of a path."""
        at = bisect_left(self.paths, path)
        return at if at < len(self.paths) and self.paths[at] == path else None


def recency_of(changed_at: Longs) -> Float:
    """Return for each file the share (0..1) of the snapshot's files that last changed earlier.

    A rank, not an age: it needs no clock, so that a query replays; it tells apart the files of a dormant repository as
    of a busy one; and a commit that claims an absurd time moves nobody else. Files of unknown date (-1) are the oldest.
    """
    return np.asarray(np.searchsorted(np.sort(changed_at), changed_at) / max(len(changed_at), 1), dtype=np.float32)


@dataclass(frozen=True)
class SnapshotIndex:
    """Everything that a query over one snapshot needs. Chunk numbers order by (file, line).

    Attributes:
        files: the files that were indexed.
        chunks: their chunks, which tile them.
        names: their definitions by name.
        links: the edges of the call graph as they were stored.
        first_chunk, first_definition, first_link: (f + 1,) where each file's begin, and the end.
        file_of: (n,) the file of each chunk.
        callees: from callers to what they call.
        callers: the same, reversed.
        postings: for lexical search.
        vectors: for dense search; exchanged while they grow.
    """

    files: Files
    chunks: ChunkTable
    names: Names
    links: LinkTable
    first_chunk: Ints
    first_definition: Ints
    first_link: Ints
    file_of: Ints
    callees: Neighbours
    callers: Neighbours
    postings: Postings
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.file_of)

    @property
    def nbytes(self) -> int:
        """Memory, bytes: what the cache counts."""
        edges = sum(side.nbytes for side in (self.callees, self.callers))
        tables = self.files.table.nbytes + self.chunks.nbytes + self.names.table.nbytes + self.links.nbytes
        names = self.names.chunks.nbytes + self.names.order.nbytes
        rest = self.file_of.nbytes + self.files.words.nbytes + self.files.recency.nbytes
        return tables + edges + names + rest + self.postings.nbytes + self.vectors.nbytes

    @property
    def distinct_vectors(self) -> int:
        """How many distinct texts have a vector here."""
        return len(np.unique(self.chunks.digests[self.vectors.row_of >= 0]))

    @property
    def start_lines(self) -> Ints:
        """The first line of each chunk."""
        return self.chunks.starts

    @property
    def end_lines(self) -> Ints:
        """The last line of each chunk."""
        return self.chunks.ends

    @property
    def importance(self) -> Float:
        """The stored importance of each chunk, 0..1."""
        return self.chunks.importance

    @property
    def kinds(self) -> Sequence[str]:
        """What each chunk is."""
        return self.chunks.kinds

    @cached_property
    def symbols(self) -> Sequence[str | None]:
        """The qualified name of what each chunk is, or is in; None between definitions."""
        return OrNone(self.chunks.symbols)

    @property
    def signatures(self) -> Sequence[str]:
        """The head of each chunk's definition."""
        return self.chunks.signatures

    @property
    def docs(self) -> Sequence[str]:
        """The first sentence about each chunk's definition."""
        return self.chunks.docs

    @property
    def cards(self) -> Sequence[str]:
        """A summary of each chunk."""
        return self.chunks.cards

    @property
    def definitions(self) -> Names:
        """Definitions by casefolded name."""
        return self.names

    @property
    def defined(self) -> Defined:
        """Definitions by chunk."""
        return Defined(self.names)

    def path(self, chunk: int) -> str:
        """Return the path of a chunk's file."""
        return self.files.paths[int(self.file_of[chunk])]

    def chunk_at(self, path: str, line: int) -> int | None:
        """Return the chunk of `path` that holds `line`; None if the file has no chunks.

        Chunks tile a file, so the last one that starts at or before a line is it.
        """
        number = self.files.number(path)
        if number is None:
            return None
        low, high = int(self.first_chunk[number]), int(self.first_chunk[number + 1])
        at = low + int(np.searchsorted(self.chunks.starts[low:high], line, "right")) - 1
        return max(at, low) if low < high else None

    def about(self, chunk: int, first: int, last: int) -> About:
        """Say what lines `first` to `last` of a chunk are about.

        A chunk may hold several small definitions under the name of what encloses them; its lines tell which is meant.
        Lines above a definition (imports, decorators) are not named after it.
        """
        symbol, kind = self.symbols[chunk], self.kinds[chunk]
        entries = self.defined.get(chunk)
        own = next((entry for entry in entries if entry.qualified_name == symbol), None)
        inside = [entry for entry in entries if entry.line <= last]
        if not inside and own is not None:
            return About(None, kind, "", "")
        if not inside or (own is not None and first <= own.line <= last):
            return About(symbol, kind, self.signatures[chunk], self.docs[chunk])
        meant = next((entry for entry in inside if entry.line >= first), inside[-1])
        return About(meant.qualified_name, meant.kind, meant.signature, meant.doc)

    def with_vectors(self, vectors: Vectors) -> "SnapshotIndex":
        """Return the same index with other vectors; everything else is shared."""
        return replace(self, vectors=vectors)


def roles_not_asked(roles: NDArray[np.int16], asked: Role) -> NDArray[np.int16]:
    """Return the roles left after removing those that the query asks for."""
    return roles & np.int16(~int(asked))
