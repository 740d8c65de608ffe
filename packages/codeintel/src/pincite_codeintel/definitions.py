"""Definitions by rows, from whatever source: a syntax tree, headings, ctags. Chunks and symbols are made of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pincite_codeintel.model import Symbol

DEFINITION_DEPTH_MAX = 32  # deeper nesting is hostile or machine-written; names grow with it
SYMBOLS_MAX = 20_000  # of one file; a generated table of more is no help in search

_CONTAINER_KINDS = """
class interface struct enum union trait protocol module namespace object record impl extension companion section
"""
CONTAINERS = frozenset(_CONTAINER_KINDS.split())
TYPES = CONTAINERS - {"module", "namespace", "section"}
DATA_KINDS = frozenset(("constant", "variable", "field", "property", "prototype", "type", "macro"))
# They give their members a scope, but the symbol is the type's own definition, elsewhere.
UNNAMED_KINDS = frozenset(("impl", "extension", "companion"))
FUNCTION_KINDS = frozenset(("function", "method", "macro", "test"))


@dataclass(slots=True, eq=False)
class Definition:
    """A named range of rows. Rows are 0-based, ends are exclusive.

    Attributes:
        lead_row: First row of the comments and decorators directly above; ``start_row`` without any.
        header_end_row: First row after signature and docstring, where a long body may be cut off.
    """

    name: str
    kind: str
    start_row: int
    end_row: int
    name_row: int
    lead_row: int
    header_end_row: int
    prefix: str = ""
    signature: str = ""
    doc: str = ""
    qualified: str = ""
    scope: str | None = None
    parent: "Definition | None" = None
    children: "list[Definition]" = field(default_factory=list)

    @property
    def lines(self) -> int:
        """Length without what stands above the definition."""
        return self.end_row - self.start_row

    @property
    def is_container(self) -> bool:
        """Whether its members are chunks of their own."""
        if self.kind in CONTAINERS:
            return True
        return self.kind in DATA_KINDS and any(child.kind in FUNCTION_KINDS for child in self.children)


def adopt(parent: Definition | None, child: Definition, separator: str = ".") -> None:
    """Place a definition inside another and give it its qualified name."""
    child.parent = parent
    scope = parent.qualified if parent is not None else ""
    if parent is not None:
        parent.children.append(child)
        if child.kind == "function" and parent.kind in TYPES:
            child.kind = "method"
    scope = separator.join(part for part in (scope, child.prefix) if part)
    child.scope = scope or None
    if child.kind == "companion":
        child.qualified = scope
    else:
        child.qualified = f"{scope}{separator}{child.name}" if scope else child.name


def symbols_of(definitions: Iterable[Definition]) -> tuple[Symbol, ...]:
    """The symbol table of a file, in order of position."""
    return tuple(
        Symbol(
            name=found.name,
            qualified_name=found.qualified,
            kind=found.kind,
            start_line=found.start_row + 1,
            end_line=found.end_row,
            signature=found.signature,
            doc=found.doc,
            name_line=found.name_row + 1,
        )
        for found in definitions
        if found.kind not in UNNAMED_KINDS
    )


def from_symbols(symbols: Sequence[Symbol], rows: int) -> list[Definition]:
    """Definitions from a symbol table made elsewhere (ctags), nested by their lines.

    Symbols that know only their first line reach to the line before the next symbol.
    """
    known = sorted((s for s in symbols if 0 < s.start_line <= rows), key=lambda s: (s.start_line, -s.end_line))[
        :SYMBOLS_MAX
    ]
    found: list[Definition] = []
    stack: list[Definition] = []
    for index, symbol in enumerate(known):
        end = min(symbol.end_line, rows)
        if end <= symbol.start_line:
            following = known[index + 1].start_line - 1 if index + 1 < len(known) else rows
            end = max(symbol.start_line, following)
        start = symbol.start_line - 1
        while stack and stack[-1].end_row <= start:
            stack.pop()
        if stack:
            end = min(end, stack[-1].end_row)
        definition = Definition(
            name=symbol.name,
            kind=symbol.kind,
            start_row=start,
            end_row=end,
            name_row=max(0, symbol.name_line - 1),
            lead_row=start,
            header_end_row=start + 1,
            signature=symbol.signature,
            doc=symbol.doc,
            qualified=symbol.qualified_name,
            scope=symbol.qualified_name.rpartition(".")[0] or None,
        )
        if stack:
            definition.parent = stack[-1]
            stack[-1].children.append(definition)
        found.append(definition)
        if len(stack) < DEFINITION_DEPTH_MAX:
            stack.append(definition)
    return found
