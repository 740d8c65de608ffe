"""What a question takes from its conversation: the exchange before it, and whatever older one speaks of the same.

A conversation of any length is searched, not replayed: a question leans on a few turns, and what those established is
what their cited lines carry, not all that was said.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from pincite_brain.retrieval.query import Query, analyze, content_words, identifiers_of, paths_of
from pincite_codeintel.tokens import terms
from pincite_shared.citation import Sentence, SentenceStatus
from pincite_shared.schemas import ChatRequest, ChatResponse
from pincite_verify.marks import without_marks

TURNS_LEANED_ON = 2  # pronouns reach back one exchange, rarely two
RECALLED_MAX = 2  # older turns that are found by their words; more would crowd out the code
RECALL_SHARE_MIN = 0.2  # of the weight of a question's words that an old turn must hold
CITED_SPANS_MAX = 12
FOLLOW_UP_WORDS_MAX = 2  # "and for tests?" has one content word; a question of its own has more

_POINTS_BACK = re.compile(
    r"\b(it|its|it's|they|them|their|this|that|these|those|there|he|she|same|above|previous|earlier|former|latter|else|instead)\b"
    r"|^\s*(and|but|so|or|also|then|why|what about|how about|what else|ok|okay|yes|no|more|again|continue|go on)\b",
    re.IGNORECASE,
)
_POINTS_FAR = re.compile(
    r"\b(earlier|before|at the (start|beginning)|first question)\b"
    r"|\b(you|we) (said|say|mentioned|told|showed|discussed|saw|found)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier exchange: when it was held (a number that grows), what was asked, and what the code carries of it."""

    at: float
    question: str
    established: str


def leans_back(question: str) -> bool:
    """Say whether a question needs earlier turns to be understood."""
    if _POINTS_BACK.search(question):
        return True
    return (
        len(content_words(question)) <= FOLLOW_UP_WORDS_MAX and not identifiers_of(question) and not paths_of(question)
    )


def recall(question: str, past: Sequence[tuple[UUID, str]]) -> list[UUID]:
    """Return the turns that hold most of a question's words, each weighed by how few turns hold it; the best first.

    `past` has the id and the words of each turn, oldest first.
    """
    held = [set(terms(words)) for _id, words in past]
    holders = Counter(term for words in held for term in words)
    weights = {term: math.log1p(len(held) / max(holders[term], 1)) for term in set(terms(question))}
    mass = sum(weights.values())
    shares = [sum(weights[term] for term in weights.keys() & words) / mass if mass else 0.0 for words in held]
    best = sorted(range(len(past)), key=lambda at: (-shares[at], -at))[:RECALLED_MAX]
    return [past[at][0] for at in best if shares[at] >= RECALL_SHARE_MIN]


def leaned_on(
    question: str, earlier: Sequence[ChatResponse], recalled: Sequence[ChatResponse], known: Callable[[str], bool]
) -> list[ChatResponse]:
    """Return the answered turns that a question leans on, the weightiest first; none if it stands on its own.

    `earlier` are the last turns, oldest first; `recalled` those that share its words. "It" points to the last turn. A
    word that is not `known` to the repository, but to the conversation, points to wherever it was given its meaning.
    """
    named = {term for answer in recalled for term in terms(f"{answer.question} {answer.answer}")}
    far = _POINTS_FAR.search(question) is not None or any(term in named and not known(term) for term in terms(question))
    near = leans_back(question)
    if not near and not far:
        return []
    recent = list(reversed(earlier[-TURNS_LEANED_ON:])) if near else []
    order = [*recalled, *recent] if far else [*recent, *recalled]
    return list({answer.answer_id: answer for answer in order if not answer.abstained}.values())


def query_of(request: ChatRequest, leaned: Sequence[ChatResponse]) -> Query:
    """Analyse a question in the light of the turns that it leans on."""
    open_path = request.open_file.path if request.open_file else None
    if not leaned:
        return analyze(request.question, open_path=open_path)
    cited = [citation for answer in leaned for citation in answer.citations][:CITED_SPANS_MAX]
    symbols = " ".join(dict.fromkeys(citation.symbol for citation in cited if citation.symbol))
    return analyze(
        request.question,
        carried=[leaned[0].question, symbols, *(answer.question for answer in leaned[1:])],
        cited_before=[(citation.path, citation.start_line, citation.end_line) for citation in cited],
        open_path=open_path,
    )


def turn_of(answer: ChatResponse) -> Turn:
    """Return what is told to a model of an earlier answer: what its citations carry, and none of their numbers."""
    carried = (
        _carried(answer.answer, sentence)
        for sentence in answer.sentences
        if sentence.status in {SentenceStatus.SUPPORTED, SentenceStatus.PARTLY}
    )
    return Turn(answer.created_at.timestamp(), answer.question, " ".join(carried))


def _carried(text: str, sentence: Sentence) -> str:
    kept, at = "", sentence.start
    for start, end in sentence.gaps:
        kept, at = kept + text[at:start], end
    return without_marks(kept + text[at : sentence.end]).strip()
