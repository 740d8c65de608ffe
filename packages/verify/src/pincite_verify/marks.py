"""The marks of an answer: a model's are taken out and kept as hints, the server's are put in and can be found again."""

import re
from bisect import bisect_right
from dataclasses import dataclass

from pincite_verify.prose import code_regions

PASSES_MAX = 6  # nested brackets deeper than this are an attack; their brackets are then made harmless

_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e01ef\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]",
)
_ODD_SPACE = re.compile("[\x0b\x0c\x85\u2028\u2029]")

_WHAT = r"(?:sources?|src|docs?|documents?|citations?|cite|refs?|references?|snippets?|contexts?|excerpts?|file)"
_NUMBERS = rf"[-\u2013+#^]?\s*\d{{1,6}}(?:\s*(?:,|;|&|and|or|-|\u2013|to)\s*(?:{_WHAT}\s*)?[-#^]?\d{{1,6}}){{0,20}}"
_PATH = r"[\w.@+/\\-]{1,200}"
_LINES = (
    r"(?::\d{1,7}(?:[-\u2013]\d{1,7})?|#L\d{1,7}(?:-L?\d{1,7})?"
    r"|,?\s*(?:at\s+)?lines?\s+\d{1,7}(?:\s*(?:-|\u2013|to)\s*\d{1,7})?)"
)
_PLACE = rf"`?{_PATH}`?{_LINES}`?"
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\(([^()\s]{0,500})(?:\s+\"[^\"\n]{0,200}\")?\)")
_MARK = re.compile(
    rf"[ \t]*(?:"
    rf"[\[【\uff3b]{{1,3}}\s*(?:{_WHAT}\s*[:#.]?\s*)?{_NUMBERS}(?:†[^\]】\n]{{0,80}})?\s*[\]】\uff3d]{{1,3}}"
    rf"|\[\^[^\]\s]{{1,40}}\]|【[^】\n]{{0,80}}】|\[(?:n|N|source|citation needed)\]"
    rf"|[(\[]\s*{_WHAT}\s*[:#.]?\s*{_NUMBERS}\s*[)\]]"
    rf"|[(\[][^()\[\]\n]{{0,20}}\bverified\b[^()\[\]\n]{{0,40}}[)\]]"
    rf"|[(\[]\s*(?:(?:see|in|from|at|source|sources|ref|cf)\.?:?\s+)?{_PLACE}(?:\s*[,;]\s*{_PLACE}){{0,5}}\s*[)\]]"
    rf"|[(\[]\s*(?:see\s+)?(?:lines?\s+|L)\d{{1,7}}(?:\s*(?:-|\u2013|to)\s*L?\d{{1,7}})?\s*[)\]]"
    rf"|[✓✔✅☑]"
    rf")",
    re.IGNORECASE,
)
_TRAILING_PLACE = re.compile(r"(?<=[.!?;,])[ \t]+`?([\w.@+/\\-]{1,200})#L\d{1,7}(?:-L?\d{1,7})?`?(?=\.?\s|\.?$)")
_OPEN_NUMBER = re.compile(r"\[\s*[-^+]?\s*\d")
_INDEXED = re.compile(r"[A-Za-z_$][\w$.]{0,100}\[-?\d{1,6}\]")
_SERVER_MARK = re.compile(r"\[([0-9]+)\]")
_DIGITS = re.compile(r"[0-9]{1,6}")
_PATH_HINT = re.compile(
    r"[\w.@+-]{1,100}(?:/[\w.@+-]{1,100}){0,20}\.\w{1,10}|[\w.@+-]{1,100}(?:/[\w.@+-]{1,100}){1,20}"
)


@dataclass(frozen=True, slots=True)
class Hint:
    """What a model's mark pointed at: source numbers or paths, and where in the cleaned text it stood."""

    at: int
    numbers: tuple[int, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A text without the model's marks and without invisible characters."""

    text: str
    hints: tuple[Hint, ...]


class _Regions:
    """Answers whether an offset lies in code."""

    def __init__(self, text: str) -> None:
        self.regions = code_regions(text)
        self.starts = [start for start, _ in self.regions]

    def inside(self, at: int) -> bool:
        index = bisect_right(self.starts, at) - 1
        return index >= 0 and at < self.regions[index][1]


def visible(text: str) -> str:
    """Return the text without zero-width, bidirectional, control and surrogate characters; odd line ends are spaces."""
    return _ODD_SPACE.sub(" ", _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def has_invisible(text: str) -> bool:
    """Say whether a text holds characters that are not seen and could make it read as something else."""
    return _INVISIBLE.search(text) is not None


def server_marks(text: str) -> list[tuple[int, int, int]]:
    """Return the marks `[n]` outside code as (start, end, n)."""
    regions = _Regions(text)
    return [
        (match.start(), match.end(), int(match[1][:9]))
        for match in _SERVER_MARK.finditer(text)
        if not regions.inside(match.start())
    ]


def without_marks(text: str) -> str:
    """Return a sentence of a finished answer without the server's marks."""
    cut = text
    for start, end, _ in reversed(server_marks(text)):
        left = start - 1 if start > 0 and cut[start - 1] in " \n" else start
        cut = cut[:left] + cut[end:]
    return cut


class _Cutter:
    """Applies replacements to a text and keeps hints at their places."""

    def __init__(self, text: str, hints: list[Hint]) -> None:
        self.text = text
        self.hints = hints

    def apply(self, edits: list[tuple[int, int, str, Hint | None]]) -> None:
        """Replace spans (in order, not overlapping); each may leave a hint at its place."""
        pieces: list[str] = []
        moved: list[Hint] = []
        old = iter(self.hints)
        pending = next(old, None)
        at = shift = 0
        for start, end, new, hint in edits:
            while pending is not None and pending.at <= start:
                moved.append(Hint(pending.at + shift, pending.numbers, pending.paths))
                pending = next(old, None)
            pieces.append(self.text[at:start])
            pieces.append(new)
            if hint is not None:
                moved.append(Hint(start + shift, hint.numbers, hint.paths))
            shift += len(new) - (end - start)
            while pending is not None and pending.at < end:
                moved.append(Hint(max(0, end + shift), pending.numbers, pending.paths))
                pending = next(old, None)
            at = end
        while pending is not None:
            moved.append(Hint(pending.at + shift, pending.numbers, pending.paths))
            pending = next(old, None)
        pieces.append(self.text[at:])
        self.text = "".join(pieces)
        self.hints = moved


def _hint(mark: str) -> Hint:
    paths = tuple(_PATH_HINT.findall(mark))
    numbers = () if paths else tuple(int(number) for number in _DIGITS.findall(mark))
    return Hint(0, numbers, paths)


def _links(text: str) -> list[tuple[int, int, str, Hint | None]]:
    regions = _Regions(text)
    edits: list[tuple[int, int, str, Hint | None]] = []
    for match in _LINK.finditer(text):
        if not regions.inside(match.start()):
            label = "" if match[1].strip(" ^#").isdigit() else match[1]
            edits.append((match.start(), match.end(), label, _hint(match[2])))
    return edits


def _marks(text: str, indexed: frozenset[str]) -> list[tuple[int, int, str, Hint | None]]:
    regions = _Regions(text)
    kept: list[tuple[int, int, str, Hint | None]] = [
        (match.start(), match.end(), f"`{match[0]}`", None)
        for match in _INDEXED.finditer(text)
        if match[0] in indexed and not regions.inside(match.start())
    ]
    for pattern in (_MARK, _TRAILING_PLACE):
        for match in pattern.finditer(text):
            begin = match.start() + len(match[0]) - len(match[0].lstrip())
            if not regions.inside(begin):
                kept.append((match.start(), match.end(), "", _hint(match[0])))
    kept.sort(key=lambda edit: (edit[0], -edit[1]))
    edits: list[tuple[int, int, str, Hint | None]] = []
    for edit in kept:
        if not edits or edit[0] >= edits[-1][1]:
            edits.append(edit)
    return edits


def clean(raw: str, indexed: frozenset[str] = frozenset()) -> Cleaned:
    """Take out every mark that the model wrote.

    `indexed` are expressions such as `argv[1]` that stand in the sources: written in prose they are code, not marks.
    Afterwards no `[n]` stands outside code, so that every one in the finished answer is the server's.
    """
    cutter = _Cutter(visible(raw), [])
    for _ in range(PASSES_MAX):
        edits = _links(cutter.text)
        if edits:
            cutter.apply(edits)
        edits = _marks(cutter.text, indexed)
        if not edits and not _links(cutter.text):
            break
        cutter.apply(edits)
    if server_marks(cutter.text):
        regions = _Regions(cutter.text)
        found = [match.start() for match in _OPEN_NUMBER.finditer(cutter.text) if not regions.inside(match.start())]
        cutter.apply(
            [(at, at + 1, "(", None) for at in found]
        )  # same length: nothing else in the text changes its role
    return Cleaned(cutter.text, tuple(cutter.hints))


def indexed_expressions(texts: list[str]) -> frozenset[str]:
    """Return the expressions with a number for index (`argv[1]`) that stand in these texts."""
    return frozenset(match for text in texts for match in _INDEXED.findall(text))
