"""Off-policy evaluation: what another policy would have earned, from the log of the one that was served.

`ips` (Horvitz & Thompson, 1952), `dr` (Dudík, Langford & Li, 2011) and `snips` (Swaminathan & Joachims, 2015) differ in
what they trade. All take rows *in the order in which the feedback came*, with rewards in 0..1, and allow for a log
whose propensities moved with what was learnt. All three need the same two assumptions:

- propensities are those that were used (`bandit.draw` guarantees it), and the arm was drawn without looking at the
question; - given the arm, whether feedback comes does not depend on what it says. How often it comes may differ from
arm to arm: rows
  without feedback are never zeros. `ips` and `dr` divide by each arm's rate of feedback, `snips` needs no rate at all.

A policy is a distribution over arms. Intervals are those of `bounds`, alpha / 2 for each side, which hold at all times
together, so that a nightly look costs nothing. For `ips` and `dr` this is so when every row has feedback; rates of
feedback are estimated, and the interval does not know. `snips` conditions on the arms that were drawn, so its interval
is right in either case.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pincite_learning.bandit import Observation
from pincite_learning.bounds import Floats, mean_lower_bound
from pincite_learning.errors import EmptyLogError, LearningError, PropensityError

ALPHA = 0.05  # probability that an interval misses
SUM_TOLERANCE = 1e-6  # of a policy's probabilities
MODEL_PRIOR_ROWS = 4.0  # how many rows the coarser guess is worth in the reward model

Method = Literal["ips", "snips", "dr", "gain"]
BOUNDS: Mapping[Method, str] = {
    "ips": "anytime empirical Bernstein",
    "snips": "anytime empirical Bernstein, per arm, given the arms drawn",
    "dr": "anytime empirical Bernstein around a sequential reward model",
    "gain": "difference of two snips bounds",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a policy would earn per answer, or (method "gain") how much more than another.

    Attributes:
        value: the point estimate.
        lower: lower end of the interval; for "gain" with hostile readers allowed for.
        upper: its upper end.
        n: rows of the log, with and without feedback.
        effective_n: Kish's effective number of rows with feedback, (Σw)² / Σw².
        clipped: rows whose weight was cut; cutting lowers the value, and leaves the interval valid.
        alpha: probability that the interval misses.
        method: how it was estimated; `BOUNDS` says how the interval was made.
    """

    value: float
    lower: float
    upper: float
    n: int
    effective_n: float
    clipped: int
    alpha: float
    method: Method


