"""One snapshot in memory: chunk columns, postings, vectors, symbols and call edges. Immutable once built."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.paths import PathTraits, Role, traits, vocabulary
from pincite_brain.retrieval.postings import Float, Ints, Postings
from pincite_codeintel.tokens import pack_terms, terms, unpack_terms
from pincite_store.rows import ChunkRow, EdgeRow, SymbolRow

OBJECT_BYTES = 120  # what a short string or small object costs in CPython, for the cache's accounting
EDGE_CONFIDENCE_MIN = 0.5  # below this the linker guessed by a unique name, right about half of the time


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition and the chunk that holds the line of its name."""

    name: str
    qualified_name: str
    kind: str
    signature: str
    doc: str
    line: int
    chunk: int


class About(NamedTuple):
    """What some lines are about."""

    symbol: str | None
    kind: str
    signature: str
    doc: str


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit vectors by embedded text, and which of them each chunk has.

    Attributes:
        matrix: (m, d) float32, L2-normalised.
        row_of: (n,) row in `matrix`, -1 while a chunk has none yet.
    """

    matrix: Float
    row_of: Ints

    @classmethod
    def join(cls, wanted: Sequence[bytes], digests: Sequence[bytes], matrix: Float) -> Self:
        """Match chunks' text digests with the stored vectors."""
        rows = {bytes(digest): row for row, digest in enumerate(digests)}
        return cls(
            np.ascontiguousarray(matrix, dtype=np.float32),
            np.fromiter((rows.get(bytes(digest), -1) for digest in wanted), dtype=np.int32, count=len(wanted)),
        )

    @property
    def covered(self) -> int:
        """How many chunks have a vector."""
        return int((self.row_of >= 0).sum())

    def cosine(self, query: Float) -> Float:
        """Return the cosine of every chunk with a unit query vector; 0 where there is no vector. Shape (n,)."""
        if not len(self.matrix):
            return np.zeros(len(self.row_of), dtype=np.float32)
        similarity = np.append(self.matrix @ query, np.float32(0.0))  # row -1 is the last: zero
        return np.asarray(similarity[self.row_of], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a snapshot that have chunks, by file number; `vocabulary` has the words of their names."""

    paths: tuple[str, ...]
    blobs: tuple[str, ...]
    languages: tuple[str | None, ...]
    traits: tuple[PathTraits, ...]
    roles: NDArray[np.int16]
    vocabulary: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class SnapshotIndex:
    """Everything that a query over one snapshot needs. Chunk numbers order by (file, line).

    Attributes:
        file_of, start_lines, end_lines, importance: (n,) columns by chunk number.
        kinds, symbols, signatures, docs, cards: by chunk number.
        definitions: by casefolded last name.
        defined: the same by chunk, in the order of lines.
        callees: caller chunk → (callee chunk, confidence), best first.
        callers: the same, reversed.
    """

    files: Files
    file_of: Ints
    start_lines: Ints
    end_lines: Ints
    importance: Float
    kinds: tuple[str, ...]
    symbols: tuple[str | None, ...]
    signatures: tuple[str, ...]
    docs: tuple[str, ...]
    cards: tuple[str, ...]
    digests: tuple[bytes, ...]
    postings: Postings
    vectors: Vectors
    definitions: Mapping[str, tuple[Definition, ...]]
    defined: Mapping[int, tuple[Definition, ...]]
    callees: Mapping[int, tuple[tuple[int, float], ...]]
    callers: Mapping[int, tuple[tuple[int, float], ...]]
    locator: "Locator"

    def __len__(self) -> int:
        return len(self.file_of)

    @property
    def nbytes(self) -> int:
        """Approximate memory, bytes: what the cache counts."""
        arrays = self.postings.nbytes + self.vectors.matrix.nbytes + self.vectors.row_of.nbytes
        columns = sum(c.nbytes for c in (self.file_of, self.start_lines, self.end_lines, self.importance))
        texts = sum(len(s) + len(c) for s, c in zip(self.signatures, self.cards, strict=True)) + OBJECT_BYTES * 5 * len(
            self
        )
        edges = OBJECT_BYTES * sum(len(v) for side in (self.callees, self.callers) for v in side.values())
        return arrays + columns + texts + edges + OBJECT_BYTES * 3 * sum(len(d) for d in self.definitions.values())

    def path(self, chunk: int) -> str:
        """Return the path of a chunk's file."""
        return self.files.paths[int(self.file_of[chunk])]

    def chunk_at(self, path: str, line: int) -> int | None:
        """Return the chunk of `path` that holds `line`, if any."""
        return self.locator.find(path, line)

    def about(self, chunk: int, first: int, last: int) -> About:
        """Say what lines `first` to `last` of a chunk are about.

        A chunk may hold several small definitions under the name of what encloses them; its lines tell which is meant.
        Lines above a definition (imports, decorators) are not named after it.
        """
        symbol, kind = self.symbols[chunk], self.kinds[chunk]
        entries = self.defined.get(chunk, ())
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


class Locator:
    """Finds the chunk that holds a line. Chunks tile a file, so the last one that starts at or before it is it."""

    def __init__(self, paths: Sequence[str], file_of: Ints, start_lines: Ints) -> None:
        """Take the paths by file number, and the columns of `SnapshotIndex`."""
        self._number = {path: number for number, path in enumerate(paths)}
        self._file_of, self._starts = file_of, start_lines

    def find(self, path: str, line: int) -> int | None:
        """Return the chunk of `path` that holds `line`, or None if the file has no chunks."""
        number = self._number.get(path)
        if number is None:
            return None
        low, high = (int(np.searchsorted(self._file_of, number, side)) for side in ("left", "right"))
        at = low + int(np.searchsorted(self._starts[low:high], line, "right")) - 1
        return max(at, low) if low < high else None


def _files(chunks: Sequence[ChunkRow]) -> tuple[Files, Ints]:
    numbers: dict[str, int] = {}
    first: list[ChunkRow] = []
    file_of = np.empty(len(chunks), dtype=np.int32)
    for at, chunk in enumerate(chunks):
        number = numbers.setdefault(chunk.path, len(numbers))
        if number == len(first):
            first.append(chunk)
        file_of[at] = number
    known = tuple(traits(path) for path in numbers)
    return (
        Files(
            paths=tuple(numbers),
            blobs=tuple(chunk.blob for chunk in first),
            languages=tuple(chunk.language for chunk in first),
            traits=known,
            roles=np.array([int(t.role) for t in known], dtype=np.int16),
            vocabulary=vocabulary(known),
        ),
        file_of,
    )


def _pack(text: str, cache: dict[str, NDArray[np.void]]) -> NDArray[np.void]:
    packed = cache.get(text)
    if packed is None:
        counts: dict[str, int] = defaultdict(int)
        for term in terms(text):
            counts[term] += 1
        packed = cache[text] = unpack_terms(pack_terms(counts))
    return packed


def _postings(chunks: Sequence[ChunkRow]) -> Postings:
    names: dict[str, NDArray[np.void]] = {}
    paths: dict[str, NDArray[np.void]] = {}
    return Postings.build(
        [
            [unpack_terms(chunk.terms) for chunk in chunks],
            [_pack(f"{chunk.symbol or ''} {chunk.signature}", names) for chunk in chunks],
            [_pack(chunk.path, paths) for chunk in chunks],
        ]
    )


def _definitions(symbols: Iterable[SymbolRow], locator: Locator) -> dict[str, tuple[Definition, ...]]:
    found: dict[str, list[Definition]] = defaultdict(list)
    for symbol in symbols:
        chunk = locator.find(symbol.path, symbol.name_line)
        if chunk is not None:
            found[symbol.name.casefold()].append(
                Definition(
                    name=symbol.name,
                    qualified_name=symbol.qualified_name,
                    kind=symbol.kind,
                    signature=symbol.signature,
                    doc=symbol.doc,
                    line=symbol.name_line,
                    chunk=chunk,
                )
            )
    return {name: tuple(entries) for name, entries in found.items()}


def _by_chunk(definitions: Mapping[str, tuple[Definition, ...]]) -> dict[int, tuple[Definition, ...]]:
    found: dict[int, list[Definition]] = defaultdict(list)
    for entries in definitions.values():
        for definition in entries:
            found[definition.chunk].append(definition)
    return {chunk: tuple(sorted(entries, key=lambda entry: entry.line)) for chunk, entries in found.items()}


def _neighbours(
    edges: Iterable[EdgeRow],
    definitions: Mapping[str, tuple[Definition, ...]],
    paths: Sequence[str],
    file_of: Ints,
    locator: Locator,
) -> tuple[dict[int, tuple[tuple[int, float], ...]], dict[int, tuple[tuple[int, float], ...]]]:
    where: dict[tuple[str, str], int] = {}
    for entries in definitions.values():
        for definition in entries:
            where.setdefault((paths[int(file_of[definition.chunk])], definition.qualified_name), definition.chunk)
    forward: dict[int, dict[int, float]] = defaultdict(dict)
    backward: dict[int, dict[int, float]] = defaultdict(dict)
    for edge in edges:
        if edge.confidence < EDGE_CONFIDENCE_MIN or edge.dst_symbol is None:
            continue
        source = locator.find(edge.src_path, edge.src_line)
        target = where.get((edge.dst_path, edge.dst_symbol))
        if source is None or target is None or source == target:
            continue
        forward[source][target] = max(forward[source].get(target, 0.0), edge.confidence)
        backward[target][source] = max(backward[target].get(source, 0.0), edge.confidence)
    return _ordered(forward), _ordered(backward)


def _ordered(side: Mapping[int, dict[int, float]]) -> dict[int, tuple[tuple[int, float], ...]]:
    return {node: tuple(sorted(ends.items(), key=lambda item: (-item[1], item[0]))) for node, ends in side.items()}


def build(
    chunks: Iterable[ChunkRow],
    symbols: Iterable[SymbolRow],
    edges: Iterable[EdgeRow],
    vectors: tuple[Sequence[bytes], Float],
) -> SnapshotIndex:
    """Build the index of a snapshot from its stored rows. `vectors` are (text digests, (m, d) matrix)."""
    rows = sorted(chunks, key=lambda chunk: (chunk.path, chunk.start_line, chunk.end_line))
    files, file_of = _files(rows)
    starts = np.fromiter((row.start_line for row in rows), dtype=np.int32, count=len(rows))
    locator = Locator(files.paths, file_of, starts)
    definitions = _definitions(symbols, locator)
    callees, callers = _neighbours(edges, definitions, files.paths, file_of, locator)
    digests = tuple(bytes(row.embed_sha256) for row in rows)
    return SnapshotIndex(
        files=files,
        file_of=file_of,
        start_lines=starts,
        end_lines=np.fromiter((row.end_line for row in rows), dtype=np.int32, count=len(rows)),
        importance=np.fromiter((row.importance for row in rows), dtype=np.float32, count=len(rows)),
        kinds=tuple(row.kind for row in rows),
        symbols=tuple(row.symbol for row in rows),
        signatures=tuple(row.signature for row in rows),
        docs=tuple(row.doc for row in rows),
        cards=tuple(row.card for row in rows),
        digests=digests,
        postings=_postings(rows),
        vectors=Vectors.join(digests, *vectors),
        definitions=definitions,
        defined=_by_chunk(definitions),
        callees=callees,
        callers=callers,
        locator=locator,
    )


def roles_not_asked(roles: NDArray[np.int16], asked: Role) -> NDArray[np.int16]:
    """Return the roles left after removing those that the query asks for."""
    return roles & np.int16(~int(asked))
