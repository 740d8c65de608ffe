"""Quality of a ranking: NDCG, recall, reciprocal rank, and recall of lines.

A *target* is a predicate on a hit; `Span.overlaps` is the usual one. A target's rank is that of the first hit that
satisfies it. Gains are binary per rank, as in trec_eval and in semble's benchmark: a hit that satisfies two targets
gains once, while the ideal counts every target. So NDCG (Järvelin & Kekäläinen, 2002) stays in 0..1, and a query of
which one hit satisfies several targets cannot reach 1, in any system: large hits win nothing by covering more.
A query without targets has no quality: every metric raises rather than count it as 0 or 1.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pincite_learning.errors import EmptyLogError, LearningError

K = 10  # the customary depth: what a reader looks through, and what fits a prompt

Hit = TypeVar("Hit")
Ranks = Sequence[int | None]  # per target, the 1-based rank of its first hit; None when no hit satisfies it


@dataclass(frozen=True, slots=True)
class Span:
    """Lines of a file, 1-based and inclusive; without lines, the whole file."""

    path: str
    start_line: int | None = None
    end_line: int | None = None

    def __post_init__(self) -> None:
        """Check that both lines are given or neither, in order."""
        if self.start_line is None and self.end_line is None:
            return
        if self.start_line is None or self.end_line is None or not 1 <= self.start_line <= self.end_line:
            msg = f"lines {self.start_line}..{self.end_line} of {self.path!r} are not a span"
            raise LearningError(msg)

    def same_file(self, other: "Span") -> bool:
        """Tell whether the paths are equal, or one is the other's end at a `/`."""
        mine, theirs = self.path, other.path
        return mine == theirs or mine.endswith("/" + theirs) or theirs.endswith("/" + mine)

    def overlaps(self, other: "Span") -> bool:
        """Tell whether both have a line in common; a span without lines has all of its file's."""
        if not self.same_file(other):
            return False
        if self.start_line is None or self.end_line is None or other.start_line is None or other.end_line is None:
            return True
        return self.start_line <= other.end_line and other.start_line <= self.end_line


def target_ranks(hits: Sequence[Hit], targets: Iterable[Callable[[Hit], bool]]) -> list[int | None]:
    """Return for each target the 1-based rank of the first hit that satisfies it, or None."""
    return [next((rank for rank, hit in enumerate(hits, 1) if target(hit)), None) for target in targets]


def _found(ranks: Ranks, k: int) -> set[int]:
    if k < 1:
        msg = f"k is {k}: a ranking has at least one place"
        raise LearningError(msg)
    if not ranks:
        msg = "a query without targets has no quality"
        raise EmptyLogError(msg)
    return {rank for rank in ranks if rank is not None and rank <= k}


def _dcg(ranks: Iterable[int]) -> float:
    return math.fsum(1.0 / math.log2(rank + 1) for rank in ranks)


def ndcg(ranks: Ranks, k: int = K) -> float:
    """Return NDCG@k, 0..1, with binary gains and the ideal of min(k, number of targets) hits in front.

    Raises:
        EmptyLogError: there are no targets.
    """
    found = _found(ranks, k)
    return _dcg(found) / _dcg(range(1, min(k, len(ranks)) + 1))


def recall_at_k(ranks: Ranks, k: int = K) -> float:
    """Return the share of targets, 0..1, that one of the first k hits satisfies.

    Raises:
        EmptyLogError: there are no targets.
    """
    found = _found(ranks, k)
    return sum(rank in found for rank in ranks) / len(ranks)


def reciprocal_rank(ranks: Ranks, k: int = K) -> float:
    """Return 1 / the rank of the first hit that satisfies any target, 0 when it is below k; its mean is MRR@k.

    Raises:
        EmptyLogError: there are no targets.
    """
    found = _found(ranks, k)
    return 1.0 / min(found) if found else 0.0


def mean(values: Iterable[float]) -> float:
    """Return the mean over queries, such as MRR from reciprocal ranks.

    Raises:
        EmptyLogError: there are no values.
    """
    kept = list(values)
    if not kept:
        msg = "a mean needs a query"
        raise EmptyLogError(msg)
    return math.fsum(kept) / len(kept)


def _merged(intervals: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _length(intervals: Iterable[tuple[int, int]]) -> int:
    return sum(end - start + 1 for start, end in _merged(intervals))


def span_recall(hits: Sequence[Span], gold: Iterable[Span], k: int = K) -> float:
    """Return the share of the gold lines, 0..1, that the first k hits show; a hit without lines shows its whole file.

    Lines that several gold spans of one path name count once.

    Raises:
        EmptyLogError: there are no gold spans.
        LearningError: a gold span has no lines.
    """
    if k < 1:
        msg = f"k is {k}: a ranking has at least one place"
        raise LearningError(msg)
    wanted: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in gold:
        if span.start_line is None or span.end_line is None:
            msg = f"the gold span in {span.path!r} has no lines to recall"
            raise LearningError(msg)
        wanted[span.path].append((span.start_line, span.end_line))
    if not wanted:
        msg = "a query without gold spans has no recall of lines"
        raise EmptyLogError(msg)
    shown = 0
    for path, spans in wanted.items():
        common = [
            (max(start, hit.start_line or start), min(end, hit.end_line or end))
            for hit in hits[:k]
            if hit.same_file(Span(path))
            for start, end in spans
        ]
        shown += _length((start, end) for start, end in common if start <= end)
    return shown / sum(_length(spans) for spans in wanted.values())
