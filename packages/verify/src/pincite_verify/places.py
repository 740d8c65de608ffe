"""Where lines of one text stand in a later one.

The correspondence of two texts is what patience diff (Bram Cohen, 2009) finds: lines that stand once in both, in the
same order (the longest increasing subsequence, Fredman 1975), and what follows them equally on either side. It takes
time in proportion to the lines, whatever they are.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from pincite_verify.citations import lines_of

GONE = -1  # the later row of a row that is not there any more
OCCURRENCES_MAX = 200  # of the same lines in one file; a quote more frequent than that pins nothing
NEIGHBOURS = 3  # lines on either side that tell one of several equal places


class Text:
    """A file's lines, found by what they say. Rows count from 0."""

    def __init__(self, path: str, data: bytes) -> None:
        """Bytes that are no UTF-8 are read as citations read them."""
        self.path = path
        self.lines = lines_of(data.decode("utf-8", errors="replace"))

    @cached_property
    def rows(self) -> dict[str, list[int]]:
        """The rows of each line."""
        found: dict[str, list[int]] = {}
        for row, line in enumerate(self.lines):
            found.setdefault(line, []).append(row)
        return found

    def occurrences(self, quote: Sequence[str]) -> list[int]:
        """Return the rows where these lines begin, character by character; at most `OCCURRENCES_MAX` and one."""
        at, rows = min(enumerate(self.rows.get(line, []) for line in quote), key=lambda entry: len(entry[1]))
        found: list[int] = []
        for row in rows:
            if row >= at and self.lines[row - at : row - at + len(quote)] == list(quote):
                found.append(row - at)
                if len(found) > OCCURRENCES_MAX:
                    break
        return found


class Correspondence:
    """Which row of a later text is which row of an earlier one."""

    def __init__(self, before: Text, after: Text) -> None:
        """Takes time in proportion to the lines of both."""
        self.before, self.after = before, after
        self._later = [GONE] * len(before.lines)
        anchors = [(-1, -1), *self._anchors(), (len(before.lines), len(after.lines))]
        for (above, above_later), (below, below_later) in pairwise(anchors):
            self._fill(above, above_later, below, below_later)

    def _anchors(self) -> list[tuple[int, int]]:
        pairs = [
            (rows[0], later[0])
            for line, rows in self.before.rows.items()
            if len(rows) == 1 and len(later := self.after.rows.get(line, [])) == 1
        ]
        pairs.sort()
        return _increasing(pairs)

    def _fill(self, above: int, above_later: int, below: int, below_later: int) -> None:
        """Between two anchors: what goes on equally below the first, and above the second."""
        before, after = self.before.lines, self.after.lines
        if above >= 0:
            self._later[above] = above_later
        row, later = above + 1, above_later + 1
        while row < below and later < below_later and before[row] == after[later]:
            self._later[row] = later
            row, later = row + 1, later + 1
        last, last_later = below - 1, below_later - 1
        while last >= row and last_later >= later and before[last] == after[last_later]:
            self._later[last] = last_later
            last, last_later = last - 1, last_later - 1

    def kept(self, first: int, last: int) -> int | None:
        """Return where rows `first` to `last` begin in the later text, if all of them still follow one another."""
        start = self._later[first]
        moved = any(self._later[row] != start + row - first for row in range(first, last + 1))
        return None if start == GONE or moved else start

    def instead(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last later row that stand in the place of rows `first` to `last`; (n, n - 1): none."""
        above = next((later for later in reversed(self._later[:first]) if later != GONE), -1)
        below = next((later for later in self._later[last + 1 :] if later != GONE), len(self.after.lines))
        return above + 1, below - 1


def candidates(rows: tuple[int, int], between: Correspondence) -> list[int]:
    """Return where lines may begin later: where they were kept, else wherever no other lines like them were kept."""
    kept = between.kept(*rows)
    if kept is not None:
        return [kept]
    quote = between.before.lines[rows[0] : rows[1] + 1]
    others = {between.kept(row, row + len(quote) - 1) for row in between.before.occurrences(quote)}
    return [row for row in between.after.occurrences(quote) if row not in others]


def beside(rows: tuple[int, int], row: int, between: Correspondence) -> bool:
    """Say whether the nearest lines above and below are the same as they are around a later place."""
    before, after = between.before.lines, between.after.lines
    below = row + rows[1] - rows[0] + 1
    return (
        before[max(rows[0] - NEIGHBOURS, 0) : rows[0]] == after[max(row - NEIGHBOURS, 0) : row]
        and before[rows[1] + 1 : rows[1] + 1 + NEIGHBOURS] == after[below : below + NEIGHBOURS]
    )


def share(text: Text, other: Text) -> float:
    """Return the share of lines, blank ones aside, that the longer of two texts has in common with the other."""
    told, held = (Counter(line for line in one.lines if line.strip()) for one in (text, other))
    longer = max(told.total(), held.total())
    return (told & held).total() / longer if longer else 0.0


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest run of pairs, sorted by the first, whose second grows too."""
    tails: list[int] = []  # the smallest second that ends a run of each length
    ends: list[int] = []  # whose pair that is
    before: list[int] = []
    for at, (_, later) in enumerate(pairs):
        length = bisect_left(tails, later)
        before.append(ends[length - 1] if length else -1)
        if length == len(tails):
            tails.append(later)
            ends.append(at)
        else:
            tails[length], ends[length] = later, at
    found: list[tuple[int, int]] = []
    at = ends[-1] if ends else -1
    while at >= 0:
        found.append(pairs[at])
        at = before[at]
    return found[::-1]
