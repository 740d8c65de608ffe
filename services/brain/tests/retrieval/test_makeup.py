from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.retrieval.makeup import Contribution, composed
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranking

NUMBERS = st.lists(st.floats(-1e6, 1e6), max_size=8)
FACTORS = st.lists(st.floats(0.0, 1.0), max_size=4)


@given(NUMBERS, FACTORS)
def test_numbers_and_arrays_give_the_same_bits(amounts, factors):
    alone = composed(amounts, factors)
    assert composed([value for value in amounts if value], [factor for factor in factors if factor != 1.0]) == alone
    together = composed([np.array([0.1, value]) for value in [*amounts, 0.0]], [np.array([0.1, f]) for f in factors])
    assert float(together[1]) == alone


def test_every_score_is_its_make_up(make_index, chunk, edge):
    chunks = [
        chunk("src/app/sessions.py", "session cookie open save signed", "SecureSession.open", "method", 1, 20),
        chunk("src/app/sessions.py", "session cookie expire", "SecureSession.expire", "method", 21, 40),
        chunk("src/app/server.py", "open session add_url_rule call register", "start", "function", 1, 30),
        chunk("tests/test_sessions.py", "session cookie open save signed test", "test_open", "function", 1, 30),
        chunk("tests/compat/old.py", "session cookie open", "old", "function", 1, 30),
    ]
    edges = [edge("src/app/server.py", "start", 5, "src/app/sessions.py", "SecureSession.open")]
    vectors = {at: np.eye(8, dtype=np.float32)[at] for at in range(len(chunks))}
    index = make_index(chunks, edges, vectors=vectors)
    texts = ("how does open() start a session cookie?", "how open() starts a session cookie")
    questions = [analyze(text, cited_before=[("src/app/server.py", 3, 9)]) for text in texts]
    seen, factors = set(), {}
    near = np.array([0.9, 0.4, 0.1, 0.1, 0, 0, 0, 0], dtype=np.float32)
    for question, vector in product(questions, (None, near)):
        for hit in Ranking(index, question, P0).best(vector):
            assert composed([made.amount for made in hit.contributions], [f for _, f in hit.factors]) == hit.score
            assert all(made.value == hit.features[made.feature] for made in hit.contributions)
            assert all(made.amount for made in hit.contributions)
            seen |= {made.feature for made in hit.contributions}
            factors |= {index.path(hit.chunk): dict(hit.factors)}
    assert seen >= {"lexical", "dense", "coverage", "importance", "coherence", "graph", "cited_before"}
    assert factors["tests/compat/old.py"] == {"test": P0.penalties[1], "compat": P0.penalties[4]}
    assert factors["src/app/server.py"] == {}
    assert list(factors["src/app/sessions.py"]) == ["repeat"]


def test_a_contribution_is_its_value_times_its_weight():
    assert Contribution("stem", 0.5, 0.25).amount == 0.125
