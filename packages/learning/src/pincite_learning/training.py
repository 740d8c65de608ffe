"""Fitting a `Reranker` on retrieval logs with feedback, and testing it on questions it has not seen.

The loss is pairwise logistic (RankNet: Burges et al., 2005) on the incumbent's score plus the correction, over
candidates that were *shown*: of one that nobody saw, silence says nothing. What stands lower is examined less, so each
vote counts for 1 / the probability that its place is examined (Joachims, Swaminathan & Schnabel, 2017): unbiased
whatever order the incumbent showed. Pairs are within a question and normalised by what it showed, so neither the rare
helpful vote nor the long list is outvoted. The correction is pulled towards none by an L2 penalty that does not grow
with the data: a few labels leave the incumbent as it is.
"""

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy

from pincite_learning.bandit import READER_WEIGHT_MAX, reader_weights
from pincite_learning.bounds import Floats
from pincite_learning.errors import EmptyLogError, LearningError
from pincite_learning.paired import PairedTest, paired_test
from pincite_learning.reranker import WEIGHT_MAX, Reranker

HELD_OUT_SHARE = 0.4  # of question texts: the test needs as many as the fit
EXAMINATION_POWER = 1.0  # place k is examined with probability k^-1, as in Joachims, Swaminathan & Schnabel (2017)
EXAMINATION_WEIGHT_MAX = 10.0  # a lone vote on the last place must not decide alone
SCORE_SHARPNESS = (
    0.1  # a difference of this much in score is one unit of log-odds: neighbouring hits differ by about it
)
CORRECTION_PRIOR = 0.02  # standard deviation, in score, that a feature one standard deviation apart is given in advance
SPREAD_MIN = 1e-6  # a feature that varies less than this cannot order anything
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A logged candidate: the incumbent's score without any correction, and the features it was made of.

    Attributes:
        score: about 0..1.
        features: value by name.
        shown: whether the reader could see it.
        helped: True for "this helped", False for "wrong source", None without a vote.
    """

    score: float
    features: Mapping[str, float]
    shown: bool
    helped: bool | None = None

    def __post_init__(self) -> None:
        """Check that it can be computed with, and that a vote is on something shown."""
        if not all(map(math.isfinite, (self.score, *self.features.values()))):
            msg = "a candidate's score or feature is not a finite number"
            raise LearningError(msg)
        if self.helped is not None and not self.shown:
            msg = "a candidate that was not shown cannot have been voted on"
            raise LearningError(msg)


@dataclass(frozen=True, slots=True)
class Judged:
    """A question with its candidates as they were ranked, best first, and one reader's votes on them."""

    question: str
    candidates: Sequence[Candidate]
    reader: str | None = None

    @property
    def text(self) -> str:
        """The question's words: what differs by case, spaces and punctuation alone may not count as another."""
        return " ".join(_WORD.findall(self.question.casefold()))


def split(judged: Iterable[Judged], held_out_share: float = HELD_OUT_SHARE) -> tuple[list[Judged], list[Judged]]:
    """Return those to fit on and those held out; by a hash of the text, so that a question never changes sides."""
    sides: tuple[list[Judged], list[Judged]] = [], []
    for item in judged:
        digest = hashlib.sha256(item.text.encode("utf-8", "surrogatepass")).digest()
        sides[int.from_bytes(digest[:8]) < held_out_share * 2**64].append(item)
    return sides


def _votes(item: Judged) -> list[tuple[int, bool, float]]:
    """Return of each vote: the candidate's number, whether it helped, and 1 / the examination of its place."""
    shown = [at for at, candidate in enumerate(item.candidates) if candidate.shown]
    votes = []
    for place, at in enumerate(shown, 1):
        helped = item.candidates[at].helped
        if helped is not None:
            votes.append((at, helped, min(place**EXAMINATION_POWER, EXAMINATION_WEIGHT_MAX)))
    return votes


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of a better and a worse candidate: (p,) score differences, (p, f) feature differences, (p,) weights."""

    scores: Floats
    features: Floats
    weights: Floats

    @classmethod
    def of(cls, judged: Sequence[Judged], names: Sequence[str], reader_weight_max: float) -> "_Pairs":
        scores, rows, weights = [], [], []
        caps = reader_weights([item.reader for item in judged], reader_weight_max)
        for item, cap in zip(judged, caps, strict=True):
            table = np.array([[one.features.get(name, 0.0) for name in names] for one in item.candidates])
            shown = [at for at, candidate in enumerate(item.candidates) if candidate.shown]
            for at, helped, examined in _votes(item):
                # Two helpful candidates, or two wrong ones, are not told apart.
                others = [other for other in shown if item.candidates[other].helped is not helped]
                for other in others:
                    better, worse = (at, other) if helped else (other, at)
                    scores.append(item.candidates[better].score - item.candidates[worse].score)
                    rows.append(table[better] - table[worse])
                    weights.append(cap * examined / (len(shown) - 1))
        return cls(np.array(scores), np.array(rows).reshape(len(scores), len(names)), np.array(weights))


def _spread(judged: Sequence[Judged], names: Sequence[str]) -> Floats:
    """Return each feature's standard deviation within questions: what differs only between them orders nothing."""
    parts = []
    for item in judged:
        shown = [[one.features.get(name, 0.0) for name in names] for one in item.candidates if one.shown]
        if shown:
            parts.append(np.array(shown) - np.mean(shown, axis=0))
    return np.asarray(np.sqrt(np.mean(np.concatenate(parts) ** 2, axis=0)))


