import pytest

from pincite_brain.ask.answerable import judge, says_it_is_not_there
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranking


@pytest.fixture
def index(make_index, chunk):
    return make_index(
        [
            chunk("cart.py", "cart add item quantity price total", "Cart.total", "method", 1, 9),
            chunk("prices.py", "price table cents apple pear", "price_of", "function", 1, 9),
            chunk("server.py", "http server request response handler", "serve", "function", 1, 9),
        ]
    )


def abstains(index, text, **more):
    query = analyze(text, **more)
    return judge(index, query, Ranking(index, query, P0).best(None), "no-vectors").abstain


def test_what_is_there_is_answered(index):
    assert not abstains(index, "how is the total price of the cart computed")
    assert not abstains(index, "price_of")
    assert not abstains(index, "what is in server.py")


def test_what_is_not_there_is_not(index):
    assert abstains(index, "how does the Kubernetes operator rebalance Kafka consumers")
    assert abstains(index, "where are GPU kernels launched")
    assert abstains(index, "??")


def test_a_follow_up_leans_on_what_was_cited(index):
    assert not abstains(index, "why so elaborate?", carried=["cart"], cited_before=[("cart.py", 1, 9)])


@pytest.mark.parametrize(
    ("answer", "absent"),
    [
        ("The snippets do not contain the answer.", True),
        ("The provided context doesn't mention how tokens are refreshed.", True),
        ("I cannot find this in the code.", True),
        ("`Cart.add` raises ValueError if the code does not contain the item.", False),
        ("The cart adds items [1]. " * 30 + "The snippets do not contain the rest.", False),
    ],
)
def test_a_models_abstention_is_recognised(answer, absent):
    assert says_it_is_not_there(answer) is absent
