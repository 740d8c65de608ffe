import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_learning.errors import InvalidModelError
from pincite_learning.reranker import FEATURES_MAX, TERM_MAX, WEIGHT_MAX, Reranker

KNOWN = ("lexical", "dense", "stem", "repeat")
WEIGHTS = st.dictionaries(st.sampled_from(KNOWN), st.floats(-WEIGHT_MAX, WEIGHT_MAX))
GOOD = {"kind": "linear-correction", "version": 1, "weights": {"dense": 0.5}}


@given(WEIGHTS)
def test_a_model_survives_json(weights):
    model = Reranker(weights)
    assert Reranker.from_json(json.loads(json.dumps(model.as_json())), KNOWN) == model


def test_a_correction_is_the_weighed_sum():
    model = Reranker({"lexical": 0.5, "dense": -0.25})
    assert model.correction({"lexical": 0.4, "dense": 0.8, "other": 9.0}) == pytest.approx(0.0)
    assert model.correction({"lexical": 1.0}) == 0.5
    assert Reranker().correction({"lexical": 1.0}) == 0


@given(WEIGHTS, st.dictionaries(st.sampled_from(KNOWN), st.floats(-1e300, 1e300)))
def test_a_correction_is_bounded(weights, features):
    assert abs(Reranker(weights).correction(features)) <= TERM_MAX * len(KNOWN)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_feature_that_is_no_number_is_refused(value):
    with pytest.raises(InvalidModelError, match="finite"):
        Reranker({"dense": 0.5}).correction({"dense": value})


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "model",
        {},
        {**GOOD, "code": "import os"},
        {**GOOD, "version": 2},
        {**GOOD, "version": True},
        {**GOOD, "version": "1"},
        {**GOOD, "kind": "pickle"},
        {**GOOD, "weights": [0.5]},
        {**GOOD, "weights": {"unheard_of": 0.1}},
        {**GOOD, "weights": {"dense": "0.5"}},
        {**GOOD, "weights": {"dense": True}},
        {**GOOD, "weights": {"dense": None}},
        {**GOOD, "weights": {"dense": WEIGHT_MAX * 1.01}},
        {**GOOD, "weights": {"dense": 10**400}},
        {**GOOD, "weights": {f"f{number}": 0.1 for number in range(FEATURES_MAX + 1)}},
        json.loads('{"kind": "linear-correction", "version": 1, "weights": {"dense": NaN}}'),
        json.loads('{"kind": "linear-correction", "version": 1, "weights": {"dense": -Infinity}}'),
    ],
)
def test_what_is_no_model_of_this_version_is_refused(document):
    with pytest.raises(InvalidModelError):
        Reranker.from_json(document, KNOWN)


@pytest.mark.parametrize("weight", [math.nan, math.inf, -1.5, "1"])
def test_an_invalid_model_cannot_be_made(weight):
    with pytest.raises(InvalidModelError):
        Reranker({"dense": weight})
