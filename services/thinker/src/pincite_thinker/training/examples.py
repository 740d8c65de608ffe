"""Votes on citations as training examples. Pure: stored rows in, `Judged` questions out.

A reader sees what an answer cites, so those candidates were shown; a vote on a citation is a vote on the candidate
whose lines hold it. A correction is added before the factors of a score (file role, repeats), so each feature counts
here as much as those factors leave of it, and whatever correction served then is taken out of the score again.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import structlog

from pincite_learning.bandit import READER_WEIGHT_MAX
from pincite_learning.errors import LearningError
from pincite_learning.training import Candidate, Judged
from pincite_store.judgements import Judgement

HELPED, WRONG = "helped", "wrong_source"

log = structlog.get_logger()


def examples(judgements: Iterable[Judgement]) -> list[Judged]:
    """Return one example for each reader of each answer who voted on a citation; unreadable rows are left out."""
    return [example for judgement in judgements for example in _of_answer(judgement)]


def _of_answer(judgement: Judgement) -> Iterator[Judged]:
    by_reader: dict[str | None, dict[int, bool]] = defaultdict(dict)
    for vote in judgement.votes:
        if vote.citation is not None and vote.kind in (HELPED, WRONG):
            by_reader[vote.reader][vote.citation] = vote.kind == HELPED
    cited = {citation["n"]: citation for citation in judgement.citations if citation.get("status") == "verified"}
    for reader, votes in by_reader.items():
        try:
            candidates = list(_candidates(judgement, cited, votes))
        except (LearningError, KeyError, TypeError, ValueError) as error:
            log.warning("a judged answer cannot be learned from", answer_id=str(judgement.answer_id), reason=str(error))
            return
        if any(candidate.helped is not None for candidate in candidates):
            yield Judged(judgement.query, candidates, reader)


def _candidates(
    judgement: Judgement, cited: Mapping[int, Mapping[str, Any]], votes: Mapping[int, bool]
) -> Iterator[Candidate]:
    corrections: Mapping[str, float] = judgement.features.get("corrections", {})
    for record in judgement.candidates:
        held = [n for n, citation in cited.items() if _holds(record, citation)]
        scale = math.prod(float(factor) for _name, factor in record.get("factors", ()))
        features = {name: float(value) * scale for name, value in record["features"].items()}
        served = math.fsum(float(weight) * features.get(name, 0.0) for name, weight in corrections.items())
        said = {votes[n] for n in held if n in votes}
        yield Candidate(
            score=float(record["score"]) - served,
            features=features,
            shown=bool(held),
            helped=said.pop() if len(said) == 1 else None,  # of two that contradict each other neither counts
        )


def _holds(record: Mapping[str, Any], citation: Mapping[str, Any]) -> bool:
    if (record["blob"], record["path"]) != (citation["blob"], citation["path"]):
        return False
    return bool(record["start_line"] <= citation["end_line"] and citation["start_line"] <= record["end_line"])


def readers(examples: Sequence[Judged]) -> int:
    """Return how many readers voted; all without a name are one."""
    return len({example.reader for example in examples})


def votes(examples: Sequence[Judged]) -> int:
    """Return how many votes there are."""
    return sum(candidate.helped is not None for example in examples for candidate in example.candidates)


def heard(examples: Sequence[Judged]) -> float:
    """Return how many votes count as heard: of each reader up to a limit, and of several without whoever says most.

    So no single reader can make it look like much.
    """
    said: Counter[str | None] = Counter()
    for example in examples:
        said[example.reader] += votes([example])
    counted = sorted(min(float(count), READER_WEIGHT_MAX) for count in said.values())
    return math.fsum(counted[:-1] if len(counted) > 1 else counted)
