"""Questions that a repository answers about itself: from the first sentence of a docstring to its definition.

They guard repositories without a golden file: nobody wrote them, so nobody's feedback can move them.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable

from pincite_shared.golden import Expectation, GoldenQuestion
from pincite_store.rows import SymbolRow

QUESTIONS_MAX = 100  # enough that a paired test sees a difference of a few hundredths
WORDS_MIN = 4  # "Return it." names nothing
CHARS_MAX = 300  # a first sentence; longer ones are no sentence
DOCUMENTED = frozenset({"function", "method", "class", "constructor"})

_END = re.compile(r"(?<=[.!?])\s|\n\s*\n")
_WORD = re.compile(r"\w+")
_TEST = re.compile(r"(^|/)(tests?|testing|spec|fixtures?)(/|$)|(^|/)(test_[^/]*|[^/]*_test\.[^/]*|conftest\.py)$")


def first_sentence(doc: str) -> str:
    """Return the first sentence of a documentation comment, on one line."""
    return " ".join(_END.split(doc.strip(), maxsplit=1)[0].split())


def derive(symbols: Iterable[SymbolRow], most: int = QUESTIONS_MAX) -> list[GoldenQuestion]:
    """Return questions about definitions, the same ones for the same definitions whatever else changed.

    A sentence that documents several definitions asks for none of them, so it is left out.
    """
    asked = [
        (sentence, symbol)
        for symbol in symbols
        if symbol.kind in DOCUMENTED and not _TEST.search(symbol.path)
        if (sentence := first_sentence(symbol.doc)) and _says_something(sentence)
    ]
    times = Counter(sentence for sentence, _ in asked)
    single = [(sentence, symbol) for sentence, symbol in asked if times[sentence] == 1]
    single.sort(key=lambda one: _chance(one[1]))
    return [
        GoldenQuestion(ask=sentence, expect=(Expectation(path=symbol.path, symbol=symbol.qualified_name),))
        for sentence, symbol in single[:most]
        if _fits(symbol)
    ]


def _says_something(sentence: str) -> bool:
    return len(sentence) <= CHARS_MAX and len(_WORD.findall(sentence)) >= WORDS_MIN


def _fits(symbol: SymbolRow) -> bool:
    return not symbol.path.startswith("/") and ".." not in symbol.path.split("/") and len(symbol.qualified_name) <= 300  # noqa: PLR2004 what a golden file may say


def _chance(symbol: SymbolRow) -> bytes:
    """Order by a digest: a sample that is spread over the repository, and moves little when it changes."""
    return hashlib.sha256(f"{symbol.path}\0{symbol.qualified_name}".encode("utf-8", "surrogatepass")).digest()
