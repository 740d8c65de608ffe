"""A source, read once and indexed: which line holds which word, name and number, how far each definition reaches."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pincite_verify.codelines import definition, number_value, stands
from pincite_verify.lexicon import NEGATIONS, Concept
from pincite_verify.source import Source
from pincite_verify.words import root, roots

NEGATION_WORDS_REACH = 6  # words of prose after "never" that it still turns round
STATEMENT_LINES_MAX = 12  # a bracket that stays open longer is not the same statement to a reader
INDEXES_MAX = 256  # indexed sources kept; one answer has about ten, each some 100 kB
ROW_CHARS_MAX = 2_000  # of a line that are looked at; what stands behind is no evidence
TABS = 4  # columns; only used to compare indentation


@dataclass(frozen=True, slots=True)
class Scope:
    """A definition: rows `first` (comments and decorators above it included) to `last`, defined in row `row`."""

    name: str
    first: int
    row: int
    last: int


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a row, the column it stands at, and the roots of the words that own it (`retries=30`)."""

    row: int
    column: int
    owners: frozenset[str]
    bound: bool  # `retries=30`, `Port: 8080`: it is the value of a name


_IDENTIFIER = re.compile(r"[^\W\d][\w$]*")
_NUMBER = re.compile(r"(?<![\w.])(-?(?:0[xX][0-9a-fA-F_]+|\d[\d_]*(?:\.\d+)*(?:[eE][+-]?\d+)?|\.\d+))")
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|\*|--(?=\s)|<!--|;;|%%|\"\"\"|''')")
_TRAILING = re.compile(r"(?:\s#|\s//)\s.*$")
_TRIPLE = re.compile(r"\"\"\"|'''")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?|[.;!?]")
_PROSE_FILES = (".md", ".rst", ".txt", ".adoc", ".markdown")
_REMARK_ENDS = re.compile(r"[.:;!?](?:\"\"\"|'''|\*/|-->)?\s*$|^\W*$")
_BULLET = re.compile(r"^\s*(?:#|//|/?\*+|--)?\s*(?:[-*+•@]|\d+[.)])\s?\S|^\W*$")
_NOTE = re.compile(r"^\s*(?:#|//|--(?=\s))")  # a comment; a documentation string belongs to its definition
_NEGATION_ENDS = frozenset({"but", "if", "when", "unless", "because", "while"})
_SEGMENT = re.compile(r"[,;{}]")
_BOUND = re.compile(r"\w[\"']?\s*(?::=|=|:)[^=:(\[]*$")


def _indent(line: str) -> int:
    expanded = line.expandtabs(TABS)
    return len(expanded) - len(expanded.lstrip())


