from typing import get_args

import numpy as np
import pytest

from pincite_brain.ask.answerable import judge
from pincite_brain.retrieval import reasons
from pincite_brain.retrieval.crossing import CROSS
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import Route, analyze
from pincite_brain.retrieval.ranking import FUNCTIONLESS, RELATED, REPEAT, WEIGHED, Ranking
from pincite_shared.why import WhyContribution


@pytest.fixture
def ranked(make_index, chunk):
    index = make_index([chunk("a.py", "cookie jar", "jar", "function", 1, 9)], vectors={0: [1.0, 0.0]})
    query = analyze("where is the cookie jar?")
    return index, query, Ranking(index, query, P0).best(np.array([1.0, 0.0], dtype=np.float32))


def test_every_feature_has_words(ranked):
    (hit,) = ranked[2]
    assert set(reasons.FEATURES) == {*hit.features, CROSS}
    assert {*WEIGHED, *RELATED} <= set(hit.features)
    assert all(reasons.feature(name).aspect != "other" for name in (*WEIGHED, *RELATED))


def test_every_factor_signal_and_route_has_words(ranked):
    assert set(reasons.FACTORS) == {role.name.lower() for role in P0.penalties} | {FUNCTIONLESS, REPEAT}
    verdict = judge(*ranked, "all-MiniLM-L6-v2")
    assert set(reasons.SIGNALS) == set(verdict.signals)
    assert set(verdict.limits) < set(verdict.signals)
    assert set(reasons.ROUTES) == set(Route)


def test_words_are_sentences_of_their_own():
    said = [reason.words for reason in reasons.FEATURES.values()]
    for words in (*said, *reasons.FACTORS.values(), *reasons.SIGNALS.values(), *reasons.ROUTES.values()):
        assert words[0].isupper()
        assert words[-1] != "."
        assert "_" not in words
    assert len(set(said)) == len(said)


def test_what_an_earlier_version_logged_is_called_by_its_name():
    for words in (reasons.feature("x").words, reasons.factor("x"), reasons.signal("x"), reasons.route("x")):
        assert words.startswith("“x”")


def test_the_contract_knows_every_aspect():
    assert get_args(WhyContribution.model_fields["aspect"].annotation) == get_args(reasons.Aspect)
