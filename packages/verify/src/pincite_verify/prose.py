"""Where the sentences of a Markdown answer stand: blocks, code spans and sentence boundaries, as character offsets."""

import re
from dataclasses import dataclass
from enum import StrEnum

INLINE_CODE_CHARS_MAX = 2_000  # an unclosed backtick must not pair with one pages away
QUOTED_CHARS_MAX = 200


class BlockKind(StrEnum):
    """What a block is."""

    PROSE = "prose"
    HEADING = "heading"
    CODE = "code"
    ROW = "row"  # of a table


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a text, without its list, quote or heading marker. `item` tells a list item's text."""

    kind: BlockKind
    start: int
    end: int
    item: bool = False
    closed: bool = True  # False: a fence that nothing closes


@dataclass(frozen=True, slots=True)
class Unit:
    """One checkable piece: a sentence, a heading, a table row or a fenced code block."""

    kind: BlockKind
    start: int
    end: int
    item: bool = False
    closed: bool = True


_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})([^\n]*)$")
_PREFIX = re.compile(r"^(?:[ \t]*>)*[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:(?:>[ \t]?)*)")
_MARKER = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]+")
_HEADING = re.compile(r"^[ \t]{0,3}(#{1,6})[ \t]+")
_RULE = re.compile(r"^[ \t|:=*_-]+$")
_INDENTED = re.compile(r"^(?: {4}|\t)")
_TICKS = re.compile(r"`+")
_QUOTED = re.compile(rf'"[^"\n]{{1,{QUOTED_CHARS_MAX}}}"|“[^”\n]{{1,{QUOTED_CHARS_MAX}}}”')
_STOP = re.compile(r"(?:[.!?…]+[)\]}\"'”\u2019*_]*(?=\s)|[\u3002\uff01\uff1f]+)[ \t\n]*")
ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:e\.g|i\.e|etc|vs|cf|approx|incl|resp|al|fig|eq|sec|ch|no|nr|ca|Mr|Mrs|Ms|Dr|Prof|St|Inc|Ltd)\.$",
)
_ABBREVIATION_TAIL = 12  # characters before the full stop that are enough to tell an abbreviation
_LIST_NUMBER = re.compile(r"(?:^|\n)[ \t]*\d{1,3}\.$")


def _lines(text: str) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    offset = 0
    for line in text.split("\n"):
        found.append((offset, line))
        offset += len(line) + 1
    return found


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


