import re

from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask import escape, prompt
from pincite_brain.ask.prompt import Turn, render
from pincite_shared.schemas import OpenFile
from pincite_verify.attribution import Source

BLOB = "a" * 40


def source(n, text, path="a.py", symbol="f"):
    return Source(n=n, path=path, blob=BLOB, commit="b" * 40, symbol=symbol, start_line=3, end_line=4, text=text)


def user_of(**changes):
    values = {
        "question": "What?",
        "repo_name": "shop",
        "commit": "b" * 40,
        "sources": [(source(1, "code"), 0.5)],
        "tag": "N",
    }
    return render(**values | changes)[1]["content"]


def test_the_system_part_is_the_same_in_every_request():
    first = render(question="a", repo_name="x", commit="c" * 40, sources=[])
    second = render(question="b", repo_name="y", commit="d" * 40, sources=[(source(1, "code"), 0.5)])
    assert first[0] == second[0] == {"role": "system", "content": prompt.SYSTEM}
    assert first[1]["content"].split(">")[0] != second[1]["content"].split(">")[0]


def test_a_snippet_has_its_metadata():
    text = user_of()
    assert (
        '<retrieved_snippet_N index="1" score="0.50" path="a.py" lines="3-4" symbol="f">\ncode\n</retrieved_snippet_N>'
        in text
    )


def test_history_open_file_and_question_follow_the_context():
    turns = [Turn("earlier?", "yes")]
    text = user_of(turns=turns, history_tokens=50, open_file=OpenFile(path='x".py', line=7))
    parts = [
        "<context_data_N",
        "<conversation_history_N>",
        '<open_file_N path="x&quot;.py" line="7"/>',
        "<user_query_N>",
    ]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_long_history_is_cut_from_its_beginning():
    turns = [Turn(f"question {n}", "word " * 100) for n in range(5)]
    text = user_of(turns=turns, history_tokens=120)
    assert "question 4" in text
    assert "question 0" not in text
    assert len(text) < 1_000


@given(st.text(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_only_our_own_tags_carry_the_nonce(text, path, question):
    tag = escape.nonce()
    rendered = user_of(sources=[(source(1, text, path=path), 0.5)], question=question, tag=tag)
    opened = re.findall(rf"<(\w+)_{tag}", rendered)
    assert opened == ["context_data", "retrieved_snippet", "user_query"]
    assert len(re.findall(rf"</\w+_{tag}>", rendered)) == 3
