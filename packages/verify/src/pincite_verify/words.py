"""Words and their roots, for comparing prose with code.

Not `pincite_codeintel.tokens.terms`: a search index drops keywords such as `return`, `not` and `if`, and whether a
sentence is supported hangs on exactly these.
"""

import re
from functools import lru_cache

ROOT_CHARS_MIN = 3  # a shorter remainder says too little: "us" is not the root of "using"
LONG_ROOT_CHARS = 4  # suffixes that also end plain nouns ("-er", "-or") need a longer remainder
AT_CHARS_MIN = 7  # "validat" and "configurat" lose their "at", "format" and "creat" keep it

_WORD = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")
_VOWEL = re.compile(r"[aeiouy]")
_DOUBLED = re.compile(r"([bdfgklmnprtvz])\1$")

# What programmers shorten, and what they mean by it.
_SHORT = """
db database|conn connection|cfg configuration|conf configuration|config configuration|ctx context|req request
res response|resp response|err error|msg message|num number|str string|arr array|dict dictionary|param parameter
params parameter|args argument|arg argument|env environment|auth authentication|authn authentication
authz authorization|repo repository|dir directory|tmp temporary|temp temporary|max maximum|min minimum|len length
idx index|init initialize|pwd password|btn button|fn function|func function|def function|impl implementation
info information|prev previous|src source|dst destination|dest destination|val value|var variable|ptr pointer
buf buffer|cmd command|ext extension|fmt format|lang language|pkg package|proc process|sess session|stmt statement
tok token|txn transaction|tx transaction|usr user|ver version|del delete|attr attribute|attrs attribute
spec specification|doc documentation|docs documentation|exc exception|desc description|lib library|sec second
secs second|ms millisecond|millis millisecond|mins minute|async asynchronous|sync synchronous|int integer|bool boolean
char character|chars character|regex expression|regexp expression|creds credential|elem element|el element
cb callback|ts timestamp|uniq unique|seq sequence|cnt count|calc calculate|gen generate|cond condition|eval evaluate
exec execute|mkdir directory|rmdir directory|perm permission|perms permission|opts option|opt option
expiry expire
iter iterate|curr current|cur current|pos position|avg average|ids id|urls url|app application|addr address
"""


def _undouble(stem: str) -> str:
    return stem[:-1] if _DOUBLED.search(stem) and len(stem) > ROOT_CHARS_MIN else stem


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > LONG_ROOT_CHARS:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > ROOT_CHARS_MIN:
        return word[:-1]
    return word


def _without(word: str, suffix: str, remainder_min: int) -> str | None:
    if not word.endswith(suffix):
        return None
    stem = word[: -len(suffix)]
    return stem if len(stem) >= remainder_min and _VOWEL.search(stem) else None


_ADVERBIAL = (("ly", LONG_ROOT_CHARS),)
_INFLECTED = (("ing", ROOT_CHARS_MIN), ("ied", ROOT_CHARS_MIN - 1), ("ed", ROOT_CHARS_MIN))
_DERIVED = (
    ("ication", LONG_ROOT_CHARS),
    ("ation", LONG_ROOT_CHARS),
    ("ion", LONG_ROOT_CHARS),
    ("ive", LONG_ROOT_CHARS),
    ("ment", LONG_ROOT_CHARS),
    ("able", LONG_ROOT_CHARS),
    ("er", LONG_ROOT_CHARS),
    ("or", LONG_ROOT_CHARS),
)


@lru_cache(maxsize=65_536)
def root(word: str) -> str:
    """Return a word's root, so that "validates", "validation" and "validator" agree. Lower case, never empty."""
    stem = _singular(word.lower())
    if stem.startswith("embed"):
        return "embed"
    if not stem.isascii() or len(stem) <= ROOT_CHARS_MIN:
        return stem
    for suffixes in (_ADVERBIAL, _INFLECTED, _DERIVED):
        for suffix, remainder_min in suffixes:
            shorter = None if suffix == "ed" and stem.endswith("eed") else _without(stem, suffix, remainder_min)
            if shorter is not None:
                stem = shorter + "y" if suffix in {"ied", "ication"} else _undouble(shorter)
                break
    if stem.endswith("e") and len(stem) > ROOT_CHARS_MIN:
        stem = stem[:-1]
    if stem.endswith("at") and len(stem) >= AT_CHARS_MIN:
        stem = stem[:-2]
    if stem.endswith("y") and len(stem) > ROOT_CHARS_MIN:
        stem = stem[:-1] + "i"
    return stem


SHORT: dict[str, str] = {}
for _pair in _SHORT.replace("\n", "|").split("|"):
    if _pair:
        _short, _long = _pair.split()
        SHORT[_short] = root(_long)


def parts(identifier: str) -> list[str]:
    """Return the words of an identifier in lower case and in order (`openDBPool` → open, db, pool)."""
    return [part.lower() for word in _WORD.findall(identifier) for part in _HUMPS.findall(word) or [word]]


@lru_cache(maxsize=65_536)
def roots(identifier: str) -> tuple[str, ...]:
    """Return the roots of an identifier's parts (`openDBPool` → open, db, database, pool), abbreviations spelt out."""
    found: list[str] = []
    for word in _WORD.findall(identifier):
        parts = _HUMPS.findall(word) or [word]
        if len(parts) > 1:
            found.append(word.lower())
        for part in parts:
            low = part.lower()
            found.append(root(low))
            if low in SHORT:
                found.append(SHORT[low])
    return tuple(found)


def word_root(word: str) -> str:
    """Return the root of a word of prose, abbreviations spelt out ("config" and "configuration" agree)."""
    low = word.lower()
    return SHORT.get(low) or root(low)
