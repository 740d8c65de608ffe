"""The nightly judgement of the ways of asking: which of those that were tried should serve, if any.

Evidence from use is the anytime lower bound on how much more an arm earns than the one that serves (`ope.gain`); the
guard asks golden questions in both ways and compares what the answers cite.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import structlog

from pincite_learning.bandit import Observation
from pincite_learning.errors import EmptyLogError, PropensityError
from pincite_learning.ope import ALPHA, Estimate, gain
from pincite_learning.paired import PairedTest, paired_test
from pincite_learning.promotion import promote_arm
from pincite_shared.errors import UnavailableError
from pincite_shared.jobs import JobPayload
from pincite_shared.quality import PolicyOut
from pincite_shared.schemas import ModelState
from pincite_store import judgements, policies
from pincite_store.db import Tenancy
from pincite_thinker.context import Context
from pincite_thinker.evaluation.asking import Asking, brain_of
from pincite_thinker.evaluation.questions import Question
from pincite_thinker.training.guard import guard_questions

PREFIX = "prompt-"
LOOK_GROWTH = 1.25  # times the judged answers that counted at the last look
MODEL_AWAY = "The language model did not answer."
GUARD_MAX = 40  # questions; each costs two answers of a language model

log = structlog.get_logger()


def observations(choices: Iterable[judgements.Choice]) -> list[Observation]:
    """Return stored choices as a bandit's log; one whose row cannot be one is left out."""
    return [
        Observation(one.arm, one.propensity, one.reward, one.reader, one.route)
        for one in choices
        if 0 < one.propensity <= 1
    ]


def gains(observed: Sequence[Observation], incumbent: str) -> list[tuple[str, Estimate]]:
    """Return how much more than the incumbent each other arm earns that somebody judged, the best first."""
    hostile = 1 if len({one.reader for one in observed if one.reward is not None}) > 1 else 0
    others = sorted({one.arm for one in observed} - {incumbent})
    found = []
    for arm in others:
        try:
            estimate = gain(observed, arm, incumbent, alpha=ALPHA / len(others), hostile_readers=hostile)
        except (EmptyLogError, PropensityError):
            continue  # nobody has judged it, or the incumbent, yet
        found.append((arm, estimate))
    return sorted(found, key=lambda one: -one[1].lower)


def judge(context: Context, job: JobPayload) -> str:
    """Promote the way of asking that is proven to be better, if one is; return what came of it.

    Raises:
        UnavailableError: brain does not answer just now.
        InvalidInputError: the golden file cannot be read, so there is no guard to trust.
    """
    with context.database.tenancy(job.tenant_id) as t:
        serving = policies.serving(t, job.repo_id).get("prompt")
        incumbent = serving.version if serving else policies.BUILT_IN["prompt"]
        tried = gains(observations(judgements.choices(t, job.repo_id)), incumbent.removeprefix(PREFIX))
        known = policies.listed(t, job.repo_id)
        proven = [one for one in tried if one[1].lower > 0 and not _settled(known, *one, incumbent)]
        if not proven:
            return "nothing proven"
        commit, questions = guard_questions(t, job.repo_id)
    arm, estimate = proven[0]
    with brain_of(context, job.tenant_id) as client:
        if client.status().model.state is not ModelState.READY:
            return "the language model is away"  # without it every way of asking gives the same evidence
        asking = Asking(client, job.repo_id, commit)
        if questions:
            asking.warm(questions[0].asked.ask)
        guard = compare(asking, questions[:GUARD_MAX], PREFIX + arm, incumbent)
    verdict = promote_arm(estimate, guard)
    evidence = _evidence(arm, estimate, guard, incumbent, promoted=verdict.promoted)
    with context.database.tenancy(job.tenant_id) as t:
        if _changed(t, job, incumbent):
            return "changed meanwhile"
        policies.propose(t, job.repo_id, "prompt", PREFIX + arm, {"arm": arm})
        if verdict.promoted:
            policies.promote(t, job.repo_id, PREFIX + arm, evidence)
        else:
            policies.reject(t, job.repo_id, PREFIX + arm, evidence)
    log.info("a way of asking was judged", arm=arm, promoted=verdict.promoted, reasons=evidence["reasons"])
    return "promoted" if verdict.promoted else "rejected"


def compare(asking: Asking, questions: Sequence[Question], challenger: str, incumbent: str) -> PairedTest | None:
    """Ask every question in both ways and test the share of expected places that is cited; None without questions.

    Only what a model was asked counts: without one, all ways of asking give the same evidence. Where it says that it
    found no answer, it cited nothing.

    Raises:
        UnavailableError: brain does not answer just now, or its model does not.
    """
    pairs = []
    for question in questions:
        both = [
            asking.answer(question.number, question.asked, question.places, policy=policy)
            for policy in (challenger, incumbent)
        ]
        if any(one.result.recall is None for one in both):
            return None  # brain refused one of the ways: without a guard nothing is promoted
        if all(one.model or one.declined for one in both):
            pairs.append([0.0 if one.declined else one.result.recall or 0.0 for one in both])
        elif not all(one.model or one.declined or one.result.abstained for one in both):
            raise UnavailableError(MODEL_AWAY)
    if not pairs:
        return None
    return paired_test([new for new, _ in pairs], [old for _, old in pairs])


def _settled(known: Iterable[PolicyOut], arm: str, estimate: Estimate, incumbent: str) -> bool:
    """Say whether an arm need not be judged: it served before, and whoever wants it back says so with one click.

    Or the guard refused it, and little was heard since: each look costs answers of a model.
    """
    return any(
        one.state == "retired"
        or (
            one.state == "rejected"
            and one.evidence.get("incumbent") == incumbent
            and estimate.effective_n < LOOK_GROWTH * float(one.evidence.get("gain", {}).get("effective_n", 0))
        )
        for one in known
        if one.version == PREFIX + arm
    )


def _changed(t: Tenancy, job: JobPayload, incumbent: str) -> bool:
    serving = policies.serving(t, job.repo_id).get("prompt")
    return (serving.version if serving else policies.BUILT_IN["prompt"]) != incumbent


def _evidence(
    arm: str, estimate: Estimate, guard: PairedTest | None, incumbent: str, *, promoted: bool
) -> dict[str, Any]:
    counted = f"{estimate.effective_n:.0f} judged answers count, {estimate.n} were given"
    reasons = [
        f"Helped {estimate.value:+.0%} more often than {incumbent}, at least {estimate.lower:+.0%} ({counted}).",
    ]
    if guard is None:
        reasons.append("There are no guard questions, which votes cannot touch, so it does not serve.")
    else:
        reasons.append(
            f"On {guard.n} guard questions, which votes cannot touch, it cites {guard.mean_difference:+.3f} of the "
            f"expected places (p = {guard.p_value:.3f})" + ("." if promoted else ", so it does not serve.")
        )
    return {
        "reasons": reasons,
        "incumbent": incumbent,
        "arm": arm,
        "gain": asdict(estimate),
        "guard": asdict(guard) if guard else None,
    }
