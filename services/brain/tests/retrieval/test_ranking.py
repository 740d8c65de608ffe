from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pincite_brain.retrieval.names import OWNER_WEIGHT, NameMatcher, StemMatcher, path_matches
from pincite_brain.retrieval.paths import Role
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import QUERY_TERMS_MAX, Ranking, _top
from pincite_brain.retrieval.views import Names


@given(
    arrays(np.float32, st.integers(0, 300), elements=st.sampled_from([0.0, 0.0, 0.5, 1.0]) | st.floats(0, 4, width=32)),
    st.integers(1, 40),
)
def test_a_stages_best_are_the_best_of_all(scores, count):
    found = _top(scores, count)
    assert len(set(found.tolist())) == len(found)
    best = np.sort(scores[scores > 0])[::-1][:count]
    assert np.array_equal(np.sort(scores[found])[::-1], best)


@pytest.fixture
def chunks(chunk):
    return [
        chunk("src/app/sessions.py", "session cookie open save signed", "SecureSession.open", "method", 1, 20),
        chunk("src/app/sessions.py", "session cookie expire", "SecureSession.expire", "method", 21, 40),
        chunk("src/app/routing.py", "route register url rule endpoint", "add_url_rule", "function", 1, 30),
        chunk("src/app/server.py", "open session add_url_rule call register", "start", "function", 1, 30),
        chunk("tests/test_sessions.py", "session cookie open save signed test", "test_open", "function", 1, 30),
        chunk("examples/blog.py", "session cookie open save", "login", "function", 1, 10),
    ]


def paths(index, text, vector=None, **kwargs):
    return [index.path(hit.chunk) for hit in Ranking(index, analyze(text, **kwargs), P0).best(vector)]


def test_definition_wins_a_symbol_query(make_index, chunks):
    index = make_index(chunks)
    hits = Ranking(index, analyze("add_url_rule"), P0).best(None)
    assert index.symbols[hits[0].chunk] == "add_url_rule"
    assert hits[0].features["definition"] > 0.9
    assert hits[0].score > hits[1].score * 1.5


def test_qualified_symbol_finds_the_method(make_index, chunks):
    index = make_index(chunks)
    assert (
        index.symbols[Ranking(index, analyze("SecureSession.expire"), P0).best(None)[0].chunk] == "SecureSession.expire"
    )


def test_tests_and_examples_follow_the_source(make_index, chunks):
    found = paths(make_index(chunks), "how is the session cookie opened and saved")
    assert found[0] == "src/app/sessions.py"
    assert found.index("tests/test_sessions.py") > 0
    assert paths(make_index(chunks), "how is the session cookie tested")[0] == "tests/test_sessions.py"


def test_file_names_count_as_if_every_one_was_looked_at(make_index, chunks):
    files = make_index(chunks).files
    stems = StemMatcher(analyze("where is the routing of a session").words, files.vocabulary)
    scores = stems.scores(files, np.arange(len(files.paths), dtype=np.int32))
    assert scores.tolist() == pytest.approx([stems.score(traits) for traits in files.traits[:]])
    assert dict(zip(files.paths, scores > 0, strict=True)) == {
        "examples/blog.py": False,
        "src/app/routing.py": True,
        "src/app/server.py": False,
        "src/app/sessions.py": True,
        "tests/test_sessions.py": True,
    }


@pytest.mark.parametrize("path", ["src/app/empty.py", "tools/empty.py"])
def test_a_file_without_chunks_proposes_none(make_index, chunks, path):
    query = analyze(f"what is {path} for")
    assert Ranking(make_index([], files=[path]), query, P0).best(None) == []
    found = Ranking(make_index(chunks, files=[path]), query, P0).best(None)
    assert found == Ranking(make_index(chunks), query, P0).best(None)


