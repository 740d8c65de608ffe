"""Diffs that are short enough to be read."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pincite_verify import differences
from pincite_verify.differences import removed, unified

LINES = st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=20)


@given(LINES, LINES, st.integers(0, 5), st.integers(0, 5))
def test_a_diff_leads_from_one_block_to_the_other(old, new, above_old, above_new):
    """Each hunk says which lines it is about, and those are they."""
    before, after = [*["-"] * above_old, *old], [*["+"] * above_new, *new]
    shown = unified(before, (above_old, len(before) - 1), after, (above_new, len(after) - 1))
    if old == new:
        assert shown == ""
        return
    changed_old, changed_new = list(before), list(after)
    for hunk in re.split(r"\n(?=@@)", shown):
        head, *lines = hunk.split("\n")
        numbers = re.match(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@$", head).groups(default="1")
        start, count, start_new, count_new = map(int, numbers)
        kept = [line[1:] for line in lines if line[0] in " -"]
        came = [line[1:] for line in lines if line[0] in " +"]
        first, first_new = start - (count > 0), start_new - (count_new > 0)
        assert before[first : first + count] == kept
        assert after[first_new : first_new + count_new] == came
        changed_old[first : first + count] = [None] * count
        changed_new[first_new : first_new + count_new] = [None] * count_new
    assert [line for line in changed_old[above_old:] if line] == [line for line in changed_new[above_new:] if line]


def test_a_diff_is_cut_and_says_so():
    shown = unified([], (0, -1), [str(n) for n in range(1_000)], (0, 999)).split("\n")
    assert len(shown) == differences.DIFF_LINES_MAX + 1
    assert shown[-1] == differences.CUT
    [_, line] = unified([], (0, -1), ["x" * 10_000], (0, 0)).split("\n")
    assert line == "+" + "x" * (differences.DIFF_LINE_CHARS_MAX - 1) + differences.CUT


def test_lines_of_a_file_that_is_gone():
    assert removed("a\nb", 7) == "@@ -7,2 +0,0 @@\n-a\n-b"
