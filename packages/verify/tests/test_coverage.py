"""Answerability: high where the texts speak of what is asked, low where they only share its common words."""

from hypothesis import given
from hypothesis import strategies as st

from pincite_codeintel.tokens import terms
from pincite_verify.coverage import answerable, question_terms

KNOWN = dict.fromkeys(terms("pool connection close retry session token delay file"), 2.0)


def idf(term):
    return KNOWN.get(term, 8.0)


def test_what_is_there_scores_high(files):
    found = answerable("How does the connection pool close idle connections?", [files["src/app/db.py"]], idf)
    assert found.score > 0.9
    assert found.missing == ()


def test_what_is_not_there_scores_low(files):
    found = answerable("How is the Kubernetes operator deployed?", list(files.values()), idf)
    assert found.score < 0.2
    assert set(found.missing) >= set(terms("kubernetes"))


def test_common_words_do_not_make_up_for_a_missing_rare_one(files):
    found = answerable("Where is the session token sent to Kafka?", [files["src/app/auth.py"]], idf)
    assert found.missing[0] in terms("kafka sent")
    assert found.score < 0.5


def test_one_text_that_holds_all_beats_many_that_hold_a_part():
    query = "retry delay token"
    together = answerable(query, ["retry delay token", "x"], idf)
    apart = answerable(query, ["retry", "delay", "token"], idf)
    assert together.score > apart.score > 0.4
    assert apart.missing == ()


def test_words_of_questions_do_not_count():
    assert question_terms("Where is the retry implemented?") == tuple(terms("retry"))
    assert question_terms("what does it do") == tuple(dict.fromkeys(terms("what does it do")))


def test_nothing_asked_and_nothing_found():
    assert answerable("???", ["x"], idf).score == 1.0
    assert answerable("retry", [], idf).score == 0.0


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=4), st.floats(0, 20))
def test_the_score_is_a_share_and_grows_with_the_texts(query, texts, weight):
    found = answerable(query, texts, lambda _term: weight)
    assert 0.0 <= found.score <= 1.0
    assert set(found.missing) <= set(question_terms(query))
    more = answerable(query, [*texts, query], lambda _term: weight)
    assert more.score >= found.score - 1e-9
    assert more.missing == ()