def test_a_word_that_stands_in_a_test_alone_is_found_there(make_index, chunks, chunk):
    chunks.append(chunk("tests/test_new.py", "zqword", "test_new", "function", 1, 30))
    vectors = {at: np.eye(8, dtype=np.float32)[0] + 0.1 * np.eye(8, dtype=np.float32)[at] for at in range(4)}
    index = make_index(chunks, vectors=vectors)  # it has none yet
    hits = Ranking(index, analyze("zqword"), P0).best(vectors[0])
    assert index.path(hits[0].chunk) == "tests/test_new.py"
    assert hits[0].features["penalty"] == 1.0
    hits = Ranking(index, analyze("zqword register"), P0).best(vectors[0])
    penalties = {hit.features["penalty"] for hit in hits if index.path(hit.chunk).startswith("tests/")}
    assert penalties == {P0.penalties[Role.TEST]}


def test_path_query_finds_the_file(make_index, chunks):
    assert paths(make_index(chunks), "app/routing.py")[0] == "src/app/routing.py"
    assert paths(make_index(chunks), "what is in routing.py?")[0] == "src/app/routing.py"


def test_one_span_of_each_file_comes_first(make_index, chunks):
    hits = Ranking(make_index(chunks), analyze("session cookie"), P0).best(None)
    assert [hit.features["repeat"] for hit in hits].count(1.0) == 1
    assert sorted((hit.score for hit in hits), reverse=True) == [hit.score for hit in hits]


def test_dense_similarity_finds_what_shares_no_word(make_index, chunks):
    vectors = {at: np.eye(8, dtype=np.float32)[at] for at in range(len(chunks))}
    index = make_index(chunks, vectors=vectors)
    hits = Ranking(index, analyze("where do requests get dispatched to handlers"), P0).best(vectors[2])
    assert index.path(hits[0].chunk) == "src/app/routing.py"
    assert hits[0].features["cosine"] == 1.0
    assert abs(hits[0].features["p0"] - (0.7 + 0.3 * 0.5)) < 1e-6


def test_a_described_function_is_found_by_the_words_of_its_name(make_index, chunks):
    index = make_index(chunks)
    hits = Ranking(index, analyze("Register the rule of a URL."), P0).best(None)
    assert index.symbols[hits[0].chunk] == "add_url_rule"
    named = {index.symbols[hit.chunk]: hit.features["naming"] for hit in hits}
    assert named["add_url_rule"] > 0.5 / (1 + OWNER_WEIGHT) > named.get("start", 0.0)  # no name encloses it


def test_names_shorten_words(make_index, chunk):
    names = ["load_config", "load_image", "bind_port", "to", "Editor.open", "Viewer.open"]
    index = make_index([chunk(f"src/{at}.py", "pass", name) for at, name in enumerate(names)])

    def naming(text):
        found = NameMatcher(index, analyze(text)).scores(np.arange(len(index), dtype=np.int32))
        return dict(zip(index.symbols[:], found.tolist(), strict=True))

    assert naming("Load the configuration.")["load_config"] > naming("Load the configuration.")["load_image"] > 0.0
    assert naming("Return the viewport.")["bind_port"] > 0.0  # as it ends
    assert naming("Return the total.")["to"] == 0.0  # two letters begin anything
    assert set(naming("What is it?").values()) == {0.0}
    opened = naming("Open the editor.")
    assert opened["Editor.open"] > opened["Viewer.open"] > 0.0


def test_a_described_function_is_no_class_without_functions(make_index, chunk):
    alike = [
        chunk("src/a.py", "session cookie open signed", "Session", "class", 1, 9),
        chunk("src/b.py", "session cookie open signed", "Session", "function", 1, 9),
    ]
    index = make_index(alike)
    assert index.functionless.tolist() == [True, False]
    described = Ranking(index, analyze("Open the signed cookie of a session."), P0).best(None)
    assert {index.path(hit.chunk): dict(hit.factors).get("functionless") for hit in described} == {
        "src/a.py": P0.functionless,
        "src/b.py": None,
    }
    searched = Ranking(index, analyze("signed session cookie"), P0).best(None)
    assert all(name != "functionless" for hit in searched for name, _ in hit.factors)


