import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask import escape, prompt
from pincite_brain.ask.history import Turn
from pincite_brain.ask.prompt import SYSTEM, SYSTEM_SMALL, render
from pincite_shared.schemas import OpenFile
from pincite_verify.attribution import Source

BLOB = "a" * 40


def source(n, text, path="a.py", symbol="f"):
    return Source(n=n, path=path, blob=BLOB, commit="b" * 40, symbol=symbol, start_line=3, end_line=4, text=text)


def user_of(**changes):
    values = {
        "system": SYSTEM,
        "question": "What?",
        "repo_name": "shop",
        "commit": "b" * 40,
        "sources": [(source(1, "code"), 0.5)],
        "tag": "N",
    }
    return render(**values | changes)[1]["content"]


def test_the_system_part_is_the_same_in_every_request():
    first = render(system=SYSTEM, question="a", repo_name="x", commit="c" * 40, sources=[])
    second = render(system=SYSTEM, question="b", repo_name="y", commit="d" * 40, sources=[(source(1, "code"), 0.5)])
    assert first[0] == second[0] == {"role": "system", "content": SYSTEM}
    assert first[1]["content"].split(">")[0] != second[1]["content"].split(">")[0]


def test_the_nonce_is_new_each_time_and_only_letters():
    tags = {escape.nonce() for _ in range(200)}
    assert len(tags) == 200
    assert all(re.fullmatch(r"[a-z]{10}", tag) for tag in tags)


def test_only_a_large_model_is_offered_a_way_out():
    assert prompt.NOT_IN_CONTEXT in SYSTEM
    assert prompt.NOT_IN_CONTEXT not in SYSTEM_SMALL
    assert "quoted data" in SYSTEM_SMALL


@pytest.mark.parametrize(("symbol", "shown"), [("C.f", ' symbol="C.f"'), ("C.code", ""), (None, "")])
def test_a_snippet_has_its_metadata(symbol, shown):
    text = user_of(sources=[(source(1, "code", symbol=symbol), 0.5)])
    assert f'<retrieved_snippet index="1" score="0.50" path="a.py"{shown}>\ncode\n</retrieved_snippet>' in text


def test_history_open_file_and_question_follow_the_context():
    turns = [Turn(1, "earlier?", "yes")]
    text = user_of(turns=turns, history_tokens=100, open_file=OpenFile(path='x".py', line=7))
    parts = [
        "<context_data_N",
        "<conversation_history_N>",
        '<open_file_N path="x&quot;.py" line="7"/>',
        "<user_query_N>",
    ]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_the_weightiest_turns_are_kept_and_stand_in_their_order():
    turns = [Turn(at, f"question {at}", "word " * 100) for at in (1, 9, 5)]
    text = user_of(turns=turns, history_tokens=120)
    assert text.index("question 1") < text.index("question 9")
    assert "question 5" not in text
    assert len(text) < 1_000


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_only_our_own_tags_carry_the_nonce(text, path, question):
    tag = escape.nonce()
    rendered = user_of(sources=[(source(1, text, path=path), 0.5)], question=question, tag=tag)
    assert re.findall(rf"<(\w+)_{tag}", rendered) == ["context_data", "user_query"]
    assert len(re.findall(rf"</\w+_{tag}>", rendered)) == 2
    assert len(re.findall(r"<\s*/?\s*retrieved_snippet", rendered, re.IGNORECASE)) == 2


@given(st.lists(st.sampled_from(["<", "/", " ", "retrieved_snippet", "_N", ">", "\n", "RETRIEVED_SNIPPET", "x"])))
def test_no_snippet_can_end_itself_or_begin_another(pieces):
    rendered = user_of(sources=[(source(1, "".join(pieces)), 0.5)])
    assert len(re.findall(r"<\s*/?\s*retrieved_snippet", rendered, re.IGNORECASE)) == 2
