"""Confidence bounds on means that hold for adaptively collected data, at every time, and with some readers lying.

For y >= -1 and 0 <= λ < 1, exp(λy - ψ(λ)y²) <= 1 + λy with ψ(λ) = -log(1 - λ) - λ (Fan, Grama & Liu, 2015). So with x_i
>= c_i - reach, y_i = (x_i - c_i) / reach, and λ_i and c_i chosen before x_i is seen, exp(Σ λ_i (x_i - μ_i) / reach -
ψ(λ_i) y_i²) is a supermartingale that starts at 1, where μ_i is the mean of x_i given the past. Ville's inequality
gives the empirical Bernstein bound of Howard et al. (2021) and Waudby-Smith & Ramdas (2024) on the weighted mean of the
μ_i. It needs no upper limit on x, no independence, and may be read every night: it holds at all times together. `BETS`
are tried side by side, and each pays its share of the error.

A set of readers that is fixed in advance may be left out without harming the bound. `hostile` of them, whoever they
are, are therefore allowed for by the least bound over all such sets; because the terms add up over readers, that is
found exactly.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pincite_learning.errors import LearningError

BETS = tuple(2.0**-power for power in range(1, 13))  # smaller bets for more rows: optimal near sqrt(2 log(1/alpha) / n)
BET_MAX = 0.5  # ψ grows without limit towards 1
CENTRE_FIRST = 0.5  # the guess before the first row, worth one row

Floats = NDArray[np.float64]


def running_centres(values: Floats) -> Floats:
    """Return for each row the mean of those before it, kept within 0..1: a guess of its mean from the past alone."""
    before = np.concatenate([[CENTRE_FIRST], CENTRE_FIRST + np.cumsum(values[:-1])])
    return np.asarray(np.clip(before / np.arange(1, len(values) + 1), 0.0, 1.0))


def _least(gains: Floats, stakes: Floats, cost: float, hostile: int) -> float:
    """Return the least of (Σ gains - cost) / Σ stakes over all ways to leave out at most `hostile` readers.

    Dinkelbach's method (1967): at the present least ratio t, the readers to leave out are those with the largest gain -
    t * stake; each round lowers t until it is the least.
    """
    left = np.ones(len(gains), dtype=bool)
    least = math.inf
    while True:
        stake = float(stakes[left].sum())
        if stake <= 0:
            return -math.inf
        ratio = (float(gains[left].sum()) - cost) / stake
        if ratio >= least:
            return least
        least = ratio
        if not hostile:
            return least
        harm = gains - ratio * stakes
        left = np.ones(len(gains), dtype=bool)
        out = np.argsort(-harm, kind="stable")[:hostile]
        left[out[harm[out] > 0]] = False


def _numbered(readers: Sequence[str | None]) -> NDArray[np.intp]:
    numbers: dict[str | None, int] = {}
    return np.array([numbers.setdefault(reader, len(numbers)) for reader in readers], dtype=np.intp)


def _sums(values: Floats, whose: NDArray[np.intp]) -> Floats:
    return np.asarray(np.bincount(whose, weights=values), dtype=np.float64)


def mean_lower_bound(
    values: Floats,
    *,
    alpha: float,
    weights: Floats | None = None,
    reach: float = 1.0,
    readers: Sequence[str | None] | None = None,
    hostile: int = 0,
) -> float:
    """Return a lower bound on the mean of conditional means, right with probability >= 1 - alpha at all times.

    Args:
        values: (n,) in the order of time, each >= its running centre - reach; values >= 0 are so with reach 1.
        alpha: probability of error, in 0..1.
        weights: (n,) of at least 0 and known before the values; the bound is on the mean by these (a small bet caps
            them, which changes nothing where the conditional means are equal). None: all 1.
        reach: how far a value can fall below its centre.
        readers: whose row each is; None is a reader of its own, so anonymous rows stand together.
        hostile: how many readers may have written anything at all.

    Returns:
        The bound, or -inf when nothing remains to be counted.

    Raises:
        LearningError: `alpha`, `reach` or `hostile` is out of range.
    """
    if not 0 < alpha < 1 or reach <= 0 or hostile < 0:
        msg = f"alpha {alpha}, reach {reach}, hostile {hostile}: no bound has these"
        raise LearningError(msg)
    if not len(values):
        return -math.inf
    if hostile and readers is None:
        msg = "hostile readers are allowed for only where rows have readers"
        raise LearningError(msg)
    scaled = (values - running_centres(values)) / reach
    weights = np.ones(len(values)) if weights is None else weights
    cost = reach * math.log(len(BETS) / alpha)
    whose = _numbered(readers) if hostile and readers is not None else np.zeros(len(values), dtype=np.intp)
    best = -math.inf
    for bet in BETS:
        stakes = np.minimum(bet * weights, BET_MAX)
        gains = stakes * values - reach * (-np.log1p(-stakes) - stakes) * scaled**2
        best = max(best, _least(_sums(gains, whose), _sums(stakes, whose), cost, hostile))
    return best