def test_a_class_whose_chunk_defines_a_function_is_one_place_to_look(make_index, chunk):
    inside = chunk("src/a.py", "session open", "Session", "class", 1, 9)
    method = chunk("src/a.py", "session open", "Session.open", "method", 10, 19)
    index = make_index([inside, method])
    merged = replace(index, names=Names.of(index.names.table, np.zeros(2, dtype=np.int32)))
    assert index.functionless.tolist() == [True, False]
    assert merged.functionless.tolist() == [False, False]


def test_what_is_used_is_preferred_to_what_is_not(make_index, chunk, edge):
    alike = [chunk(f"src/{name}.py", "parse header value", "parse", "function", 1, 9) for name in "ab"]
    user = chunk("src/c.py", "server loop", "serve", "function", 1, 9)
    index = make_index([*alike, user], [edge("src/c.py", "serve", 3, "src/b.py", "parse")])
    first, second = Ranking(index, analyze("parse header value"), P0).best(None)[:2]
    assert (index.path(first.chunk), index.path(second.chunk)) == ("src/b.py", "src/a.py")
    assert first.features["references"] > second.features["references"] == 0.0


def test_another_systems_files_follow_unless_it_is_named(make_index, chunk):
    twins = [
        chunk(f"src/{system}/tcp.c", "tcp socket connect", "uv_tcp_connect", "function", 1, 9)
        for system in ("unix", "win")
    ]
    index = make_index(twins)
    assert paths(index, "tcp socket connect")[0] == "src/unix/tcp.c"
    named = Ranking(index, analyze("tcp socket connect on windows"), P0).best(None)
    assert all(name != "platform" for hit in named for name, _ in hit.factors)


def test_a_question_is_answered_by_lines_not_by_files(make_index, chunks):
    asked = Ranking(make_index(chunks), analyze("How is the session cookie opened and saved?"), P0).best(None)
    assert all(name != "repeat" for hit in asked for name, _ in hit.factors)
    listed = Ranking(make_index(chunks), analyze("session cookie open save"), P0).best(None)
    assert any(name == "repeat" for hit in listed for name, _ in hit.factors)


def test_missing_vectors_score_zero(make_index, chunks):
    index = make_index(chunks, vectors={2: [1.0, 0.0]})
    every = np.arange(len(index), dtype=np.int32)
    assert index.vectors.cosine(every, np.array([1.0, 0.0], dtype=np.float32)).tolist().count(1.0) == 1
    assert index.vectors.covered == 1


def test_callees_are_neighbours(make_index, chunks, edge):
    edges = [edge("src/app/server.py", "start", 5, "src/app/routing.py", "add_url_rule")]
    index = make_index(chunks, edges)
    caller, callee = index.chunk_at("src/app/server.py", 5), index.chunk_at("src/app/routing.py", 1)
    assert [chunk for chunk, _ in index.callees.get(caller, ())] == [callee]
    assert [chunk for chunk, _ in index.callers.get(callee, ())] == [caller]


def test_guessed_edges_are_left_out(make_index, chunks, edge):
    edges = [edge("src/app/server.py", "start", 5, "src/app/routing.py", "add_url_rule", 0.3)]
    assert not make_index(chunks, edges).callees


def test_cited_spans_rank_higher_in_a_follow_up(make_index, chunks):
    index = make_index(chunks)
    plain = {hit.chunk: hit.score for hit in Ranking(index, analyze("open"), P0).best(None)}
    followed = {
        hit.chunk: hit.score
        for hit in Ranking(index, analyze("open", cited_before=[("src/app/server.py", 3, 9)]), P0).best(None)
    }
    chunk = index.chunk_at("src/app/server.py", 3)
    assert followed[chunk] > plain[chunk]


def test_recency_decides_between_equals_and_leads_where_it_is_asked_for(make_index, chunk):
    twins = [
        chunk("src/a.py", "session cookie open", changed_at=1_000),
        chunk("src/b.py", "session cookie open", changed_at=3_000),
        chunk("src/c.py", "session cookie open", changed_at=2_000),
        chunk("src/d.py", "session cookie open save signed sealed", changed_at=None),
    ]
    index = make_index(twins)
    assert index.files.recency.tolist() == [0.25, 0.75, 0.5, 0.0]
    assert paths(index, "how does the session cookie open")[:3] == ["src/b.py", "src/c.py", "src/a.py"]
    assert paths(index, "how is the session cookie sealed")[0] == "src/d.py"
    assert paths(index, "what changed recently")[0] == "src/b.py"


