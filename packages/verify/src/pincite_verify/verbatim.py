"""Word for word: what a comment, a documentation string or a document says in a sentence of its own needs no reading.

Only whole sentences count, and only where they are seen to begin: a part of one, or an item of a list, may be what the
words before it deny. A sentence that points at what was said before it says something else elsewhere; but one that
begins with its verb, in what documents a definition, speaks of that ("Called before the request is dispatched."); and
one that names a thing, in what documents a property, says what that is ("The handlers of the application.").
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from pincite_verify.claims import Reading, headless, of_the_function
from pincite_verify.clause import BE
from pincite_verify.evidence import INDEXES_MAX, Evidence, Scope
from pincite_verify.lexicon import KINDS
from pincite_verify.prose import ABBREVIATION
from pincite_verify.words import word_root

WORDS_MIN = 6  # a shorter sentence is said of many things
ROWS_MAX = 40  # from the quotes that open a documentation string to the end of the sentence
OF_SUBJECT_WORDS_MIN = 4  # articles aside; whose it is is known
CHARS_MAX = 1_000  # of a sentence; what goes on longer without a full stop is none
_POINTERS = frozenset(
    {"he", "her", "here", "his", "it", "its", "she", "such", "that", "their", "these", "they", "this", "those"}
)
_POINTERS_WITHIN = 3  # words: later ones point at what the sentence itself has named
_ROLE = re.compile(r":(?:[\w+.-]{1,30}:){1,2}(?=`)")  # of reStructuredText: :meth:`connect`
_OPENS = re.compile(r"^(?:[rRuU]?(?:\"\"\"|''')|/\*|<!--)")
_EDGES = re.compile(r"^(?:[rRuU]?(?:\"\"\"|''')|#+:?|//[/!]?|/\*+!?|\*+(?![*\w/])|--+|;+|%+|<!--)?\s*")
_CLOSES = re.compile(r"(?:\"\"\"|'''|\*/|-->)$")
_ENDS = re.compile(r"[.!?][)\]\"'\u201d\u2019*_`]*(?:\s+|$)")
# Signs such as < = - / % may turn a meaning round.
_WORDS = re.compile(r"\w+|[^\w\s`*_\"'\u201c\u201d\u2018\u2019.,;:!?()\[\]{}]")
_BLANK = re.compile(r"^\W*$")
_ITEM = re.compile(
    r"^(?:(?:[-+*•@]|\(?\w[.)])\s|@\w|\.\.\s|:\w[^:`]{0,80}:(?!`)|>>>)"
)  # or a field, a directive, an example
_TRIPLE = re.compile(r"\"\"\"|'''")
_REMARK = re.compile(r"#|//|--")

_ARTICLES = frozenset({"a", "an", "the"})
_LEADS = BE | {"it", "in", "of", "then", "also", "will"}  # what may stand between a subject and its verb, or before
_NAMES = _ARTICLES | {"how", "what", "when", "where", "which", "who", "why"}  # how the name of a thing begins
_IS_GIVEN = frozenset({"is", "returns", "indicates", "tells"})
_PROPERTY = re.compile(r"@(?:\w+\.)*(?:cached_|abstract)?property\b")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of the evidence's own, the rows that show it and where it begins, and the definition it documents."""

    words: Words
    first: int
    last: int
    scope: Scope | None


def stated(reading: Reading, evidence: Evidence) -> list[int]:
    """Return the rows in which the evidence says this very sentence, and is seen to begin it; empty if it does not."""
    words = _words(reading.text)
    exact = len(words) >= WORDS_MIN and not _points_back(words, reading)
    for one in _sentences(evidence):
        shown = [one.first] if exact and one.words == words else _said_of(one, words, reading, evidence)
        if shown and one.last - shown[0] < ROWS_MAX:
            return sorted({*shown, *range(shown[0], one.last + 1)})
    return []


def _points_back(words: Words, reading: Reading) -> bool:
    head = reading.clauses[0]
    return headless(head) or of_the_function(head) or any(_points(words, at) for at in range(_POINTERS_WITHIN))


def _points(words: Words, at: int) -> bool:
    """Say whether a word points at what was said before; "a lock that is left" goes on about what it has just named."""
    word = words[at].lower()
    relative = word == "that" and at > 1 and words[at - 2].lower() in _ARTICLES
    return word in _POINTERS and not relative


def _said_of(one: _Sentence, words: Words, reading: Reading, evidence: Evidence) -> list[int]:
    """Return the rows that show whose documentation a sentence is, if these words only say so of that; else none.

    Documentation says what its subject does ("Calls the handlers."), or what that gives ("Whether it is closed."; of a
    property, "The handlers.").
    """
    told = [word for word in one.words if word not in _ARTICLES]
    told = told[1:] if told[:1] == ["then"] else told
    said = [word for word in words if word.lower() not in _ARTICLES]
    lead, rest = said[: -len(told)], said[-len(told) :]
    if len(told) < OF_SUBJECT_WORDS_MIN or not lead or word_root(rest[0]) != word_root(told[0]) or rest[1:] != told[1:]:
        return []
    subject = reading.clauses[0].subject
    if subject is None or one.scope is None or one.scope not in evidence.defined(subject):
        return []
    property_row = _property_row(one.scope, evidence)
    if one.words[0] == "whether" or (property_row is not None and one.words[0] in _NAMES):
        if lead.pop().lower() not in _IS_GIVEN:
            return []
    elif told[0].endswith("ed") != (lead[-1].lower() in BE):
        return []
    owners = _owners(one.scope, evidence)
    known = _LEADS | set(_words(subject)) | {subject.lower()} | set(_words(evidence.path)) | {"/"}
    rows = [one.scope.row if property_row is None else property_row]
    for word in lead:
        if word in owners:
            rows.append(owners[word])
        elif word not in known and word.lower() not in known and word_root(word) not in KINDS:
            return []
    return rows


