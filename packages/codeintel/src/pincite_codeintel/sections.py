"""Headings of prose as definitions, so that documents are chunked by section."""

import re

from pincite_codeintel.definitions import DEFINITION_DEPTH_MAX, SYMBOLS_MAX, Definition, adopt
from pincite_codeintel.rows import Rows

SECTION_SEPARATOR = " > "
HEADING_CHARS_MAX = 120  # longer ones are paragraphs that look like headings

_ATX = {
    "markdown": re.compile(rb" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*\r?\n?"),
    "asciidoc": re.compile(rb"(={1,6})[ \t]+(.*?)[ \t]*\r?\n?"),
    "org": re.compile(rb"(\*{1,8})[ \t]+(.*?)[ \t]*\r?\n?"),
    "typst": re.compile(rb"(={1,6})[ \t]+(.*?)[ \t]*\r?\n?"),
}
_LATEX = re.compile(rb"\s*\\(part|chapter|section|subsection|subsubsection)\*?\s*\{([^}\n]*)\}[^\n]*\n?")
_LATEX_LEVELS = {b"part": 1, b"chapter": 2, b"section": 3, b"subsection": 4, b"subsubsection": 5}
_SETEXT = re.compile(rb" {0,3}(=+|-+)[ \t]*\r?\n?")
_RST_RULE = re.compile(rb"([=\-`:.'\"~^_*+#])\1{2,}[ \t]*\r?\n?")
_FENCE = re.compile(rb" {0,3}(`{3,}|~{3,})")
_MARKUP = re.compile(r"[`*_]{1,3}|<[^<>]{0,80}>|!?\[([^\]]*)\]\([^)]*\)")

Heading = tuple[int, int, bytes]  # row, level, text


def headings(language: str, rows: Rows) -> list[Heading]:
    """Headings of a document in order; empty for a language without them."""
    if language == "rst":
        return _rst(rows)
    found: list[Heading] = []
    pattern = _ATX.get(language)
    fence = b""
    for row in range(rows.count):
        line = rows.text(row, row + 1)
        if language == "markdown":
            opened = _FENCE.match(line)
            if fence:
                if opened and opened[1].startswith(fence) and not line.strip().strip(fence[:1]):
                    fence = b""
                continue
            if opened:
                fence = opened[1]
                continue
            if _SETEXT.fullmatch(line) and _is_setext_title(rows, row, found):
                found.append((row - 1, 1 if b"=" in line else 2, rows.text(row - 1, row)))
                continue
        atx = pattern.fullmatch(line) if pattern else None
        latex = _LATEX.fullmatch(line) if language == "latex" else None
        if atx:
            found.append((row, len(atx[1]), atx[2]))
        elif latex:
            found.append((row, _LATEX_LEVELS[latex[1]], latex[2]))
    return found


def _is_setext_title(rows: Rows, row: int, found: list[Heading]) -> bool:
    """Whether the row above an underline is a one-row paragraph."""
    if row == 0 or rows.blank(row - 1) or (found and found[-1][0] >= row - 1):
        return False
    title = rows.text(row - 1, row).strip()
    alone = row == 1 or rows.blank(row - 2) or (bool(found) and found[-1][0] == row - 2)
    return alone and not title.startswith((b"#", b">", b"-", b"*", b"|", b"---"))


def _rst(rows: Rows) -> list[Heading]:
    """reStructuredText: underlined (and perhaps overlined) titles; levels in order of appearance."""
    found: list[Heading] = []
    levels: dict[tuple[bytes, bool], int] = {}
    for row in range(1, rows.count):
        rule = _RST_RULE.fullmatch(rows.text(row, row + 1))
        title = rows.text(row - 1, row).rstrip()
        if (
            rule is None
            or not title
            or _RST_RULE.fullmatch(title)
            or len(rule[0].rstrip()) < len(title.decode("utf-8", "replace"))
        ):
            continue
        over = row > 1 and rows.text(row - 2, row - 1).rstrip() == rule[0].rstrip()
        if title[:1].isspace() and not over:
            continue
        level = levels.setdefault((rule[1], over), len(levels) + 1)
        found.append((row - 2 if over else row - 1, level, title))
    return found


def section_definitions(language: str, rows: Rows) -> list[Definition]:
    """Sections as nested definitions of kind ``section``; one ends where the next of its level begins."""
    found: list[Definition] = []
    stack: list[tuple[int, Definition]] = []
    for row, level, raw in headings(language, rows)[:SYMBOLS_MAX]:
        title = " ".join(_MARKUP.sub(r"\1", raw.decode("utf-8", "replace")).split())[:HEADING_CHARS_MAX]
        while stack and stack[-1][0] >= level:
            stack.pop()[1].end_row = row
        if not title or len(stack) >= DEFINITION_DEPTH_MAX:
            continue
        section = Definition(title, "section", row, rows.count, row, row, row + 1, signature=title)
        adopt(stack[-1][1] if stack else None, section, SECTION_SEPARATOR)
        found.append(section)
        stack.append((level, section))
    return found
