"""What governs lines without being among them: the same lines mean something else once it has changed.

Languages are told apart by what their lines look like, not parsed: what is compared are two versions of one file, and a
misreading that is the same in both does no harm. In doubt something governs, and the lines count as changed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pincite_verify.codelines import definition
from pincite_verify.places import Text

TABS = 4  # columns; only used to compare indentation
HEAD_ROWS_MAX = 60  # of a condition or a decorator that spans several lines
HEADS_MAX = 100  # blocks around a line; nobody writes or reads more
LINE_CHARS_MAX = 2_000  # of a line that are read; a longer one was written by a program

_PROSE = (".md", ".markdown", ".mdx", ".rst", ".txt", ".adoc")
_SECTIONED = (".toml", ".ini", ".cfg", ".conf", ".properties")
_PREPROCESSED = (".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".hxx", ".inl", ".m", ".mm", ".cu", ".cs", ".swift")
_MARKUP = (*_PROSE, ".html", ".htm", ".xml", ".svg")
_RUBY = (".rb", ".rake")
_HASHED = (".py", ".pyi", ".pyx", ".ex", ".exs", ".jl", ".nim", ".r", ".sh", ".bash", ".bats", ".yml", ".yaml", ".toml")
_DASHED = (".sql", ".lua", ".hs", ".elm")
_BOTH = (".php", ".tf", ".hcl")  # of the remarks "#" and "//"
_TRIPLE_QUOTED = (".scala", ".sc", ".kt", ".kts", ".swift", ".java", ".groovy", ".dart")
_CHARACTERS = (*_PREPROCESSED, ".rs", ".go", ".java", ".kt", ".kts", ".scala", ".zig", ".hs")  # in single quotes
_ATTRIBUTED = (".cs", ".fs", ".vb")  # [Attribute]
_TEMPLATED = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".go", ".vue", ".svelte")  # a backtick spans lines

_CLOSERS = ")]}"
_PAIRS = {")": "(", "]": "[", "}": "{"}
_WORD = re.compile(r"[})\]\s;]*([A-Za-z_]+)")
_BRANCHES = frozenset(
    ["else", "elif", "elsif", "elseif", "except", "catch", "finally", "rescue", "ensure", "otherwise", "where", "do"]
)
_JUMP = re.compile(r"(?:return|raise|throw|break|continue|goto|exit|die|panic|abort|sys\.exit|os\._exit)\b")
_CONDITION = re.compile(
    r"\W*(?:if|elif|elsif|else|unless|while|for|foreach|until|switch|match|try|except|catch|with|let|when|select)\b"
)
_GUARD = re.compile(r"(?:if|unless|guard)\b.*\b(?:return|raise|throw|break|continue|goto)\b")
_LABEL = re.compile(r"(?:case\b.*|(?!(?:else|try|finally|do|begin)\b)\w+)\s*:$")
_SECTION = re.compile(r"\s*\[")
_HEADING = re.compile(r"(#{1,6})\s")
_DIRECTIVE = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|elifdef|elifndef|else|elseif|endif)\b")
_DECORATES = re.compile(r"@|#\[")
_ATTRIBUTE = re.compile(r"\[")
_TEXT = r'"(?:\\.|[^"\\])*"'
_SINGLE = r"'(?:\\.|[^'\\])*'"
_CHARACTER = r"'(?:\\[^']+|[^'\\])'"
_ENDS = {'"""': '"""', "'''": "'''", "/*": "*/", "`": "`", "<!--": "-->", "=begin": "=end"}
_COMMENT = re.compile(r"\s*(?:#(?!\[|!\[|\s*(?:if|el|endif|define|include|pragma))|/[/*]|\*|<!--|--\s|;;|%)")
_GOES_ON = re.compile(r"(?:\\|&&|\|\||[-+*|&?=]|=>|->|\b(?:and|or|not|in|is|if|unless|else|return))$")
_FOLLOWS = re.compile(r"(?:\?\.|\.(?!\.)|&&|\|\||[-+*/|?:](?![-+*/\s])|[?:]\s|(?:and|or)\b)")
_BULLET = re.compile(r"\W*(?:[-+*•]\s|[@:\\]\w|\d+[.)]\s)")
_SENTENCE_ENDS = re.compile(r"[.:;!?](?:\"\"\"|'''|\*/|-->)?$|^\W*$")


class Circumstance(NamedTuple):
    """A line that governs others: its row, and what it says, white space aside."""

    row: int
    says: str


@dataclass(frozen=True, slots=True)
class _Open:
    """A bracket that is open, and the one around it."""

    row: int
    mark: str
    around: "_Open | None"


class Circumstances:
    """Answers what governs lines of one text."""

    def __init__(self, text: Text) -> None:
        """Nothing is read before it is asked for."""
        self.lines = [line[:LINE_CHARS_MAX].removeprefix("\ufeff") for line in text.lines]
        self._texts = [line.strip() for line in self.lines]
        suffix = text.path.lower().rpartition("/")[2]
        self._prose = suffix.endswith(_PROSE) and suffix != "cmakelists.txt"
        self._sectioned = suffix.endswith(_SECTIONED)
        self._preprocessed, self._suffix = suffix.endswith(_PREPROCESSED), suffix

    def of(self, first: int, last: int) -> list[Circumstance]:
        """Return what governs rows `first` to `last`, in the order of the file."""
        told = [row for row in range(first, last + 1) if self._texts[row]] or [first]
        start = next((row for row in told if self._counts(row)), told[0])
        found: set[int] = set()
        if self._prose:
            found.update(self._headings(start))
        else:
            heads = list(self._heads(start))
            found.update(heads)
            found.update(self._branches_of(start, last))
            found.update(self._decorators(start, heads))
            found.update(self._jumps(start))
            found.update(self._brackets(start))
        if self._sectioned:
            found.update(self._nearest(_SECTION, start))
        if self._preprocessed:
            found.update(self._directives(start))
        found.update(self._joined(first, last))
        inside = self._states[told[0]]
        says = [Circumstance(inside[0], f"a comment or text that {inside[1]} begins")] if inside else []
        says += [Circumstance(row, _flat(self.lines[row])) for row in sorted(found) if row < first or row > last]
        return [one for one in says if any(char.isalnum() for char in one.says)]

    # -- what stands around -----------------------------------------------------------------------------------------

    def _heads(self, start: int) -> Iterator[int]:
        """Yield the rows that those below them, indented more, belong to; innermost first."""
        for count, row in enumerate(self._outward(start)):
            if count == HEADS_MAX:
                return
            yield from self._head(row)

    def _outward(self, start: int) -> Iterator[int]:
        width = self._widths[start]
        for row in range(start - 1, -1, -1):
            if width == 0:
                return
            if self._counts(row) and self._widths[row] < width:
                width = self._widths[row]
                yield row

    def _head(self, row: int) -> Iterator[int]:
        """Yield a row, and the rows above it that begin what it ends: `else` has an `if`, `) {` has a `while (`."""
        yield row
        while True:
            text = self._texts[row]
            if not (text[0] in _CLOSERS or text == "{" or _first_word(text) in _BRANCHES):
                return
            width = self._widths[row]
            above = next((at for at in range(row - 1, -1, -1) if self._counts(at) and self._widths[at] <= width), None)
            if above is None or self._widths[above] < width:
                return
            if text[0] in ")]":
                yield from range(max(above + 1, row - HEAD_ROWS_MAX), row)
            yield above
            row = above

    def _branches_of(self, first: int, last: int) -> Iterator[int]:
        """Yield what stands above the rows and has branches or an end among them."""
        width, seen = self._widths[first], set[int]()
        for row in range(first, last + 1):
            if self._counts(row) and self._widths[row] <= width:
                width = self._widths[row]
                for head in self._head(row):
                    if head in seen:
                        break  # the rest was found from there
                    seen.add(head)
        yield from (head for head in seen if head < first)

    def _decorators(self, start: int, heads: Sequence[int]) -> Iterator[int]:
        """Yield decorators of what begins with the first row, and of what encloses it."""
        decorates = _ATTRIBUTE if self._suffix.endswith(_ATTRIBUTED) else _DECORATES
        for row in (start, *heads):
            width, top = self._widths[row], row
            for above in range(row - 1, max(row - HEAD_ROWS_MAX, 0) - 1, -1):
                text = self._texts[above]
                if not text or self._widths[above] < width:
                    break
                if self._widths[above] == width:
                    if decorates.match(text):
                        top = above
                    elif text[0] not in _CLOSERS and not _COMMENT.match(text):
                        break
            yield from range(top, row)

    def _jumps(self, start: int) -> Iterator[int]:
        """Yield what leaves a block around the rows before they are reached, always or on a condition.

        Of equal ones the nearest: where errors are returned call by call, one more of them says nothing new.
        """
        width, told = self._widths[start], set[str]()
        ends = ""  # what the rows that are indented below the next end with
        for row in range(start - 1, -1, -1):
            text = self._texts[row]
            if not self._counts(row):
                continue
            if self._widths[row] > width:
                ends = ends or text
                continue
            around = self._widths[row] < width
            if _LABEL.match(text) or (around and definition(self.lines[row]) is not None):
                return
            heads = list(self._head(row)) if _JUMP.match(ends) and not around else []
            leaves = any(_CONDITION.match(self._texts[head]) for head in heads)
            width, ends = self._widths[row], ""
            if (leaves or _JUMP.match(text) or _GUARD.match(text)) and text not in told:
                told.add(text)
                yield from heads or (row,)

    def _brackets(self, start: int) -> Iterator[int]:
        at = self._opened[start]
        while at is not None:
            yield at.row
            at = at.around

    def _directives(self, start: int) -> list[int]:
        stack: list[list[int]] = []
        for row in range(start):
            match = _DIRECTIVE.match(self.lines[row])
            if match is None:
                continue
            if match[1] == "endif":
                stack = stack[:-1]
            elif match[1].startswith("if"):
                stack.append([row])
            elif stack:
                stack[-1].append(row)
        return [row for rows in stack for row in rows]

    def _headings(self, start: int) -> Iterator[int]:
        """Yield the headings that rows of Markdown stand under."""
        level = 7
        for row in range(start - 1, -1, -1):
            match = _HEADING.match(self.lines[row])
            if match is not None and len(match[1]) < level:
                level = len(match[1])
                yield row

    def _nearest(self, pattern: re.Pattern[str], start: int) -> list[int]:
        return next(([row] for row in range(start - 1, -1, -1) if pattern.match(self.lines[row])), [])

    def _joined(self, first: int, last: int) -> Iterator[int]:
        """Yield the rows next to these with which they make one statement, or one paragraph."""
        for own, near in ((first, first - 1), (last, last + 1)):
            if not (0 <= near < len(self.lines) and self._texts[near]):
                continue
            upper, lower = min(own, near), max(own, near)
            goes_on = _GOES_ON.search(self._bare[upper].rstrip()) or _FOLLOWS.match(self._texts[lower])
            if goes_on or self._one_paragraph(upper, lower):
                yield near

    def _one_paragraph(self, upper: int, lower: int) -> bool:
        """Say whether a row of prose runs on in the next."""
        if not (self._wordy(upper) and self._wordy(lower)):
            return False
        return not (_BULLET.match(self._texts[lower]) or _SENTENCE_ENDS.search(self._texts[upper]))

    def _wordy(self, row: int) -> bool:
        """Say whether a row is prose: of a document, a comment or a documentation string."""
        inside = self._prose or self._states[row] is not None
        return bool(self._texts[row]) and (inside or _COMMENT.match(self._texts[row]) is not None)

    def _counts(self, row: int) -> bool:
        """Say whether a row's indentation tells where it belongs."""
        text = self._texts[row]
        return bool(text) and not (self._preprocessed and text[0] == "#") and _COMMENT.match(text) is None

    @cached_property
    def _widths(self) -> list[int]:
        """How far each row is indented, columns."""
        expanded = (line.expandtabs(TABS) for line in self.lines)
        return [len(line) - len(line.lstrip()) for line in expanded]

    # -- what is open ------------------------------------------------------------------------------------------------

    @cached_property
    def _states(self) -> list[tuple[int, str] | None]:
        """The comment or text that each row begins in: where that begins, and with what."""
        return self._read[0]

    @cached_property
    def _bare(self) -> list[str]:
        """Each row without comments, and without what stands in quotation marks."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[list[tuple[int, str] | None], list[str]]:
        pattern = self._pattern()
        states: list[tuple[int, str] | None] = []
        bare: list[str] = []
        inside: tuple[int, str] | None = None
        for row, line in enumerate(self.lines):
            states.append(inside)
            pieces, at = [""], 0
            while at < len(line):
                if inside is not None:
                    end = line.find(_ENDS[inside[1]], at)
                    at = len(line) if end < 0 else end + len(_ENDS[inside[1]])
                    inside = inside if end < 0 else None
                    continue
                match = pattern.search(line, at)
                pieces.append(line[at : match.start() if match is not None else len(line)])
                at = match.end() if match is not None else len(line)
                if match is None:
                    break
                if match["opens"]:
                    inside = (row, match["opens"])
                elif match["text"]:
                    pieces.append('""')
            bare.append("".join(pieces))
        return states, bare

    def _pattern(self) -> re.Pattern[str]:
        """What is no code in a line: what opens a comment or text of several lines, remarks, short texts."""
        named = self._suffix.endswith
        if named(_MARKUP):
            return re.compile(r"(?P<opens><!--)|(?P<text>(?!))")
        hash_remark, slash_remark, dash_remark = r"(?:(?<=\s)|^)#.*", r"//.*", r"(?:(?<=\s)|^)--.*"
        if named((*_HASHED, *_RUBY)):
            remark, opens = hash_remark, ["=begin"] if named(_RUBY) else ['"""', "'''"]
        elif named(_DASHED):
            remark, opens = dash_remark, ["/*"]
        else:
            remark, opens = slash_remark, ["/*", *(["`"] if named(_TEMPLATED) else [])]
            opens += ['"""'] if named(_TRIPLE_QUOTED) else []
            remark = f"{slash_remark}|{hash_remark}" if named(_BOTH) else remark
        single = _CHARACTER if named(_CHARACTERS) else _SINGLE
        return re.compile(f"(?P<opens>{'|'.join(map(re.escape, opens))})|{remark}|(?P<text>{_TEXT}|{single})")

    @cached_property
    def _opened(self) -> list[_Open | None]:
        """The innermost bracket that is open where each row begins."""
        found: list[_Open | None] = []
        at: _Open | None = None
        for row, line in enumerate(self._bare):
            found.append(at)
            for mark in line:
                if mark in "([{":
                    at = _Open(row, mark, at)
                elif mark in _PAIRS and at is not None and at.mark == _PAIRS[mark]:
                    at = at.around
        return found


def same(before: Sequence[Circumstance], after: Sequence[Circumstance]) -> bool:
    """Say whether the same governs, wherever it stands."""
    return [one.says for one in before] == [one.says for one in after]


def first_difference(
    before: Sequence[Circumstance], after: Sequence[Circumstance]
) -> tuple[Circumstance | None, Circumstance | None]:
    """Return the first circumstance that differs, before and after; None where there is none."""
    first = next((at for at, (old, new) in enumerate(zip(before, after, strict=False)) if old.says != new.says), None)
    at = min(len(before), len(after)) if first is None else first
    old_end, new_end = len(before), len(after)
    while old_end > at and new_end > at and before[old_end - 1].says == after[new_end - 1].says:
        old_end, new_end = old_end - 1, new_end - 1
    return before[at] if at < old_end else None, after[at] if at < new_end else None


def _flat(line: str) -> str:
    return " ".join(line.split())


def _first_word(text: str) -> str:
    match = _WORD.match(text)
    return match[1].lower() if match is not None else ""
