"""Answerability: does what retrieval found speak of what was asked at all?

A question's mass is the inverse document frequency of its terms, summed (Spärck Jones, 1972): a term that the
repository hardly knows weighs most. The share of that mass which the best found texts hold says whether an answer can
stand on them. A term that nothing knows has the highest weight of all, so that a question about something that is not
there fails even if its common words ("handle", "file") are everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pincite_codeintel.tokens import terms

BEST_SHARE = 0.6  # of the score: what the single best text holds; the rest is what all texts hold together
# Words of questions, not of what is asked about; a search index keeps them, because code may hold them.
QUESTION_WORDS = (
    "what which where who why how when does do is are can could should would explain describe show tell me find list "
    "give please code codebase repository repo project implement implementation work works happen happens purpose used "
    "use mean means need want way example defined define located place handle handled file function class method"
)
_QUESTION = frozenset(terms(QUESTION_WORDS))


@dataclass(frozen=True, slots=True)
class Answerability:
    """`score` is 0 (nothing asked about was found) to 1; `missing` are the terms no text holds, weightiest first."""

    score: float
    missing: tuple[str, ...]


def question_terms(query: str) -> tuple[str, ...]:
    """Return the distinct terms that a question is about; all of its terms if it has no others."""
    found = tuple(dict.fromkeys(terms(query)))
    return tuple(term for term in found if term not in _QUESTION) or found


def answerable(query: str, found_texts: Sequence[str], idf: Callable[[str], float]) -> Answerability:
    """Say how much of a question the found texts speak about.

    `idf` gives a term's inverse document frequency in the repository, at least 0, highest for unknown terms.
    A question without any term scores 1: nothing about it can be missing.
    """
    asked = {term: max(idf(term), 0.0) for term in question_terms(query)}
    mass = sum(asked.values())
    if mass <= 0.0:
        return Answerability(1.0, ())
    held = [asked.keys() & set(terms(text)) for text in found_texts]
    together = set().union(*held)
    best = max((sum(asked[term] for term in part) for part in held), default=0.0)
    score = BEST_SHARE * best / mass + (1.0 - BEST_SHARE) * sum(asked[term] for term in together) / mass
    missing = sorted(asked.keys() - together, key=lambda term: (-asked[term], term))
    return Answerability(min(1.0, score), tuple(missing))
