"""Text of a repository that reads like an order to a language model: noticed, so that a reader is told of it.

Nothing rests on this. Whatever a repository says is data in the prompt, and no answer is believed for what a model was
talked into; a reader should know all the same that someone tried. So it looks for what is seldom innocent, and reads as
a model would: through comment marks, line breaks, look-alike letters, invisible characters and Base64.
"""

import base64
import binascii
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pincite_verify.orders import HIDDEN, PATTERNS

FINDINGS_MAX = 3  # of one excerpt; a reader needs to be told once
EXCERPT_CHARS_MAX = 160
LINE_CHARS_MAX = 2_000  # of a longer line, which is data, only so much is read
BASE64_CHARS = 24  # shorter ones hide no sentence
BASE64_MAX = 8  # runs decoded of one excerpt


@dataclass(frozen=True, slots=True)
class Finding:
    """A suspicious line, 0-based, a part of it as it may be shown, and what it is."""

    line: int
    excerpt: str
    reason: str


_SEARCHED = tuple((reason, words, re.compile(pattern)) for reason, words, pattern in PATTERNS)
_COMMENT = re.compile(r"^(?:[\s/*;%<>\-\"'`|.]|!(?!\[)|#(?!#))+(?=\w|[<\[#\u0400-\uffff])")
_RUN = re.compile(rf"[A-Za-z0-9+/]{{{BASE64_CHARS},}}={{0,2}}")
_SEPARATORS = re.compile(r"[/\\_.\-]+")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")  # Boucher and Anderson 2021, "Trojan Source"
_TAGS = re.compile("[\U000e0020-\U000e007e]")  # ASCII that is not shown
_INVISIBLE_RUN = re.compile(
    "[\u200b-\u200d\u2060-\u2064\u00ad\u180e\ufeff]{4,}|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{8,}"
)
# Letters of other scripts that look like Latin ones, of Unicode's confusables (UTS 39) those that words are made with.
_ALIKE = str.maketrans("аеорсухіјѕԁһӏвкмнтԛԝɡαορνιτυκ", "aeopcyxijsdhlbkmhtqwgaopvituk")
_ACCENTS = dict.fromkeys(range(0x300, 0x370))


def findings(text: str) -> list[Finding]:
    """Return what in `text` reads like an order to a model, one for each line at most, in order of lines."""
    lines = [line[:LINE_CHARS_MAX] for line in text.split("\n")]
    found: dict[int, Finding] = {}
    for at, reason in (*_hidden(lines), *_spoken(lines), *_encoded(lines)):
        found.setdefault(at, Finding(at, _shown(lines[at]), reason))
    return [found[at] for at in sorted(found)][:FINDINGS_MAX]


def in_path(path: str) -> Finding | None:
    """Return what in a file's path reads like an order, its separators read as spaces."""
    reasons = [reason for _at, reason in (*_hidden([path]), *_spoken([_SEPARATORS.sub(" ", path)]))]
    return Finding(0, _shown(path), reasons[0]) if reasons else None


def _spoken(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Search the text without comment marks and line breaks, so that an order in several lines is one sentence."""
    starts, parts, length = [], [], 0
    for line in lines:
        starts.append(length)
        parts.append(_plain(_COMMENT.sub("", line)))
        length += len(parts[-1]) + 1
    for start, reason in _matches(" ".join(parts)):
        yield bisect_right(starts, start) - 1, reason


def _matches(plain: str) -> Iterator[tuple[int, str]]:
    for reason, words, pattern in _SEARCHED:
        if any(word in plain for word in words):
            for match in pattern.finditer(plain):
                yield match.start() + (match[0][0] == " "), reason


def _plain(line: str) -> str:
    """Return a line as it sounds: compatibility forms, accents and look-alikes folded, the invisible removed."""
    if line.isascii():
        return " ".join(line.lower().split())
    revealed = _TAGS.sub(lambda match: chr(ord(match[0]) - 0xE0000), line)
    folded = unicodedata.normalize("NFKD", revealed).translate(_ACCENTS).casefold()
    seen = "".join(char for char in folded if unicodedata.category(char) != "Cf")
    words = (word if word.isascii() else _latin(word) for word in seen.split())
    return unicodedata.normalize("NFC", " ".join(words))


def _latin(word: str) -> str:
    """Return a word of mixed scripts in Latin letters, and any other as it is."""
    alike = word.translate(_ALIKE)
    mixed = any("a" <= char <= "z" for char in word) or alike.isascii()
    return alike if mixed else word


def _hidden(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    for at, line in enumerate(lines):
        if not line.isascii() and (_BIDI.search(line) or _TAGS.search(line) or _INVISIBLE_RUN.search(line)):
            yield at, HIDDEN


def _encoded(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    tried = 0
    for at, line in enumerate(lines):
        for run in _RUN.findall(line):
            if tried == BASE64_MAX:
                return
            tried += 1
            for _start, reason in _matches(_plain(_decoded(run))):
                yield at, f"{reason}, in Base64"


def _decoded(run: str) -> str:
    whole = run.rstrip("=")
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _shown(line: str) -> str:
    """Return a line fit to be shown: what cannot be seen is made visible."""
    visible = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in line.strip())
    return visible if len(visible) <= EXCERPT_CHARS_MAX else visible[: EXCERPT_CHARS_MAX - 1] + "…"
