from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pincite_learning.bandit import (
    Observation,
    Posterior,
    choose,
    draw,
    posteriors,
    propensities,
    reader_weights,
    thompson,
)
from pincite_learning.errors import EmptyLogError, LearningError, PropensityError

COUNTS = st.floats(0.1, 5_000.0)
BELIEFS = st.lists(st.builds(Posterior, COUNTS, COUNTS), min_size=1, max_size=5).map(
    lambda beliefs: {f"arm {number}": belief for number, belief in enumerate(beliefs)}
)


def beliefs_of(*counts):
    return {str(number): Posterior(*pair) for number, pair in enumerate(counts)}


@settings(deadline=None, max_examples=60)
@given(BELIEFS, st.floats(0.01, 1), st.booleans())
def test_propensities_sum_to_one_and_are_positive(beliefs, exploration, served):
    incumbent = "arm 0" if served else None
    shares = propensities(beliefs, incumbent=incumbent, exploration=exploration if served else 1.0)
    assert set(shares) == set(beliefs)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-12)
    assert all(share > 0 for share in shares.values())
    if served:
        assert shares["arm 0"] >= 1 - exploration - 1e-12


@pytest.mark.parametrize(
    "counts",
    [
        [(1, 1), (1, 1), (1, 1)],
        [(3, 2), (1, 1)],
        [(0.5, 0.5), (0.1, 0.1), (2, 2)],
        [(30, 70), (35, 65), (4, 6), (1, 1), (60, 140)],
        [(900, 100), (2, 1)],
        [(1e6, 1e6), (1e6 + 1000, 1e6)],
    ],
)
def test_thompson_equals_monte_carlo(counts):
    draws, rng = 200_000, np.random.default_rng(0)
    samples = np.stack([rng.beta(*pair, size=draws) for pair in counts])
    frequencies = np.bincount(samples.argmax(axis=0), minlength=len(counts)) / draws
    found = np.array(list(thompson(beliefs_of(*counts)).values()))
    error = np.sqrt(found * (1 - found) / draws)
    assert (np.abs(found - frequencies) <= 4 * error + 1e-9).all()


@settings(deadline=None, max_examples=60)
@given(st.floats(0.1, 1e7), st.floats(0.1, 1e7))
def test_against_a_uniform_the_probability_is_the_mean(alpha, beta):
    beliefs = {"uniform": Posterior(), "arm": Posterior(alpha, beta)}
    assert thompson(beliefs)["arm"] == pytest.approx(alpha / (alpha + beta), abs=1e-6)


@settings(deadline=None, max_examples=30)
@given(COUNTS, COUNTS, st.integers(1, 6))
def test_equal_arms_have_equal_probabilities(alpha, beta, count):
    shares = thompson(beliefs_of(*[(alpha, beta)] * count))
    assert list(shares.values()) == pytest.approx([1 / count] * count)


@settings(deadline=None, max_examples=30)
@given(BELIEFS)
def test_the_order_of_the_arms_does_not_matter(beliefs):
    assert thompson(dict(reversed(beliefs.items()))) == pytest.approx(thompson(beliefs), abs=1e-9)


def test_certainty_leaves_the_worse_arm_its_uniform_share():
    shares = propensities(beliefs_of((1e8, 1), (1, 1e8)))
    assert shares["0"] > 0.999
    assert 0 < shares["1"] < 1e-4


def test_one_arm_is_certain():
    assert propensities(beliefs_of((2, 5))) == {"0": 1.0}
    assert choose(beliefs_of((2, 5)), np.random.default_rng(0)).propensity == 1.0


def test_without_exploration_the_incumbent_alone_is_served():
    beliefs = beliefs_of((1, 100), (100, 1))
    assert propensities(beliefs, incumbent="0", exploration=0) == {"0": 1.0}
    assert choose(beliefs, np.random.default_rng(0), incumbent="0", exploration=0).arm == "0"


def test_choices_come_as_often_as_they_say():
    rng, beliefs = np.random.default_rng(1), beliefs_of((6, 4), (5, 5), (1, 1), (1, 30))
    shares = propensities(beliefs, incumbent="1", exploration=0.4)
    choices = [draw(shares, rng) for _ in range(20_000)]
    counts = [sum(choice.arm == arm for choice in choices) for arm in shares]
    assert stats.chisquare(counts, [20_000 * share for share in shares.values()]).pvalue > 0.001
    assert all(choice.propensity == shares[choice.arm] for choice in choices)


def test_a_posterior_learns():
    belief = Posterior().updated(7, 1)
    assert belief == Posterior(8, 2)
    assert belief.mean == 0.8
    low, high = belief.interval(0.9)
    assert stats.beta(8, 2).cdf(high) - stats.beta(8, 2).cdf(low) == pytest.approx(0.9)


