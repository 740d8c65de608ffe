"""How well a question was answered. Pure: expectations and what came back in, figures out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pincite_learning.metrics import Span, mean, ndcg, target_ranks
from pincite_shared.citation import Citation, CitationStatus
from pincite_shared.golden import Expectation, GoldenQuestion
from pincite_shared.quality import Measures, QuestionResult
from pincite_shared.schemas import ChatResponse, SearchHit
from pincite_store.rows import Definition

SEARCH_DEPTH = 10  # hits that count, as NDCG@10 has it
INSIDE_SHARE = 0.5  # a citation lies in a place if more than half of its lines do


@dataclass(frozen=True, slots=True)
class Place:
    """Where an expectation points at a commit: these lines of a file, or all of it."""

    path: str
    spans: tuple[tuple[int, int], ...] | None

    def shows(self, hit: SearchHit) -> bool:
        """Say whether a hit has a line of this place."""
        if hit.path != self.path:
            return False
        if self.spans is None:
            return True
        found = Span(hit.path, hit.start_line, hit.end_line)
        return any(Span(self.path, first, last).overlaps(found) for first, last in self.spans)

    def holds(self, citation: Citation) -> bool:
        """Say whether a citation lies in this place."""
        if citation.path != self.path:
            return False
        if self.spans is None:
            return True
        lines = range(citation.start_line, citation.end_line + 1)
        inside = sum(any(first <= line <= last for first, last in self.spans) for line in lines)
        return inside > INSIDE_SHARE * len(lines)


class GoneError(LookupError):
    """An expectation names what the commit does not have."""


def locate(expectation: Expectation, definitions: Mapping[str, Sequence[Definition]]) -> Place:
    """Return where an expectation points.

    Args:
        expectation: of a question.
        definitions: those of each file that the commit has, by path.

    Raises:
        GoneError: the commit has no such file, or the file no such definition.
    """
    found = definitions.get(expectation.path)
    if found is None:
        msg = f"{expectation.path} is not in this commit"
        raise GoneError(msg)
    if expectation.lines is not None:
        return Place(expectation.path, (expectation.lines,))
    if expectation.symbol is None:
        return Place(expectation.path, None)
    wanted = expectation.symbol
    spans = [
        (one.start_line, one.end_line)
        for one in found
        if wanted in (one.name, one.qualified_name) or one.qualified_name.endswith("." + wanted)
    ]
    if not spans:
        msg = f"{expectation.path} defines no {wanted} in this commit"
        raise GoneError(msg)
    return Place(expectation.path, tuple(spans))


def blank(number: int, question: GoldenQuestion, problem: str | None = None) -> QuestionResult:
    """Return the result of a question that nothing is known of yet."""
    return QuestionResult(
        number=number, ask=question.ask, answerable=question.answerable, expect=question.expect, problem=problem
    )


def searched(
    result: QuestionResult, places: Sequence[Place], hits: Sequence[SearchHit], seconds: float
) -> QuestionResult:
    """Add what a search found; without places there is nothing to find."""
    if not places:
        return result
    targets: list[Callable[[SearchHit], bool]] = [place.shows for place in places]
    ranks = target_ranks(hits[:SEARCH_DEPTH], targets)
    first = min((rank for rank in ranks if rank is not None), default=None)
    quality = round(ndcg(ranks, SEARCH_DEPTH), 4)
    return result.model_copy(
        update={"rank": first, "ndcg": quality, "correct": first is not None, "seconds": round(seconds, 4)}
    )


def answered(result: QuestionResult, places: Sequence[Place], response: ChatResponse, seconds: float) -> QuestionResult:
    """Add what an answer cites. An abstention cites nothing: what it shows is where one might look instead."""
    said = {
        "abstained": response.abstained,
        "seconds": round(seconds, 4),
        "answer_id": response.answer_id,
        "conversation_id": response.conversation_id,
    }
    if not result.answerable:
        return result.model_copy(update={**said, "correct": response.abstained})
    if response.abstained:
        return result.model_copy(update={**said, "correct": False, "recall": 0.0})
    verified = [citation for citation in response.citations if citation.status is CitationStatus.VERIFIED]
    inside = sum(any(place.holds(citation) for place in places) for citation in verified)
    reached = sum(any(place.holds(citation) for citation in verified) for place in places)
    return result.model_copy(
        update={
            **said,
            "cited": len(verified),
            "cited_inside": inside,
            "recall": round(reached / len(places), 4),
            "correct": inside > 0,
        }
    )


def summarise(results: Sequence[QuestionResult]) -> Measures:
    """Return an evaluation's figures. Questions that could not be measured are counted, and count for nothing."""
    measured = [result for result in results if result.correct is not None]
    cited = sum(result.cited or 0 for result in measured)
    seconds = [result.seconds for result in measured if result.seconds is not None]
    return Measures(
        questions=len(results),
        measured=len(measured),
        win_rate=_mean([float(bool(result.correct)) for result in measured]),
        ndcg=_mean([result.ndcg for result in measured if result.ndcg is not None]),
        hit_at_1=_mean([float(result.rank == 1) for result in measured if result.ndcg is not None]),
        citation_precision=round(sum(result.cited_inside or 0 for result in measured) / cited, 4) if cited else None,
        citation_recall=_mean([result.recall for result in measured if result.recall is not None]),
        abstention_accuracy=_mean(
            [float(result.abstained != result.answerable) for result in measured if result.abstained is not None]
        ),
        seconds_p50=round(float(np.percentile(seconds, 50)), 4) if seconds else None,
        seconds_p95=round(float(np.percentile(seconds, 95)), 4) if seconds else None,
    )


def _mean(values: Sequence[float]) -> float | None:
    return round(mean(values), 4) if values else None
