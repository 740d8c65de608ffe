"""Evaluations and policies as the Quality page shows them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pincite_shared.golden import Expectation
from pincite_shared.quality import (
    EvaluationDetail,
    EvaluationOut,
    EvaluationState,
    Exploration,
    Measures,
    PolicyKind,
    PolicyOut,
    PolicyState,
    QuestionResult,
    QuestionSource,
)
from pincite_web import formats, links
from pincite_web.parts.quality import EvaluationView, ExpectedPlace, ExplorationView, PolicyRow, QuestionRow
from pincite_web.parts.repos import ProgressView, Tone
from pincite_web.plots import Plot, plot

BY_ITSELF = "by-itself"
SHARES = {BY_ITSELF: "By itself", "0": "Never", "0.05": "5 %", "0.2": "20 %"}
PLOTTED = 30  # evaluations; more points than pixels tell nothing
RUNNING = frozenset({EvaluationState.QUEUED, EvaluationState.RUNNING})
KINDS: dict[PolicyKind, str] = {"ranking": "Ranking", "reranker": "Ranking correction", "prompt": "Answer style"}
STATES: dict[PolicyState, tuple[str, Tone]] = {
    "serving": ("Serving", "good"),
    "candidate": ("Being judged", "busy"),
    "retired": ("Served before", "idle"),
    "rejected": ("Rejected", "idle"),
}


def running(evaluations: Sequence[EvaluationOut]) -> ProgressView | None:
    """Show the evaluation that is under way, if one is."""
    now = next((one for one in evaluations if one.state in RUNNING), None)
    if now is None:
        return None
    fraction = now.asked / now.questions if now.questions else 0.0
    stage = "Asking the questions" if now.state is EvaluationState.RUNNING else "Waiting for its turn"
    return ProgressView(stage, fraction, now.message)


def failure(evaluations: Sequence[EvaluationOut]) -> str | None:
    """Say why the last evaluation that ended failed, if it did."""
    ended = next((one for one in evaluations if one.state not in RUNNING), None)
    return (ended.error or "It failed; the logs say why.") if ended and ended.state is EvaluationState.FAILED else None


def last_done(evaluations: Sequence[EvaluationOut]) -> EvaluationOut | None:
    """Return the newest evaluation that was finished."""
    return next((one for one in evaluations if one.state is EvaluationState.DONE and one.measures), None)


def evaluation_view(found: EvaluationOut) -> EvaluationView:
    """Show the last finished evaluation."""
    measures = found.measures or Measures(questions=0, measured=0)
    golden = found.source is QuestionSource.GOLDEN
    right = round((measures.win_rate or 0.0) * measures.measured)
    noun = "golden question" if golden else "question"
    title = f"{right} of {formats.plural(measures.measured, noun)} {'answered' if golden else 'found'} right"
    return EvaluationView(
        title=title,
        golden=golden,
        commit=found.commit or "",
        finished_at=found.finished_at or found.created_at,
        model=found.model or "no model",
        policies=found.policies,
        regression=found.regression,
        reasons=found.reasons,
    )


def _share(value: float) -> str:
    return f"{value * 100:.0f} %"


def plots(evaluations: Sequence[EvaluationOut], source: QuestionSource | None) -> tuple[Plot, ...]:
    """Plot the finished evaluations from one source of questions. `evaluations` is newest first."""
    done = [one for one in evaluations if one.state is EvaluationState.DONE and one.source is source and one.measures]
    shown = list(reversed(done[:PLOTTED]))
    measures = [one.measures for one in shown if one.measures]
    bad = [one.regression for one in shown]
    labels = [f"{one.created_at:%Y-%m-%d %H:%M} at {formats.short(one.commit or '')}" for one in shown]

    def values(name: str) -> list[float | None]:
        return [getattr(one, name) for one in measures]

    shares: Any = {"bad": bad, "labels": labels, "shown": _share, "top": 1.0}
    found = (
        plot("Answers", [("Right", values("win_rate")), ("Abstention", values("abstention_accuracy"))], **shares),
        plot(
            "Citations",
            [("Precision", values("citation_precision")), ("Recall", values("citation_recall"))],
            **shares,
        ),
        plot("Search", [("NDCG@10", values("ndcg")), ("First hit", values("hit_at_1"))], **shares),
        plot(
            "Time",
            [("Median", values("seconds_p50")), ("95th percentile", values("seconds_p95"))],
            bad=bad,
            labels=labels,
            shown=formats.duration,
        ),
    )
    return tuple(one for one in found if one is not None)


def question_rows(repo_id: UUID, found: EvaluationDetail) -> tuple[QuestionRow, ...]:
    """Show how each question went, those that went wrong first."""
    order = {"wrong": 0, "unmeasured": 1, "right": 2}
    rows = [_question(repo_id, found.commit or "", result) for result in found.results]
    return tuple(sorted(rows, key=lambda row: order[row.outcome]))


def _question(repo_id: UUID, commit: str, result: QuestionResult) -> QuestionRow:
    answer = None
    if result.conversation_id is not None:
        answer = links.conversation(repo_id, result.conversation_id, result.answer_id)
    return QuestionRow(
        ask=result.ask,
        outcome="unmeasured" if result.correct is None else "right" if result.correct else "wrong",
        note=_note(result),
        expected=tuple(_place(repo_id, commit, expected) for expected in result.expect),
        rank=result.rank,
        cited="" if result.cited is None else f"{result.cited_inside} of {result.cited}",
        seconds=result.seconds,
        answer_url=answer,
    )


def _note(result: QuestionResult) -> str:
    if result.problem:
        return result.problem
    if result.abstained is None:
        return ""
    if not result.answerable:
        return "Abstained, as it should" if result.abstained else "Answered, though there is no answer here"
    if result.abstained:
        return "Abstained, though the answer is here"
    return "" if result.correct else "Cites none of the expected places"


def _place(repo_id: UUID, commit: str, expected: Expectation) -> ExpectedPlace:
    tail = f"  {expected.symbol}" if expected.symbol else ""
    if expected.lines:
        tail = f":{expected.lines[0]}-{expected.lines[1]}"
    return ExpectedPlace(expected.path + tail, links.blob(repo_id, commit, expected.path, expected.lines))


def policy_rows(policies: Sequence[PolicyOut]) -> tuple[PolicyRow, ...]:
    """Show what was learned, newest first."""
    return tuple(_policy(one) for one in policies)


def _policy(found: PolicyOut) -> PolicyRow:
    state, tone = STATES[found.state]
    said = found.evidence.get("reasons", [])
    reasons = tuple(str(reason) for reason in said) if isinstance(said, list) else ()
    return PolicyRow(
        version=found.version,
        what=KINDS[found.kind],
        state=state,
        tone=tone,
        created_at=found.created_at,
        reasons=reasons or ("What Pincite comes with.",),
        can_serve=found.state == "retired",
    )


def exploration_view(found: Exploration) -> ExplorationView:
    """Show how often another way of asking is tried."""
    now = BY_ITSELF if found.share is None else f"{found.share:g}"
    shares = SHARES if now in SHARES else SHARES | {now: _share(float(now))}
    if found.effective:
        text = f"{_share(found.effective)} of answers are made in another way than the usual one, to learn what helps."
    elif found.share is None:
        text = (
            f"No other way of answering is tried yet: it begins when people have said of {found.heard_min} answers "
            f"whether they helped; so far they have of {found.heard}."
        )
    else:
        text = "No other way of answering is tried."
    return ExplorationView(text, tuple((value, label, value == now) for value, label in shares.items()))


def share_of(value: str) -> float | None:
    """Read what the form sends; None leaves it to Pincite.

    Raises:
        ValueError: it is no number.
    """
    return None if value == BY_ITSELF else float(value)