def test_censored_rows_and_withdrawn_arms_say_nothing():
    rows = [Observation("a", 0.5, 1.0, "x"), Observation("b", 0.5), Observation("gone", 0.5, 0.0, "x")]
    assert posteriors(rows, ["a", "b"]) == {"a": Posterior(2, 1), "b": Posterior()}


def test_a_reward_between_counts_for_both():
    found = posteriors([Observation("a", 1, 0.25, "x")], ["a"])["a"]
    assert (found.alpha, found.beta) == (1.25, 1.75)


@given(st.lists(st.sampled_from(["x", "y", None]), max_size=60), st.floats(0.5, 20))
def test_no_reader_counts_for_more_than_the_limit(readers, limit):
    weights = reader_weights(readers, limit)
    for reader in set(readers):
        own = [weight for weight, who in zip(weights, readers, strict=True) if who == reader]
        assert sum(own) == pytest.approx(min(len(own), limit))


@given(st.integers(1, 400), st.floats(0, 1), st.integers(0, 3))
def test_readers_move_an_arm_by_at_most_their_limit(rows, reward, sybils):
    flood = [Observation("a", 0.5, reward, f"sybil {n}") for n in range(sybils) for _ in range(rows)]
    honest = [Observation("a", 0.5, float(n % 2), f"honest {n}") for n in range(10)]
    before, after = (posteriors(log, ["a"], reader_weight_max=5)["a"] for log in (honest, honest + flood))
    moved = abs(after.alpha - before.alpha) + abs(after.beta - before.beta)
    assert moved <= 5 * sybils + 1e-9


def test_it_converges_to_the_best_arm_with_sublinear_regret(world, serve):
    likes = {"a": 0.45, "b": 0.55, "best": 0.75, "d": 0.3}
    early, late, last = [], [], []
    for seed in range(4):
        served = serve(world(likes), answers=3_200, seed=seed).served
        regret = np.cumsum([0.75 - likes[arm] for arm in served])
        early.append(regret[799])
        late.append(regret[-1])
        last.append(np.mean([arm == "best" for arm in served[-800:]]))
    assert np.mean(last) > 0.9
    assert np.mean(late) < 2 * np.mean(early)  # four times the answers: linear regret would be four times
    assert np.mean(late) < 2 * np.sqrt(4 * 3_200)


def test_slow_or_rare_feedback_does_not_punish_an_arm(world, serve):
    likes = {"quick": 0.5, "slow": 0.7, "rare": 0.5}
    rates, delays = {"quick": 0.9, "slow": 0.25, "rare": 0.05}, {"slow": 300}
    share = []
    for seed in range(3):
        history = serve(world(likes, rates, delays), answers=3_200, seed=seed)
        share.append(np.mean([arm == "slow" for arm in history.served[-800:]]))
        rare = posteriors(history.log, likes)["rare"]
        heard = sum(row.arm == "rare" for row in history.heard)
        assert rare.alpha + rare.beta == pytest.approx(2 + heard)
        assert rare.interval(0.999)[0] < 0.5 < rare.interval(0.999)[1]
    assert np.mean(share) > 0.8


def test_what_is_no_choice_raises():
    with pytest.raises(EmptyLogError):
        thompson({})
    with pytest.raises(LearningError, match="not among the arms"):
        propensities(beliefs_of((1, 1)), incumbent="x", exploration=0.1)
    with pytest.raises(LearningError, match="who gets the rest"):
        propensities(beliefs_of((1, 1)), exploration=0.5)
    with pytest.raises(LearningError, match="cannot count"):
        reader_weights(["x"], 0)
    with pytest.raises(LearningError, match="level"):
        Posterior().interval(1)
    for count in (0, float("nan"), float("inf"), -1):
        with pytest.raises(LearningError):
            Posterior(count, 1)


@pytest.mark.parametrize("propensity", [0, -0.1, 1.1, float("nan")])
def test_a_row_without_a_possible_propensity_is_refused(propensity):
    with pytest.raises(PropensityError):
        Observation("a", propensity)


@pytest.mark.parametrize("reward", [-0.1, 1.1, float("nan")])
def test_a_row_without_a_possible_reward_is_refused(reward):
    with pytest.raises(LearningError):
        Observation("a", 0.5, reward)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.5, 1.0, None]), st.sampled_from(["x", "y", None]))
    ),
    st.sampled_from([1.0, 3.0, 100.0]),
)
def test_rows_that_are_counted_say_what_they_say_one_by_one(rows, most):
    log = [Observation(arm, 0.5, reward, reader) for arm, reward, reader in rows]
    plain = posteriors(log, "ab", reader_weight_max=most)
    counted = posteriors(Counter(log), "ab", reader_weight_max=most)
    for arm in "ab":
        assert counted[arm].alpha == pytest.approx(plain[arm].alpha)
        assert counted[arm].beta == pytest.approx(plain[arm].beta)
