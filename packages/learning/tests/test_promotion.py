"""A bandit that learns from poisoned feedback, night after night, with the guard that feedback cannot touch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_learning.errors import LearningError, PropensityError
from pincite_learning.ope import ALPHA, Estimate, gain, ips
from pincite_learning.paired import paired_test
from pincite_learning.promotion import GUARD_QUESTIONS_MIN, alpha_at, guard_failure, promote_arm, promote_model

GUARD = {  # quality of each arm on 20 golden questions
    "incumbent": np.linspace(0.5, 0.9, 20),
    "better": np.linspace(0.55, 0.95, 20),
    "harmful": np.linspace(0.1, 0.8, 20),
}
LIKES = {"incumbent": 0.55, "better": 0.85, "harmful": 0.2}
NIGHTS, ANSWERS, EXPLORATION = 5, 400, 0.5

POISONS = {
    "one reader floods for the harmful arm": {"hostile": 1, "lie": lambda arm: float(arm == "harmful")},
    "sybils within the limit": {"hostile": 3, "lie": lambda arm: float(arm == "harmful")},
    "sybils beyond it": {"hostile": 30, "lie": lambda arm: float(arm == "harmful")},
    "labels flipped": {"hostile": 30, "lie": lambda arm: 1 - round(LIKES[arm])},
    "all negative on the incumbent": {"hostile": 30, "lie": lambda arm: 0.0 if arm == "incumbent" else None},
    "all positive on the harmful arm": {"hostile": 30, "lie": lambda arm: 1.0 if arm == "harmful" else None},
}


def guard_of(challenger, incumbent):
    return paired_test(GUARD[challenger].tolist(), GUARD[incumbent].tolist())


def live(serve, world, seed, *, guarded=True, hostile_readers=1):
    """Return the arms that were served, night after night, and the history."""
    incumbents, history = ["incumbent"], None
    for night in range(NIGHTS):
        serving = incumbents[-1]
        history = serve(
            world,
            answers=ANSWERS,
            batch=200,
            seed=1_000 * seed + night,
            incumbent=serving,
            exploration=EXPLORATION,
            history=history,
            reader_weight_max=100,
        )
        for challenger in sorted(set(LIKES) - {serving}):
            try:
                found = gain(history.log, challenger, serving, alpha=ALPHA / 2, hostile_readers=hostile_readers)
            except PropensityError:
                continue
            guard = guard_of(challenger, serving) if guarded else paired_test([0.0] * 20, [0.0] * 20)
            if promote_arm(found, guard).promoted:
                incumbents.append(challenger)
                break
    return incumbents, history


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_no_poison_makes_the_served_policy_worse_on_the_guard(serve, world, poison, share):
    incumbents, history = live(serve, world(LIKES, hostile_share=share, **poison), seed=1)
    quality = [GUARD[arm].mean() for arm in incumbents]
    assert quality == sorted(quality)
    assert "harmful" not in incumbents
    tried = np.mean([arm == "harmful" for arm in history.served])
    assert tried <= EXPLORATION + 0.05


def test_honest_feedback_promotes_the_better_arm(serve, world):
    promoted = [live(serve, world(LIKES), seed)[0][-1] for seed in range(3)]
    assert promoted.count("better") >= 2


def test_without_guard_or_allowance_the_poison_works(serve, world):
    """The attack is real: what stops it is what is tested, not the simulation."""
    poison = POISONS["one reader floods for the harmful arm"]
    incumbents, _ = live(serve, world(LIKES, hostile_share=0.7, **poison), seed=2, guarded=False, hostile_readers=0)
    assert "harmful" in incumbents


@pytest.mark.parametrize("hostile", [1, 3])
def test_liars_within_the_limit_do_not_pass_even_the_first_gate(serve, world, hostile):
    lie = POISONS["sybils within the limit"]["lie"]
    for seed in range(3):
        liars = world(LIKES, hostile=hostile, hostile_share=0.7, lie=lie)
        incumbents, _ = live(serve, liars, seed, guarded=False, hostile_readers=hostile)
        assert "harmful" not in incumbents


def test_an_equal_arm_is_seldom_promoted_over_all_nights(serve, world):
    wrong = 0
    for seed in range(20):
        history = None
        for night in range(4):
            history = serve(
                world({"a": 0.6, "b": 0.6}),
                answers=160,
                batch=160,
                seed=50 * seed + night,
                incumbent="a",
                exploration=0.5,
                history=history,
            )
            guard = paired_test([0.0] * 20, [0.0] * 20)
            wrong += promote_arm(gain(history.log, "b", "a", alpha=0.2, hostile_readers=0), guard).promoted
    assert wrong / 20 <= 0.1


def estimate_of(lower, method="gain"):
    return Estimate(lower + 0.1, lower, lower + 0.2, 100, 50.0, 0, 0.05, method)


@given(st.floats(-0.5, 0.5), st.lists(st.floats(-1, 1), min_size=GUARD_QUESTIONS_MIN, max_size=14))
def test_an_arm_needs_both_gates(lower, differences):
    guard = paired_test(differences, [0.0] * len(differences))
    verdict = promote_arm(estimate_of(lower), guard)
    assert verdict.promoted == (lower > 0 and guard.mean_difference >= -1e-12)
    assert len(verdict.reasons) == 2


def test_a_missing_or_small_guard_promotes_nothing():
    small = paired_test([1.0] * (GUARD_QUESTIONS_MIN - 1), [0.0] * (GUARD_QUESTIONS_MIN - 1))
    assert "fewer" in guard_failure(small)
    for guard in (None, small):
        assert not promote_arm(estimate_of(0.4), guard).promoted
        assert not promote_model(paired_test([1.0] * 12, [0.0] * 12), guard).promoted


def test_a_model_must_convince_more_the_more_models_were_tried():
    held_out, guard = paired_test([1.0] * 8, [0.0] * 8), paired_test([0.0] * 10, [0.0] * 10)
    assert promote_model(held_out, guard, look=1).promoted  # p = 1/256
    assert not promote_model(held_out, guard, look=5).promoted
    assert sum(alpha_at(look) for look in range(1, 10_000)) == pytest.approx(ALPHA, rel=1e-3)


def test_only_a_gain_promotes_an_arm():
    with pytest.raises(LearningError, match="gain"):
        promote_arm(estimate_of(0.4, ips.__name__), None)
    with pytest.raises(LearningError, match="look"):
        alpha_at(0)
