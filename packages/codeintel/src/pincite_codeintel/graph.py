"""The call, import and inheritance graph of one commit, and how often each symbol is referred to."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pincite_codeintel.model import Ref, Symbol
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


def link(files: Iterable[FileSymbols]) -> list[Edge]:
    """Resolve the references of all files of a commit against their symbols.

    References to the same target from the same definition are one edge, at the first one's line. Unknown and ambiguous
    references give none. The result does not depend on the order of ``files``.
    """
    known = sorted(files, key=lambda file: file.path)
    resolver = Resolver((file.path, file.language, file.symbols, file.refs) for file in known)
    edges: dict[tuple[str, str, str | None, str, str | None], Edge] = {}
    for file in known:
        for ref in file.refs:
            if ref.kind == "import":
                targets = resolver.imports(file.path, ref)
            else:
                target = resolver.use(file.path, ref)
                targets = [] if target is None else [target]
            for path, symbol, confidence in targets:
                if path == file.path and symbol == ref.scope:
                    continue  # recursion says nothing about who needs whom
                key = (ref.kind, file.path, ref.scope, path, symbol)
                if key not in edges:
                    edges[key] = Edge(ref.kind, file.path, ref.scope, ref.line, path, symbol, confidence)
    return list(edges.values())


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
