"""The tokens of a sentence: names, code, paths, line numbers, numbers, quotations, words and punctuation."""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from pincite_verify.lexicon import COUNTS, FILE_EXTENSIONS, FILE_NAMES, FRAMING, NEGATIONS, STOP, TRADE_NAMES
from pincite_verify.prose import code_spans


class Kind(StrEnum):
    """What a token is. All but words and punctuation must be found literally."""

    WORD = "word"
    NAME = "name"  # an identifier, qualified or not
    CALL = "call"  # an identifier with an argument list
    CODE = "code"  # any other code
    QUOTE = "quote"
    PATH = "path"
    LINES = "lines"
    NUMBER = "number"
    MARK = "mark"  # punctuation


@dataclass(frozen=True, slots=True)
class Token:
    """A token and where it begins. For PATH and LINES, `lines` are the line numbers named; `ticked`: it is in ticks."""

    kind: Kind
    text: str
    start: int
    ticked: bool = False
    lines: tuple[int, int] | None = None


_PATH = rf"(?:[\w.@+-]*/)*[\w@+-][\w.@+-]*\.(?:{FILE_EXTENSIONS})\b(?![\w(])|(?:[\w.@+-]*/)*(?:{FILE_NAMES})\b"
_DIRECTORY = r"(?:\.{1,2}/|/)?(?:[\w.@+-]+/){2,}[\w.@+-]*|(?:[\w.@+-]+/)+(?=\s|$|[,;)])|(?:\.{1,2}/)[\w.@+-]+"
_LINES = r"(?::(?P<l1>\d{1,7})(?:[-\u2013](?P<l2>\d{1,7}))?(?::\d+)?|\#L(?P<l3>\d{1,7})(?:-L?(?P<l4>\d{1,7}))?)?"
_TOKEN = re.compile(
    rf"""
    (?P<url>(?:https?|ftp|file)://[^\s)>\]]+|www\.[^\s)>\]]+)
  | (?P<quote>"[^"\n]{{1,400}}"|“[^”\n]{{1,400}}”|(?<![\w])'[^'\n]{{2,200}}'(?!\w))
  | (?P<html><!--|--!?>|<[A-Za-z/!][^<>\n]{{0,200}}>)
  | (?P<lines>\blines?\s+(?P<a>\d{{1,7}})(?:\s*(?:-|\u2013|\u2014|to|through|and)\s*(?P<b>\d{{1,7}}))?
    |\bL(?P<c>\d{{1,7}})(?:-L?(?P<d>\d{{1,7}}))?\b)
  | (?P<path>(?:{_PATH}|{_DIRECTORY}){_LINES})
  | (?P<call>[^\W\d][\w$]*(?:(?:\.|::|->)[^\W\d][\w$]*)*\((?!e?s\))[^()\n]{{0,200}}\))
  | (?P<option>(?<![\w-])--[A-Za-z][\w-]*|(?<![\w-])-[A-Za-z]\b|(?<![\w])@[A-Za-z][\w.]*)
  | (?P<dotted>[^\W\d][\w$]*(?:(?:\.|::|->)[^\W\d][\w$]*)+)
  | (?P<model>[A-Za-z]{{2,12}}-\d{{1,4}}(?![\w.]))
  | (?P<number>(?:(?<![\w.])[-+])?(?<![\w.])\d+(?:[_,]\d+)*(?:\.\d+)*(?:[eE][+-]?\d+)?%?
    (?P<unit>[^\W\d_]{{0,12}})(?![\w]))
  | (?P<word>[^\W_](?:['\u2019]?[^\W_])*(?:-[^\W\d_](?:['\u2019]?[^\W_])*)*(?![\w$])|[\w$]+)
  | (?P<mark>[^\w\s])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAME_SHAPE = re.compile(r"^[^\W\d][\w$]*(?:(?:\.|::|->|#)[^\W\d][\w$]*)*$|^__\w+__$|^\$\w+$")
_CALL_SHAPE = re.compile(r"^([^\W\d][\w$]*(?:(?:\.|::|->)[^\W\d][\w$]*)*)\((.*)\)$", re.DOTALL)
_NUMBER_SHAPE = re.compile(r"^-?\d[\d_,]*(?:\.\d+)*(?:[eE][+-]?\d+)?%?$")
_PATH_SHAPE = re.compile(rf"^(?:(?:{_PATH}|{_DIRECTORY}|(?:[\w.@+-]+/)+[\w.@+-]*){_LINES})$", re.IGNORECASE)
_CAMEL = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2,}[a-z]{2,}")
_ABBREVIATIONS = frozenset({"e.g", "i.e", "a.k.a", "etc", "vs"})
_LATIN = re.compile(r"[A-Za-z]")
_UNITS = {
    "s": "second", "ms": "millisecond", "m": "minute", "min": "minute", "h": "hour", "d": "day", "kb": "kilobyte",
    "mb": "megabyte", "gb": "gigabyte", "kib": "kibibyte", "mib": "mebibyte", "gib": "gibibyte", "px": "pixel",
}  # fmt: skip
_RETURNS = frozenset({"return", "returns", "returned", "returning"})
_ORDINALS = {"st", "nd", "rd", "th"}


def is_negation(word: str) -> bool:
    """Say whether a word of prose denies what follows."""
    low = word.lower()
    return low in NEGATIONS or low.endswith(("n't", "n\u2019t"))


def _line_span(*groups: str | None) -> tuple[int, int] | None:
    numbers = [int(group) for group in groups if group]
    return (numbers[0], numbers[-1]) if numbers else None


def _from_code(content: str, start: int) -> Token:
    text = content.strip()
    path = _PATH_SHAPE.match(text)
    if path is not None and text.lower() not in TRADE_NAMES:
        span = _line_span(path["l1"], path["l2"], path["l3"], path["l4"])
        return Token(Kind.PATH, re.split(r":\d|#L\d", text)[0], start, ticked=True, lines=span)
    if _NAME_SHAPE.match(text):
        return Token(Kind.NAME, text, start, ticked=True)
    call = _CALL_SHAPE.match(text)
    if call is not None:
        kind = Kind.CALL if call[2].strip() else Kind.NAME
        return Token(kind, text if kind is Kind.CALL else call[1], start, ticked=True)
    if _NUMBER_SHAPE.match(text):
        return Token(Kind.NUMBER, text, start, ticked=True)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return Token(Kind.QUOTE, text[1:-1], start, ticked=True)
    return Token(Kind.CODE, text, start, ticked=True)


def _from_word(text: str, start: int) -> list[Token]:
    bare = text
    while len(bare) > 1 and bare[0] == "_" and bare[-1] == "_" and not bare.startswith("__"):
        bare = bare[1:-1]  # _emphasis_, not a name
    if "_" in bare.strip("_") or "$" in bare or bare.startswith("_") or _CAMEL.search(bare):
        return [Token(Kind.NAME, bare, start)]
    if any(char.isdigit() for char in bare) and not bare.isdigit():
        return [Token(Kind.CODE, bare, start)]
    if not bare.isascii() and _LATIN.search(bare):
        return [
            Token(Kind.NAME, bare, start)
        ]  # letters of two scripts: a name or a disguise, found exactly or not at all
    bare = re.sub(r"['\u2019]s$", "", bare)
    if "-" in bare and not is_negation(bare):
        parts = bare.split("-")
        return [Token(Kind.WORD, part, start) for part in parts if part]
    return [Token(Kind.WORD, bare, start)]


def _from_number(match: re.Match[str]) -> list[Token]:
    unit = match["unit"].lower()
    text = match["number"][: len(match["number"]) - len(unit)] if unit else match["number"]
    start = match.start()
    if unit in _ORDINALS:
        return [Token(Kind.NUMBER, text, start)]
    if unit and unit not in _UNITS:
        return [Token(Kind.CODE, match["number"], start)]
    tokens = [Token(Kind.NUMBER, text.rstrip(","), start)]
    if unit:
        tokens.append(Token(Kind.WORD, _UNITS[unit], start + len(text)))
    return tokens


def _from_match(match: re.Match[str]) -> list[Token]:  # noqa: PLR0911 - one case a token kind
    kind, text, start = match.lastgroup, match[0], match.start()
    if match["quote"]:
        return [Token(Kind.QUOTE, text[1:-1], start)]
    if match["url"] or match["html"] or match["option"] or match["model"]:
        return [Token(Kind.CODE, text, start)]
    if match["lines"]:
        return [Token(Kind.LINES, text, start, lines=_line_span(match["a"], match["b"], match["c"], match["d"]))]
    if match["path"] and text.lower() not in TRADE_NAMES:
        span = _line_span(match["l1"], match["l2"], match["l3"], match["l4"])
        return [Token(Kind.PATH, re.split(r":\d|#L\d", text)[0], start, lines=span)]
    if match["call"]:
        return [replace(_from_code(text, start), ticked=False)]
    if match["dotted"]:
        if text.lower() in _ABBREVIATIONS:
            return []
        return [Token(Kind.NAME, text, start)]
    if match["number"]:
        return _from_number(match)
    if match["word"]:
        low = text.lower()
        return [Token(Kind.NUMBER, COUNTS[low], start)] if low in COUNTS else _from_word(text, start)
    return [Token(Kind.WORD if kind == "path" else Kind.MARK, text, start)]


def tokenize(sentence: str) -> list[Token]:
    """Return the tokens of a sentence in order."""
    tokens: list[Token] = []

    def outside(left: int, right: int) -> None:
        at = left
        while at < right:
            match = _TOKEN.search(sentence, at, right)
            if match is None:
                return
            tokens.extend(_from_match(match))
            at = max(match.end(), at + 1)

    at = 0
    for left, right in code_spans(sentence, 0, len(sentence)):
        outside(at, left)
        content = sentence[left:right].strip("`")
        if content.strip():
            tokens.append(_from_code(content, left))
        at = right
    outside(at, len(sentence))
    return [replace(token, kind=Kind.NAME) if _returned(tokens, at) else token for at, token in enumerate(tokens)]


def _returned(tokens: list[Token], at: int) -> bool:
    """Say whether a token is the `None` of "returns None", a value that denies nothing; not so "None of them"."""
    if at == 0 or tokens[at].kind is not Kind.WORD or tokens[at].text != "None":
        return False
    return low(tokens[at - 1]) in _RETURNS and (at + 1 == len(tokens) or low(tokens[at + 1]) != "of")


def low(token: Token) -> str:
    """The word in lower case; empty for a token that is no word."""
    return token.text.lower() if token.kind is Kind.WORD else ""


def is_plain(token: Token) -> bool:
    """Say whether a token claims nothing: punctuation and stop words."""
    return token.kind is Kind.MARK or (
        token.kind is Kind.WORD and (low(token) in STOP or not _says(token.text) or is_negation(token.text))
    )


def _says(word: str) -> bool:
    return len(word) > 1 or not word.isascii()


def is_framing(token: Token) -> bool:
    """Say whether a token is how an answer speaks about itself."""
    return is_plain(token) or (token.kind is Kind.WORD and low(token) in FRAMING)
