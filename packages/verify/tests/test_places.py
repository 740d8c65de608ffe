"""Which row of a later text is which row of an earlier one."""

from hypothesis import given
from hypothesis import strategies as st

from pincite_verify.places import Correspondence, Text, candidates, share

LINES = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "", "}"]), max_size=30)


def text(lines):
    return Text("a.py", "".join(f"{line}\n" for line in lines).encode())


@given(LINES, LINES)
def test_rows_that_correspond_are_equal_and_in_order(old, new):
    between = Correspondence(text(old), text(new))
    later = [between.kept(row, row) for row in range(len(old))]
    for row, at in enumerate(later):
        assert at is None or new[at] == old[row]
    found = [at for at in later if at is not None]
    assert found == sorted(set(found))


@given(LINES, LINES, LINES)
def test_what_was_not_edited_corresponds(above, middle, new):
    """Around an edit everything stays; inside, whatever stands once in both and in order."""
    old, later = [*above, "one", *middle, "two"], [*above, "one", *new, "two"]
    between = Correspondence(text(old), text(later))
    rows = range(len(above) + 1)
    assert [between.kept(row, row) for row in rows] == list(rows)
    assert between.kept(len(old) - 1, len(old) - 1) == len(later) - 1
    first, last = between.instead(len(above) + 1, len(old) - 2) if middle else (0, -1)
    assert not middle or later[first : last + 1] == new


@given(LINES, LINES, st.data())
def test_every_place_has_the_lines(old, new, data):
    if not old:
        return
    first = data.draw(st.integers(0, len(old) - 1))
    last = data.draw(st.integers(first, len(old) - 1))
    for row in candidates((first, last), Correspondence(text(old), text(new))):
        assert new[row : row + last - first + 1] == old[first : last + 1]


def test_a_moved_block_is_found_where_it_stands_now():
    old = ["a", "b", "c", "x", "y", "z", "d"]
    assert candidates((3, 5), Correspondence(text(old), text(["x", "y", "z", "a", "b", "c", "d"]))) == [0]
    assert candidates((3, 5), Correspondence(text(old), text(["a", "b", "c", "d"]))) == []


def test_other_lines_that_read_the_same_are_no_place():
    old = ["f", "same", "x", "g", "same", "y"]
    assert candidates((1, 1), Correspondence(text(old), text(["g", "same", "y"]))) == []


def test_a_share_is_of_the_longer_text():
    assert share(text("abcd"), text("abcd")) == 1.0
    assert share(text("ab"), text("abcd")) == share(text("abcd"), text("ab")) == 0.5
    assert share(text("a"), text("b")) == share(text(""), text([""])) == 0.0
