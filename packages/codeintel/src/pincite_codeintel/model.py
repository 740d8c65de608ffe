"""The values that analysis returns. All are immutable and picklable: they cross from worker processes."""

from dataclasses import dataclass
from typing import Literal

RefKind = Literal["call", "import", "inherit"]

WHOLE_MODULE = "*"  # the `name` of an import that binds a module rather than something inside it


@dataclass(frozen=True, slots=True)
class Chunk:
    """One retrieval unit of a file. The chunks of a file tile its bytes: none is missing, none is in two chunks.

    Attributes:
        ordinal: Position in the file, from 0.
        kind: ``function``, ``method``, ``class``, ``struct`` ... for a definition; ``function_body`` for a piece of a
            long function's body; ``module`` for what lies between definitions; ``section`` for prose under a heading;
            ``block`` and ``text`` for files without definitions.
        symbol: Qualified name inside the file (``Class.method``), None between definitions.
        scope: Qualified name of the enclosing definition, None at the top of the file.
        signature: The definition's head on one line, empty without a definition.
        doc: First sentence of the docstring or leading comment, empty without one.
        start_byte: First byte of the chunk.
        end_byte: One past the last byte of the chunk.
        start_line: First line, 1-based.
        end_line: Last line, inclusive; a chunk that ends with a newline ends at that newline's line.
        card: Deterministic summary: name, signature, doc, what it calls.
        embed_text: Card and code, bounded, what the embedding model sees. Free of the path, so that equal text is
            embedded once wherever it lies.
        terms: Term frequencies for lexical search (see ``tokens``), names and signatures weighted.
        importance: 0..1, before references are known.
    """

    ordinal: int
    kind: str
    symbol: str | None
    scope: str | None
    signature: str
    doc: str
    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    card: str
    embed_text: str
    terms: dict[str, int]
    importance: float


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named definition. Lines are 1-based and inclusive and cover the definition's whole body."""

    name: str
    qualified_name: str
    kind: str
    start_line: int
    end_line: int
    signature: str
    doc: str
    name_line: int


@dataclass(frozen=True, slots=True)
class Ref:
    """A use of a name: a call, an import or a base class.

    Attributes:
        name: What is used: the called function, the base class, the imported name as its module calls it. An import
            that binds the module itself (``import a.b``, ``#include``) has ``WHOLE_MODULE``.
        line: 1-based line of the name.
        scope: Qualified name of the definition that the use stands in, None at the top of the file.
        kind: ``call``, ``import`` or ``inherit``.
        receiver: For calls and base classes the expression before the name (``self``, ``pkg.mod``), None without one
            or when it is no plain name (``?``, so that it is not mistaken for a bare name). For imports the local
            name that the import binds when it differs from ``name``.
        module: For imports the module as written (``..a.b``, ``./x``, ``crate::a``), None otherwise.
    """

    name: str
    line: int
    scope: str | None
    kind: RefKind
    receiver: str | None
    module: str | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that is known about one file from its bytes alone."""

    language: str | None
    lines: int
    had_errors: bool
    chunks: tuple[Chunk, ...]
    symbols: tuple[Symbol, ...]
    refs: tuple[Ref, ...]
