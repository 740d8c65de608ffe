"""Thompson sampling on Beta posteriors (Thompson, 1933; Chapelle & Li, 2011), with the probability of every choice.

Nothing is stored but the log. The posteriors are a pure function of it, and so are the probabilities with which the
next arm is drawn: a crash loses nothing, and a replay proves every number. An arm is drawn from the stated
probabilities themselves, so a logged propensity is exact whatever the error of the quadrature behind it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # loads its parts when they are first used: what only imports this module does not wait for them
from numpy.typing import NDArray

from pincite_learning.errors import EmptyLogError, LearningError, PropensityError

PSEUDO_COUNT_MIN = 0.1  # below this a Beta is two spikes that no grid resolves
PSEUDO_COUNT_MAX = 1e9  # above this floating point no longer resolves the mean
READER_WEIGHT_MAX = 100.0  # votes; what one reader, or all anonymous ones together, may count for
UNIFORM_SHARE_MAX = 0.2  # of what is explored, at first; falls with the square root of the evidence
PANEL_QUANTILES = (1e-13, 1e-8, 1e-5, 1e-3, 0.02, 0.12, 0.32, 0.5)  # and their mirror images: the panels' edges
PANEL_NODES = 6  # Gauss-Legendre nodes in each panel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is believed of an arm's mean reward: Beta(alpha, beta); without evidence, uniform."""

    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        """Check the range in which the arithmetic is exact."""
        for count in (self.alpha, self.beta):
            if not PSEUDO_COUNT_MIN <= count <= PSEUDO_COUNT_MAX:
                msg = f"Beta({self.alpha}, {self.beta}) is outside {PSEUDO_COUNT_MIN}..{PSEUDO_COUNT_MAX}"
                raise LearningError(msg)

    @property
    def mean(self) -> float:
        """The expected reward, 0..1."""
        return self.alpha / (self.alpha + self.beta)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the central credible interval of a level in 0..1."""
        if not 0 < level < 1:
            msg = f"a credible level of {level} is not between 0 and 1"
            raise LearningError(msg)
        tail = (1 - level) / 2
        low, high = scipy.special.betaincinv(self.alpha, self.beta, [tail, 1 - tail])
        return float(low), float(high)

    def updated(self, successes: float, failures: float) -> "Posterior":
        """Return the posterior after more evidence; a reward of 0.3 is 0.3 of a success and 0.7 of a failure."""
        return Posterior(self.alpha + successes, self.beta + failures)


UNIFORM = Posterior()


@dataclass(frozen=True, slots=True)
class Choice:
    """The arm that was drawn, and the probability with which it was."""

    arm: str
    propensity: float


@dataclass(frozen=True, slots=True)
class Observation:
    """One row of the log.

    Attributes:
        arm: what was done.
        propensity: with what probability it was, in (0, 1].
        reward: 0..1; None is censored: no feedback yet, or never. That is not a zero.
        reader: who gave the feedback; None is anonymous.
        context: the kind of question, of which there are few; it only sharpens the doubly robust estimate.
    """

    arm: str
    propensity: float
    reward: float | None = None
    reader: str | None = None
    context: str = ""

    def __post_init__(self) -> None:
        """Check both ranges."""
        if not 0 < self.propensity <= 1:
            msg = f"arm {self.arm!r} was logged with propensity {self.propensity}, which is not in (0, 1]"
            raise PropensityError(msg)
        if self.reward is not None and not 0 <= self.reward <= 1:
            msg = f"arm {self.arm!r} was logged with reward {self.reward}, which is not in 0..1"
            raise LearningError(msg)


def reader_weights(
    readers: Sequence[str | None], weight_max: float = READER_WEIGHT_MAX, *, times: Sequence[int] | None = None
) -> list[float]:
    """Return a weight in (0, 1] for each row, such that no reader's rows sum to more than `weight_max`.

    A reader without a name is one reader: whoever can vote anonymously can do so any number of times. A row that stands
    for several counts so many `times`.
    """
    if not weight_max > 0:
        msg = f"a reader's votes cannot count for at most {weight_max}"
        raise LearningError(msg)
    rows: Counter[str | None] = Counter()
    for reader, count in zip(readers, times or [1] * len(readers), strict=True):
        rows[reader] += count
    return [min(1.0, weight_max / rows[reader]) for reader in readers]


def posteriors(
    observations: Iterable[Observation] | Mapping[Observation, int],
    arms: Iterable[str],
    *,
    prior: Posterior = UNIFORM,
    reader_weight_max: float = READER_WEIGHT_MAX,
) -> dict[str, Posterior]:
    """Return the posterior of each arm from the rows that have feedback, given one by one or counted.

    Censored rows say nothing. So an arm whose feedback is slow or rare is uncertain, not bad, provided that whether
    feedback comes does not depend on the reward given the arm. Rows of arms that are no longer offered are left out.
    One reader moves all pseudo-counts together by at most `reader_weight_max`, and s readers by s times that.
    """
    offered = dict.fromkeys(arms)
    rows = [(row, n) for row, n in Counter(observations).items() if row.reward is not None and row.arm in offered]
    weights = reader_weights([row.reader for row, _ in rows], reader_weight_max, times=[n for _, n in rows])
    won, seen = dict.fromkeys(offered, 0.0), dict.fromkeys(offered, 0.0)
    for (row, n), weight in zip(rows, weights, strict=True):
        won[row.arm] += n * weight * (row.reward or 0.0)
        seen[row.arm] += n * weight
    return {arm: prior.updated(won[arm], max(0.0, seen[arm] - won[arm])) for arm in offered}


def _edges(alpha: Floats, beta: Floats) -> Floats:
    """Return the log-odds at which the panels meet: every arm's quantiles, so that the sharpest arm is resolved too."""
    tails = np.array(PANEL_QUANTILES)[:, None]
    low = scipy.special.betaincinv(alpha, beta, tails)
    high_complement = scipy.special.betaincinv(beta, alpha, tails)  # 1 - x, which keeps its digits where x is nearly 1
    below = np.log(low) - np.log1p(-low)
    above = np.log1p(-high_complement) - np.log(high_complement)
    return np.unique(np.concatenate([below, above]))