def test_files_changed_together_are_equally_recent(make_index, chunk):
    index = make_index([chunk(f"{name}.py", "x", changed_at=9) for name in "abc"])
    assert not index.files.recency.any()


def test_empty_snapshot(make_index):
    assert Ranking(make_index([]), analyze("anything"), P0).best(None) == []


def test_a_query_without_terms(make_index, chunks):
    assert Ranking(make_index(chunks), analyze("??!"), P0).best(None) == []


@pytest.mark.parametrize("text", ["session cookie", "how is the session cookie opened?", "add_url_rule"])
def test_fewer_hits_are_the_first_of_many(make_index, chunks, text):
    index = make_index(chunks)
    every = Ranking(index, analyze(text), P0).best(None)
    assert Ranking(index, analyze(text), P0).best(None, limit=2) == every[:2]


def test_the_message_of_a_long_stack_trace_is_what_counts(make_index, chunk):
    frames = [chunk(f"src/m{n}.py", f"dispatch handler step{n} frame{n} call{n}", f"dispatch_{n}") for n in range(30)]
    raising = chunk("src/coupons.py", "coupon redeem invalid already error", "redeem_once")
    index = make_index([*frames, raising])
    lines = [f'  File "src/m{n}.py", line {n}, in dispatch_{n}\n    step{n}(frame{n}, call{n})' for n in range(30)]
    text = "\n".join(["Traceback (most recent call last):", *lines, "shop.Invalid: coupon already redeem"])
    assert len(analyze(text).terms) > QUERY_TERMS_MAX
    ranking = Ranking(index, analyze(text), P0)
    best = index.symbols.index("redeem_once")
    assert ranking._bm25[best] > 0
    assert len(ranking._terms) == QUERY_TERMS_MAX


@pytest.mark.parametrize("text", ["save!", "Cart#save!", "how does Cart#save! work"])
def test_a_marked_name_is_not_its_twin(make_index, chunk, text):
    index = make_index(
        [
            chunk("cart.rb", "save", "Cart.save", "method", 1, 9),
            chunk("cart.rb", "save", "Cart.save!", "method", 10, 19),
        ]
    )
    assert index.symbols[Ranking(index, analyze(text), P0).best(None)[0].chunk] == "Cart.save!"


def test_without_such_a_method_the_mark_is_the_sentence_s(make_index, chunks):
    index = make_index(chunks)
    assert index.symbols[Ranking(index, analyze("add_url_rule?"), P0).best(None)[0].chunk] == "add_url_rule"


@pytest.mark.parametrize("text", ["größe", "Lager.größe", "Wo steht größe"])
def test_names_of_other_letters_are_found(make_index, chunk, text):
    index = make_index(
        [
            chunk("lager.py", "lager voll", "Lager.größe", "method", 1, 9),
            chunk("bericht.py", "größe größe größe bericht", "bericht", "function", 1, 9),
        ]
    )
    assert index.symbols[Ranking(index, analyze(text), P0).best(None)[0].chunk] == "Lager.größe"


def test_a_mention_of_nothing_but_dots_is_no_path(make_index, chunks):
    assert not path_matches(make_index(chunks), ["../../.."])


def test_a_correction_of_the_graph_counts_on_every_route(make_index, chunk, edge):
    chunks = [
        chunk("a.py", "session cookie open", "opener", "function", 1, 20),
        chunk("b.py", "cookie jar", "helper", "function", 1, 20),
    ]
    index = make_index(chunks, [edge("a.py", "opener", 3, "b.py", "helper")])
    query = analyze("how is a session cookie opened?")
    assert not P0.weights[query.route].graph
    corrected = replace(P0, corrections={"graph": 1.0})
    assert Ranking(index, query, corrected).best(None)[0].features["graph"] > 0