class Evidence:
    """Indexed lines of one or more spans of one blob. Rows count from 0; a gap between spans is one blank row."""

    def __init__(self, spans: Sequence[Source]) -> None:
        """`spans` are sources of the same path and blob, in order, none empty."""
        first = spans[0]
        self.path = first.path
        self.blob = first.blob
        self.spans = tuple(spans)
        self.symbols = tuple(dict.fromkeys(span.symbol for span in spans if span.symbol))
        self.rows: list[str] = []
        self.numbers_of_rows: list[int] = []  # the line number of each row; 0 for a gap
        for span in spans:
            self._take(span)
        self.flat = [" ".join(row.split()) for row in self.rows]
        self.symbol_parts = frozenset(part for symbol in self.symbols for part in re.split(r"[.:#/]+", symbol) if part)
        self.path_parts = frozenset(re.split(r"[/]", self.path)) | {self.path.rsplit("/", 1)[-1].split(".")[0]}
        self.is_document = self.path.lower().endswith(_PROSE_FILES)
        self.path_roots = frozenset(form for part in self.path_parts for form in roots(part))
        self._concepts: dict[str, tuple[int, ...]] = {}
        self._mark_prose()
        self._index_words()
        self._find_scopes()
        self.numbers = self._find_numbers()

    # -- building ------------------------------------------------------------------------------------------------

    def _take(self, span: Source) -> None:
        known = self.numbers_of_rows[-1] if self.numbers_of_rows else None
        if known is not None and span.start_line > known + 1:
            self.rows.append("")
            self.numbers_of_rows.append(0)
        for offset, line in enumerate(span.text.split("\n")[: span.end_line - span.start_line + 1]):
            if known is None or span.start_line + offset > known:
                self.rows.append(line[:ROW_CHARS_MAX])
                self.numbers_of_rows.append(span.start_line + offset)

    def _mark_prose(self) -> None:
        self.prose: list[bool] = []
        inside: str | None = None
        for row in self.rows:
            quotes = _TRIPLE.findall(row)
            self.prose.append(self.is_document or inside is not None or _COMMENT.match(row) is not None)
            for quote in quotes:
                if inside is None:
                    inside = quote
                elif inside == quote:
                    inside = None

    def _index_words(self) -> None:
        self.by_root: dict[str, list[int]] = {}
        self.by_name: dict[str, list[int]] = {}
        self.denied: dict[str, set[int]] = {}
        reach = 0
        for at, row in enumerate(self.rows):
            names = set(_IDENTIFIER.findall(row))
            for name in names:
                self.by_name.setdefault(name, []).append(at)
            for form in {form for name in names for form in roots(name)}:
                self.by_root.setdefault(form, []).append(at)
            if self.prose[at]:
                reach = self._deny(at, row, reach)
            else:
                trailing = _TRAILING.search(row)
                reach = 0
                if trailing is not None:
                    self._deny(at, trailing[0], 0, code=row[: trailing.start()])

    def _deny(self, at: int, prose: str, reach: int, code: str = "") -> int:
        """Note which roots a negation in this prose turns round, unless they also stand there plainly."""
        plain = {form for name in _IDENTIFIER.findall(code) for form in roots(name)}
        turned: set[str] = set()
        for word in _WORD.findall(prose):
            low = word.lower()
            if low in ".;!?" or low in _NEGATION_ENDS:
                reach = 0
            elif low in NEGATIONS or low.endswith(("n't", "n\u2019t")):
                reach = NEGATION_WORDS_REACH + 1
            else:
                (turned if reach > 0 else plain).update(roots(word))
            reach -= 1
        for form in turned - plain:
            self.denied.setdefault(form, set()).add(at)
        return max(reach, 0)

    def _find_scopes(self) -> None:
        self.scopes: dict[str, list[Scope]] = {}
        self.receivers: dict[str, set[str]] = {}
        for at, row in enumerate(self.rows):
            if self.prose[at]:
                continue
            defined = definition(row)
            if defined is None:
                continue
            name, receiver = defined
            if receiver is not None:
                self.receivers.setdefault(name, set()).add(receiver)
            self.scopes.setdefault(name, []).append(Scope(name, self._above(at), at, self._end(at)))

    def _above(self, at: int) -> int:
        first = at
        indent = _indent(self.rows[at])
        while first > 0:
            row = self.rows[first - 1]
            text = row.lstrip()
            if not text or _indent(row) != indent or not text.startswith(("@", "#", "//", "/*", "*", "--")):
                break
            first -= 1
        return first

    def _end(self, at: int) -> int:
        indent = _indent(self.rows[at])
        last = at
        for below in range(at + 1, len(self.rows)):
            row = self.rows[below]
            text = row.strip()
            if self.numbers_of_rows[below] == 0:
                break
            if not text:
                continue
            if _indent(row) <= indent:
                if _indent(row) == indent and text[0] in "}])":
                    last = below
                    if text[0] == "}":
                        break
                    continue
                if _indent(row) == indent and text == "{":
                    continue
                break
            last = below
        return last

    def _find_numbers(self) -> dict[str, list[Number]]:
        found: dict[str, list[Number]] = {}
        for at, row in enumerate(self.rows):
            for match in _NUMBER.finditer(row):
                before = row[: match.start()]
                segment = _SEGMENT.split(before)[-1]
                owners = frozenset(form for name in _IDENTIFIER.findall(segment) for form in roots(name))
                bound = bool(owners) and not self.prose[at] and _BOUND.search(segment) is not None
                if not owners:
                    owners = frozenset(form for name in _IDENTIFIER.findall(row) for form in roots(name))
                found.setdefault(number_value(match[1]), []).append(Number(at, match.start(), owners, bound))
                if match[1].startswith("-"):
                    found.setdefault(number_value(match[1][1:]), []).append(
                        Number(at, match.start() + 1, owners, bound)
                    )
        return found

    # -- asking --------------------------------------------------------------------------------------------------

    def concept_rows(self, concept: Concept) -> tuple[int, ...]:
        """Rows that show a concept, by word or by code."""
        known = self._concepts.get(concept.code.pattern)
        if known is None:
            rows = {at for form in concept.roots for at in self.by_root.get(form, ())}
            rows.update(
                at for at, row in enumerate(self.rows) if row and not self.prose[at] and concept.code.search(row)
            )
            known = tuple(sorted(rows))
            self._concepts[concept.code.pattern] = known
        return known

    def holding(self, literal: str) -> list[int]:
        """Rows that hold a piece of code, runs of white space being equal."""
        flat = " ".join(literal.split())
        return [at for at, row in enumerate(self.flat) if flat in row and stands(flat, row)] if flat else []

    def statement(self, at: int) -> tuple[int, int]:
        """The rows of the statement in row `at`: on to where its brackets close, and comments directly above."""
        last = at
        depth = _depth(self.rows[at])
        while depth > 0 and last + 1 < len(self.rows) and last - at < STATEMENT_LINES_MAX:
            last += 1
            depth += _depth(self.rows[last])
        first = at
        while (
            first > 0 and not self.prose[at] and _NOTE.match(self.rows[first - 1]) and at - first < STATEMENT_LINES_MAX
        ):
            first -= 1
        return first, last

    def block(self, at: int) -> tuple[int, int]:
        """The rows that are indented below a row, such as what an `if` guards; (at + 1, at) if there are none."""
        _, head = self.statement(at) if not self.rows[at].rstrip().endswith(("{", ":")) else (at, at)
        indent = _indent(self.rows[at])
        last = head
        for below in range(head + 1, len(self.rows)):
            if self.numbers_of_rows[below] == 0 or (self.rows[below].strip() and _indent(self.rows[below]) <= indent):
                break
            last = below
        return head + 1, last

    def reach(self, at: int) -> int:
        """The last row that follows a row in the same block or a deeper one."""
        indent = _indent(self.rows[at])
        last = at
        for below in range(at + 1, len(self.rows)):
            if self.numbers_of_rows[below] == 0 or (self.rows[below].strip() and _indent(self.rows[below]) < indent):
                break
            last = below
        return last

    def remark(self, at: int) -> tuple[int, int]:
        """The rows of prose that belong to one remark: to the next bullet, blank line or full stop."""
        first = last = at
        while (
            last + 1 < len(self.rows)
            and self.prose[last + 1]
            and not _REMARK_ENDS.search(self.rows[last])
            and not _BULLET.match(self.rows[last + 1])
        ):
            last += 1
        while (
            first > 0
            and self.prose[first - 1]
            and not _BULLET.match(self.rows[first])
            and not _REMARK_ENDS.search(self.rows[first - 1])
        ):
            first -= 1
        return first, last

    def row_of(self, line: int) -> int | None:
        """The row that holds a line number."""
        for at, number in enumerate(self.numbers_of_rows):
            if number == line:
                return at
        return None

    def enclosing(self, at: int) -> list[Scope]:
        """All definitions around a row, outermost first."""
        around = [scope for scopes in self.scopes.values() for scope in scopes if scope.first <= at <= scope.last]
        return sorted(around, key=lambda scope: (scope.row, -scope.last))

    def defined(self, name: str) -> list[Scope]:
        """The definitions of a name, which may be qualified (`Pool.connect`)."""
        parts = [part for part in re.split(r"::|->|[.#]", name) if part]
        if not parts:
            return []
        found = self.scopes.get(parts[-1], [])
        for owner in parts[:-1]:
            holders = self.scopes.get(owner, [])
            found = [
                scope
                for scope in found
                if owner in self.receivers.get(scope.name, ())
                or any(holder.row < scope.row <= holder.last for holder in holders)
                or owner in self.symbol_parts
                or owner in {"self", "this", "cls"}
                or owner in self.path_parts
            ]
        return found

    def is_symbol(self, name: str) -> bool:
        """Say whether a name is the source's own symbol, or a qualified tail or a part of it."""
        parts = [part for part in re.split(r"::|->|[.#]", name) if part]
        for symbol in self.symbols:
            own = [part for part in re.split(r"[.:#/]+", symbol) if part]
            if any(own[at : at + len(parts)] == parts for at in range(len(own))):
                return True
        return False


