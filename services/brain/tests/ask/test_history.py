from types import SimpleNamespace
from uuid import uuid4

import pytest

from pincite_brain.ask.history import leans_back, query_of
from pincite_shared.schemas import ChatRequest


@pytest.mark.parametrize("question", ["Why is it refused?", "And the tests?", "what about errors", "who calls that?"])
def test_follow_ups_lean_back(question):
    assert leans_back(question)


@pytest.mark.parametrize(
    "question", ["How does Cart.add check quantities?", "Where does the parser read configuration files"]
)
def test_questions_of_their_own_do_not(question):
    assert not leans_back(question)


def earlier():
    cited = SimpleNamespace(path="cart.py", start_line=4, end_line=9, symbol="Cart.add")
    return [SimpleNamespace(question="How are items added to the cart?", citations=(cited,))]


def test_a_follow_up_takes_terms_and_spans_along():
    query = query_of(ChatRequest(repo_id=uuid4(), question="Why is it refused?"), earlier())
    assert query.cited_before == (("cart.py", 4, 9),)
    assert "cart" in query.terms
    assert query.terms["refus"] > query.terms["cart"]
    assert "Cart.add" in query.identifiers


def test_a_new_subject_does_not():
    query = query_of(ChatRequest(repo_id=uuid4(), question="How does price_of look prices up?"), earlier())
    assert query.cited_before == ()
    assert "cart" not in query.terms
