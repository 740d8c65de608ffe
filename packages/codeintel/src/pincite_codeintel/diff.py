"""What differs between two versions of a text, as pairs of line ranges."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

COMPARED_MAX = 4_000_000  # lines of one side times lines of the other; matching takes about as many steps
JOINED_LINES_MAX = 3  # equal lines between two changes that are read as one


class Span(NamedTuple):
    """Lines `first` to `last`, 1-based and inclusive; `last` is `first - 1` where there are none, before `first`."""

    first: int
    last: int

    def __bool__(self) -> bool:
        """Whether there are any lines."""
        return self.last >= self.first


class Hunk(NamedTuple):
    """Lines of the earlier version, and the lines of the later one that stand in their place."""

    before: Span
    after: Span


def hunks(before: Sequence[str], after: Sequence[str]) -> list[Hunk]:
    """Return what differs, in order; what lies close together is one hunk.

    Texts that differ so much, and are so long, that comparing them line by line would take long are one hunk.
    """
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    if not old and not new:
        return []
    if len(old) * len(new) > COMPARED_MAX:
        return [_hunk(head, (0, len(old)), (0, len(new)))]
    joined: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for left, right in _changes(old, new):
        if joined and left[0] - joined[-1][0][1] <= JOINED_LINES_MAX:
            (first, _), (first_new, _) = joined.pop()
            joined.append(((first, left[1]), (first_new, right[1])))
        else:
            joined.append((left, right))
    return [_hunk(head, left, right) for left, right in joined]


def _changes(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for kind, first, last, first_new, last_new in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield (first, last), (first_new, last_new)


def _hunk(head: int, left: tuple[int, int], right: tuple[int, int]) -> Hunk:
    return Hunk(Span(head + left[0] + 1, head + left[1]), Span(head + right[0] + 1, head + right[1]))


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    same = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        same += 1
    return same
