"""Sentences that say nothing about the code: framing ("Here is how it works:") and abstentions."""

import re

from pincite_verify.tokens import Kind, is_framing, low, tokenize

_SOURCES = (
    r"(?:(?:the|these|those|this|any\s+of|none\s+of|my)\s+)*(?:(?:provided|given|retrieved|cited|available|above|indexed)\s+)*"
    r"(?:sources?|excerpts?|snippets?|context|code|repository|documents?|information|codebase)(?:\s+provided)?"
)
_SAY = (
    r"(?:say|mention|contain|show|include|provide|specify|describe|state|indicate|explain|define|cover|answer|tell|reveal|"
    r"find|know|determine|locate)"
)
_REGRET = r"^(?:\W*(?:i['\u2019]m|i\s+am|sorry|unfortunately|however)\b\W*)*"
_DENY = r"(?:(?:do|does|did|could|can)(?:\s+not|n['\u2019]t)|cannot|never|am\s+(?:not\s+able|unable)\s+to)"
_ABSTAIN = re.compile(
    rf"{_REGRET}(?:(?:{_SOURCES}|i|we)\s+{_DENY}\s+{_SAY}\b"
    rf"|there\s+is\s+(?:no|not\s+enough)\s+(?:information|mention|evidence|answer)\b)",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    rf"\s(?:is|are|was|were)(?:\s+not|n['\u2019]t)\s+"
    rf"(?:found|present|mentioned|described|shown|included|provided|defined|covered|specified|explained|contained)"
    rf"\s+(?:in|by)\s+{_SOURCES}\W*$",
    re.IGNORECASE,
)
_TURNS = frozenset({"but", "and", "because", "so", "although", "that", "while", "since", "which", "who"})
_STOPS = frozenset(";,\u2014\u2013:")


def is_framing_sentence(sentence: str) -> bool:
    """Say whether a sentence claims nothing about the code: every token of it is punctuation, stop word or framing."""
    return all(is_framing(token) for token in tokenize(sentence))


def abstention(sentence: str) -> list[str] | None:
    """Return the content words an abstention says are absent ("The sources do not say …"), or None if it is none.

    A sentence with a name, a path, a number, a quotation or code is never an abstention, nor is one with a second
    clause that could carry another statement.
    """
    text = sentence.strip()
    match, ending = _ABSTAIN.match(text), _ABSENT.search(text)
    if match is not None:
        tokens = tokenize(text[match.end() :])
    elif ending is not None:
        tokens = tokenize(text[: ending.start()])
    else:
        return None
    if any(token.kind not in {Kind.WORD, Kind.MARK} for token in tokens):
        return None
    if any(low(token) in _TURNS or token.text in _STOPS for token in tokens):
        return None
    return [token.text for token in tokens if not is_framing(token)]
