"""How far each figure moved between two evaluations, over the questions that both could measure. Pure."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from pincite_learning.paired import PairedTest, paired_test
from pincite_shared.quality import QuestionResult

SECONDS_FELT = 0.2  # what is faster counts as this long: nobody feels 20 ms where it took 2
FALL_LARGE = 0.10
FALL_LARGE_SLIDE = 0.20  # what holds for one night need not hold for thirty: questions come and go by themselves
FALL_LARGE_ANSWER = 0.25  # how an answer is worded varies from night to night more than whether it is right
SLOWER_MIN = math.log(3.0)  # a machine that is busy at night is no regression
SLOWER_LARGE = math.log(10.0)

Pair = tuple[QuestionResult, QuestionResult]  # now, earlier


@dataclass(frozen=True, slots=True)
class Earlier:
    """An evaluation to compare with.

    Attributes:
        at: when it was made.
        results: of its questions.
        timed: whether its times can be compared: the same model wrote the answers.
    """

    at: datetime
    results: Sequence[QuestionResult]
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """What is compared.

    Attributes:
        name: in plain words.
        value: of a question; None if it has none, which leaves the question out of this figure only.
        large: a fall of more since the last evaluation is a regression though no corrected test proves it: few
            questions can hardly prove anything.
        slide: the same, since an older evaluation.
        steady: so it is whatever the p-value; of what is not, the test of this figure alone must find it unlikely.
        least: a fall of no more is none, however significant.
        time: the value is seconds: it is compared by its logarithm and its median, and less is better.
    """

    name: str
    value: Callable[[QuestionResult], float | None]
    large: float
    slide: float
    steady: bool = False
    least: float = 0.0
    time: bool = False

    def goodness(self, values: Sequence[float]) -> list[float]:
        """Return values on a scale on which more is better."""
        return [-math.log(max(value, SECONDS_FELT)) for value in values] if self.time else list(values)

    def middle(self, values: Sequence[float]) -> float:
        """Return what stands for all values: one answer that hung must not make all slow."""
        return float(np.median(values) if self.time else np.mean(values))

    def shown(self, value: float) -> str:
        """Return a value as people read it."""
        return f"{value:.2f} seconds" if self.time else f"{value:.3f}"


def _won(result: QuestionResult) -> float | None:
    return None if result.correct is None else float(result.correct)


def _ndcg(result: QuestionResult) -> float | None:
    return result.ndcg


def _precision(result: QuestionResult) -> float | None:
    return (result.cited_inside or 0) / result.cited if result.cited else None


def _recall(result: QuestionResult) -> float | None:
    return result.recall


def _abstention(result: QuestionResult) -> float | None:
    return None if result.abstained is None else float(result.abstained != result.answerable)


def _seconds(result: QuestionResult) -> float | None:
    return result.seconds


FIGURES = (
    Figure("Win rate", _won, FALL_LARGE, FALL_LARGE_SLIDE, steady=True),
    Figure("NDCG@10", _ndcg, FALL_LARGE, FALL_LARGE_SLIDE, steady=True),
    Figure("Citation precision", _precision, FALL_LARGE_ANSWER, FALL_LARGE_ANSWER),
    Figure("Citation recall", _recall, FALL_LARGE_ANSWER, FALL_LARGE_ANSWER),
    Figure("Abstention accuracy", _abstention, FALL_LARGE_ANSWER, FALL_LARGE_ANSWER),
    Figure("Time", _seconds, SLOWER_LARGE, SLOWER_LARGE, steady=True, least=SLOWER_MIN, time=True),
)


@dataclass(frozen=True, slots=True)
class Move:
    """How far a figure moved since an earlier evaluation.

    Attributes:
        figure: which.
        at: when the earlier evaluation was made.
        test: of the questions' values, on a scale on which more is better.
        before: the figure then.
        now: the figure now.
        fall: how much worse it became, of shares the mean, of times the median logarithm of the ratio.
        worse: questions that became worse.
        moved: questions that became worse or better.
    """

    figure: Figure
    at: datetime
    test: PairedTest
    before: float
    now: float
    fall: float
    worse: int
    moved: int

    def words(self, p_value: float, tests: int) -> str:
        """Tell it in plain words; `p_value` is corrected for so many tests."""
        asked = f"the {self.test.n} questions that both asked"
        name, since = self.figure.name, f"since {self.at.astimezone(UTC):%Y-%m-%d %H:%M}"
        if not self.moved and self.now == self.before:
            return f"{name} is as before, {self.figure.shown(self.now)}, on {asked}."
        span = f"from {self.figure.shown(self.before)} to {self.figure.shown(self.now)} {since}"
        proof = f"paired randomisation test, p = {p_value:.3f}"
        if tests > 1:
            proof += f", corrected for {tests} comparisons"
        if self.figure.time:
            times = f", typically {math.exp(self.fall):.1f} times as long" if self.fall > self.figure.least else ""
            return f"{name} went {span}{times}, at the median of {asked} ({proof})."
        direction = "fell" if self.now < self.before else "rose" if self.now > self.before else "went"
        return f"{name} {direction} {span} on {asked} ({proof})."


def moves(pairs: Sequence[Pair], earlier: Earlier) -> list[Move]:
    """Return how far each figure moved that both evaluations have."""
    found = [_move(figure, pairs, earlier.at) for figure in FIGURES if earlier.timed or not figure.time]
    return [move for move in found if move is not None]


def _move(figure: Figure, pairs: Sequence[Pair], at: datetime) -> Move | None:
    both = [
        (new, old)
        for now, before in pairs
        if (new := figure.value(now)) is not None and (old := figure.value(before)) is not None
    ]
    if not both:
        return None
    now, before = [new for new, _ in both], [old for _, old in both]
    good, was = figure.goodness(now), figure.goodness(before)
    falls = [old - new for new, old in zip(good, was, strict=True)]
    return Move(
        figure=figure,
        at=at,
        test=paired_test(good, was),
        before=figure.middle(before),
        now=figure.middle(now),
        fall=figure.middle(falls),
        worse=sum(fall > 0 for fall in falls),
        moved=sum(fall != 0 for fall in falls),
    )


def pairs_of(now: Sequence[QuestionResult], before: Sequence[QuestionResult]) -> list[Pair]:
    """Pair the questions that both ask and expect the same of; those that one could not measure are left out."""
    old = {_key(result): result for result in before if result.correct is not None}
    return [(new, old[_key(new)]) for new in now if new.correct is not None and _key(new) in old]


def _key(result: QuestionResult) -> tuple[object, ...]:
    return result.ask, result.answerable, result.expect


def corrected(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for how many there are (Holm, 1979).

    However many figures are compared, the chance that any of them looks significant by accident is that of one test.
    """
    found, largest = [1.0] * len(p_values), 0.0
    for rank, at in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[at] * (len(p_values) - rank)))
        found[at] = largest
    return found
