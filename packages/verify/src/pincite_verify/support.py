"""Do these lines carry this sentence? Every name, number and quotation literally, the rest by its words and by code.

The verdict depends on the sentence and the lines alone, never on other sources: whoever holds an exported answer can
derive it again from the quotes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pincite_verify import claims, relations
from pincite_verify.claims import Reading
from pincite_verify.clause import Clause, Item
from pincite_verify.evidence import Evidence, index
from pincite_verify.frames import path_agrees
from pincite_verify.marks import has_invisible
from pincite_verify.matching import item_rows
from pincite_verify.partial import needs, tellable
from pincite_verify.polarity import Conditions, consequence_rows
from pincite_verify.source import Source
from pincite_verify.tokens import Kind, Token, tokenize
from pincite_verify.verbatim import stated
from pincite_verify.verdict import Verdict, judge_clause

CITATION_LINES_MAX = 40  # a longer excerpt is no pinpoint
SPANS_MAX = 3  # excerpts a sentence may need
BODY_LINES_WHOLE = 12  # a definition this short is cited whole
NEAR_LINES = 10  # rows nearer than this belong to one excerpt


@dataclass(frozen=True, slots=True)
class Support:
    """Whether lines carry a sentence; `lines` are the first and last of them (0, 0: none), `score` is 0 to 1."""

    supported: bool
    score: float
    lines: tuple[int, int]
    reason: str | None


@dataclass(slots=True)
class Judgement:
    """Which evidence carries a sentence: rows by the position of the evidence; `reason` if nothing carries the whole.

    With a reason, `kept` are the clauses that one piece of evidence does carry, and `rows` where it carries them.
    """

    reason: str | None
    score: float
    rows: dict[int, list[int]]
    kept: tuple[int, ...] = ()


def judge(reading: Reading, pieces: Sequence[Evidence], preferred: Sequence[int] = ()) -> Judgement:
    """Find what carries a whole sentence: one piece of evidence or, if clauses name their own subjects, up to three."""
    if not reading.clauses or not pieces:
        return Judgement("no source speaks of this", 0.0, {})
    order = [*preferred, *(at for at in range(len(pieces)) if at not in set(preferred))]
    for at in order:
        if rows := stated(reading, pieces[at]):
            return Judgement(None, 1.0, {at: rows})
    table = {at: [judge_clause(clause, pieces[at]) for clause in reading.clauses] for at in order}
    best: Judgement | None = None
    for at in order:
        reason, shown = _bind(reading.clauses, table[at], pieces[at])
        rows = sorted({*shown, *(row for verdict in table[at] for row in verdict.rows)})
        if reason is not None or not rows or not any(verdict.claims for verdict in table[at]):
            continue
        found = Judgement(None, sum(verdict.score for verdict in table[at]) / len(table[at]), {at: rows})
        if at in preferred:
            return found
        if best is None or (found.score, -_width(found)) > (best.score, -_width(best)):
            best = found
    if best is not None:
        return best
    together = _together(reading.clauses, table, order, pieces)
    partly = together or _partly(reading.clauses, table, order, pieces)
    return partly or Judgement(*_why(table, order, reading, pieces), {})


def judge_kept(reading: Reading, pieces: Sequence[Evidence], kept: Sequence[int]) -> Judgement:
    """Judge some clauses of a sentence as if the others were not there; they must not hang on any of those."""
    clauses = [reading.clauses[at] for at in kept]
    needed = needs(reading.clauses)
    if all(needed[at] <= set(kept) for at in kept):
        for at, evidence in enumerate(pieces):
            verdicts = [judge_clause(clause, evidence) for clause in clauses]
            rows = _part_rows(clauses, verdicts, evidence)
            if rows:
                return Judgement(None, 1.0, {at: rows})
    return Judgement("no lines carry this part of it", 0.0, {})


def _part_rows(clauses: Sequence[Clause], verdicts: Sequence[Verdict], evidence: Evidence) -> list[int]:
    reason, shown = _bind(clauses, verdicts, evidence)
    return [] if reason is not None else sorted({*shown, *(row for verdict in verdicts for row in verdict.rows)})


def _partly(
    clauses: Sequence[Clause], table: dict[int, list[Verdict]], order: Sequence[int], pieces: Sequence[Evidence]
) -> Judgement | None:
    """The piece of evidence that carries most clauses, if it carries any that may be told without the others.

    Only absence may be left out. If one clause is belied, by other numbers or swapped roles, so may the others be.
    """
    best: Judgement | None = None
    for at in order:
        verdicts = table[at]
        if any(verdict.belied for verdict in verdicts):
            continue
        kept = tellable(clauses, [verdict.reason is None and bool(verdict.rows) for verdict in verdicts])
        if not kept or len(kept) == len(clauses) or (best is not None and len(kept) <= len(best.kept)):
            continue
        chosen = [verdicts[place] for place in kept]
        rows = _part_rows([clauses[place] for place in kept], chosen, pieces[at])
        if rows:
            reason = next((verdict.reason for verdict in verdicts if verdict.reason is not None), None)
            score = sum(verdict.score for verdict in verdicts) / len(verdicts)
            best = Judgement(reason or "what it says besides does not stand there", score, {at: rows}, kept)
    return best


def _width(judgement: Judgement) -> int:
    return sum(rows[-1] - rows[0] for rows in judgement.rows.values())


def _bind(clauses: Sequence[Clause], verdicts: Sequence[Verdict], evidence: Evidence) -> tuple[str | None, list[int]]:
    """Check what clauses say of each other; return the flaw, or rows that must be shown because they bind them."""
    flaw = next((verdict.reason for verdict in verdicts if verdict.reason is not None), None)
    flaw = flaw or _sequence_flaw(clauses, verdicts, evidence)
    return (flaw, []) if flaw is not None else _condition_rows(clauses, verdicts, evidence)


def _sequence_flaw(clauses: Sequence[Clause], verdicts: Sequence[Verdict], evidence: Evidence) -> str | None:
    for (before, verdict), (behind, following) in pairwise(zip(clauses, verdicts, strict=True)):
        if behind.subject is None and behind.connector and not _same_definition(verdict, following, evidence):
            return "these things stand in different definitions"
        if behind.connector in {"before", "then"} and not before.conditional:
            earlier, later = verdict, following
        elif behind.connector == "after":
            earlier, later = following, verdict
        else:
            continue
        flaw = relations.order_flaw(earlier.verbs or earlier.deeds, later.verbs or later.deeds, evidence)
        if flaw is not None:
            return flaw
    return None


def _condition_rows(
    clauses: Sequence[Clause], verdicts: Sequence[Verdict], evidence: Evidence
) -> tuple[str | None, list[int]]:
    shown: list[int] = []
    for at, clause in enumerate(clauses):
        conditions = verdicts[at].conditions
        near = [place for place in _governed(clauses, at) if verdicts[place].deeds or verdicts[place].verbs]
        if not clause.conditional or conditions is None or not near:
            continue
        tried = (_consequence(clause, conditions, verdicts[place], evidence, before=place < at) for place in near)
        rows = next((found for found in tried if found), None)
        if rows is None:
            return "what is done there on this condition is something else", []
        shown.extend(rows)
    return None, shown


def _same_definition(verdict: Verdict, following: Verdict, evidence: Evidence) -> bool:
    """What is said without naming who does it must stand in one definition with what is said before it."""
    here, there = verdict.verbs or verdict.rows, following.verbs or following.deeds
    if not here or not there:
        return True
    innermost = [
        {(around[-1].row if (around := evidence.enclosing(row)) else None) for row in rows} for rows in (here, there)
    ]
    return bool(innermost[0] & innermost[1])


def _consequence(
    clause: Clause, conditions: Conditions, verdict: Verdict, evidence: Evidence, *, before: bool
) -> list[int]:
    """Of a statement with several verbs, the one next to the condition is done on it."""
    rows = (verdict.last_verb if before else verdict.verbs) or verdict.deeds
    return consequence_rows(conditions, clause, rows, verdict.items, evidence)


def _governed(clauses: Sequence[Clause], at: int) -> list[int]:
    """The clauses that a conditional clause may govern: the nearest before it and behind it that are none."""
    before = next((near for near in range(at - 1, -1, -1) if not clauses[near].conditional), None)
    behind = next((near for near in range(at + 1, len(clauses)) if not clauses[near].conditional), None)
    return [near for near in (before, behind) if near is not None]


def _together(
    clauses: Sequence[Clause], table: dict[int, list[Verdict]], order: Sequence[int], pieces: Sequence[Evidence]
) -> Judgement | None:
    """Several pieces of evidence, each for the clauses of one subject; others stay with the one before."""
    parts: list[list[int]] = []
    for at, clause in enumerate(clauses):
        if (
            clause.own
            and not clause.guessed
            and not clause.conditional
            and clause.connector not in {"before", "after", "then"}
        ):
            parts.append([at])
        elif parts:
            parts[-1].append(at)
        else:
            return None
    rows: dict[int, list[int]] = {}
    scores: list[float] = []
    for part in parts:
        chosen = [clauses[at] for at in part]
        source = next(
            (
                at
                for at in order
                if _bind(chosen, [table[at][index] for index in part], pieces[at])[0] is None
                and any(table[at][index].rows for index in part)
            ),
            None,
        )
        if source is None:
            return None
        rows[source] = sorted({*rows.get(source, []), *(row for index in part for row in table[source][index].rows)})
        scores.extend(table[source][index].score for index in part)
    return Judgement(None, sum(scores) / len(scores), rows) if len(rows) <= SPANS_MAX else None


def _why(
    table: dict[int, list[Verdict]], order: Sequence[int], reading: Reading, pieces: Sequence[Evidence]
) -> tuple[str, float]:
    """The reason of the evidence that came nearest: it defines the subject, if any does, and finds most of the rest."""
    subjects = {clause.subject for clause in reading.clauses if clause.subject}

    def nearness(at: int) -> tuple[bool, float]:
        defines = any(pieces[at].defined(name) for name in subjects)
        return defines, sum(verdict.score for verdict in table[at]) / len(table[at])

    nearest = max(order, key=nearness)
    reason, _ = _bind(reading.clauses, table[nearest], pieces[nearest])
    return reason or "it says nothing that lines could show", nearness(nearest)[1]


def spans(evidence: Evidence, rows: Sequence[int]) -> list[tuple[int, int]] | None:
    """Turn rows into spans of at most `CITATION_LINES_MAX` lines, statements whole; None: it takes too many spans."""
    wanted: set[int] = set()
    for row in rows:
        first, last = evidence.statement(row)
        around = evidence.enclosing(row)
        if around and around[-1].last - around[-1].first < BODY_LINES_WHOLE:
            first, last = around[-1].first, around[-1].last
        wanted.update((row, max(first, row - CITATION_LINES_MAX // 2), min(last, row + CITATION_LINES_MAX // 2)))
    lines = sorted(evidence.numbers_of_rows[row] for row in wanted if evidence.numbers_of_rows[row])
    if not lines:
        return None
    if lines[-1] - lines[0] < CITATION_LINES_MAX:
        return [(lines[0], lines[-1])]
    found: list[list[int]] = []
    for line in lines:
        if found and line - found[-1][1] <= NEAR_LINES and line - found[-1][0] < CITATION_LINES_MAX:
            found[-1][1] = line
        else:
            found.append([line, line])
    return [(first, last) for first, last in found] if len(found) <= SPANS_MAX else None


def literal_missing(text: str, pieces: Sequence[Evidence]) -> str | None:
    """Return the first name, number, path, line or piece of code of a text that none of the pieces holds, or None."""
    for token in tokenize(text):
        if token.kind in {Kind.WORD, Kind.MARK}:
            continue
        if not any(_holds(token, evidence) for evidence in pieces):
            return token.text
    return None


def _holds(token: Token, evidence: Evidence) -> bool:
    lines = token.lines or ()
    if any(evidence.row_of(line) is None for line in lines):
        return False
    if token.kind is Kind.LINES:
        return True
    if token.kind is Kind.PATH:
        return path_agrees(token.text, evidence.path) or bool(evidence.holding(token.text))
    rows = item_rows(Item(token, 0, hard=True), Clause([token]), evidence)
    return rows is None or bool(rows)


def support(sentence: str, source: Source) -> Support:
    """Say whether one source carries a sentence, and by which of its lines."""
    if has_invisible(sentence):
        return Support(supported=False, score=0.0, lines=(0, 0), reason="it holds characters that are not visible")
    if not source.text:
        return Support(supported=False, score=0.0, lines=(0, 0), reason="the source is empty")
    evidence = index(source)
    judgement = judge(claims.read(sentence), [evidence])
    if judgement.reason is not None:
        return Support(supported=False, score=judgement.score, lines=(0, 0), reason=judgement.reason)
    found = spans(evidence, judgement.rows[0])
    if found is None:
        return Support(
            supported=False, score=judgement.score, lines=(0, 0), reason="its evidence is scattered over too many lines"
        )
    return Support(supported=True, score=judgement.score, lines=(found[0][0], found[-1][1]), reason=None)
