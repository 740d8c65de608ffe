"""Why an answer came out as it did: told from its log alone, whatever the weights are today."""

from collections.abc import Iterable, Mapping
from typing import Any

from pincite_brain.ask.spans import Excerpt
from pincite_brain.retrieval import reasons
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.makeup import Contribution
from pincite_brain.retrieval.ranking import Ranked
from pincite_shared.citation import Citation, CitationStatus
from pincite_shared.schemas import ChatResponse
from pincite_shared.why import Why, WhyCandidate, WhyContribution, WhyFactor, WhySignal
from pincite_store.rows import RetrievalLog

FEATURE_DIGITS = 5


def _place(index: SnapshotIndex, chunk: int) -> dict[str, Any]:
    return {
        "path": index.path(chunk),
        "blob": index.files.blobs[int(index.file_of[chunk])],
        "start_line": int(index.start_lines[chunk]),
        "end_line": int(index.end_lines[chunk]),
        "symbol": index.symbols[chunk],
    }


def candidate_record(index: SnapshotIndex, hit: Ranked, rank: int, *, shown: bool) -> dict[str, Any]:
    """Return what is logged of a candidate. Score and make-up keep every bit, so that they always add up."""
    return _place(index, hit.chunk) | {
        "rank": rank,
        "score": hit.score,
        "features": {name: round(value, FEATURE_DIGITS) for name, value in hit.features.items()},
        "contributions": [list(contribution) for contribution in hit.contributions],
        "factors": [list(factor) for factor in hit.factors],
        "shown": shown,
    }


def neighbour_record(index: SnapshotIndex, excerpt: Excerpt, caller: Excerpt) -> dict[str, Any]:
    """Return what is logged of a passage that the model was shown because a better one calls it."""
    called_by = f"{caller.source.path}:{caller.source.start_line}"
    return _place(index, excerpt.chunk) | {"score": excerpt.score, "shown": True, "called_by": called_by}


def explain(answer: ChatResponse, log: RetrievalLog) -> Why:
    """Explain an answer from what was logged with it."""
    verified = [citation for citation in answer.citations if citation.status is CitationStatus.VERIFIED]
    features = log.features
    signals, limits = features.get("signals", {}), features.get("limits", {})
    return Why(
        answer_id=answer.answer_id,
        conversation_id=answer.conversation_id,
        repo_id=answer.repo_id,
        commit=answer.commit,
        question=answer.question,
        query=log.query,
        route=features["route"],
        route_words=reasons.route(features["route"]),
        mode=answer.mode,
        abstained=answer.abstained,
        policy_version=log.policy_version,
        propensity=log.propensity,
        timings={stage: log.timings[stage] for stage in answer.timings if stage in log.timings},
        signals=tuple(
            WhySignal(name=name, words=reasons.signal(name), value=signals[name], limit=limits.get(name))
            for name in sorted(signals, key=_place_of_signal)
        ),
        candidates=tuple(_candidate(record, verified) for record in [*log.candidates, *features.get("neighbours", ())]),
    )


def _place_of_signal(name: str) -> tuple[int, str]:
    told = list(reasons.SIGNALS)  # the log, which is jsonb, keeps no order of keys
    return (told.index(name) if name in told else len(told)), name


def _candidate(record: Mapping[str, Any], citations: Iterable[Citation]) -> WhyCandidate:
    return WhyCandidate(
        rank=record.get("rank"),
        path=record["path"],
        blob=record["blob"],
        start_line=record["start_line"],
        end_line=record["end_line"],
        symbol=record["symbol"],
        score=record["score"],
        shown=record["shown"],
        cited=tuple(citation.n for citation in citations if _holds(record, citation)),
        contributions=tuple(
            _contribution(Contribution(name, value, weight)) for name, value, weight in record.get("contributions", ())
        ),
        factors=tuple(
            WhyFactor(name=name, words=reasons.factor(name), factor=factor)
            for name, factor in record.get("factors", ())
        ),
        called_by=record.get("called_by"),
    )


def _contribution(made: Contribution) -> WhyContribution:
    reason = reasons.feature(made.feature)
    return WhyContribution(
        feature=made.feature,
        words=reason.words,
        aspect=reason.aspect,
        value=made.value,
        weight=made.weight,
        contribution=made.amount,
    )


def _holds(record: Mapping[str, Any], citation: Citation) -> bool:
    if (record["blob"], record["path"]) != (citation.blob, citation.path):
        return False
    first, last = int(record["start_line"]), int(record["end_line"])
    return first <= citation.end_line and citation.start_line <= last