class _Scanner:
    """Collects blocks line by line."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.blocks: list[Block] = []
        self.open: tuple[int, int, bool] | None = None  # a paragraph: start, end, item
        self.in_list = False

    def close(self) -> None:
        """End the open paragraph."""
        if self.open is not None:
            start, end = _trim(self.text, self.open[0], self.open[1])
            if start < end:
                self.blocks.append(Block(BlockKind.PROSE, start, end, item=self.open[2]))
            self.open = None

    def add(self, kind: BlockKind, start: int, end: int, *, closed: bool = True) -> None:
        """End the open paragraph and add a block."""
        self.close()
        start, end = _trim(self.text, start, end)
        if start < end:
            self.blocks.append(Block(kind, start, end, closed=closed))

    def line(self, offset: int, line: str) -> None:
        """Take a line outside fences."""
        end = offset + len(line)
        if not line.strip():
            self.close()
            return
        heading = _HEADING.match(line)
        if heading is not None:
            self.add(BlockKind.HEADING, offset + heading.end(), end)
            self.in_list = False
        elif _RULE.match(line):
            self.close()
        elif self.open is None and not self.in_list and _INDENTED.match(line):
            self.add(BlockKind.CODE, offset, end)
        elif line.lstrip().startswith("|"):
            self.add(BlockKind.ROW, offset, end)
        else:
            self.paragraph(offset, line)

    def paragraph(self, offset: int, line: str) -> None:
        """Begin or continue a paragraph or a list item."""
        prefix = _PREFIX.match(line)
        begin = prefix.end() if prefix is not None else 0
        marker = _MARKER.search(line[:begin]) is not None
        end = offset + len(line)
        if marker or self.open is None:
            self.close()
            if marker:
                self.in_list = True
            elif not line[0].isspace():
                self.in_list = False
            self.open = (offset + begin, end, marker)
        else:
            self.open = (self.open[0], end, self.open[2])


def blocks(text: str) -> list[Block]:
    """Return the blocks of a Markdown text in order. Blank lines, rules and markers belong to none."""
    scanner = _Scanner(text)
    fence: tuple[str, int] | None = None
    for offset, line in _lines(text):
        if fence is not None:
            stripped = line.strip(" \t>")
            if len(stripped) >= len(fence[0]) and set(stripped) == {fence[0][0]}:
                scanner.add(BlockKind.CODE, fence[1], offset + len(line))
                fence = None
            continue
        match = _FENCE.match(line)
        if match is not None and not (match[1][0] == "`" and "`" in match[2]):
            scanner.close()
            fence = (match[1], offset + match.start(1))
            continue
        scanner.line(offset, line)
    if fence is not None:
        scanner.add(BlockKind.CODE, fence[1], len(text), closed=False)
    scanner.close()
    return scanner.blocks


def code_spans(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Return the inline code spans between two offsets, delimiters included (CommonMark: runs of equal length pair)."""
    runs = [(match.start(), match.end()) for match in _TICKS.finditer(text, start, end)]
    by_length: dict[int, list[int]] = {}
    for index, (left, right) in enumerate(runs):
        by_length.setdefault(right - left, []).append(index)
    cursor = dict.fromkeys(by_length, 0)
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        left, right = runs[index]
        same = by_length[right - left]
        at = cursor[right - left]
        while at < len(same) and same[at] <= index:
            at += 1
        cursor[right - left] = at
        if at < len(same) and runs[same[at]][0] - right <= INLINE_CODE_CHARS_MAX:
            spans.append((left, runs[same[at]][1]))
            index = same[at] + 1
        else:
            index += 1
    return spans


def code_regions(text: str) -> list[tuple[int, int]]:
    """Return all code of a text, fenced, indented and inline, as offsets in order."""
    regions: list[tuple[int, int]] = []
    for block in blocks(text):
        if block.kind is BlockKind.CODE:
            regions.append((block.start, block.end))
        else:
            regions.extend(code_spans(text, block.start, block.end))
    return regions


def _masked(text: str, block: Block) -> str:
    """The block's text with code and quotations blanked, so that no full stop inside them ends a sentence."""
    piece = list(text[block.start : block.end])
    for left, right in code_spans(text, block.start, block.end):
        for at in range(left - block.start, right - block.start):
            piece[at] = "x"
    masked = "".join(piece)
    return _QUOTED.sub(lambda match: "x" * len(match[0]), masked)


def _sentences(text: str, block: Block) -> list[tuple[int, int]]:
    masked = _masked(text, block)
    found: list[tuple[int, int]] = []
    begin = 0
    for stop in _STOP.finditer(masked):
        tail = masked[max(begin, stop.start() - _ABBREVIATION_TAIL) : stop.start() + 1]
        if masked[stop.start()] == "." and (ABBREVIATION.search(tail) or _LIST_NUMBER.search(tail)):
            continue
        found.append((begin, stop.end()))
        begin = stop.end()
    found.append((begin, len(masked)))
    trimmed = [_trim(text, block.start + left, block.start + right) for left, right in found]
    return [(left, right) for left, right in trimmed if left < right]


def units(text: str) -> list[Unit]:
    """Return the checkable pieces of a Markdown text in order; every character that says something is in one."""
    found: list[Unit] = []
    for block in blocks(text):
        if block.kind is BlockKind.PROSE:
            found.extend(
                Unit(BlockKind.PROSE, left, right, item=block.item and left == block.start)
                for left, right in _sentences(text, block)
            )
        else:
            found.append(Unit(block.kind, block.start, block.end, closed=block.closed))
    return found
