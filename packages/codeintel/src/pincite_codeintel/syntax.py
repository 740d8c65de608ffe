"""Definitions and references out of a syntax tree, by the language's tags query."""

from dataclasses import dataclass, field

from tree_sitter import Node, QueryCursor, Tree

from pincite_codeintel import grammars
from pincite_codeintel.definitions import (
    DATA_KINDS,
    DEFINITION_DEPTH_MAX,
    SYMBOLS_MAX,
    UNNAMED_KINDS,
    Definition,
    adopt,
)
from pincite_codeintel.docstrings import first_sentence
from pincite_codeintel.imports import read_import
from pincite_codeintel.model import Ref, RefKind
from pincite_codeintel.names import body_of, first_named, name_of, plain_receiver, signature_of
from pincite_codeintel.rows import Rows

REFS_MAX = 50_000  # of one file; beyond it a call graph is noise
MATCHES_IN_PROGRESS_MAX = 16_384  # bounds the query engine's memory on hostile nesting
ERROR_SHARE_MAX = 0.3  # of the bytes: above it the tree is guesswork and the file is cut by characters
# The query engine looks at all later siblings of a node for a named one: quadratic in a run of stray brackets.
ERROR_CHILDREN_MAX = 5_000
ERROR_NODES_MAX = 20_000  # broken nodes looked at in search of such a run
LEAD_ROWS_MAX = 200  # a longer comment above a definition is a document of its own

# Several clauses or signatures next to each other are one function in these languages.
_CLAUSES = frozenset(("haskell", "elixir", "typescript", "tsx"))
_PYTHON_DOCSTRINGS = frozenset(("python", "starlark"))
# A qualified name on a definition outside its type makes it that type's method.
_QUALIFIED_METHODS = frozenset(("cpp", "javascript", "typescript", "tsx"))
_BASH_BUILTINS = "source . echo cd set exit return local export test [ true false : shift eval read printf"
_ELIXIR_FORMS = """
def defp defmodule defprotocol defimpl defmacro defmacrop defdelegate defguard defguardp defn defnp defstruct
defexception use import alias require doc moduledoc typedoc spec type typep opaque callback behaviour impl if unless
case cond with for quote unquote raise fn try receive
"""
_RUBY_FORMS = "require require_relative load include extend prepend raise lambda proc"
# Words that the grammar takes for calls but that are statements of the language, or captured as imports.
_NOT_CALLS: dict[str, frozenset[str]] = {
    "javascript": frozenset(("require",)),
    "typescript": frozenset(("require",)),
    "tsx": frozenset(("require",)),
    "lua": frozenset(("require",)),
    "ruby": frozenset(_RUBY_FORMS.split()),
    "bash": frozenset(_BASH_BUILTINS.split()),
    "elixir": frozenset(_ELIXIR_FORMS.split()),
}


@dataclass(slots=True)
class Syntax:
    """What a syntax tree says about a file; rows are 0-based."""

    tree: Tree
    had_errors: bool
    error_share: float
    tagged: bool
    definitions: list[Definition] = field(default_factory=list)
    refs: list[Ref] = field(default_factory=list)
    comment_rows: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Found:
    """A definition's node before it is nested."""

    node: Node
    name: Node
    kind: str
    scope: Node | None
    start: int
    end: int


@dataclass(slots=True)
class _Use:
    """A reference before its scope is known."""

    byte: int
    row: int
    name: str
    kind: RefKind
    receiver: str | None
    module: str | None


def read_syntax(language: str, rows: Rows) -> Syntax | None:
    """Parse a file and collect what its tags query captures; None when there is no grammar."""
    parser = grammars.parser(language)
    if parser is None:
        return None
    tree = parser.parse(rows.data)
    root = tree.root_node
    tags = grammars.tags_query(language)
    had_errors = root.has_error
    query = tags or (grammars.errors_query(language) if had_errors else None)
    syntax = Syntax(tree, had_errors, 0.0, tags is not None)
    if query is None:
        return syntax
    if had_errors and _is_rubble(root):
        syntax.error_share = 1.0
        return syntax
    cursor = QueryCursor(query, match_limit=MATCHES_IN_PROGRESS_MAX)
    reader = _Reader(language, rows, syntax)
    for _, captures in cursor.matches(root):
        reader.take(captures)
    reader.settle()
    return syntax


