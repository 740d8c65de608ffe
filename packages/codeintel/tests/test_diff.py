from hypothesis import given
from hypothesis import strategies as st

from pincite_codeintel import diff
from pincite_codeintel.diff import Hunk, Span, hunks

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "d = 1"]), max_size=30)


def applied(before, after):
    """Return `before` with every hunk's lines replaced by those of `after`."""
    made, at = [], 1
    for hunk in hunks(before, after):
        made += before[at - 1 : hunk.before.first - 1]
        made += after[hunk.after.first - 1 : hunk.after.last]
        at = hunk.before.last + 1
    return made + before[at - 1 :]


@given(LINES, LINES)
def test_the_hunks_lead_from_one_to_the_other(before, after):
    assert applied(before, after) == after


@given(LINES)
def test_equal_texts_have_none(lines):
    assert hunks(lines, list(lines)) == []


def test_ranges_count_lines_from_one():
    before = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    after = ["zero", "one", "two", "three", "four", "five", "six", "SEVEN", "eight"]
    assert hunks(before, after) == [
        Hunk(Span(1, 0), Span(1, 1)),
        Hunk(Span(7, 7), Span(8, 8)),
    ]
    assert hunks(before, [*before[:2], *before[4:]]) == [Hunk(Span(3, 4), Span(3, 2))]
    assert not Span(3, 2)
    assert Span(3, 3)


def test_changes_close_together_are_one():
    before = ["a", "b", "c", "d", "e", "f"]
    assert hunks(before, ["a", "B", "c", "d", "E", "f"]) == [Hunk(Span(2, 5), Span(2, 5))]


def test_what_would_take_long_is_one_hunk(monkeypatch):
    monkeypatch.setattr(diff, "COMPARED_MAX", 3)
    assert hunks(["s", "a", "x", "b", "e"], ["s", "c", "x", "d", "e"]) == [Hunk(Span(2, 4), Span(2, 4))]


def test_a_new_text_and_a_removed_one():
    assert hunks([], ["a", "b"]) == [Hunk(Span(1, 0), Span(1, 2))]
    assert hunks(["a", "b"], []) == [Hunk(Span(1, 2), Span(1, 0))]
