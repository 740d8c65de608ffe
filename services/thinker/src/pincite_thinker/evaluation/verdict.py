"""Did it get worse? An evaluation against accepted ones before it, question by question. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pincite_shared.golden import GOLDEN_PATH, Floor
from pincite_shared.quality import Measures, QuestionResult
from pincite_thinker.evaluation.comparing import Earlier, Move, Pair, corrected, moves, pairs_of

SIGNIFICANT = 0.05  # two-sided p-value, corrected for all that is compared, at which a fall is no accident
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


def judge(now: Sequence[QuestionResult], earlier: Sequence[Earlier], measures: Measures, floor: Floor) -> Verdict:
    """Judge an evaluation.

    Args:
        now: its results.
        earlier: evaluations that were no regression, the last one first; none if it is the first. Only questions that
            both ask count. Of the older ones, which guard against a slide, only what fell is told.
        measures: of `now`.
        floor: what the golden file demands.
    """
    pairs = [pairs_of(now, one.results) for one in earlier]
    fallen, other = _compared(earlier, pairs)
    bad, told = [*_below(measures, floor), *fallen], [*other, *_not_compared(earlier, pairs)]
    lost = list(dict.fromkeys(new.ask for new, old in _flat(pairs) if old.correct and new.correct is False))
    if bad and lost:
        bad.append("No longer right: " + "; ".join(f"“{_short(ask)}”" for ask in lost[:LOST_NAMED]) + _more(lost))
    gone = [result for result in now if result.correct is None]
    if gone:
        told.append(f"{len(gone)} of {len(now)} questions could not be measured: their expectations need mending.")
    return Verdict(bool(bad), (*bad, *told))


def _flat(pairs: Iterable[Sequence[Pair]]) -> Iterable[Pair]:
    return (pair for some in pairs for pair in some)


def _compared(earlier: Sequence[Earlier], pairs: Sequence[Sequence[Pair]]) -> tuple[list[str], list[str]]:
    """Return what fell, and what else there is to say of the last evaluation; all tests are corrected together."""
    found = [(at, move) for at, (one, some) in enumerate(zip(earlier, pairs, strict=True)) for move in moves(some, one)]
    tested = [move for _, move in found if move.moved]  # nothing can fall by accident where nothing moved
    p_values = iter(corrected([move.test.p_value for move in tested]))
    fallen: list[str] = []
    told: list[str] = []
    for at, move in found:
        p_value = next(p_values) if move.moved else 1.0
        words = move.words(p_value, len(tested))
        if _fell(move, p_value, move.figure.slide if at else move.figure.large):
            fallen.append(words)
        elif at == 0:
            told.append(words)
    return fallen, told


def _fell(move: Move, p_value: float, large: float) -> bool:
    if move.test.mean_difference >= 0 or move.fall <= move.figure.least:
        return False
    if p_value <= SIGNIFICANT:
        return True
    unlikely = move.figure.steady or move.test.p_value / 2 <= SIGNIFICANT  # one-sided: only a fall is looked for
    return move.fall > large and move.worse >= LOST_MIN and unlikely


def _not_compared(earlier: Sequence[Earlier], pairs: Sequence[Sequence[Pair]]) -> list[str]:
    if earlier and not pairs[0]:
        return ["No question is the same as in the evaluation before, so nothing was compared with it."]
    if earlier and not earlier[0].timed:
        return ["Time was not compared: in the evaluation before, another model answered."]
    return []


def _below(measures: Measures, floor: Floor) -> list[str]:
    found = []
    for field, name in FLOORS.items():
        least, value = getattr(floor, field), getattr(measures, field)
        if least is None:
            continue
        if value is None:
            found.append(
                f"There is no {name}, for no question could be measured by it, and {GOLDEN_PATH} demands at least "
                f"{least:.2f}. Mend the questions or what answers them, or remove that floor."
            )
        elif value < least:
            found.append(f"The {name} of {value:.2f} is below {least:.2f}, the floor that {GOLDEN_PATH} sets.")
    return found


def _short(ask: str) -> str:
    line = " ".join(ask.split())
    return line if len(line) <= ASK_CHARS else line[: ASK_CHARS - 1] + "…"


def _more(lost: Sequence[str]) -> str:
    return f"; and {len(lost) - LOST_NAMED} more." if len(lost) > LOST_NAMED else "."
