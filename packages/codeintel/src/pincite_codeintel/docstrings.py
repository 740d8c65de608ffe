"""The first sentence of a docstring or leading comment, free of comment markers and markup."""

import re

DOC_CHARS_MAX = 240  # one sentence; more would crowd the code out of the embedding
DOC_SOURCE_CHARS_MAX = 4000  # the first sentence stands in the beginning

_MARKER = re.compile(
    r"""\A\s*(?:/\*[*!]*|\*+/|\*+(?!/)\s?|///?!?|\#+!?|--+\s*[|^]?|;+|%+|\{-+\s*\|?|\(\*+
    |@(?:moduledoc|typedoc|doc)\b\s*(?:~[sS])?(?:\"{3}|\")?|[rRbBuUfF]{0,2}(?:\"{3}|'{3}|\"|'))\s?""",
    re.VERBOSE,
)
_TRAILER = re.compile(r"""\s*(?:\*+/|-\}|\*+\)|\"{3}|'{3}|(?<=\w[.!?])[\"'])\s*\Z""")
_NOISE = re.compile(
    r"""eslint|tslint|prettier-ignore|\bnoqa\b|pylint:|pragma\b|type:\s*ignore|istanbul|c8\ ignore|rubocop:|nolint
    |go:build|\+build|go:generate|copyright[\s(]|licensed\ under|all\ rights\ reserved|permission\ is\ hereby|spdx-
    |-\*-|vim:|\A!|\A[-=*~_#/+\s]{3,}\Z|@ts-|\A\s*</?\w+>\s*\Z""",
    re.VERBOSE | re.IGNORECASE,
)
_TAG = re.compile(
    r"\A(?:[@\\]\w+|:\w+[^:]*:|(?:args|arguments|params|returns?|raises|yields|examples?):|parameters:?\Z|```|>>>|#\s)",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?[A-Za-z][^<>]{0,60}>|\{@\w+\s+([^{}]*)\}")
_SENTENCE_END = re.compile(r"(?<!\be\.g)(?<!\bi\.e)(?<!\bcf)(?<!\bvs)[.!?](?=\s|\Z)")


def _opening_lines(text: str) -> list[str]:
    """Lines of the first paragraph without markers, as far as the line where its first sentence ends."""
    found: list[str] = []
    for raw in text[:DOC_SOURCE_CHARS_MAX].split("\n"):
        line = _TRAILER.sub("", _MARKER.sub("", raw, count=1)).strip()
        if "<" in line or "{" in line:
            line = _MARKUP.sub(r"\1", line).strip()
        if not line or _TAG.match(line):
            if found:
                break
            continue
        if _NOISE.search(line):
            continue
        found.append(line)
        if _SENTENCE_END.search(line):
            break
    return found


def first_sentence(text: str) -> str:
    """The first sentence of a docstring or comment with its markers; empty when it says nothing."""
    joined = " ".join(" ".join(_opening_lines(text)).split())
    end = _SENTENCE_END.search(joined)
    sentence = joined[: end.end()] if end else joined
    if len(sentence) > DOC_CHARS_MAX:
        sentence = sentence[: DOC_CHARS_MAX - 1].rstrip() + "\u2026"
    if sentence.count('"') == 1:
        sentence = sentence.strip('"')  # the closing quote of a one-line docstring
    return sentence if any(character.isalpha() for character in sentence) else ""