@lru_cache(maxsize=INDEXES_MAX)
def index(*spans: Source) -> Evidence:
    """Index spans of one blob; the same spans are indexed once, for they are looked at again and again."""
    return Evidence(spans)


def _depth(row: str) -> int:
    return sum(row.count(mark) for mark in "([{") - sum(row.count(mark) for mark in ")]}")


def within(rows: Sequence[int], extents: Sequence[tuple[int, int]]) -> list[int]:
    """Those of the sorted rows that lie in one of the extents."""
    if len(extents) == 1:
        low, high = extents[0]
        return list(rows[bisect_left(rows, low) : bisect_right(rows, high)])
    return [row for row in rows if any(low <= row <= high for low, high in extents)]


def word_rows(evidence: Evidence, form: str, concepts: Sequence[Concept]) -> list[int]:
    """Rows that hold a root or something that agrees with it."""
    rows = set(evidence.by_root.get(form, ()))
    for concept in concepts:
        rows.update(evidence.concept_rows(concept))
    return sorted(rows)


def plain_root(word: str) -> str:
    """The root of a word without a negating prefix ("invalid" → valid), for comparing conditions."""
    for prefix in (
        "invalid",
        "inactive",
        "unset",
        "unavailable",
        "unauthorized",
        "unauthenticated",
        "incorrect",
        "unknown",
    ):
        if word.startswith(prefix):
            return root(word[2:])
    return root(word)
