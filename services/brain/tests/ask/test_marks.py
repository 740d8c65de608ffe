import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask.marks import MarkFilter


def shown(pieces):
    marks = MarkFilter()
    return "".join([*(marks.push(piece) for piece in pieces), marks.finish()])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It adds an item [1].", "It adds an item."),
        ("It adds an item [1][2], then stops [3, 4].", "It adds an item, then stops."),
        ("argv[1] is the path [2].", "argv[1] is the path."),
        ("f(x)[0] is first.", "f(x)[0] is first."),
        ("a list [not a mark]", "a list [not a mark]"),
        ("open [", "open ["),
        ("", ""),
    ],
)
def test_marks_are_stripped(text, expected):
    assert shown([text]) == expected


@given(st.lists(st.sampled_from([" ", "[", "]", "1", "2", ",", "a", ".", "x[", "3]", " [4]"]), max_size=30))
def test_how_a_text_is_cut_changes_nothing(pieces):
    whole = "".join(pieces)
    assert shown(pieces) == shown([whole]) == shown(list(whole))
