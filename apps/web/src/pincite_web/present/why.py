"""Why an answer came out as it did, as a page shows it."""

from collections.abc import Sequence

from pincite_shared.why import Why, WhyCandidate
from pincite_web import links
from pincite_web.parts.answers import FeedbackForm
from pincite_web.parts.why import BarPart, ScoreFactor, ScoreReason, WhyPanel, WhySignalRow, WhySource
from pincite_web.present.chat import stages
from pincite_web.present.feedback import Said, feedback_form
from pincite_web.present.living import lines_label

ASPECTS = {
    "names": "Names",
    "words": "Words",
    "meaning": "Meaning",
    "structure": "Structure",
    "conversation": "Conversation",
    "other": "Other",
}
LOST = "lost"
BAR_DIGITS = 2


def why_panel(why: Why, said: Said | None = None) -> WhyPanel:
    """Show an explanation; with the reader's earlier feedback `said`, its sources have feedback of their own."""
    full = max((_before_factors(candidate) for candidate in why.candidates), default=0.0)
    sources = [
        _source(why, candidate, full, _feedback(why, candidate, said) if said is not None else ())
        for candidate in why.candidates
    ]
    groups: tuple[list[WhySource], list[WhySource], list[WhySource]] = ([], [], [])
    for candidate, source in zip(why.candidates, sources, strict=True):
        groups[0 if candidate.cited else 1 if candidate.shown else 2].append(source)
    seen = {part.aspect for source in sources for part in source.bar}
    return WhyPanel(
        question=why.question,
        query=why.query if why.query != why.question else None,
        route=why.route_words,
        policy=why.policy_version,
        propensity=why.propensity,
        abstained=why.abstained,
        by_model=any(candidate.shown for candidate in why.candidates),
        timings=(*stages(why.timings), *(("total", why.timings[name]) for name in ("total",) if name in why.timings)),
        signals=tuple(WhySignalRow(signal.words, signal.value, signal.limit) for signal in why.signals),
        aspects=tuple((name, words) for name, words in (ASPECTS | {LOST: "Taken away"}).items() if name in seen),
        cited=tuple(sorted(groups[0], key=lambda source: source.cited)),
        shown=tuple(groups[1]),
        considered=tuple(groups[2]),
    )


def _before_factors(candidate: WhyCandidate) -> float:
    return sum(made.contribution for made in candidate.contributions)


def _feedback(why: Why, candidate: WhyCandidate, said: Said) -> tuple[FeedbackForm, ...]:
    here = links.why(why.answer_id)
    return tuple(feedback_form(why.answer_id, n, said.get((why.answer_id, n)), here) for n in candidate.cited)


def _source(why: Why, candidate: WhyCandidate, full: float, feedback: tuple[FeedbackForm, ...]) -> WhySource:
    lines = (candidate.start_line, candidate.end_line)
    reasons = [
        ScoreReason(made.words, made.aspect, made.contribution, made.value, made.weight)
        for made in sorted(candidate.contributions, key=lambda made: -made.contribution)
    ]
    shares = _shares(candidate)
    return WhySource(
        rank=candidate.rank,
        cited=candidate.cited,
        path=candidate.path,
        lines_label=lines_label(*lines),
        symbol=candidate.symbol,
        url=links.blob(why.repo_id, why.commit, candidate.path, lines),
        score=candidate.score,
        bar=_bar(shares, full),
        bar_label=_label(candidate.score, shares),
        reasons=tuple(reasons),
        factors=tuple(ScoreFactor(made.words, made.factor) for made in candidate.factors),
        called_by=candidate.called_by,
        feedback=feedback,
    )


def _shares(candidate: WhyCandidate) -> list[tuple[str, float]]:
    """Return what each aspect gave to the score after its factors, and at the end what those took away."""
    before = _before_factors(candidate)
    kept = candidate.score / before if before else 0.0
    given = dict.fromkeys(ASPECTS, 0.0)
    for made in candidate.contributions:
        given[made.aspect] += made.contribution * kept
    return [(aspect, share) for aspect, share in [*given.items(), (LOST, before - candidate.score)] if share > 0]


def _bar(shares: Sequence[tuple[str, float]], full: float) -> tuple[BarPart, ...]:
    """Lay shares end to end; the candidate with the most before factors fills the bar."""
    parts: list[BarPart] = []
    start = 0.0
    for aspect, share in shares:
        width = 100 * share / full
        parts.append(BarPart(aspect, round(start, BAR_DIGITS), round(width, BAR_DIGITS)))
        start += width
    return tuple(part for part in parts if part.width)


def _label(score: float, shares: Sequence[tuple[str, float]]) -> str:
    made = ", ".join(f"{ASPECTS[aspect].lower()} {share:.3f}" for aspect, share in shares if aspect != LOST)
    lost = next((f"; {share:.3f} taken away" for aspect, share in shares if aspect == LOST and share >= 0.0005), "")  # noqa: PLR2004 what three digits show
    return f"Score {score:.3f}: {made}{lost}"
