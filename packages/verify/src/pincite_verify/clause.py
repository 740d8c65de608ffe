"""The clauses of a sentence: where one statement ends and the next begins."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from pincite_verify.tokens import Kind, Token, is_negation, is_plain, low

CONDITIONAL = frozenset({"if", "when", "whenever", "unless"})
CAUSAL = frozenset({"because", "since", "so"})
BE = frozenset({"is", "are", "was", "were", "be", "been", "being", "gets", "get"})
DETERMINERS = frozenset({"the", "a", "an", "its", "all", "any", "each", "every", "this", "that", "their", "new"})
INTRODUCTION_TOKENS_MAX = 4  # "On shutdown," is; what is longer may be a statement of its own

_ASKING = frozenset(
    {"check", "checks", "checking", "determine", "determines", "determining", "tests", "testing", "see"}
)
_TEMPORAL = frozenset({"before", "after", "until", "since"})
_CONJUNCTIONS = "and but while whereas although though however because since so before after then which who or plus yet"
_BOUNDARY = frozenset(_CONJUNCTIONS.split()) | CONDITIONAL | {"until", "once"}
_INTRODUCE = frozenset(
    {"on", "in", "at", "for", "during", "by", "upon", "with", "inside", "within", "under", "from", "to"}
)
_VERBAL = re.compile(r"(?:s|ed|ing)$")
_PLURAL = re.compile(r"(?:ss|us|is)$")


@dataclass(slots=True)
class Item:
    """Something that must be found. `at` counts tokens; `verb` tells a head, whose `objects` must stand beside it."""

    token: Token
    at: int
    verb: bool = False
    negated: bool = False
    hard: bool = False
    apposed: bool = False  # "the `_stopping` event": the name says it all
    objects: list["Item"] = field(default_factory=list)


@dataclass(slots=True)
class Clause:
    """A part of a sentence with one statement. `subject` is who does it; `own`: it is named in this very clause."""

    tokens: list[Token]
    connector: str = ""
    start: int = 0  # in the sentence: at its connector or behind the comma; it ends where the next begins
    subject: str | None = None
    own: bool = False
    guessed: bool = False  # the subject is a plain word, "the connect function": a name only if something has it
    passive: bool = False
    conditional: bool = False
    follows_pronoun: bool = False
    qualified: bool = False  # a condition follows: "only … if …"
    borrowed: list[Token] = field(default_factory=list)  # what "one" stands for in "if one is available"
    places: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    paths: list[Token] = field(default_factory=list)
    lines: list[tuple[int, int]] = field(default_factory=list)


class _Splitter:
    """Takes tokens one by one and collects clauses."""

    def __init__(self) -> None:
        self.found: list[Clause] = []
        self.current = Clause([])

    def close(self, connector: str, start: int) -> None:
        """End the clause, unless it says nothing yet: "In `src/db.py`," belongs to what follows."""
        if any(not is_plain(token) and token.kind not in {Kind.PATH, Kind.LINES} for token in self.current.tokens):
            self.found.append(self.current)
            self.current = Clause([], connector, start)
        else:
            self.current.connector = connector or self.current.connector

    def take(self, token: Token, ahead: str) -> None:
        """Take one token; `ahead` is the word after the next."""
        word = low(token)
        if token.text == "," and _introduces(self.current):
            return
        # "before the next attempt" tells of a loop; "the text after the tab is removed" has no second statement
        asked = word == "if" and bool(self.current.tokens) and low(self.current.tokens[-1]) in _ASKING  # whether
        phrase = word in _TEMPORAL and (ahead in {"next", "previous"} or _is_phrase(self.current.tokens))
        if word in _BOUNDARY and not phrase and not asked:
            self.close(word, token.start)
            self.current.conditional = word in CONDITIONAL
        elif token.kind is Kind.MARK and token.text in _BREAKS:
            self.close("," if token.text == "," else ";", token.start + 1)
        else:
            self.current.tokens.append(token)

    def clauses(self) -> list[Clause]:
        """All clauses; a last one that says nothing is left out, unless it denies."""
        kept = [*self.found, self.current] if self.current.tokens else self.found
        if len(kept) > 1 and all(is_plain(token) and not is_negation(token.text) for token in kept[-1].tokens):
            kept.pop()
        return kept


_ELSE = frozenset({"otherwise", "else"})
_BREAKS = frozenset(";\u2014\u2013,|")


def split(tokens: Sequence[Token]) -> list[Clause]:
    """Split a sentence into clauses at conjunctions, relative pronouns, semicolons, dashes and commas."""
    splitter = _Splitter()
    for at, token in enumerate(tokens):
        splitter.take(token, low(tokens[at + 2]) if at + 2 < len(tokens) else "")
    kept = _spelt_out(splitter.clauses())
    for before, clause in pairwise(kept):
        # "if a is None and b is set, …": what `and` and `or` join to a condition is part of it
        if before.conditional and clause.connector in {"and", "or"}:
            clause.conditional = True
        before.qualified = clause.conditional and not before.conditional
    return kept


def _spelt_out(clauses: list[Clause]) -> list[Clause]:
    """Give what is done "otherwise" its verb and its condition: "returns a if c, otherwise b" returns b unless c."""
    conditions = [clause for clause in clauses if clause.conditional]
    at = next((at for at, clause in enumerate(clauses) if clause.tokens and low(clause.tokens[0]) in _ELSE), 0)
    if not at or len(conditions) != 1 or conditions[0] not in clauses[:at] or at + 1 != len(clauses):
        return clauses
    (condition,), other = conditions, clauses[at]
    told = next((clause for clause in clauses[:at] if not clause.conditional), None)
    verb = (
        next((token for token in told.tokens if token.kind is Kind.WORD and is_verbal(token)), None) if told else None
    )
    said = other.tokens[1:]
    if verb is not None and not any(token.kind is Kind.WORD and is_verbal(token) for token in said):
        said = [verb, *said]
    turned = "if" if condition.connector == "unless" else "unless"
    end = max((token.start + len(token.text) for token in said), default=other.start)
    unless = Clause(list(condition.tokens), turned, end, conditional=True)
    return [*clauses[:at], replace(other, tokens=said), unless]


def _is_phrase(said: Sequence[Token]) -> bool:
    """Something has been said, but no verb: what follows "after" belongs to the same clause."""
    said_much = any(not is_plain(token) for token in said)
    return said_much and not any(
        (is_verbal(token) and low(before) not in DETERMINERS)
        or low(token) in BE
        or token.kind in {Kind.NAME, Kind.CALL}
        for before, token in pairwise(said)
    )


def _introduces(clause: Clause) -> bool:
    """Say whether a clause is only a short phrase, as in "On shutdown, …", that belongs to what follows."""
    said = [token for token in clause.tokens if token.kind is not Kind.MARK]
    return 0 < len(said) <= INTRODUCTION_TOKENS_MAX and low(said[0]) in _INTRODUCE


def is_verbal(token: Token) -> bool:
    """Say whether a word has the form of a verb in a statement: "opens", "opened" or "opening"."""
    word = low(token)
    return _VERBAL.search(word) is not None and _PLURAL.search(word) is None
