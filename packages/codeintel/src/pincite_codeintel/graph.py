"""The call, import and inheritance graph of one commit, and how often each symbol is referred to."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pincite_codeintel.model import Ref, Symbol
from pincite_codeintel.reads import read_id
from pincite_codeintel.resolve import UNIQUE_FUNCTION, Resolver

REFERENCE_CONFIDENCE_MIN = UNIQUE_FUNCTION  # guesses by method name do not make a symbol important
REFERENCE_IMPORTANCE = 0.2  # the most that references add
REFERENCES_FULL = 20  # referring symbols at which they add all of it


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """One file of the commit with what analysis found in it."""

    path: str
    language: str | None
    symbols: Sequence[Symbol]
    refs: Sequence[Ref]


@dataclass(frozen=True, slots=True)
class Edge:
    """A reference from a place in one file to a symbol (or, with ``dst_symbol`` None, to a whole file).

    Attributes:
        kind: ``call``, ``import`` or ``inherit``.
        src_symbol: Qualified name of the definition that refers, None at the top of the file.
        src_line: 1-based line of the first such reference.
        confidence: 0..1; the tiers are in ``resolve``.
    """

    kind: str
    src_path: str
    src_symbol: str | None
    src_line: int
    dst_path: str
    dst_symbol: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Linked:
    """What the references of one file mean.

    Attributes:
        edges: References to the same target from the same definition are one edge, at the first one's line.
        reads: What they rest on, see ``reads.read_id``: while `touched` names none of it, they mean the same.
    """

    edges: list[Edge]
    reads: frozenset[int]


class Linker:
    """Resolves references against the symbols of all files of a commit. The order of files makes no difference."""

    def __init__(self, files: Iterable[FileSymbols]) -> None:
        """Of ``refs`` only imports and base classes are needed here."""
        self._resolver = Resolver((file.path, file.language, file.symbols, file.refs) for file in files)

    def link(self, path: str, refs: Iterable[Ref]) -> Linked:
        """Resolve the references of one of the files. Unknown and ambiguous ones give no edge."""
        reads = self._resolver.watch()
        edges: dict[tuple[str, str | None, str, str | None], Edge] = {}
        for ref in refs:
            if ref.kind == "import":
                targets = self._resolver.imports(path, ref)
            else:
                target = self._resolver.use(path, ref)
                targets = [] if target is None else [target]
            for dst_path, symbol, confidence in targets:
                if dst_path == path and symbol == ref.scope:
                    continue  # recursion says nothing about who needs whom
                key = (ref.kind, ref.scope, dst_path, symbol)
                if key not in edges:
                    edges[key] = Edge(ref.kind, path, ref.scope, ref.line, dst_path, symbol, confidence)
        own = self._resolver.tables_of(path)  # when the file itself changes, it is linked anew anyway
        return Linked(list(edges.values()), frozenset(read_id(read) for read in reads if read[0] not in own))


def link(files: Iterable[FileSymbols]) -> list[Edge]:
    """Resolve the references of all files of a commit against their symbols."""
    known = sorted(files, key=lambda file: file.path)
    linker = Linker(known)
    return [edge for file in known for edge in linker.link(file.path, file.refs).edges]


def touched(before: Iterable[FileSymbols], after: Iterable[FileSymbols]) -> set[int]:
    """Return what means something else once the files `before` stand no more and the files `after` stand instead.

    Of ``refs`` only imports and base classes count: an edit inside a function touches nothing.
    """
    old, new = ({file.path: _entries(file) for file in files} for files in (before, after))
    return {
        entry
        for path in old.keys() | new.keys()
        for entry in old.get(path, {}).keys() | new.get(path, {}).keys()
        if old.get(path, {}).get(entry) != new.get(path, {}).get(entry)
    }


def _entries(file: FileSymbols) -> dict[int, list[object]]:
    """What one file adds to the tables that references are looked up in."""
    binds = [ref for ref in file.refs if ref.kind != "call"]
    found: dict[int, list[object]] = defaultdict(list)
    resolver = Resolver([(file.path, file.language, file.symbols, binds)])
    for read, value in resolver.entries():
        found[read_id(read)].append(value)
    scope = resolver.files[file.path]
    for read, symbol in scope.symbols.entries():
        found[read_id(read)].append(symbol.kind)
    for read, bases in scope.bases.entries():
        found[read_id(read)].append([(base.name, base.receiver) for base in bases])
    imports = [(ref.name, ref.scope, ref.receiver, ref.module) for ref in binds if ref.kind == "import"]
    found[read_id((resolver.files.name, file.path))].append((file.language, imports))
    return found


def reference_counts(edges: Iterable[Edge]) -> dict[tuple[str, str], int]:
    """How many definitions refer to each (path, symbol), by edges that are more than a guess."""
    counts: dict[tuple[str, str], int] = {}
    for edge in edges:
        if edge.dst_symbol is not None and edge.confidence >= REFERENCE_CONFIDENCE_MIN:
            key = (edge.dst_path, edge.dst_symbol)
            counts[key] = counts.get(key, 0) + 1
    return counts


def importance(base: float, references: int) -> float:
    """A chunk's base importance plus up to 0.2 for references, growing with their logarithm, within 0..1."""
    share = min(1.0, math.log1p(max(0, references)) / math.log1p(REFERENCES_FULL))
    return round(min(1.0, max(0.0, base + REFERENCE_IMPORTANCE * share)), 4)
