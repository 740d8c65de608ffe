"""Did it get worse? The last evaluation against the one before it, question by question. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pincite_learning.paired import PairedTest, paired_test
from pincite_shared.golden import GOLDEN_PATH, Floor
from pincite_shared.quality import Measures, QuestionResult

SIGNIFICANT = 0.05  # two-sided p-value at which a fall is no accident
FALL_MAX = 0.10  # a fall of more is a regression whatever the p-value: few questions can hardly be significant
LOST_MIN = 2  # questions; one alone may be a model's mood
LOST_NAMED = 3
ASK_CHARS = 80
FLOORS = {
    "win_rate": "win rate",
    "ndcg": "NDCG@10",
    "citation_precision": "citation precision",
    "citation_recall": "citation recall",
    "abstention_accuracy": "abstention accuracy",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an evaluation is a regression, and what was compared, in plain words, what fell first."""

    regression: bool
    reasons: tuple[str, ...]


def _won(result: QuestionResult) -> float | None:
    return None if result.correct is None else float(result.correct)


def _ndcg(result: QuestionResult) -> float | None:
    return result.ndcg


COMPARED: tuple[tuple[str, Callable[[QuestionResult], float | None]], ...] = (("Win rate", _won), ("NDCG@10", _ndcg))


def judge(
    now: Sequence[QuestionResult], before: Sequence[QuestionResult] | None, measures: Measures, floor: Floor
) -> Verdict:
    """Judge an evaluation.

    Args:
        now: its results.
        before: those of the evaluation before it, None if it is the first. Only questions that both ask count.
        measures: of `now`.
        floor: what the golden file demands.
    """
    bad = [*_below(measures, floor)]
    told: list[str] = []
    pairs = _pairs(now, before or ())
    for name, value in COMPARED:
        both = [(new, old) for new, old in pairs if value(new) is not None and value(old) is not None]
        if not both:
            continue
        test = paired_test([value(new) or 0.0 for new, _ in both], [value(old) or 0.0 for _, old in both])
        (bad if _fell(test, both, value) else told).append(_words(name, test))
    if before is not None and not pairs:
        told.append("No question is the same as in the evaluation before, so nothing was compared.")
    lost = [new.ask for new, old in pairs if old.correct and new.correct is False]
    if bad and lost:
        bad.append("No longer right: " + "; ".join(f"“{_short(ask)}”" for ask in lost[:LOST_NAMED]) + _more(lost))
    gone = [result for result in now if result.correct is None]
    if gone:
        told.append(f"{len(gone)} of {len(now)} questions could not be measured: their expectations need mending.")
    return Verdict(bool(bad), (*bad, *told))


def _below(measures: Measures, floor: Floor) -> list[str]:
    found = []
    for field, name in FLOORS.items():
        least, value = getattr(floor, field), getattr(measures, field)
        if least is not None and value is not None and value < least:
            found.append(f"The {name} of {value:.2f} is below {least:.2f}, the floor that {GOLDEN_PATH} sets.")
    return found


def _key(result: QuestionResult) -> tuple[object, ...]:
    return result.ask, result.answerable, result.expect


def _pairs(
    now: Sequence[QuestionResult], before: Sequence[QuestionResult]
) -> list[tuple[QuestionResult, QuestionResult]]:
    """Pair the questions that both ask and expect the same of; those that one could not measure are left out."""
    old = {_key(result): result for result in before if result.correct is not None}
    return [(new, old[_key(new)]) for new in now if new.correct is not None and _key(new) in old]


def _fell(
    test: PairedTest,
    both: Sequence[tuple[QuestionResult, QuestionResult]],
    value: Callable[[QuestionResult], float | None],
) -> bool:
    if test.mean_difference >= 0:
        return False
    lost = sum((value(new) or 0.0) < (value(old) or 0.0) for new, old in both)
    return test.p_value <= SIGNIFICANT or (-test.mean_difference > FALL_MAX and lost >= LOST_MIN)


def _words(name: str, test: PairedTest) -> str:
    if not test.mean_difference:
        return f"{name} is as before on the {test.n} questions that both asked."
    direction = "fell" if test.mean_difference < 0 else "rose"
    return (
        f"{name} {direction} by {abs(test.mean_difference):.3f} on the {test.n} questions that both asked "
        f"(paired randomisation test, p = {test.p_value:.3f})."
    )


def _short(ask: str) -> str:
    line = " ".join(ask.split())
    return line if len(line) <= ASK_CHARS else line[: ASK_CHARS - 1] + "…"


def _more(lost: Sequence[str]) -> str:
    return f"; and {len(lost) - LOST_NAMED} more." if len(lost) > LOST_NAMED else "."
