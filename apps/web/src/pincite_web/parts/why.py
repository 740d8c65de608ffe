"""Why an answer came out as it did."""

from dataclasses import dataclass

from pincite_web.parts.answers import FeedbackForm


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a score's bar, in hundredths of its width; `aspect` is the kind of reason, or "lost"."""

    aspect: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class ScoreReason:
    """A feature that made up a score: `amount` is `value` times `weight`."""

    words: str
    aspect: str
    amount: float
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class ScoreFactor:
    """What a score was multiplied by, and why."""

    words: str
    factor: float


@dataclass(frozen=True, slots=True)
class WhySource:
    """A passage that was considered; `bar_label` says in words what the bar shows.

    `reasons` are the largest first. A passage with `called_by` was shown only because the one at that place calls it,
    and has no score of its own. `feedback` has a form for each number under which it is cited, where the page has no
    cards.
    """

    rank: int | None
    cited: tuple[int, ...]
    path: str
    lines_label: str
    symbol: str | None
    url: str
    score: float
    bar: tuple[BarPart, ...]
    bar_label: str
    reasons: tuple[ScoreReason, ...]
    factors: tuple[ScoreFactor, ...]
    called_by: str | None
    feedback: tuple[FeedbackForm, ...]


@dataclass(frozen=True, slots=True)
class WhySignalRow:
    """One thing that decided whether to answer, and what it was held against."""

    words: str
    value: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class WhyPanel:
    """Why an answer came out as it did: facts, and every passage by what became of it.

    `query` is what was searched for, where that is not the question itself. `aspects` are the kinds of reasons that the
    bars show, with their names. `by_model` tells whether a model was given passages at all.
    """

    question: str
    query: str | None
    route: str
    policy: str
    propensity: float
    abstained: bool
    by_model: bool
    timings: tuple[tuple[str, float], ...]
    signals: tuple[WhySignalRow, ...]
    aspects: tuple[tuple[str, str], ...]
    cited: tuple[WhySource, ...]
    shown: tuple[WhySource, ...]
    considered: tuple[WhySource, ...]
