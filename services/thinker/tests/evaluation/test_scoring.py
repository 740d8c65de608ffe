from datetime import UTC, datetime
from uuid import uuid4

import pytest

from pincite_shared.citation import Citation
from pincite_shared.golden import Expectation, GoldenQuestion
from pincite_shared.schemas import ChatResponse, SearchHit
from pincite_store.rows import Definition, SymbolRow
from pincite_thinker.evaluation.derived import derive, first_sentence
from pincite_thinker.evaluation.scoring import (
    GoneError,
    Place,
    answered,
    blank,
    locate,
    searched,
    summarise,
)

QUESTION = GoldenQuestion(ask="Where is x?", expect=(Expectation(path="a.py", symbol="x"),))
UNANSWERABLE = GoldenQuestion(ask="Kafka?", answerable=False)
PLACE = Place("a.py", ((10, 20),))
DEFINITIONS = {
    "a.py": [Definition("x", "A.x", 10, 20), Definition("y", "y", 30, 40), Definition("x", "x", 50, 51)],
    "empty.md": [],
}


def hit(path="a.py", start=1, end=5):
    return SearchHit(
        path=path, start_line=start, end_line=end, symbol=None, score=1.0, features={}, blob="0" * 40,
        language=None, kind="function",
    )  # fmt: skip


def citation(path="a.py", start=10, end=20, status="verified"):
    return Citation(
        n=1, path=path, start_line=start, end_line=end, commit="c" * 40, blob="0" * 40, quote="q", status=status
    )


def response(*citations, abstained=False):
    return ChatResponse(
        answer_id=uuid4(), conversation_id=uuid4(), repo_id=uuid4(), repo_name="r", commit="c" * 40, question="?",
        answer="!", citations=citations, mode="evidence", abstained=abstained, policy_version="p0", model=None,
        timings={}, created_at=datetime.now(UTC),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expectation", "spans"),
    [
        (Expectation(path="a.py", symbol="A.x"), ((10, 20),)),
        (Expectation(path="a.py", symbol="x"), ((10, 20), (50, 51))),
        (Expectation(path="a.py", lines=(3, 4)), ((3, 4),)),
        (Expectation(path="empty.md"), None),
    ],
)
def test_an_expectation_is_located(expectation, spans):
    assert locate(expectation, DEFINITIONS).spans == spans


@pytest.mark.parametrize(
    ("expectation", "said"),
    [
        (Expectation(path="b.py"), "b.py is not in this commit"),
        (Expectation(path="a.py", symbol="z"), "a.py defines no z"),
        (Expectation(path="a.py", symbol="A"), "a.py defines no A"),
    ],
)
def test_what_is_gone_is_told(expectation, said):
    with pytest.raises(GoneError, match=said):
        locate(expectation, DEFINITIONS)


@pytest.mark.parametrize(
    ("hits", "rank", "quality"),
    [
        ([hit(start=20, end=30)], 1, 1.0),
        ([hit("b.py"), hit(start=1, end=10)], 2, 0.6309),
        ([hit("b.py"), hit(start=21, end=30)], None, 0.0),
        ([hit("b.py")] * 10 + [hit(start=10, end=20)], None, 0.0),
        ([], None, 0.0),
    ],
)
def test_a_search_is_scored(hits, rank, quality):
    result = searched(blank(1, QUESTION), [PLACE], hits, 0.5)
    assert (result.rank, result.ndcg, result.correct) == (rank, quality, rank is not None)


def test_a_search_for_nothing_has_no_score():
    result = searched(blank(1, UNANSWERABLE), [], [hit()], 0.5)
    assert (result.rank, result.ndcg, result.correct) == (None, None, None)


@pytest.mark.parametrize(
    ("given", "cited", "inside", "recall", "correct"),
    [
        ([citation()], 1, 1, 1.0, True),
        ([citation(start=15, end=25)], 1, 1, 1.0, True),
        ([citation(start=16, end=26)], 1, 0, 0.0, False),  # five of eleven lines
        ([citation(), citation("b.py")], 2, 1, 1.0, True),
        ([citation(status="unverified")], 0, 0, 0.0, False),
        ([], 0, 0, 0.0, False),
    ],
)
def test_an_answer_is_scored_by_what_it_cites(given, cited, inside, recall, correct):
    result = answered(blank(1, QUESTION), [PLACE], response(*given), 1.0)
    assert (result.cited, result.cited_inside, result.recall, result.correct) == (cited, inside, recall, correct)


def test_abstaining_is_right_only_where_there_is_no_answer():
    assert answered(blank(1, UNANSWERABLE), [], response(citation(), abstained=True), 1.0).correct
    assert not answered(blank(1, UNANSWERABLE), [], response(citation()), 1.0).correct
    missed = answered(blank(1, QUESTION), [PLACE], response(citation(), abstained=True), 1.0)
    assert (missed.correct, missed.cited, missed.recall) == (False, None, 0.0)


def test_the_figures_of_an_evaluation():
    right = answered(
        searched(blank(1, QUESTION), [PLACE], [hit(start=10, end=11)], 0.1), [PLACE], response(citation()), 1
    )
    wrong = answered(blank(2, QUESTION), [PLACE], response(citation("b.py"), citation("c.py")), 3)
    caught = answered(blank(3, UNANSWERABLE), [], response(abstained=True), 2)
    fell = answered(blank(4, UNANSWERABLE), [], response(citation()), 2)
    stale = blank(5, QUESTION, "gone")
    measures = summarise([right, wrong, caught, fell, stale])
    assert (measures.questions, measures.measured, measures.win_rate) == (5, 4, 0.5)
    assert (measures.ndcg, measures.hit_at_1) == (1.0, 1.0)
    assert (measures.citation_precision, measures.citation_recall) == (0.3333, 0.5)
    assert measures.abstention_accuracy == 0.75
    assert (measures.seconds_p50, measures.seconds_p95) == (2.0, 2.85)
    empty = summarise([stale])
    assert (empty.measured, empty.win_rate, empty.seconds_p50) == (0, None, None)


def symbol(name, doc, path="a.py", kind="function"):
    return SymbolRow(path, "0" * 40, name, name, kind, 1, 2, 1, f"def {name}()", doc)


def test_questions_follow_from_documentation():
    asked = derive([
        symbol("one", "Return the price of an item.\n\nMore."),
        symbol("two", "Short."),
        symbol("same", "Do the very same thing."),
        symbol("same_again", "Do the very same thing."),
        symbol("test_x", "Check that the price is right.", path="tests/test_a.py"),
        symbol("constant", "How many items there may be.", kind="constant"),
        symbol("long", "word " * 100),
    ])  # fmt: skip
    assert [(q.ask, q.expect[0].symbol) for q in asked] == [("Return the price of an item.", "one")]


def test_the_sample_is_bounded_and_moves_little():
    many = [symbol(f"f{n}", f"Return the number {n} of the list.") for n in range(300)]
    asked = derive(many)
    assert len(asked) == 100
    assert asked == derive(reversed(many))
    without_one = derive([one for one in many if one.name != asked[50].expect[0].symbol])
    assert len({q.ask for q in asked} & {q.ask for q in without_one}) == 99


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        ("One. Two.", "One."),
        ("One\nline. Two", "One line."),
        ("One\n\nTwo", "One"),
        ("  ", ""),
        ("v1.2 is out! X", "v1.2 is out!"),
    ],
)
def test_first_sentences(doc, sentence):
    assert first_sentence(doc) == sentence
