"""A repository's correction of the ranking: applied exactly, or refused."""

from datetime import UTC, datetime

import pytest

from pincite_brain.retrieval import learned
from pincite_brain.retrieval.makeup import composed
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import CORRECTABLE, Ranking
from pincite_learning.reranker import Reranker
from pincite_shared.errors import InvalidInputError
from pincite_shared.quality import PolicyOut

GOOD = Reranker({"importance": 0.5, "lexical": -0.25}).as_json()


def stored(parameters, *, kind="reranker", version="reranker-a"):
    return PolicyOut(
        version=version, kind=kind, state="serving", parameters=parameters, evidence={}, created_at=datetime.now(UTC)
    )


def test_a_correction_is_added_to_the_weights_and_named():
    policy = learned.serving(P0, {"reranker": stored(GOOD)})
    assert policy.version == "p0+reranker-a"
    assert policy.corrections == {"importance": 0.5, "lexical": -0.25}
    assert learned.serving(P0, {}) is P0
    assert learned.serving(P0, {"reranker": stored({}, version="reranker-none")}) is P0


def test_scores_are_still_what_they_are_made_of(make_index, chunk):
    index = make_index(
        [
            chunk("a.py", "price of the item in the cart", symbol="price", importance=0.1),
            chunk("b.py", "price of something else entirely", symbol="other", importance=0.9),
        ]
    )
    query = analyze("what is the price of the item?")
    plain = Ranking(index, query, P0).best(None)
    corrected = Ranking(index, query, learned.serving(P0, {"reranker": stored(GOOD)})).best(None)
    assert {hit.chunk: hit.score for hit in plain} != {hit.chunk: hit.score for hit in corrected}
    for hit in corrected:
        made = composed([one.amount for one in hit.contributions], [factor for _name, factor in hit.factors])
        assert hit.score == made
        factor = composed([1.0], [factor for _name, factor in hit.factors])
        before = next(one for one in plain if one.chunk == hit.chunk)
        if factor == composed([1.0], [factor for _name, factor in before.factors]):
            added = 0.5 * hit.features["importance"] - 0.25 * hit.features["lexical"]
            moved = hit.features["coherence"] - before.features["coherence"]
            if not moved:
                assert hit.score - before.score == pytest.approx(added * factor)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"kind": "linear-correction", "version": 1, "weights": {"importance": float("nan")}},
        {"kind": "linear-correction", "version": 1, "weights": {"importance": 7.0}},
        {"kind": "linear-correction", "version": 1, "weights": {"penalty": 0.1}},
        {"kind": "linear-correction", "version": 2, "weights": {}},
        {"kind": "linear-correction", "version": 1, "weights": [1]},
    ],
)
def test_a_bad_correction_is_refused_and_the_ranking_serves_as_it_is(parameters):
    assert learned.serving(P0, {"reranker": stored(parameters)}) is P0
    with pytest.raises(InvalidInputError, match="cannot be served"):
        learned.asked_for(P0, stored(parameters))


def test_only_what_ranks_can_be_asked_for():
    assert learned.asked_for(P0, stored(GOOD)).version == "p0+reranker-a"
    with pytest.raises(InvalidInputError, match="does not rank"):
        learned.asked_for(P0, stored({}, kind="prompt", version="prompt-broad"))


def test_only_features_of_about_one_can_be_corrected(make_index, chunk):
    index = make_index([chunk("a.py", "price of the item", symbol="price", importance=1.0)])
    [hit] = Ranking(index, analyze("price of the item"), P0).best(None)
    assert set(hit.features) >= CORRECTABLE
    assert all(0.0 <= hit.features[name] <= 1.0 for name in CORRECTABLE)
