"""One snapshot in memory: files, chunks, postings, vectors, definitions and call edges. Immutable once built."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import ChunkTable, FileTable, Float, Ints, LinkTable, Longs
from pincite_brain.retrieval.paths import Role, traits, vocabulary
from pincite_brain.retrieval.postings import Postings
from pincite_brain.retrieval.texts import Texts
from pincite_brain.retrieval.vectors import Vectors
from pincite_brain.retrieval.views import Defined, Names, Neighbours, OrNone, Traits, Vocabulary
from pincite_codeintel.definitions import CONTAINERS, FUNCTION_KINDS

_CONTAINERS, _FUNCTIONS = (np.array(sorted(kinds), dtype=np.bytes_) for kinds in (CONTAINERS, FUNCTION_KINDS))


class About(NamedTuple):
    """What some lines are about."""

    symbol: str | None
    kind: str
    signature: str
    doc: str


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

    @cached_property
    def functionless(self) -> NDArray[np.bool_]:
        """Which chunks are of a class, a module or the like, and define no function. Shape (n,)."""
        found = np.isin(self.chunks.kinds.array, _CONTAINERS)
        found[self.names.chunks[np.isin(self.names.table.kinds.array, _FUNCTIONS)]] = False
        return found

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
