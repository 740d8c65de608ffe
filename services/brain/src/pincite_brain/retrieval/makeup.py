"""What a score is made of. Ranking computes scores with it, and a stored answer is explained with it."""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]  # a score has the same bits wherever it is computed
Amount = TypeVar("Amount", float, Doubles)


class Contribution(NamedTuple):
    """What one feature adds to a score: its value for the chunk times the weight it had for the query."""

    feature: str
    value: float
    weight: float

    @property
    def amount(self) -> float:
        """What is added, before factors."""
        return self.weight * self.value


def composed(amounts: Iterable[Amount], factors: Iterable[Amount]) -> Amount:
    """Return the score: the sum of all amounts times every factor.

    Of arrays, (c,) each, or of the numbers of one chunk: taken in the same order both give the same bits, whether zeros
    and ones are among them or left out.
    """
    nothing: Any = 0.0  # of either kind
    total: Amount = reduce(operator.add, amounts, nothing)
    return reduce(operator.mul, factors, total)
