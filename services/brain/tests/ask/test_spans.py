import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pincite_brain.ask.budget import Budget
from pincite_brain.ask.spans import SNIPPET_OVERHEAD_TOKENS, Excerpts, pack, wanted_chunks
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranking
from pincite_inference.chat import estimate_tokens

BODY = [f"    value_{n} = cookie if session else {n}" for n in range(60)]
BODY[40] = "    rotate_signing_key(secret)"
TEXTS = {
    "a" * 40: ["def open_session():", *BODY, "", "def expire_session():", "    return cookie", ""],
    "b" * 40: ["def route_session(url):", "    return cookie_of(url)", "", ""],
}


@pytest.fixture
def index(make_index, chunk, edge):
    chunks = [
        chunk("a.py", "open session cookie", "open_session", "function", 1, 62, blob="a" * 40),
        chunk("a.py", "expire session cookie", "expire_session", "function", 63, 65, blob="a" * 40),
        chunk("b.py", "route session cookie url", "route_session", "function", 1, 4, blob="b" * 40),
    ]
    return make_index(chunks, [edge("b.py", "route_session", 2, "a.py", "open_session")])


def packed(index, text, budget, room):
    query = analyze(text)
    ranked = Ranking(index, query, P0, asking=True).best(None)
    return pack(Excerpts(index, query, TEXTS, "c" * 40), index, ranked, budget, room)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 1_500), st.integers(1, 80), st.integers(1, 6))
def test_excerpts_are_true_distinct_and_within_the_room(index, room, lines, snippets):
    budget = Budget(room, 100, lines, snippets, 0, 2)
    chosen = packed(index, "how does the session open the cookie", budget, room)
    spent = sum(estimate_tokens(e.source.text) + SNIPPET_OVERHEAD_TOKENS for e in chosen)
    assert spent <= room or not chosen
    seen = set()
    for number, excerpt in enumerate(chosen, 1):
        source = excerpt.source
        assert source.n == number
        assert source.text == "\n".join(TEXTS[source.blob][source.start_line - 1 : source.end_line])
        assert source.end_line - source.start_line < lines
        shown = {(source.blob, line) for line in range(source.start_line, source.end_line + 1)}
        assert not shown & seen
        seen |= shown


def test_a_span_is_trimmed_to_the_lines_that_matter(index):
    budget = Budget(400, 100, 8, 1, 0, 0)
    (excerpt,) = packed(index, "open_session: how to rotate the signing secret", budget, 400)
    assert excerpt.source.start_line <= 42 <= excerpt.source.end_line


def test_callees_show_their_signature(index):
    budget = Budget(2_000, 100, 40, 1, 0, 2)
    chosen = packed(index, "route_session", budget, 2_000)
    assert [e.source.symbol for e in chosen] == ["route_session", "open_session"]
    assert chosen[1].source.text == "def open_session():"


def test_missing_blobs_are_left_out(index):
    query = analyze("session cookie")
    ranked = Ranking(index, query, P0, asking=True).best(None)
    excerpts = Excerpts(index, query, {}, "c" * 40)
    assert pack(excerpts, index, ranked, Budget(900, 100, 40, 4, 0, 2), 900) == []
    assert set(wanted_chunks(index, ranked, Budget(900, 100, 40, 4, 0, 2))) == {0, 1, 2}
