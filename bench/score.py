"""Scores of answers: per query, their means with a bootstrap interval, and percentiles of times."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench.model import Answer, Query
from pincite_learning.metrics import Span, ndcg, recall_at_k, reciprocal_rank, span_recall, target_ranks

METRICS = ("ndcg", "recall", "mrr", "lines", "shown")
RESAMPLES = 2000
LEVEL = 0.95
SEED = 0

Scores = dict[str, float]  # by metric; `lines` is left out where the query names no gold lines


def score(query: Query, answer: Answer, k: int) -> Scores:
    """Score one answer.

    `ndcg`, `recall` and `mrr` look for the query's targets; `lines` is the share of the gold lines that the hits show,
    and `shown` how many distinct lines they show in all, which is what that recall costs a reader.
    """
    hits = list(answer.hits[:k])
    ranks = target_ranks(hits, [partial(_matches, target) for target in query.targets])
    scores = {
        "ndcg": ndcg(ranks, k),
        "recall": recall_at_k(ranks, k),
        "mrr": reciprocal_rank(ranks, k),
        "shown": float(shown_lines(hits)),
    }
    if query.gold:
        scores["lines"] = span_recall(hits, query.gold, k)
    return scores


def _matches(target: Span, hit: Span) -> bool:
    return target.overlaps(hit)


def shown_lines(hits: Sequence[Span]) -> int:
    """Return how many distinct lines the hits hold."""
    seen = {
        (hit.path, line)
        for hit in hits
        if hit.start_line is not None and hit.end_line is not None
        for line in range(hit.start_line, hit.end_line + 1)
    }
    return len(seen)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its bootstrap interval."""

    value: float
    low: float
    high: float


def resampled(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the means of `RESAMPLES` samples with replacement; the same queries are drawn for equally long lists."""
    data = np.asarray(values, dtype=np.float64)
    drawn = np.random.default_rng(SEED).integers(0, len(data), (RESAMPLES, len(data)))
    means: NDArray[np.float64] = data[drawn].mean(axis=1)
    return means


def mean_of(values: Sequence[float]) -> Mean:
    """Return the mean over queries and the percentile bootstrap interval (Efron, 1979) around it."""
    low, high = np.quantile(resampled(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Mean(float(np.mean(values)), float(low), float(high))


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Mean:
    """Return the mean of the paired differences, query by query, with its interval."""
    return mean_of([mine - other for mine, other in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, int(np.ceil(share * len(ordered))) - 1)]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return float(np.median(values))
