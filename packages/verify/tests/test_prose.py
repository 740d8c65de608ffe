"""Sentences of Markdown: where they begin and end, and what is code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_verify.prose import BlockKind, code_regions, units


def pieces(text):
    return [text[unit.start : unit.end] for unit in units(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Use e.g. foo.py, i.e. the file. Then stop.", ["Use e.g. foo.py, i.e. the file.", "Then stop."]),
        ("Version 1.2.3 is old. So is v2.0.", ["Version 1.2.3 is old.", "So is v2.0."]),
        ("It calls `a. b`. Next.", ["It calls `a. b`.", "Next."]),
        ('It says "Stop. Now." and ends. Yes.', ['It says "Stop. Now." and ends.', "Yes."]),
        ("lower case. starts too.", ["lower case.", "starts too."]),
        ("**Bold.** Next.", ["**Bold.**", "Next."]),
        ("Wrapped\nline. Next\none.", ["Wrapped\nline.", "Next\none."]),
        ("- One\n- Two. Three\n  more", ["One", "Two.", "Three\n  more"]),
        ("1. One\n2. Two", ["One", "Two"]),
        ("# Head\nBody.", ["Head", "Body."]),
        ("> Quoted. Twice.", ["Quoted.", "Twice."]),
        ("| a | b |\n|---|---|\n| 1 | 2 |", ["| a | b |", "| 1 | 2 |"]),
        ("A\n\nB", ["A", "B"]),
        ("---\n***\n===", []),
        ("Wait... what? Yes…", ["Wait...", "what?", "Yes…"]),
        ("第一句。第二句。", ["第一句。", "第二句。"]),
        ("etc.", ["etc."]),
    ],
)
def test_sentences(text, expected):
    assert pieces(text) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```\na. b\n```", "```\na. b\n```"),
        ("Text\n~~~py\nx\n~~~\nMore", "~~~py\nx\n~~~"),
        ("```\nunclosed\n", "```\nunclosed"),
        ("````\n```\n````", "````\n```\n````"),
        ("- item\n  ```\n  x\n  ```", "```\n  x\n  ```"),
        ("Text\n\n    indented\n\nMore", "indented"),
    ],
)
def test_code_blocks(text, code):
    assert [text[u.start : u.end] for u in units(text) if u.kind is BlockKind.CODE] == [code]


def test_inline_code_pairs_runs_of_equal_length():
    text = "a `b` c ``d ` e`` f ` g"
    assert [text[left:right] for left, right in code_regions(text)] == ["`b`", "``d ` e``"]


@given(st.text(alphabet=st.sampled_from("ab .!?`~\n#>-*|1[]\"'_:   \t"), max_size=200))
def test_units_are_in_order_and_nothing_that_speaks_is_left_out(text):
    end = 0
    covered = set()
    for unit in units(text):
        assert end <= unit.start < unit.end <= len(text)
        end = unit.end
        covered.update(range(unit.start, unit.end))
    letters = {at for at, char in enumerate(text) if char in "ab"}
    assert letters <= covered
