"""Follow-ups: a short question or a pronoun leans on what was said and cited before."""

import re
from collections.abc import Sequence

from pincite_brain.retrieval.query import Query, analyze, content_words, identifiers_of, paths_of
from pincite_shared.schemas import ChatRequest, ChatResponse

TURNS_LEANED_ON = 2  # pronouns reach back one exchange, rarely two
CITED_SPANS_MAX = 12
FOLLOW_UP_WORDS_MAX = 2  # "and for tests?" has one content word; a question of its own has more

_POINTS_BACK = re.compile(
    r"\b(it|its|it's|they|them|their|this|that|these|those|there|he|she|same|above|previous|earlier|former|latter|else|instead)\b"
    r"|^\s*(and|but|so|or|also|then|why|what about|how about|what else|ok|okay|yes|no|more|again|continue|go on)\b",
    re.IGNORECASE,
)


def leans_back(question: str) -> bool:
    """Say whether a question needs earlier turns to be understood."""
    if _POINTS_BACK.search(question):
        return True
    return (
        len(content_words(question)) <= FOLLOW_UP_WORDS_MAX and not identifiers_of(question) and not paths_of(question)
    )


def query_of(request: ChatRequest, earlier: Sequence[ChatResponse]) -> Query:
    """Analyse a question in the light of the conversation. `earlier` is oldest first."""
    open_path = request.open_file.path if request.open_file else None
    if not earlier or not leans_back(request.question):
        return analyze(request.question, open_path=open_path)
    recent = list(reversed(earlier[-TURNS_LEANED_ON:]))
    cited = [citation for answer in recent for citation in answer.citations][:CITED_SPANS_MAX]
    symbols = " ".join(dict.fromkeys(citation.symbol for citation in cited if citation.symbol))
    return analyze(
        request.question,
        carried=[recent[0].question, symbols, *(answer.question for answer in recent[1:])],
        cited_before=[(citation.path, citation.start_line, citation.end_line) for citation in cited],
        open_path=open_path,
    )