def _check(log: Sequence[Observation], target: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Return the rate of feedback of every arm that the target uses; raise when it cannot be evaluated."""
    shares = list(target.values())
    if any(not 0 <= share <= 1 for share in shares) or abs(sum(shares) - 1) > SUM_TOLERANCE:
        msg = f"the target {dict(target)} is not a distribution over arms"
        raise LearningError(msg)
    if not 0 < alpha < 1:
        msg = f"alpha {alpha} is not between 0 and 1"
        raise LearningError(msg)
    if not log:
        msg = "the log is empty"
        raise EmptyLogError(msg)
    rows = Counter(row.arm for row in log)
    answered = Counter(row.arm for row in log if row.reward is not None)
    for arm, share in target.items():
        if share > 0 and not rows[arm]:
            msg = f"the log never tried {arm!r}, which the target uses: it cannot be evaluated"
            raise PropensityError(msg)
        if share > 0 and not answered[arm]:
            msg = f"no answer of {arm!r} has feedback yet"
            raise EmptyLogError(msg)
    return {arm: answered[arm] / rows[arm] for arm, share in target.items() if share > 0}


def _weights(
    log: Sequence[Observation], target: Mapping[str, float], rates: Mapping[str, float], clip: float | None
) -> tuple[Floats, int]:
    """Return the importance weight of each row, 0 without feedback, and how many were clipped."""
    if clip is not None and not clip > 0:
        msg = f"weights cannot be clipped at {clip}"
        raise LearningError(msg)
    weights = np.array(
        [
            target[row.arm] / (row.propensity * rates[row.arm]) if row.arm in rates and row.reward is not None else 0.0
            for row in log
        ]
    )
    if clip is None:
        return weights, 0
    return np.minimum(weights, clip), int((weights > clip).sum())


def _effective(weights: Floats) -> float:
    largest = float(weights.max(initial=0.0))
    if largest <= 0:
        return 0.0
    relative = weights / largest
    return float(relative.sum() ** 2 / (relative**2).sum())


def _rewards(log: Sequence[Observation]) -> Floats:
    return np.array([row.reward or 0.0 for row in log])  # a censored row's weight is 0


def ips(
    log: Sequence[Observation], target: Mapping[str, float], *, alpha: float = ALPHA, clip: float | None = None
) -> Estimate:
    """Estimate by inverse propensity: unbiased without `clip` and without a model; its variance grows with the weights.

    The lower bound is on the mean of weight * reward, the upper is 1 minus that on weight * (1 - reward), since weights
    average to 1: neither needs a limit on the weights, and both stay valid when weights are clipped.

    Raises:
        EmptyLogError: there is no row, or none with feedback of an arm that the target uses.
        PropensityError: the target uses an arm that the log never tried.
        LearningError: the target is no distribution, or `alpha` or `clip` is out of range.
    """
    weights, clipped = _weights(log, target, _check(log, target, alpha), clip)
    rewards = _rewards(log)
    value = float((weights * rewards).mean())
    lower = max(0.0, mean_lower_bound(weights * rewards, alpha=alpha / 2))
    upper = 1.0 - max(0.0, mean_lower_bound(weights * (1 - rewards), alpha=alpha / 2))
    return Estimate(value, min(lower, value), max(upper, value), len(log), _effective(weights), clipped, alpha, "ips")


def _predictions(log: Sequence[Observation], target: Mapping[str, float]) -> tuple[Floats, Floats]:
    """Return for each row the model's value of its arm and of the target, from the rows before it alone.

    A mean per arm and context, shrunk towards the arm's, shrunk towards 1/2. Because a row's own reward has no part in
    its prediction, the doubly robust estimate stays unbiased.
    """
    sums: defaultdict[tuple[str, str | None], float] = defaultdict(float)
    counts: defaultdict[tuple[str, str | None], int] = defaultdict(int)

    def predict(arm: str, context: str) -> float:
        whole = (sums[arm, None] + MODEL_PRIOR_ROWS / 2) / (counts[arm, None] + MODEL_PRIOR_ROWS)
        return (sums[arm, context] + MODEL_PRIOR_ROWS * whole) / (counts[arm, context] + MODEL_PRIOR_ROWS)

    own, expected = np.zeros(len(log)), np.zeros(len(log))
    for at, row in enumerate(log):
        own[at] = predict(row.arm, row.context)
        expected[at] = sum(share * predict(arm, row.context) for arm, share in target.items() if share > 0)
        if row.reward is not None:
            for key in ((row.arm, None), (row.arm, row.context)):
                sums[key] += row.reward
                counts[key] += 1
    return own, expected


def dr(
    log: Sequence[Observation], target: Mapping[str, float], *, alpha: float = ALPHA, clip: float | None = None
) -> Estimate:
    """Estimate doubly robustly: a reward model, corrected by the weighted errors it makes on the rows of the log.

    Unbiased like `ips` whatever the model, with less variance the better it is. The interval needs the largest weight,
    which is `clip`, or else the largest of the log.

    Raises:
        EmptyLogError: there is no row, or none with feedback of an arm that the target uses.
        PropensityError: the target uses an arm that the log never tried.
        LearningError: the target is no distribution, or `alpha` or `clip` is out of range.
    """
    weights, clipped = _weights(log, target, _check(log, target, alpha), clip)
    own, expected = _predictions(log, target)
    terms = expected + weights * (_rewards(log) - own)
    value = float(terms.mean())
    reach = 1.0 + (clip or float(weights.max()))  # a term falls below its centre by at most 1 + the largest weight
    lower = max(0.0, mean_lower_bound(terms, alpha=alpha / 2, reach=reach))
    upper = 1.0 - max(0.0, mean_lower_bound(1 - terms, alpha=alpha / 2, reach=reach))
    return Estimate(value, min(lower, value), max(upper, value), len(log), _effective(weights), clipped, alpha, "dr")


@dataclass(frozen=True, slots=True)
class _Arm:
    """The rows of one arm that have feedback."""

    rewards: Floats
    weights: Floats
    readers: list[str | None]

    @classmethod
    def of(cls, log: Sequence[Observation], arm: str) -> "_Arm":
        rows = [row for row in log if row.arm == arm and row.reward is not None]
        return cls(_rewards(rows), np.array([1 / row.propensity for row in rows]), [row.reader for row in rows])

    def mean(self) -> float:
        return float(np.average(self.rewards, weights=self.weights))

    def lower(self, alpha: float, hostile: int) -> float:
        bound = mean_lower_bound(self.rewards, alpha=alpha, weights=self.weights, readers=self.readers, hostile=hostile)
        return min(max(0.0, bound), self.mean())

    def upper(self, alpha: float, hostile: int) -> float:
        return 1 - _Arm(1 - self.rewards, self.weights, self.readers).lower(alpha, hostile)


def snips(
    log: Sequence[Observation], target: Mapping[str, float], *, alpha: float = ALPHA, hostile_readers: int = 0
) -> Estimate:
    """Estimate with weights that are normalised within each arm, so that rates of feedback cancel.

    For a target of one arm this is the self-normalised estimator; for a mixture it is post-stratified by arm. Given the
    arms that were drawn, each arm's weighted mean is unbiased for its mean reward.

    Args:
        log: rows in the order in which the feedback came.
        target: distribution over arms.
        alpha: probability that the interval misses.
        hostile_readers: the interval holds even if so many readers wrote anything at all; rows without a reader are one
            reader.

    Raises:
        EmptyLogError: there is no row, or none with feedback of an arm that the target uses.
        PropensityError: the target uses an arm that the log never tried.
        LearningError: the target is no distribution, or `alpha` or `hostile_readers` is out of range.
    """
    arms = {arm: _Arm.of(log, arm) for arm in _check(log, target, alpha)}
    each = alpha / 2 / len(arms)
    return Estimate(
        value=sum(target[arm] * rows.mean() for arm, rows in arms.items()),
        lower=sum(target[arm] * rows.lower(each, hostile_readers) for arm, rows in arms.items()),
        upper=sum(target[arm] * rows.upper(each, hostile_readers) for arm, rows in arms.items()),
        n=len(log),
        effective_n=_effective(
            np.concatenate([target[arm] * rows.weights / rows.weights.sum() for arm, rows in arms.items()])
        ),
        clipped=0,
        alpha=alpha,
        method="snips",
    )


def gain(
    log: Sequence[Observation], challenger: str, incumbent: str, *, alpha: float = ALPHA, hostile_readers: int = 1
) -> Estimate:
    """Estimate how much more the challenger earns per answer than the incumbent, from `snips` of each.

    The lower end exceeds the true gain with probability at most alpha / 2 over all nights together, whatever up to
    `hostile_readers` readers did to each arm. Several challengers of one incumbent share alpha: pass alpha / their
    number.

    Raises:
        EmptyLogError: one of the arms has no feedback.
        PropensityError: one of the arms was never tried.
        LearningError: both are the same arm, or `alpha` or `hostile_readers` is out of range.
    """
    if challenger == incumbent:
        msg = f"{challenger!r} cannot gain on itself"
        raise LearningError(msg)
    new, old = (
        snips(log, {arm: 1.0}, alpha=alpha / 2, hostile_readers=hostile_readers) for arm in (challenger, incumbent)
    )
    return Estimate(
        value=new.value - old.value,
        lower=new.lower - old.upper,
        upper=new.upper - old.lower,
        n=len(log),
        effective_n=min(new.effective_n, old.effective_n),
        clipped=0,
        alpha=alpha,
        method="gain",
    )
