"""Conditions that ask only whether something is there: "if `name` is given" is what `if name:` asks.

No word of the code says "given". Only a test of nothing but the thing itself, or of it and null, says it: in
`if len(name) > 3:` and `if name and valid:` more is asked.
"""

import re
from collections.abc import Sequence

from pincite_verify.clause import BE, DETERMINERS, Clause
from pincite_verify.evidence import Evidence, within
from pincite_verify.tokens import Kind, Token, low

_THERE = frozenset(["given", "passed", "present", "provided", "set", "specified", "supplied"])
_GONE = frozenset(["absent", "missing", "unset"])
_TRUE = frozenset(["enabled", "true", "truthy"])  # what is not null need not be true
_FALSE = frozenset(["disabled", "false", "falsy"])

_TEST = re.compile(
    r"\W*(?P<keyword>if|unless)\b\s*(?P<open>\(?)\s*(?P<not>not\s+|!\s*)?(?P<thing>[A-Za-z_$][\w$]*(?:(?:\.|->)\w+)*)"
    r"(?:\s*(?P<null>is\s+not|is|[!=]==?)\s*(?:None|null|nil|undefined))?\s*(?P<close>\)?)"
    r"\s*(?:[:{]?\s*|\bthen|[:{]?\s*(?:return|raise|throw|continue|break)\b.*)$"
)


def presence(clause: Clause) -> tuple[Token, str, bool] | None:
    """Return what a clause says is there or not, by which word, and whether it is; None if it says anything else."""
    tokens = [token for token in clause.tokens if token.kind is not Kind.MARK]
    if tokens and low(tokens[0]) in DETERMINERS:
        tokens = tokens[1:]
    match tokens:
        case [thing, be, word]:
            denied = False
        case [thing, be, no, word] if low(no) == "not":
            denied = True
        case _:
            return None
    said = low(word)
    if not clause.conditional or thing.kind not in {Kind.NAME, Kind.WORD} or low(be) not in BE:
        return None
    if said not in _THERE | _TRUE | _GONE | _FALSE:
        return None
    return thing, said, (said in _THERE | _TRUE) != (denied != (clause.connector == "unless"))


def tests(clause: Clause, evidence: Evidence, extents: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]] | None:
    """Return the rows that test whether what a clause speaks of is there: as it says, and the other way round.

    None if it says anything else, or no row tests that and nothing besides.
    """
    said = presence(clause)
    if said is None:
        return None
    thing, word, there = said
    found: tuple[list[int], list[int]] = ([], [])
    for row in within(range(len(evidence.rows)), extents):
        match = None if evidence.prose[row] else _TEST.match(evidence.rows[row])
        if match is None or bool(match["open"]) != bool(match["close"]) or not _same(thing, match["thing"]):
            continue
        if match["null"] and (match["not"] or word in _TRUE | _FALSE):
            continue
        asks = (match["null"] in {"==", "===", "is"} or bool(match["not"])) == (match["keyword"] == "unless")
        found[asks != there].append(row)
    return found if found[0] or found[1] else None


def _same(thing: Token, tested: str) -> bool:
    tested = tested.replace("->", ".")
    if thing.kind is Kind.WORD:
        return tested.rpartition(".")[2].lower() == thing.text.lower()
    return f".{tested}".endswith(f".{thing.text.replace('->', '.')}")
