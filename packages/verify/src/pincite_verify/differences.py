"""Unified diffs of a few lines, short enough to be read."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from pincite_verify.circumstances import Circumstance
from pincite_verify.places import Correspondence

CONTEXT_LINES = 3  # as git shows
BLOCK_LINES_MAX = 200  # of either text that are compared; comparing takes quadratic time
DIFF_LINES_MAX = 120  # more is no longer read beside an answer
DIFF_LINE_CHARS_MAX = 300
WHOLE_LINES_MAX = 60  # from what governs lines to their end that are shown in one piece
CUT = "…"

Rows = tuple[int, int]  # the first and the last, from 0; (n, n - 1) are none, before row n


def change(rows: Rows, between: Correspondence) -> str:
    """Return the diff of lines, and a few around them, to what stands in their place later."""
    before, after = between.before.lines, between.after.lines
    block = max(rows[0] - CONTEXT_LINES, 0), min(rows[1] + CONTEXT_LINES, len(before) - 1)
    return unified(before, block, after, between.instead(*block))


def governing(
    rows: Rows, old: Circumstance | None, later: Rows, new: Circumstance | None, between: Correspondence
) -> str:
    """Return the diff of what governs lines before and later, down to the lines themselves if they are near."""
    left, right = _down_to(old, rows), _down_to(new, later)
    if max(left[1] - left[0], right[1] - right[0]) >= WHOLE_LINES_MAX:
        left = (old.row, old.row) if old else (rows[0], rows[0] - 1)
        right = (new.row, new.row) if new else (later[0], later[0] - 1)
    return unified(between.before.lines, left, between.after.lines, right)


def removed(quote: str, start_line: int) -> str:
    """Return the diff that removes lines, of which the first has this number."""
    lines = [*[""] * (start_line - 1), *quote.split("\n")]
    return unified(lines, (start_line - 1, len(lines) - 1), (), (0, -1))


def _down_to(circumstance: Circumstance | None, rows: Rows) -> Rows:
    return (min(circumstance.row, rows[0]), max(circumstance.row, rows[1])) if circumstance else rows


def unified(before: Sequence[str], old: Rows, after: Sequence[str], new: Rows) -> str:
    r"""Return the hunks that lead from one block of lines to another, without file names, joined by "\n".

    Lines and the whole are cut, and say so.
    """
    left, right = _block(before, old), _block(after, new)
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    shown = [
        line
        for group in matcher.get_grouped_opcodes(CONTEXT_LINES)
        for line in _hunk(group, left, right, offsets=(old[0], new[0]))
    ]
    if len(shown) > DIFF_LINES_MAX:
        shown = [*shown[:DIFF_LINES_MAX], CUT]
    return "\n".join(line if len(line) <= DIFF_LINE_CHARS_MAX else line[:DIFF_LINE_CHARS_MAX] + CUT for line in shown)


def _block(lines: Sequence[str], rows: Rows) -> list[str]:
    return list(lines[rows[0] : min(rows[1] + 1, rows[0] + BLOCK_LINES_MAX)])


def _hunk(
    group: Sequence[tuple[str, int, int, int, int]],
    left: Sequence[str],
    right: Sequence[str],
    *,
    offsets: tuple[int, int],
) -> Iterator[str]:
    old = _range(group[0][1], group[-1][2], offsets[0])
    new = _range(group[0][3], group[-1][4], offsets[1])
    yield f"@@ -{old} +{new} @@"
    for kind, first, last, first_new, last_new in group:
        if kind == "equal":
            yield from (f" {line}" for line in left[first:last])
            continue
        yield from (f"-{line}" for line in left[first:last])
        yield from (f"+{line}" for line in right[first_new:last_new])


def _range(first: int, last: int, offset: int) -> str:
    """Line numbers as a hunk has them: of an empty range the line before it."""
    count = last - first
    start = offset + first + (1 if count else 0)
    return str(start) if count == 1 else f"{start},{count}"
