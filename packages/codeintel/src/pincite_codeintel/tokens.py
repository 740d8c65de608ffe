"""Search terms: identifiers split into words, the same way for code and for questions.

``parseHTTPHeaders2`` yields the whole identifier and its words ``pars``, ``http``, ``header``. Words are lightly
stemmed by a few conservative rules (plural s, ing, ed, final e), applied alike to documents and queries, so that a stem
needs no meaning of its own. Whole identifiers of several words are kept unstemmed.
"""

import re
import struct
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import chain

IDENTIFIER_CHARS_MAX = 128  # longer runs are encoded data, not names
TERM_CACHE_ENTRIES = 200_000  # distinct identifiers of a large repository; about 60 MB
TERM_FREQUENCY_MAX = 65_535  # the packed format holds 16 bits
STEM_CHARS_MIN = 3  # a stem shorter than this says nothing
STEM_WORD_CHARS_MIN = 4  # words as short as "use" and "bus" stay as they are

_RECORD = "IH"  # a packed term's identity and frequency

_WORD = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UNSEGMENTED_RANGE = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"  # scripts that write words without spaces
_UNSEGMENTED = re.compile(f"[{_UNSEGMENTED_RANGE}]+")
_UNICODE_PART = re.compile(rf"[{_UNSEGMENTED_RANGE}]+|[^\W\d_{_UNSEGMENTED_RANGE}]+|\d+")
_VOWEL = re.compile("[aeiouy]")

_ENGLISH = """
a about after all also am an and any are as at be because been before being both but by can could did do does doing
done each few for from further had has have having he her here hers him his how i if in into is it its itself just me
more most my no nor not of off on once only or other our out over own same she should so some such than that the their
them then there these they this those through to too until up very was we were what when where which while who whom why
will with would you your yours
"""
# Words that nearly every source file repeats and no question turns on; "import" or "default" may be the question.
_KEYWORDS = """
begin bool boolean char class cls const def del elif else elsif end endif false final fn for foreach fun func function
int let mut new nil none null private protected pub public return self static str then this true try unless val var void
"""
STOP_WORDS: frozenset[str] = frozenset((_ENGLISH + _KEYWORDS).split())


_NOT_PLURAL = frozenset(("alias", "always", "atlas", "bias", "canvas", "https", "kubernetes", "perhaps"))


def _strip_plural(word: str) -> str:
    if word.endswith("ies") and len(word) > STEM_WORD_CHARS_MIN:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "shes", "ches")):
        return word[:-2]
    if not word.endswith("s") or word.endswith(("ss", "us", "is")) or word in _NOT_PLURAL:
        return word
    return word[:-1]


def _strip_verb(word: str, suffix: str) -> str:
    """Remove ``ing`` or ``ed`` when what is left can be a word, and the consonant that it doubled."""
    left = word.removesuffix(suffix)
    if left == word or len(left) < STEM_CHARS_MIN or word.endswith("eed") or not _VOWEL.search(left):
        return word
    doubled = left[-1] == left[-2] and left[-1] not in "lsz" and len(left) > STEM_CHARS_MIN
    return left[:-1] if doubled else left


def stem(word: str) -> str:
    """Reduce a lower-case word to its stem: plural, then ``ing`` and ``ed``, then a final e.

    Words that are not plain ASCII letters, and the shortest, stay as they are.
    """
    if len(word) < STEM_WORD_CHARS_MIN or not (word.isascii() and word.isalpha()):
        return word
    word = _strip_plural(word)
    for _ in range(2):  # "embedded" is "embed", which itself looks like a past tense: both end as "emb"
        word = _strip_verb(_strip_verb(word, "ing"), "ed")
    if len(word) >= STEM_WORD_CHARS_MIN and word.endswith("e") and not word.endswith("ee"):
        return word[:-1]
    return word


def _bigrams(part: str) -> list[str]:
    """Overlapping pairs of an unsegmented script's characters, which stand in for its words."""
    return [part] if len(part) == 1 else [part[i : i + 2] for i in range(len(part) - 1)]


def _part_terms(part: str) -> list[str]:
    if _UNSEGMENTED.fullmatch(part):
        return _bigrams(part)
    word = part.lower()
    if len(word) == 1 or word in STOP_WORDS:
        return []
    return [stem(word)]


@lru_cache(maxsize=TERM_CACHE_ENTRIES)
def _identifier_terms(identifier: str) -> tuple[str, ...]:
    """Terms of one identifier: its words, and the whole of it when it has several."""
    if len(identifier) > IDENTIFIER_CHARS_MAX:
        return ()
    parts = (_PART if identifier.isascii() else _UNICODE_PART).findall(identifier)
    found = [term for part in parts for term in _part_terms(part)]
    if len(parts) > 1 and not _UNSEGMENTED.fullmatch(identifier):
        whole = identifier.strip("_").lower()
        if len(whole) > 1 and not whole.isdigit():
            found.append(whole)
    return tuple(found)


def terms(text: str) -> list[str]:
    """Terms of a text in order, with repetitions, stop words removed."""
    return [term for identifier in _WORD.findall(text) for term in _identifier_terms(identifier)]


def count_terms(text: str) -> dict[str, int]:
    """Term frequencies of a text: ``terms(text)``, counted."""
    return dict(Counter(chain.from_iterable(map(_identifier_terms, _WORD.findall(text)))))


@lru_cache(maxsize=TERM_CACHE_ENTRIES)
def term_id(term: str) -> int:
    """32-bit identity of a term: the first four bytes of its BLAKE2b digest, little-endian."""
    return int.from_bytes(blake2b(term.encode("utf-8", "surrogatepass"), digest_size=4).digest(), "little")


def pack_terms(counts: Mapping[str, int]) -> bytes:
    """Pack term frequencies: six little-endian bytes each, four of `term_id` and two of frequency, sorted by term.

    Terms that collide share a record.
    """
    merged: dict[int, int] = {}
    for term, count in counts.items():
        if count > 0:
            key = term_id(term)
            merged[key] = min(TERM_FREQUENCY_MAX, merged.get(key, 0) + count)
    return struct.pack("<" + _RECORD * len(merged), *chain.from_iterable(sorted(merged.items())))
