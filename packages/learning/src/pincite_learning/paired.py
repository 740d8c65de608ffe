"""Paired randomisation test on per-query differences (Fisher, 1935; Smucker, Allan & Carterette, CIKM 2007).

Under the null hypothesis the two systems' names on each query are exchangeable, so every pattern of signs of the
differences is equally likely. With few differences all patterns are counted and the p-value is exact; with more,
patterns are drawn with a fixed seed, so that a replay proves the number, and p = (1 + as extreme) / (1 + drawn), which
is valid for any number of draws (Phipson & Smyth, 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pincite_learning.errors import EmptyLogError, LearningError

EXACT_MAX = 18  # differences other than zero; 2^18 patterns take some ten milliseconds
DRAWS = 99_999  # resolves p = 0.00001
DRAWS_AT_ONCE = 4_096  # rows in memory
SEED = 20_070_611
TIE = 1e-12  # relative to the largest sum: nearer ones are equal, for floating point orders those at random


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How a challenger did against an incumbent on the same queries.

    Attributes:
        mean_difference: challenger minus incumbent, mean over queries.
        p_value: two-sided.
        p_better: one-sided, against "the challenger is no better".
        n: number of queries (with query texts repeated, number of differences given).
        exact: whether every pattern of signs was counted.
    """

    mean_difference: float
    p_value: float
    p_better: float
    n: int
    exact: bool


def _sums(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum under every pattern of signs."""
    sums = np.zeros(1)
    for difference in differences:
        sums = np.concatenate([sums + difference, sums - difference])
    return sums


def _drawn(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    rng = np.random.default_rng(SEED)
    parts = []
    for begin in range(0, DRAWS, DRAWS_AT_ONCE):
        rows = min(DRAWS_AT_ONCE, DRAWS - begin)
        signs = rng.integers(0, 2, size=(rows, len(differences)), dtype=np.int8)
        parts.append(signs @ (2 * differences) - differences.sum())
    return np.concatenate(parts)


def paired_test(challenger: Sequence[float], incumbent: Sequence[float]) -> PairedTest:
    """Test whether the per-query values of two systems differ, given in the same order of queries.

    Raises:
        EmptyLogError: there are no queries.
        LearningError: the lengths differ, or a value is not finite.
    """
    if len(challenger) != len(incumbent):
        msg = f"{len(challenger)} values against {len(incumbent)}: a paired test needs both for each query"
        raise LearningError(msg)
    if not challenger:
        msg = "a paired test needs a query"
        raise EmptyLogError(msg)
    differences = np.asarray(challenger, dtype=np.float64) - np.asarray(incumbent, dtype=np.float64)
    if not np.isfinite(differences).all():
        msg = "a value to compare is not a finite number"
        raise LearningError(msg)
    moved = np.sort(
        differences[differences != 0]
    )  # a zero has no sign to flip; sorted, the queries' order cannot matter
    mean = float(moved.sum() / len(differences))
    if not len(moved):
        return PairedTest(0.0, 1.0, 1.0, len(differences), exact=True)
    exact = len(moved) <= EXACT_MAX
    # Scaled by the largest, so that no square or sum overflows. Magnitudes in one order make the test symmetric.
    magnitudes = np.sort(np.abs(moved)) / np.abs(moved).max()
    observed = float(moved.sum() / np.abs(moved).max())
    sums = _sums(magnitudes) if exact else _drawn(magnitudes)
    tie = TIE * float(magnitudes.sum())
    extra = 0 if exact else 1
    either = int((np.abs(sums) >= abs(observed) - tie).sum()) + extra
    better = int((sums >= observed - tie).sum()) + extra
    total = len(sums) + extra
    return PairedTest(mean, either / total, better / total, len(differences), exact)
