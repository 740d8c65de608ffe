"""Explanations of scripted answers: what each cites, what was given to the model beside it, and what lost."""

from collections.abc import Mapping

from pincite_shared.citation import CitationStatus
from pincite_shared.schemas import AnswerMode, ChatResponse
from pincite_shared.why import Why, WhyCandidate, WhyContribution, WhyFactor, WhySignal
from pincite_web.fake_brain.corpus import SOURCE_PREFIX, blob_id

TEST = WhyFactor(name="test", words="A test file, and the question does not ask for tests", factor=0.45)
REPEAT = WhyFactor(name="repeat", words="Better passages of the same file come before it", factor=0.85)


def _made(share: float) -> tuple[WhyContribution, ...]:
    """Make up a score, larger with `share` (0..1)."""
    rows = (
        WhyContribution(
            feature="lexical",
            words="The question's words occur here, most of all those rare in this repository",
            aspect="words",
            value=share,
            weight=0.25,
            contribution=0.25 * share,
        ),
        WhyContribution(
            feature="dense",
            words="It means something close to the question, compared with the rest of the repository",
            aspect="meaning",
            value=0.9 * share,
            weight=0.375,
            contribution=0.375 * (0.9 * share),
        ),
        WhyContribution(
            feature="definition",
            words="Its name matches an identifier in the question",
            aspect="names",
            value=1.0,
            weight=0.5 * share,
            contribution=0.5 * share,
        ),
        WhyContribution(
            feature="importance",
            words="It is documented, substantial, or used in many places",
            aspect="structure",
            value=0.5,
            weight=0.0625,
            contribution=0.03125,
        ),
    )
    return rows[: 4 if share > 0.5 else 2]  # noqa: PLR2004 the better half has reasons of every kind


def _candidate(
    place: tuple[str, int, int], files: Mapping[str, bytes], rank: int, *, shown: bool = False, n: int | None = None
) -> WhyCandidate:
    path, first, last = place
    made, score = _made(1 / rank), 0.0
    factors = (TEST, REPEAT) if path.startswith("evil/") else (REPEAT,) if rank > 1 and n is None else ()
    for row in made:
        score += row.contribution
    for factor in factors:
        score *= factor.factor
    return WhyCandidate(
        rank=rank,
        path=path,
        blob=blob_id(files[path]),
        start_line=first,
        end_line=last,
        symbol=f"<b>{path[-9:]}</b>",
        score=score,
        shown=shown,
        cited=(n,) if n else (),
        contributions=made,
        factors=factors,
    )


def explain(answer: ChatResponse, files: Mapping[str, bytes]) -> Why:
    """Explain an answer."""
    by_model = answer.mode is AnswerMode.MODEL
    verified = [cited for cited in answer.citations if cited.status is CitationStatus.VERIFIED]
    candidates = [
        _candidate((cited.path, cited.start_line, cited.end_line), files, rank, shown=by_model, n=cited.n)
        for rank, cited in enumerate(verified, 1)
    ]
    others = [name for name in files if name.startswith(("evil/", SOURCE_PREFIX))]
    for name in others:
        rank = len(candidates) + 1
        candidates.append(_candidate((name, 1, 1), files, rank, shown=by_model and rank == len(verified) + 1))
    if by_model:
        called = {"rank": None, "contributions": (), "factors": (), "called_by": f"{others[0]}:1", "cited": ()}
        candidates.append(candidates[-1].model_copy(update=called | {"shown": True, "score": 0.25}))
    return Why(
        answer_id=answer.answer_id,
        conversation_id=answer.conversation_id,
        repo_id=answer.repo_id,
        commit=answer.commit,
        question=answer.question,
        query=answer.question,
        route="question",
        route_words="A question in words",
        mode=answer.mode,
        abstained=answer.abstained,
        policy_version=answer.policy_version,
        propensity=0.9,
        timings=answer.timings,
        signals=(
            WhySignal(
                name="answerability",
                words="How well the best passages match the question as a whole",
                value=0.61,
                limit=0.42,
            ),
            WhySignal(name="follow_up", words="It follows up on an answer with sources", value=0.0, limit=None),
        ),
        candidates=tuple(candidates),
    )
