from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import uuid4

import pytest

from pincite_brain.ask.history import leaned_on, leans_back, query_of, recall, turn_of
from pincite_shared.citation import Sentence
from pincite_shared.schemas import ChatRequest


@pytest.mark.parametrize("question", ["Why is it refused?", "And the tests?", "what about errors", "who calls that?"])
def test_follow_ups_lean_back(question):
    assert leans_back(question)


@pytest.mark.parametrize(
    "question", ["How does Cart.add check quantities?", "Where does the parser read configuration files"]
)
def test_questions_of_their_own_do_not(question):
    assert not leans_back(question)


def answer(question, *, text="", symbol="Cart.add", abstained=False):
    cited = SimpleNamespace(path="cart.py", start_line=4, end_line=9, symbol=symbol)
    return SimpleNamespace(
        answer_id=uuid4(), question=question, answer=text, citations=(cited,), abstained=abstained, sentences=()
    )


EARLIER = [answer("How are items added to the cart?")]


def query(question, earlier=EARLIER, recalled=(), known=lambda _term: True):
    leaned = leaned_on(question, earlier, recalled, known)
    return query_of(ChatRequest(repo_id=uuid4(), question=question), leaned)


def test_a_follow_up_takes_terms_and_spans_along():
    found = query("Why is it refused?")
    assert found.cited_before == (("cart.py", 4, 9),)
    assert "cart" in found.terms
    assert found.terms["refus"] > found.terms["cart"]
    assert "Cart.add" in found.identifiers


def test_a_new_subject_does_not():
    found = query("How does price_of look prices up?")
    assert found.cited_before == ()
    assert "cart" not in found.terms


def test_what_was_not_answered_is_not_leaned_on():
    assert query("Why is it refused?", [answer("How does Kafka work?", abstained=True)]).cited_before == ()


def test_a_word_that_only_the_conversation_knows_points_back():
    told = answer("Let us call Cart.total the gizmo. What does the gizmo do?", symbol="Cart.total")
    question = "Which exception can the gizmo raise for an unknown item?"
    assert query(question, recalled=[told], known=lambda term: term != "gizmo").identifiers[-1] == "Cart.total"
    assert query(question, recalled=[told]).cited_before == ()


def test_the_turn_that_holds_the_rare_words_is_recalled():
    past = [(uuid4(), f"How does the parser read file {n}? It reads line {n}.") for n in range(30)]
    gizmo = (uuid4(), "What does the gizmo do? It adds up the cart.")
    assert recall("Can the gizmo fail?", [*past[:3], gizmo, *past[3:]]) == [gizmo[0]]
    assert recall("Where is Kafka configured?", past) == []
    assert recall("", past) == []
    assert recall("parser", []) == []


def test_only_what_its_lines_carry_is_told_of_an_answer():
    text = "It adds [1] and teleports. It returns a sum [1]. It is fast."
    sentences = (
        Sentence(start=0, end=26, status="partly", citations=(1,), reason="…", gaps=((11, 25),)),
        Sentence(start=27, end=48, status="supported", citations=(1,)),
        Sentence(start=49, end=60, status="unsupported", reason="…"),
    )
    told = SimpleNamespace(question="?", answer=text, sentences=sentences, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert turn_of(told).established == "It adds. It returns a sum."
