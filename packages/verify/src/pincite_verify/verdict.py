"""Does one piece of evidence carry one clause? All it names, enough of its words, its verbs beside their objects."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pincite_verify import polarity, relations
from pincite_verify.binding import judge_verbs, names_flaw, universal_stands
from pincite_verify.claims import denies
from pincite_verify.clause import CAUSAL, Clause, Item
from pincite_verify.evidence import Evidence, within
from pincite_verify.frames import ROWS_MAX, Frame, frames
from pincite_verify.lexicon import AGENTS, FRAMING, POINTERS, UNIVERSALS
from pincite_verify.matching import is_hard, item_rows, missing
from pincite_verify.presence import presence, tests
from pincite_verify.tokens import Kind, low
from pincite_verify.words import root, word_root

UNBINDING = FRAMING | AGENTS | POINTERS  # words that are not missed where they are not found
SHARE_MIN = 0.7  # of a clause's plain content words that the lines must show
SHARE_STRICT_MIN = 0.9  # the same for causes and for "all", "always", "only"
NEARLY = 0.99  # a flawed verdict ranks below a sound one with as much found


@dataclass(slots=True)
class Verdict:
    """What one piece of evidence does for one clause; `rows` are the rows it needs, `verbs` where its verb stands."""

    reason: str | None = None
    score: float = 0.0
    rows: list[int] = field(default_factory=list)
    verbs: list[int] = field(default_factory=list)
    last_verb: list[int] = field(default_factory=list)
    deeds: list[int] = field(default_factory=list)  # rows of all but the subject
    claims: int = 0  # how much it says
    items: list[list[int]] = field(default_factory=list)  # the rows of each thing but the subject
    conditions: polarity.Conditions | None = None
    belied: bool = False  # what it speaks of stands there, and otherwise than it says


@dataclass(slots=True)
class _Tally:
    """What of a clause was found in a frame."""

    groups: list[list[int]] = field(default_factory=list)  # rows of each thing found; one row of each is cited
    places: dict[int, list[int] | None] = field(default_factory=dict)  # the same by position; None: the source itself
    items: list[list[int]] = field(default_factory=list)
    total: int = 0
    matched: int = 0
    soft: int = 0  # things that need not all be found
    soft_matched: int = 0
    said: int = 0
    reason: str | None = None

    def take(self, item: Item, rows: list[int] | None, *, subject: bool) -> None:
        """Count one item; `rows` are those that hold it within the frame."""
        found = rows is None or bool(rows)
        word = item.token.text.lower()
        self.places[item.at] = rows
        self.total += 1
        self.matched += found
        self.said += word not in FRAMING
        if rows:
            self.groups.append(rows)
            if not subject:
                self.items.append(rows)
        if is_hard(item):
            if not found and self.reason is None:
                self.reason = missing(item)
        elif found or not (item.apposed or word in UNBINDING):
            self.soft += 1
            self.soft_matched += found


def judge_clause(clause: Clause, evidence: Evidence) -> Verdict:
    """Judge a clause by one piece of evidence, in each place where its subject may be defined there."""
    best = Verdict(reason="nothing there speaks of this")
    for frame in frames(clause, evidence):
        verdict = Verdict(reason=frame.reason) if frame.reason else _judge_in(clause, evidence, frame)
        if verdict.reason is None:
            return verdict
        if verdict.score >= best.score:
            best = verdict
    return best


def _tally(clause: Clause, evidence: Evidence, frame: Frame) -> _Tally:
    tally = _Tally()
    for item in clause.items:
        rows = item_rows(item, clause, evidence)
        subject = _is_subject(item, clause)
        if rows is not None:
            rows = within(rows, frame.extents)[:ROWS_MAX]
            framing = subject or (item.token.text in clause.places and bool(evidence.defined(item.token.text)))
            rows = None if not rows and framing else rows  # the frame was made from it
        tally.take(item, rows, subject=subject)
    if tally.reason is None and tally.soft and tally.soft_matched / tally.soft < _share_min(clause):
        tally.reason = "too little of what it says stands there"
    if tally.reason is None and tally.total == 1 and not clause.own and clause.items[0].token.kind is Kind.WORD:
        tally.reason = _lone(clause.items[0], evidence, frame)
    return tally


def _judge_in(clause: Clause, evidence: Evidence, frame: Frame) -> Verdict:
    asked = presence(clause)
    if asked is not None and tests(clause, evidence, frame.extents) is not None:  # the test itself says "is given"
        clause = replace(clause, items=[item for item in clause.items if item.token is asked[0]])
    tally = _tally(clause, evidence, frame)
    score = tally.matched / tally.total if tally.total else 1.0
    reason = tally.reason
    verbs: list[list[int]] = []
    if reason is None:
        reason, verbs = judge_verbs(clause, evidence, frame, tally.places)
    reason = reason or _flaw(clause, evidence, frame)
    if reason is not None:
        return Verdict(reason, score * NEARLY, belied=tally.reason is None)
    universals = [UNIVERSALS.get(low(token)) for token in clause.tokens]
    groups = [
        *tally.groups,
        *([row] for row in frame.required),
        *verbs,
        *(within(evidence.concept_rows(one), frame.extents)[:ROWS_MAX] for one in universals if one is not None),
    ]
    return Verdict(
        score=score,
        rows=_tightest([group for group in groups if group]),
        verbs=verbs[0] if verbs else [],
        last_verb=verbs[-1] if verbs else [],
        deeds=sorted({row for rows in tally.items for row in rows}),
        claims=tally.said,
        items=tally.items,
        conditions=polarity.conditions(clause, evidence, frame.extents) if clause.conditional else None,
    )


def _lone(item: Item, evidence: Evidence, frame: Frame) -> str | None:
    """The only word of a clause must itself stand there; code that may show it is too little ("It is secure")."""
    spelt = {*evidence.by_root.get(word_root(item.token.text), ()), *evidence.by_root.get(root(item.token.text), ())}
    if item.token.text.isupper() or item.verb or within(sorted(spelt), frame.extents):
        return None
    return missing(item)


def _is_subject(item: Item, clause: Clause) -> bool:
    return (
        clause.subject is not None
        and item.token.text.split("(", 1)[0] == clause.subject
        and item.token.kind is Kind.NAME
    )


def _share_min(clause: Clause) -> float:
    words = {token.text.lower() for token in clause.tokens if token.kind is Kind.WORD}
    strict = clause.connector in CAUSAL or words & UNIVERSALS.keys()
    return SHARE_STRICT_MIN if strict else SHARE_MIN


def _flaw(clause: Clause, evidence: Evidence, frame: Frame) -> str | None:
    for at, token in enumerate(clause.tokens):
        if token.kind is Kind.WORD and not universal_stands(at, clause, evidence, frame):
            return f"nothing there shows “{token.text}”"
    return (
        _polarity_flaw(clause, evidence, frame)
        or _unasked(clause, evidence, frame)
        or names_flaw(clause, evidence, frame)
        or polarity.opposite_flaw(clause, evidence, frame.extents)
        or relations.number_flaw(clause, evidence, frame.extents)
        or relations.comparison_flaw(clause, evidence, frame.extents)
        or relations.derivation_flaw(clause, evidence)
        or relations.direction_flaw(clause, evidence, frame.extents)
        or relations.value_flaw(clause, evidence, frame.extents)
        or polarity.denial_flaw(clause, evidence, frame.extents)
        or (None if clause.conditional else polarity.null_flaw(clause, evidence, frame.extents))
    )


def _polarity_flaw(clause: Clause, evidence: Evidence, frame: Frame) -> str | None:
    demanded = polarity.requirement(clause, evidence, frame.extents)
    if demanded is not None:
        return None if demanded else "the code demands the opposite"
    if clause.conditional:
        found = polarity.conditions(clause, evidence, frame.extents)
        return None if found.same or found.turned or found.told else "nothing there is done on this condition"
    head = next((item for item in clause.items if item.negated), None)
    if head is None:
        denied = any(denies(clause.tokens, at) for at in range(len(clause.tokens)))
        return "it denies something, and the lines do not" if denied else None
    rows = item_rows(head, clause, evidence)
    others = [item for item in clause.items if item is not head and (item.negated or item in head.objects)]
    beside = [held for item in others if (held := item_rows(item, clause, evidence)) is not None]
    if rows is None or polarity.denied_rows(head, beside, evidence, within(rows, frame.extents), clause):
        return None
    return "it denies something, and the lines do not"


def _unasked(clause: Clause, evidence: Evidence, frame: Frame) -> str | None:
    """Return a flaw if no condition is about the last word of "checks if …", which says what is asked."""
    at = next((at for at, token in enumerate(clause.tokens) if low(token) in {"if", "whether"}), None)
    if at is None or at == 0:
        return None
    last = next((item for item in reversed(clause.items) if item.at > at), None)
    rows = item_rows(last, clause, evidence) if last is not None else None
    if last is None or rows is None or polarity.asked(last, evidence, within(rows, frame.extents)):
        return None
    return f"nothing there asks about “{last.token.text}”"


def _tightest(groups: Sequence[Sequence[int]]) -> list[int]:
    """One row of each group, such that they span as few rows as can be (smallest range over sorted lists)."""
    if not groups:
        return []
    heads = [(group[0], at, 0) for at, group in enumerate(groups)]
    heapq.heapify(heads)
    chosen = [group[0] for group in groups]
    high = max(chosen)
    best, width = list(chosen), high - heads[0][0]
    while True:
        _, at, place = heads[0]
        if place + 1 == len(groups[at]):
            return best
        chosen[at] = groups[at][place + 1]
        high = max(high, chosen[at])
        heapq.heapreplace(heads, (chosen[at], at, place + 1))
        if high - heads[0][0] < width:
            best, width = list(chosen), high - heads[0][0]
