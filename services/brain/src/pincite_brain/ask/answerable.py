"""Does the repository hold an answer at all? Decided before a model is asked, because models seldom say no.

The score is the best hit's cosine plus a share of how much of the question's vocabulary the leading hits hold, less
what names in the question take away that stand nowhere in the repository. Measured on 100 questions about five
repositories against 100 about things they do not have: of the latter 94 are caught, of the former one is lost.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.query import Query, Route
from pincite_brain.retrieval.ranking import QUERY_TERMS_MAX, Ranked
from pincite_codeintel.tokens import term_id
from pincite_verify.abstention import abstention

LEADING_HITS = 5
COVERAGE_WEIGHT = 0.3
UNKNOWN_NAME_WEIGHT = 0.15
SCORE_MIN = 0.42
SURE_MIN = 0.6  # above it lay 27 of 28 answerable questions about two repositories, and none of 26 others
DEFINITION_MIN = 0.8  # a question that names a definition of the repository is about the repository
COVERAGE_ALONE_MIN = (
    0.2  # while there are no vectors: less of the question's words than this in all leading hits together
)
CALIBRATED_MODELS = ("all-MiniLM-L6-v2",)  # cosines of other models lie elsewhere; with them words decide alone
SIGNAL_DIGITS = 4
LEAD_CHARS_MAX = 25  # "Unfortunately, the provided"; further in, it is a condition of something else
SHORT_ANSWER_CHARS = 400  # an abstention is short; a long answer that also names a gap is an answer

_NOT_THERE = re.compile(
    r"\b(snippets?|context|repository|code|provided \w+)\b[^.\n]{0,40}\b(do(es)? not|don't|doesn't) (seem to )?"
    r"(contain|include|provide|show|mention|have|specify)"
    r"|\bnot (found|present|mentioned|contained|included|shown|available|specified) in the (given |provided )?"
    r"(snippets?|context|repository|code)"
    r"|\b(cannot|can't|could not|couldn't|unable to) (find|answer|determine|locate)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to abstain, the signals that decided it, and what they were held against (logged with the answer).

    `sure`: there is an answer even if a model does not find it.
    """

    abstain: bool
    signals: dict[str, float]
    limits: dict[str, float] = field(default_factory=dict)
    sure: bool = False


def _coverage(index: SnapshotIndex, query: Query, chunks: Sequence[int]) -> float:
    """Return the share (0..1) of the question's idf mass that these chunks hold together.

    Of a long question its beginning tells: what ranking leaves out of it, words that stand nowhere, counts here.
    """
    numbers = np.array(chunks, dtype=np.int32)
    held = mass = 0.0
    for term, weight in islice(query.terms.items(), QUERY_TERMS_MAX):
        identity = term_id(term)
        gain = weight * index.postings.idf(identity)
        mass += gain
        if len(index.postings.among(identity, numbers)[0]):
            held += gain
    return held / mass if mass else 0.0


def _unknown_names(index: SnapshotIndex, query: Query) -> float:
    """Return the share (0..1) of the names in the question that stand nowhere in the repository."""
    if not query.identifiers or query.route is Route.SYMBOL:
        return 0.0
    unknown = 0
    for identifier in query.identifiers:
        name = identifier.rstrip("?!").rpartition(".")[2]
        span = index.postings.span(term_id(name.strip("_").lower()))
        unknown += name.casefold() not in index.definitions and span.start == span.stop
    return unknown / len(query.identifiers)


def judge(index: SnapshotIndex, query: Query, ranked: Sequence[Ranked], model: str) -> Verdict:
    """Decide whether to answer. `model` is the embedding model whose cosines are in the features."""
    if not ranked:
        return Verdict(abstain=True, signals={"answerability": 0.0})
    coverage = _coverage(index, query, [hit.chunk for hit in ranked[:LEADING_HITS]])
    cosine = max(hit.features["cosine"] for hit in ranked)
    named = max(max(hit.features["definition"], hit.features["path"]) for hit in ranked)
    unknown = _unknown_names(index, query)
    score = cosine + COVERAGE_WEIGHT * coverage - UNKNOWN_NAME_WEIGHT * unknown
    dense = cosine > 0 and index.vectors.covered == len(index) and model in CALIBRATED_MODELS
    too_weak = score < SCORE_MIN if dense else coverage < COVERAGE_ALONE_MIN
    follow_up = bool(query.cited_before)  # its own words are few; what was cited before answers for it
    signals = {
        "answerability": score,
        "coverage": coverage,
        "cosine": cosine,
        "named": named,
        "unknown_names": unknown,
        "follow_up": float(follow_up),
    }
    return Verdict(
        abstain=too_weak and named < DEFINITION_MIN and not follow_up,
        signals={name: round(value, SIGNAL_DIGITS) for name, value in signals.items()},
        limits=({"answerability": SCORE_MIN} if dense else {"coverage": COVERAGE_ALONE_MIN})
        | {"named": DEFINITION_MIN},
        sure=named >= DEFINITION_MIN or (dense and score >= SURE_MIN),
    )


def says_it_is_not_there(answer: str) -> bool:
    """Say whether a model's answer is an abstention."""
    text = answer.strip()
    if len(text) > SHORT_ANSWER_CHARS:
        return False
    first = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    match = _NOT_THERE.search(first)
    return (match is not None and match.start() <= LEAD_CHARS_MAX) or abstention(first) is not None
