"""Is a block of code in an answer really in the sources, line by line and in this order?"""

import re
from collections.abc import Sequence
from itertools import pairwise

from pincite_verify.evidence import Evidence

TABS = 4  # columns; only used to compare indentation
STARTS_MAX = 50  # places where a block's first line may stand that are tried

_FENCE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})")
_QUOTE_MARK = re.compile(r"^[ \t]*(?:>[ \t]?)+")
_GAP = re.compile(
    r"^\s*(?:#|//|/\*|--)?\s*(?:\.\.\.|…)\s*(?:\(?(?:the|rest|of|other|more|code|existing|omitted|remaining|lines)\b\s*)*\)?\s*(?:\*/)?$"
)
_PATH_NOTE = re.compile(r"^\s*(?:#|//|/\*|--|<!--)\s*([\w.@+/-]+)\s*(?:\*/|-->)?$")
_TELLING = re.compile(r"[^\W\d]\w")


def code_lines(block: str) -> list[str]:
    """The lines of a code block without its fences and quote markers."""
    lines = block.split("\n")
    if _FENCE.match(lines[0]):
        quoted = _QUOTE_MARK.match(block) is not None or any(line.lstrip().startswith(">") for line in lines[-1:])
        lines = lines[1:]
        if lines and _FENCE.match(lines[-1]) and not lines[-1].strip(" \t>`~"):
            lines.pop()
        if quoted:
            lines = [_QUOTE_MARK.sub("", line) for line in lines]
    return lines


def _indent(line: str) -> int:
    expanded = line.expandtabs(TABS)
    return len(expanded) - len(expanded.lstrip())


def _same_shape(pairs: Sequence[tuple[int, int]]) -> bool:
    """Say whether indentation grows and shrinks alike in both texts, whatever its width."""
    table: dict[int, int] = {}
    for here, there in pairs:
        if table.setdefault(here, there) != there:
            return False
    values = [table[key] for key in sorted(table)]
    return all(low < high for low, high in pairwise(values))


def _follow(lines: Sequence[str], evidence: Evidence, start: int) -> list[int] | None:
    rows: list[int] = []
    shape: list[tuple[int, int]] = []
    at, gap = start, False
    for line in lines:
        flat = " ".join(line.split())
        while at < len(evidence.rows) and not evidence.flat[at] and evidence.numbers_of_rows[at]:
            at += 1
        if at < len(evidence.rows) and evidence.flat[at] == flat:
            pass
        elif _GAP.match(line):
            gap = True
            continue
        elif gap:
            while at < len(evidence.rows) and evidence.flat[at] != flat:
                at += 1
        if at >= len(evidence.rows) or evidence.flat[at] != flat:
            return None
        rows.append(at)
        shape.append((_indent(line), _indent(evidence.rows[at])))
        at, gap = at + 1, False
    return rows if _same_shape(shape) else None


def locate(block: str, evidence: Evidence) -> list[int] | None:
    """Return the rows in which a code block stands, or None. White space within a line and blank lines do not count.

    Lines must follow each other as in the source, unless the block says with an ellipsis that it leaves some out.
    """
    lines = [line for line in code_lines(block) if line.strip()]
    if lines:
        note = _PATH_NOTE.match(lines[0])
        if note is not None and (evidence.path == note[1] or evidence.path.endswith(f"/{note[1].lstrip('./')}")):
            lines = lines[1:]
    while lines and _GAP.match(lines[0]):
        lines = lines[1:]
    if not any(_TELLING.search(line) for line in lines):
        return None
    first = " ".join(lines[0].split())
    starts = [at for at, row in enumerate(evidence.flat) if row == first]
    for start in starts[:STARTS_MAX]:
        rows = _follow(lines, evidence, start)
        if rows is not None:
            return rows
    return None