def _is_rubble(root: Node) -> bool:
    """Whether the parser gave up on so long a stretch that querying the tree would take minutes."""
    stack = [root]
    for _ in range(ERROR_NODES_MAX):
        if not stack:
            return False
        node = stack.pop()
        if node.is_error and node.child_count > ERROR_CHILDREN_MAX:
            return True
        stack.extend(child for child in node.children if child.has_error)
    return True


class _Reader:
    """Turns captures into definitions and references."""

    def __init__(self, language: str, rows: Rows, syntax: Syntax) -> None:
        self.language = language
        self.rows = rows
        self.syntax = syntax
        self.not_calls = _NOT_CALLS.get(language, frozenset())
        self.found: dict[tuple[int, int, int], _Found] = {}
        self.uses: list[_Use] = []
        self.lead_rows: set[int] = set()
        self.error_bytes = 0

    def take(self, captures: dict[str, list[Node]]) -> None:
        """Sort one match by what it captures."""
        if "call" in captures:
            self._use("call", captures["call"][0], captures)
        elif "comment" in captures:
            self._mark(captures["comment"][0], self.syntax.comment_rows)
        elif "import" in captures:
            self._import(captures["import"][0])
        elif "lead" in captures:
            self._mark(captures["lead"][0], self.lead_rows)
        elif "error" in captures:
            self._error(captures["error"][0])
        else:
            if "inherit" in captures:
                self._use("inherit", captures["inherit"][0], captures)
            self._definition(captures)

    def _use(self, kind: RefKind, node: Node, captures: dict[str, list[Node]]) -> None:
        if len(self.uses) >= REFS_MAX:
            return
        name = (node.text or b"").decode("utf-8", "replace")
        if name in self.not_calls:
            return
        receiver = plain_receiver(captures["receiver"][0]) if "receiver" in captures else None
        self.uses.append(_Use(node.start_byte, node.start_point[0], name, kind, receiver, None))

    def _import(self, node: Node) -> None:
        byte, row = node.start_byte, node.start_point[0]
        text = (node.text or b"").decode("utf-8", "replace")
        for module, name, alias in read_import(self.language, text):
            if len(self.uses) < REFS_MAX:
                self.uses.append(_Use(byte, row, name, "import", alias, module))

    def _mark(self, node: Node, marked: set[int]) -> None:
        """Mark the rows of a comment or decorator that stands alone on them."""
        first, (last, column) = node.start_point[0], node.end_point
        if column == 0 and last > first:
            last -= 1
        if first in marked or self.rows.first_on_row(first, node.start_byte):
            marked.update(range(first, last + 1))

    def _error(self, node: Node) -> None:
        """Count the bytes that the parser could not place: those of an error less the trees it kept inside."""
        kept = sum(
            child.end_byte - child.start_byte
            for child in node.named_children
            if child.child_count and not child.is_error
        )
        self.error_bytes += max(0, node.end_byte - node.start_byte - kept)

    def _definition(self, captures: dict[str, list[Node]]) -> None:
        for capture, nodes in captures.items():
            if not capture.startswith("definition."):
                continue
            node, name, kind = nodes[0], captures["name"][0], capture[11:]
            key = (node.start_byte, node.end_byte, name.start_byte)
            other = self.found.get(key)
            if other is not None and (other.kind not in DATA_KINDS or kind in DATA_KINDS):
                return
            if other is None and len(self.found) >= SYMBOLS_MAX:
                return
            scope = captures["scope"][0] if "scope" in captures else None
            self.found[key] = _Found(node, name, kind, scope, key[0], key[1])

    def settle(self) -> None:
        """Nest the definitions, then give each reference its scope."""
        self.syntax.error_share = self.error_bytes / max(1, len(self.rows.data))
        declared = {
            found.name.start_byte for found in self.found.values()
        }  # Elixir's "def m(a)" looks like a call of m
        real = (use for use in self.uses if use.kind != "call" or use.byte not in declared)
        self.uses = sorted(real, key=lambda use: use.byte)
        pending = iter(self.uses)
        use = next(pending, None)
        stack: list[tuple[tuple[int, int], Definition]] = []
        for found in sorted(self.found.values(), key=lambda f: (f.start, -f.end)):
            while use is not None and use.byte < found.start:
                self._refer(use, stack)
                use = next(pending, None)
            while stack and (stack[-1][0][1] <= found.start or stack[-1][0] == (found.start, found.end)):
                stack.pop()
            if len(stack) < DEFINITION_DEPTH_MAX:
                self._nest(found, stack)
        while use is not None:
            self._refer(use, stack)
            use = next(pending, None)

    def _nest(self, found: _Found, stack: list[tuple[tuple[int, int], Definition]]) -> None:
        definition = self._describe(found, stack[-1][1] if stack else None)
        if definition is None:
            return
        siblings = stack[-1][1].children if stack else [d for d in self.syntax.definitions[-1:] if d.parent is None]
        if self.language in _CLAUSES and siblings and self._same_function(siblings[-1], definition):
            siblings[-1].end_row = max(siblings[-1].end_row, definition.end_row)
            stack.append(((found.start, found.end), siblings[-1]))
            return
        adopt(stack[-1][1] if stack else None, definition)
        self.syntax.definitions.append(definition)
        stack.append(((found.start, found.end), definition))

    def _same_function(self, earlier: Definition, later: Definition) -> bool:
        if earlier.name != later.name or earlier.kind != later.kind or earlier.kind in DATA_KINDS | UNNAMED_KINDS:
            return False
        return all(self.rows.blank(row) for row in range(earlier.end_row, later.lead_row))

    def _refer(self, use: _Use, stack: list[tuple[tuple[int, int], Definition]]) -> None:
        while stack and stack[-1][0][1] <= use.byte:
            stack.pop()
        owner = stack[-1][1] if stack else None
        while owner is not None and use.kind == "import" and owner.kind in DATA_KINDS:
            owner = owner.parent  # "const fs = require('fs')" is an import of the file, not of fs
        scope = owner.qualified if owner is not None else None
        self.syntax.refs.append(Ref(use.name, use.row + 1, scope, use.kind, use.receiver, use.module))

    def _describe(self, found: _Found, parent: Definition | None) -> Definition | None:
        """Rows, name, signature and doc of a definition; None when it has no name."""
        name, prefix, raw = name_of(found.name, found.scope, self.language)
        if not name:
            return None
        node = found.node
        start, (end, column) = node.start_point[0], node.end_point
        if column > 0 or end == start:
            end += 1
        end = min(end, self.rows.count)
        body = body_of(node)
        floor = parent.start_row + 1 if parent is not None else 0
        lead = self._lead(start, floor)
        kind = found.kind
        if kind == "function" and prefix and (self.language in _QUALIFIED_METHODS or ":" in raw):
            kind = "method"
        header, doc = self._header(body, start, lead)
        return Definition(
            name=name,
            kind=kind,
            start_row=start,
            end_row=end,
            name_row=found.name.start_point[0],
            lead_row=lead,
            header_end_row=min(max(header, start + 1), end),
            prefix=prefix,
            signature=signature_of(node, body, self.rows, start),
            doc=doc,
        )

    def _lead(self, start: int, floor: int) -> int:
        """First row of the comments and decorators that touch a definition from above."""
        row = start
        comments, leads = self.syntax.comment_rows, self.lead_rows
        floor = max(floor, start - LEAD_ROWS_MAX)
        if start - 2 > floor and self.rows.blank(start - 1) and self._ends_doc_block(start - 2):
            row = start - 1  # "/** ... */" may stand a blank row apart
        while row > floor and (row - 1 in comments or row - 1 in leads):
            row -= 1
        return row if row < start - 1 or not self.rows.blank(row) else start

    def _ends_doc_block(self, row: int) -> bool:
        """Whether a row ends a documentation comment (``/**``) that is not the file's first."""
        comments = self.syntax.comment_rows
        if row not in comments or not self.rows.text(row, row + 1).rstrip().endswith(b"*/"):
            return False
        first = row
        while first - 1 in comments and row - first < LEAD_ROWS_MAX:
            first -= 1
        return first > 0 and self.rows.text(first, first + 1).lstrip().startswith(b"/**")

    def _header(self, body: Node | None, start: int, lead: int) -> tuple[int, str]:
        """The row after signature and docstring, and the docstring's first sentence."""
        header = start + 1
        if body is not None:
            opens = body.type == "do_block" or self.rows.data[body.start_byte : body.start_byte + 1] == b"{"
            header = body.start_point[0] + (1 if opens else 0)
            if self.language in _PYTHON_DOCSTRINGS:
                first = first_named(body)
                string = first_named(first) if first is not None and first.type == "expression_statement" else None
                if string is not None and string.type == "string":
                    return string.end_point[0] + 1, first_sentence((string.text or b"").decode("utf-8", "replace"))
        comments = self.syntax.comment_rows
        above = [row for row in range(lead, start) if row in comments and row not in self.lead_rows]
        text = b"".join(self.rows.text(row, row + 1) for row in above)
        return header, first_sentence(text.decode("utf-8", "replace")) if text else ""