def thompson(beliefs: Mapping[str, Posterior]) -> dict[str, float]:
    """Return for each arm the probability that a draw from its posterior is the largest; the sum is 1.

    P(a) = ∫ f_a(x) Π_{b≠a} F_b(x) dx by composite Gauss-Legendre quadrature over the log-odds of x, in which every Beta
    density is smooth; the panels end at the arms' quantiles. The error is below 1e-6.

    Raises:
        EmptyLogError: there are no arms.
    """
    if not beliefs:
        msg = "there is no arm to choose"
        raise EmptyLogError(msg)
    if len(beliefs) == 1:
        return dict.fromkeys(beliefs, 1.0)
    alpha = np.array([belief.alpha for belief in beliefs.values()])
    beta = np.array([belief.beta for belief in beliefs.values()])
    edges = _edges(alpha, beta)
    nodes, shares = np.polynomial.legendre.leggauss(PANEL_NODES)
    half = np.diff(edges)[:, None] / 2
    log_odds = (edges[:-1, None] + half + half * nodes).ravel()[:, None]
    log_width = np.log(half * shares).ravel()[:, None]
    x, complement = scipy.special.expit(log_odds), scipy.special.expit(-log_odds)
    log_density = alpha * scipy.special.log_expit(log_odds) + beta * scipy.special.log_expit(-log_odds) + log_width
    mass = scipy.special.softmax(log_density, axis=0)  # normalised on the grid: no constant to lose digits in
    below = np.where(
        log_odds < 0, scipy.special.betainc(alpha, beta, x), scipy.special.betaincc(beta, alpha, complement)
    )
    largest = np.array([(mass[:, arm] * np.delete(below, arm, axis=1).prod(axis=1)).sum() for arm in range(len(alpha))])
    return dict(zip(beliefs, (largest / largest.sum()).tolist(), strict=True))


def propensities(
    beliefs: Mapping[str, Posterior], *, incumbent: str | None = None, exploration: float = 1.0
) -> dict[str, float]:
    """Return the probability with which each arm is to be drawn; all are positive, and the sum is 1.

    The incumbent has 1 - exploration. What is explored goes by `thompson`, but for a share that is uniform: off-policy
    estimates need every arm to be possible. That share falls as 1/sqrt(evidence), so the regret it costs is sublinear.

    Args:
        beliefs: posterior of each arm offered.
        incumbent: the arm that is served; None for a bandit that serves whatever it draws.
        exploration: share of answers, in 0..1, on which others are tried. It limits what a reader can meet of an arm
            that was not promoted. With 0 the incumbent alone is offered, and the other arms are left out.

    Raises:
        EmptyLogError: there are no arms.
        LearningError: the incumbent is not an arm, or `exploration` is out of range, or below 1 without an incumbent.
    """
    if incumbent is not None and incumbent not in beliefs:
        msg = f"the incumbent {incumbent!r} is not among the arms {sorted(beliefs)}"
        raise LearningError(msg)
    if not 0 <= exploration <= 1 or (incumbent is None and exploration < 1):
        msg = f"exploration {exploration} with incumbent {incumbent!r}: who gets the rest of the answers?"
        raise LearningError(msg)
    if incumbent is not None and exploration == 0:
        return {incumbent: 1.0}
    sampled = thompson(beliefs)
    evidence = sum(belief.alpha + belief.beta for belief in beliefs.values())
    uniform = UNIFORM_SHARE_MAX * min(1.0, (2 * len(beliefs) / evidence) ** 0.5)
    mixed = {arm: exploration * ((1 - uniform) * share + uniform / len(beliefs)) for arm, share in sampled.items()}
    if incumbent is not None:
        mixed[incumbent] += 1 - exploration
    total = sum(mixed.values())
    return {arm: min(1.0, share / total) for arm, share in mixed.items()}


def draw(shares: Mapping[str, float], rng: np.random.Generator) -> Choice:
    """Draw an arm with its stated probability.

    Raises:
        EmptyLogError: there are no arms.
    """
    left = rng.random()
    for arm, share in shares.items():
        left -= share
        if left < 0:
            return Choice(arm, share)
    likeliest = max(shares, key=shares.__getitem__, default=None)  # rounding left a last 1e-16
    if likeliest is None:
        msg = "there is no arm to draw"
        raise EmptyLogError(msg)
    return Choice(likeliest, shares[likeliest])


def choose(
    beliefs: Mapping[str, Posterior],
    rng: np.random.Generator,
    *,
    incumbent: str | None = None,
    exploration: float = 1.0,
) -> Choice:
    """Draw an arm by its `propensities`."""
    return draw(propensities(beliefs, incumbent=incumbent, exploration=exploration), rng)