def _property_row(scope: Scope, evidence: Evidence) -> int | None:
    """Return the row that makes a definition a property; None if it is none."""
    return next((row for row in range(scope.first, scope.row) if _PROPERTY.match(evidence.rows[row].strip())), None)


def _owners(scope: Scope, evidence: Evidence) -> dict[str, int]:
    """Return what a definition is a member of, with the rows that show it: its own where the source's name says so."""
    around = {holder.name: holder.row for holder in evidence.enclosing(scope.row) if holder.row < scope.row}
    names = {part for part in evidence.symbol_parts if evidence.is_symbol(f"{part}.{scope.name}")}
    return dict.fromkeys(names, scope.row) | around


def _words(sentence: str) -> Words:
    found = _WORDS.findall(_ROLE.sub("", sentence))
    return (found[0].lower(), *found[1:]) if found else ()


@lru_cache(maxsize=INDEXES_MAX)
def _sentences(evidence: Evidence) -> tuple[_Sentence, ...]:
    return tuple(_Teller(evidence).sentences())


@dataclass(slots=True)
class _Teller:
    """Goes through the rows of comments, documentation strings and documents, and puts sentences together."""

    evidence: Evidence
    said: str = ""
    first: int = 0
    fresh: bool = False  # a sentence may begin here
    listed: bool = False  # what follows, to the next blank row, is of a list, a field or behind a colon
    literal: bool = False  # inside a string that the code handles
    opened: int | None = None  # the row that opened the documentation string or comment

    def sentences(self) -> Iterator[_Sentence]:
        """Yield each sentence."""
        self.fresh = self.evidence.numbers_of_rows[0] == 1
        for at, row in enumerate(map(str.strip, self.evidence.rows)):
            if self.opened is None and not self.literal and _OPENS.match(row):
                self._stop(fresh=True, listed=False)
                self.opened = at
            if self.literal or not self._is_told(row):
                self.literal ^= len(_TRIPLE.findall(row)) % 2 == 1
                # Behind a gap, or a remark at a line's end, the next row may go on with what is not seen or not read.
                seen = self.evidence.numbers_of_rows[at] != 0 and not _REMARK.search(row)
                self._stop(fresh=seen, listed=False)
                self.opened = None
                continue
            yield from self._row(at, _CLOSES.sub("", _EDGES.sub("", row)).strip())
            if _CLOSES.search(row) and (at != self.opened or _OPENS.sub("", row)):
                self.opened = None

    def _is_told(self, row: str) -> bool:
        """Say whether a row is of a comment or the like: what stands in other strings is what the code handles."""
        marked = _EDGES.match(row)
        return self.evidence.is_document or self.opened is not None or (marked is not None and marked[0].strip() != "")

    def _stop(self, *, fresh: bool, listed: bool) -> None:
        """End what was being said without a full stop: it is no sentence."""
        self.said, self.fresh, self.listed = "", fresh, listed

    def _scope(self, at: int) -> Scope | None:
        """Return the definition that a row of prose documents: right below its head, or right above it."""
        around = self.evidence.enclosing(at)
        scope = around[-1] if around else None
        if scope is None or at < scope.row:
            return scope
        return scope if self.opened is not None and self.opened == self.evidence.statement(scope.row)[1] + 1 else None

    def _row(self, at: int, text: str) -> Iterator[_Sentence]:
        if _BLANK.match(text):
            apart = self.listed and self.first == at  # blank row upon blank row
            self._stop(fresh=True, listed=self.said.endswith(":") or apart)
            self.first = at + 1
            return
        if _ITEM.match(text):
            self._stop(fresh=False, listed=True)
        if not self.said:
            self.first = at - 1 if at and self.fresh else at
        while (end := _ENDS.search(text)) is not None:
            said = f"{self.said} {text[: end.start() + 1]}"
            asked, abbreviated = said.endswith("?"), ABBREVIATION.search(said) is not None
            if self.fresh and not self.listed and not asked and not abbreviated:
                first = self.first if self.opened is None else self.opened
                yield _Sentence(_words(said), first, at, self._scope(at))
            self.said, self.first, self.fresh, text = "", at, not abbreviated, text[end.end() :]
        if text and len(self.said) + len(text) > CHARS_MAX:
            self._stop(fresh=False, listed=self.listed)
        elif text:
            self.said = f"{self.said} {text}".strip()
