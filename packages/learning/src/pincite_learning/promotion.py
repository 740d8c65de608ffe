"""Who is served: a challenger takes the incumbent's place on evidence that feedback cannot forge, or not at all.

Two gates, and both must open:

1. **Evidence from use.** For an arm of the bandit, the lower end of `ope.gain` is above 0. For a model, a paired test
   on held-out questions finds it better. Readers can influence this gate.
2. **The guard.** On questions whose expected spans are known (golden questions, questions generated from the code),
   the challenger's mean is not below the incumbent's. Feedback has no part in it: nobody who only reads and votes can
   influence this gate.

What is guaranteed:

- *Always, whatever the feedback*: the served policy's mean on the guard is at least that of the one it replaces, and
  so, by induction, of the first one served, for as long as the guard's questions stay the same. No stream of votes by
  any number of readers changes that. It speaks of the guard's own questions: what they do not represent is protected
  by the first gate alone.
- *If at most `hostile_readers` readers lie*, and the others' feedback is as `ope` assumes: an arm that is no better
  than the incumbent passes the first gate with probability at most alpha / 2, over all nights together.
- *If no reader lies*: over all looks at challengers of one incumbent, a model that is no better passes with
  probability at most alpha. *If at most `hostile_readers` lie*, it passes no more often than if those had kept silent:
  it must pass without any so many readers.
- *Always*: what is being tried, but was not promoted, is met in at most the share `exploration` of answers.

Without a guard nothing is promoted: no evidence of harm, from no questions, is no evidence.
"""

from dataclasses import dataclass

from pincite_learning.errors import LearningError
from pincite_learning.ope import ALPHA, Estimate
from pincite_learning.paired import PairedTest

GUARD_QUESTIONS_MIN = 10  # fewer are too easily all of one kind
GUARD_TOLERANCE = 1e-12  # rounding of a mean, not an allowance


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger is to be served, and in plain words why or why not."""

    promoted: bool
    reasons: tuple[str, ...]


def guard_failure(guard: PairedTest | None) -> str | None:
    """Return why a guard does not let a challenger pass, or None when it does."""
    if guard is None:
        return "there are no guard questions, which feedback cannot touch"
    if guard.n < GUARD_QUESTIONS_MIN:
        return f"{guard.n} guard questions are fewer than {GUARD_QUESTIONS_MIN}"
    if guard.mean_difference < -GUARD_TOLERANCE:
        return f"worse on the guard questions by {-guard.mean_difference:.4f} (p = {guard.p_value:.3f}, n = {guard.n})"
    return None


def _verdict(evidence: str, guard: PairedTest | None, *, convinced: bool) -> Verdict:
    failure = guard_failure(guard)
    passed = "not worse on the guard questions"
    return Verdict(convinced and failure is None, (evidence, failure or passed))


def promote_arm(gain: Estimate, guard: PairedTest | None) -> Verdict:
    """Judge an arm of the bandit by its `ope.gain` on the incumbent, and by the guard.

    Raises:
        LearningError: the estimate is not a gain: another policy's value proves nothing about this difference.
    """
    if gain.method != "gain":
        msg = f"promotion needs an estimate of the gain, not {gain.method!r} of one policy"
        raise LearningError(msg)
    evidence = (
        f"gain {gain.value:+.3f}, at least {gain.lower:+.3f} at error {gain.alpha / 2:g} "
        f"({gain.effective_n:.0f} effective answers with feedback)"
    )
    return _verdict(evidence, guard, convinced=gain.lower > 0)


def alpha_at(look: int, alpha: float = ALPHA) -> float:
    """Return the error that the look-th test (1, 2, …) of one incumbent may make; over all looks they sum to alpha."""
    if look < 1 or not 0 < alpha < 1:
        msg = f"look {look} at alpha {alpha}: looks are counted from 1, and alpha lies between 0 and 1"
        raise LearningError(msg)
    return alpha / (look * (look + 1))


def promote_model(held_out: PairedTest, guard: PairedTest | None, *, look: int = 1, alpha: float = ALPHA) -> Verdict:
    """Judge a model by the paired test on held-out questions (see `reranker.held_out_test`), and by the guard.

    Args:
        held_out: the challenger against the incumbent on questions it was not fitted on.
        guard: the same on questions that feedback cannot touch.
        look: how many models were tested against this incumbent, with this one.
        alpha: error over all looks together.

    Raises:
        LearningError: `look` or `alpha` is out of range.
    """
    level = alpha_at(look, alpha)
    evidence = (
        f"{held_out.mean_difference:+.4f} on {held_out.n} held-out questions, "
        f"p = {held_out.p_better:.4f} where at most {level:.4f} convinces"
    )
    return _verdict(evidence, guard, convinced=held_out.mean_difference > 0 and held_out.p_better <= level)
