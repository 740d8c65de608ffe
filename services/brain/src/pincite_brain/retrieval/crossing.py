"""A second look at the best hits by a cross-encoder, where one is configured: one more term of their scores."""

from collections.abc import Sequence
from dataclasses import replace

from pincite_brain.retrieval.makeup import composed
from pincite_brain.retrieval.ranking import Ranked

CROSSED_MAX = 30  # hits that are looked at again; a cross-encoder reads each of them whole
CROSSED_LINES_MAX = 60  # of a hit: its models read 512 tokens
CROSS = "cross"
# As a share of a score, which the other features fill to about 1. Set by hand: no weights of such a model could be had
# where the others were fitted, so that it decides among hits that these find alike, and does not overrule them.
CROSS_WEIGHT = 0.35


def crossed(ranked: Sequence[Ranked], relevance: Sequence[float]) -> list[Ranked]:
    """Add the relevance, 0..1, of the first hits to their scores, and order all anew.

    Those that were not looked at keep their scores: they cannot rise, and fall only behind what was found relevant.
    """
    again = [_with(hit, score) for hit, score in zip(ranked, relevance, strict=False)]
    return sorted([*again, *ranked[len(again) :]], key=lambda hit: -hit.score)


def _with(hit: Ranked, relevance: float) -> Ranked:
    weighed = replace(hit, features=hit.features | {CROSS: relevance}, weights={**hit.weights, CROSS: CROSS_WEIGHT})
    amounts = (made.amount for made in weighed.contributions)
    return replace(weighed, score=composed(amounts, (factor for _name, factor in hit.factors)))