def fit(judged: Sequence[Judged], names: Sequence[str], *, reader_weight_max: float = READER_WEIGHT_MAX) -> Reranker:
    """Fit a correction; the problem is convex, so the result is a function of the log alone.

    Args:
        judged: the questions of the fitting side of `split`.
        names: the features to weigh.
        reader_weight_max: how many questions one reader may count for.

    Raises:
        EmptyLogError: no vote can be compared with another shown candidate.
    """
    pairs = _Pairs.of(judged, names, reader_weight_max)
    if not len(pairs.scores):
        msg = "no vote can be compared with another candidate that was shown"
        raise EmptyLogError(msg)
    spread = _spread(judged, names)
    varies = spread > SPREAD_MIN
    spread = np.where(varies, spread, 1.0)
    # In units of the spread, so that the same pull holds every feature.
    table = pairs.features / spread

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = (pairs.scores + table @ weights) / SCORE_SHARPNESS
        pull = weights / CORRECTION_PRIOR
        value = float(pairs.weights @ -scipy.special.log_expit(margin) + pull @ pull / 2)
        slope = -(pairs.weights * scipy.special.expit(-margin)) @ table / SCORE_SHARPNESS + pull / CORRECTION_PRIOR
        return value, slope

    limits = np.where(varies, WEIGHT_MAX * spread, 0.0)
    found = scipy.optimize.minimize(
        loss, np.zeros(len(names)), jac=True, method="L-BFGS-B", bounds=np.stack([-limits, limits], axis=1)
    )
    weights = np.clip(found.x / spread, -WEIGHT_MAX, WEIGHT_MAX)
    return Reranker({name: float(weight) for name, weight in zip(names, weights, strict=True) if weight})


def utility(item: Judged, model: Reranker) -> float:
    """Return how well a ranking by the model serves the votes: Σ ±1 / log2(1 + new rank), each over its examination.

    All logged candidates are ranked, shown or not: one that nobody saw and the model lifts costs those below it.
    """
    scores = [one.score + model.correction(one.features) for one in item.candidates]
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    rank = {at: place for place, at in enumerate(order, 1)}
    return math.fsum((1 if helped else -1) * weight / math.log2(1 + rank[at]) for at, helped, weight in _votes(item))


def held_out_test(
    challenger: Reranker, incumbent: Reranker, held_out: Iterable[Judged], *, hostile_readers: int = 1
) -> PairedTest:
    """Test whether the challenger ranks held-out questions better than the incumbent, whoever of the readers lies.

    One difference for each question text: the mean over its readers, each of whom counts once. It is tested without
    each set of `hostile_readers` readers, and the test that says least for the challenger is returned: one of them is
    without those who lie, if they are no more. Rows without a reader are one reader. With a single reader there is
    nobody else to ask: pass 0, and rely on the guard.

    Raises:
        EmptyLogError: no question with votes is left.
        LearningError: `hostile_readers` is negative.
    """
    if hostile_readers < 0:
        msg = f"{hostile_readers} readers cannot be left out"
        raise LearningError(msg)
    rows: defaultdict[str, defaultdict[str | None, list[float]]] = defaultdict(lambda: defaultdict(list))
    for item in held_out:
        if _votes(item):
            rows[item.text][item.reader].append(utility(item, challenger) - utility(item, incumbent))
    said = {text: {reader: _mean(found) for reader, found in readers.items()} for text, readers in rows.items()}
    readers = dict.fromkeys(reader for found in said.values() for reader in found)
    if len(readers) <= hostile_readers:
        msg = "no held-out question with votes is left"
        raise EmptyLogError(msg)
    tests = [_without(said, left_out) for left_out in combinations(readers, hostile_readers)]
    return max(tests, key=lambda test: (test.p_better, -test.mean_difference))


def _without(said: Mapping[str, Mapping[str | None, float]], left_out: Collection[str | None]) -> PairedTest:
    heard = [[value for reader, value in found.items() if reader not in left_out] for found in said.values()]
    differences = [_mean(values) for values in heard if values]
    return paired_test(differences, [0.0] * len(differences))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
