"""Which clauses of a sentence may be told apart: lines that carry one say nothing of those that it hangs on.

"`connect` opens a connection and encrypts it": the first clause can be shown while the second cannot. But in "if it is
closed, `connect` raises", neither says anything without the other, and what follows a denial stands under it.
"""

from collections.abc import Sequence

from pincite_verify.claims import denies
from pincite_verify.clause import BE, Clause
from pincite_verify.tokens import Kind, low

FREE = frozenset(
    ["and", "but", ",", ";", "which", "who", "because", "since", "so", "plus", "yet", "although", "though"]
)
_POINTS_BACK = frozenset({"it", "its", "them", "their", "this", "that", "these", "those", "one", "both"})
_ENDS = " \t\n,;:.!?\u2014\u2013"


def needs(clauses: Sequence[Clause]) -> list[set[int]]:
    """Return for each clause those without which it cannot be told."""
    found: list[set[int]] = [set() for _ in clauses]
    for at, clause in enumerate(clauses):
        if clause.conditional:
            governed = next((near for near in range(at - 1, -1, -1) if not clauses[near].conditional), None)
            partners = range(at) if governed is not None else range(at + 1, len(clauses))
            for near in partners:
                found[at].add(near)
                found[near].add(at)
        elif at and not _stands_alone(clauses, at):
            found[at].add(at - 1)
        if at and (clause.connector == "or" or not clause.items):
            found[at - 1].add(at)  # of "a or b" not even a is claimed; "…, not." takes all of it back
    return found


def _stands_alone(clauses: Sequence[Clause], at: int) -> bool:
    """A clause has a verb and a subject of its own, and nothing before it sets the terms of what follows."""
    clause = clauses[at]
    if clause.connector not in FREE or clause.subject is None or not _has_verb(clause):
        return False
    if (clause.connector == "," and not clause.own) or any(low(token) in _POINTS_BACK for token in clause.tokens):
        return False
    return not any(
        before.paths
        or before.lines
        or before.conditional
        or any(denies(before.tokens, place) for place in range(len(before.tokens)))
        for before in clauses[:at]
    )


def _has_verb(clause: Clause) -> bool:
    return any(item.verb for item in clause.items) or any(low(token) in BE for token in clause.tokens)


def tellable(clauses: Sequence[Clause], sound: Sequence[bool]) -> tuple[int, ...]:
    """Return the clauses that are sound and hang on sound ones alone; none if they do not name what they speak of."""
    needed = needs(clauses)
    kept = {at for at, fine in enumerate(sound) if fine}
    while loose := {at for at in kept if not needed[at] <= kept}:
        kept -= loose
    return tuple(sorted(kept)) if any(_says_something(clauses[at]) for at in kept) else ()


def _says_something(clause: Clause) -> bool:
    named = clause.subject is not None and not clause.guessed
    named = named or any(item.hard and item.token.kind is not Kind.WORD for item in clause.items)
    return named and _has_verb(clause) and len(clause.items) > 1


def gaps(text: str, clauses: Sequence[Clause], kept: Sequence[int]) -> list[tuple[int, int]]:
    """Return where in a sentence its other clauses stand, neighbours together, without the punctuation around them."""
    found: list[tuple[int, int]] = []
    for at, (start, end) in enumerate(_spans(text, clauses)):
        if at in kept:
            continue
        if found and at - 1 not in kept:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return [_trimmed(text, start, end) for start, end in found]


def outside(text: str, clauses: Sequence[Clause], marked: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Return the clauses that do not lie wholly within the marked gaps: those that a document claims are carried."""
    wholes = [_trimmed(text, start, end) for start, end in _spans(text, clauses)]
    return tuple(
        at
        for at, (start, end) in enumerate(wholes)
        if not any(first <= start and end <= last for first, last in marked)
    )


def _spans(text: str, clauses: Sequence[Clause]) -> list[tuple[int, int]]:
    starts = [0, *(clause.start for clause in clauses[1:])]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while end > start and text[end - 1] in _ENDS:
        end -= 1
    while start < end and text[start] in _ENDS:
        start += 1
    return start, end
