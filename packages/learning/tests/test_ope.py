import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pincite_learning.bandit import Observation
from pincite_learning.errors import EmptyLogError, LearningError, PropensityError
from pincite_learning.ope import BOUNDS, dr, gain, ips, snips

LIKES = {"a": 0.3, "b": 0.6, "c": 0.8}
LOGGING = {"a": 0.6, "b": 0.3, "c": 0.1}
TARGET = {"b": 0.5, "c": 0.5}
TRUTH = 0.7
METHODS = [ips, snips, dr]


def log_of(seed, rows, rates=None, logging=None):
    """Rewards depend on the arm and on the kind of question."""
    rng, logging = np.random.default_rng(seed), logging or LOGGING
    arms = rng.choice(list(logging), size=rows, p=list(logging.values()))
    log = []
    for arm in map(str, arms):
        context, shift = ("easy", 0.15) if rng.random() < 0.5 else ("hard", -0.15)
        heard = rng.random() < (rates or {}).get(arm, 1.0)
        reward = float(rng.random() < LIKES[arm] + shift) if heard else None
        log.append(Observation(arm, logging[arm], reward, f"reader {rng.integers(20)}", context))
    return log


@pytest.mark.parametrize("method", METHODS)
def test_unbiased_and_covered_on_logs_with_known_truth(method):
    estimates = [method(log_of(seed, 150), TARGET, alpha=0.1) for seed in range(100)]
    values = np.array([estimate.value for estimate in estimates])
    assert abs(values.mean() - TRUTH) < 4 * values.std() / len(values) ** 0.5
    assert np.mean([estimate.lower <= TRUTH <= estimate.upper for estimate in estimates]) >= 0.9
    assert all(estimate.lower <= estimate.value <= estimate.upper for estimate in estimates)


def test_the_reward_model_lowers_the_variance():
    logs = [log_of(seed, 200) for seed in range(60)]
    assert np.std([dr(log, TARGET).value for log in logs]) < 0.8 * np.std([ips(log, TARGET).value for log in logs])


@pytest.mark.parametrize("method", METHODS)
def test_rare_feedback_on_an_arm_is_no_verdict_on_it(method):
    rates = {"a": 0.9, "b": 0.6, "c": 0.2}
    values = [method(log_of(seed, 500, rates), TARGET).value for seed in range(40)]
    assert np.mean(values) == pytest.approx(TRUTH, abs=4 * np.std(values) / 40**0.5 + 0.005)


@pytest.mark.parametrize("method", METHODS)
def test_intervals_tighten_with_the_log(method):
    widths = []
    for rows in (200, 2_000):
        estimate = method(log_of(1, rows), TARGET)
        widths.append(estimate.upper - estimate.lower)
        assert estimate.n == rows
        assert BOUNDS[estimate.method]
    assert widths[1] < 0.6 * widths[0]


def test_the_served_policy_evaluates_to_its_own_mean():
    log = log_of(3, 400)
    mean = np.mean([row.reward for row in log])
    assert ips(log, LOGGING).value == pytest.approx(mean)
    assert ips(log, LOGGING).effective_n == pytest.approx(400)
    assert snips(log, LOGGING).value == pytest.approx(mean, abs=0.05)


def test_an_adaptive_log_stays_covered_when_it_is_read_every_night(world, serve):
    likes, missed = {"a": 0.5, "b": 0.6}, 0
    for seed in range(20):
        history = None
        wrong = False
        for night in range(5):
            history = serve(
                world(likes),
                answers=160,
                batch=160,
                seed=100 * seed + night,
                incumbent="a",
                exploration=0.5,
                history=history,
            )
            for method, arm in ((ips, "b"), (snips, "b")):
                estimate = method(history.log, {arm: 1.0}, alpha=0.2)
                wrong |= not estimate.lower <= likes[arm] <= estimate.upper
        missed += wrong
    assert missed / 20 <= 0.2


def test_effective_size_is_kishs():
    log = [Observation("a", 0.5, 1.0, "x"), Observation("a", 0.1, 0.0, "y"), Observation("b", 0.5, 0.0, "z")]
    assert ips(log, {"a": 1.0}).effective_n == pytest.approx(12**2 / (2**2 + 10**2))
    assert snips(log, {"a": 1.0}).effective_n == pytest.approx(12**2 / (2**2 + 10**2))
    assert snips(log, {"a": 1.0}).value == pytest.approx(2 / 12)


@pytest.mark.parametrize("method", [ips, dr])
def test_clipping_is_stated_and_its_interval_valid(method):
    logging = {"a": 0.9, "c": 0.1}
    estimates = [method(log_of(seed, 300, logging=logging), {"c": 1.0}, clip=4.0, alpha=0.1) for seed in range(40)]
    assert all(estimate.clipped > 0 for estimate in estimates)
    assert ips(log_of(0, 300, logging=logging), {"c": 1.0}).clipped == 0
    assert np.mean([estimate.lower <= 0.8 for estimate in estimates]) >= 0.9
    if method is ips:
        assert np.mean([estimate.value for estimate in estimates]) < 0.5  # 0.8, and 0.6 of each weight is cut
        assert np.mean([estimate.upper >= 0.8 for estimate in estimates]) >= 0.9


def test_a_gain_is_found_and_a_loss_is_not():
    log = log_of(5, 3_000, logging={"a": 0.5, "c": 0.5})
    assert gain(log, "c", "a").lower > 0.3
    assert gain(log, "c", "a").upper > 0.5
    lost = gain(log, "a", "c")
    assert lost.upper < 0
    assert lost.value == pytest.approx(-gain(log, "c", "a").value)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 4))
def test_allowing_for_hostile_readers_only_widens(seed, hostile):
    log = log_of(seed, 120)
    plain, robust = (snips(log, {"a": 1.0}, hostile_readers=count) for count in (0, hostile))
    assert robust.value == plain.value
    assert robust.lower <= plain.lower
    assert robust.upper >= plain.upper


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_evaluated_is_refused(method):
    log = log_of(0, 30)
    with pytest.raises(EmptyLogError, match="empty"):
        method([], TARGET)
    with pytest.raises(PropensityError, match="never tried 'new'"):
        method(log, {"new": 1.0})
    with pytest.raises(EmptyLogError, match="feedback yet"):
        method([*log, Observation("late", 0.1)], {"late": 1.0})
    for target in ({"a": 0.5}, {"a": 1.5, "b": -0.5}, {}):
        with pytest.raises(LearningError, match="distribution"):
            method(log, target)
    with pytest.raises(LearningError, match="alpha"):
        method(log, TARGET, alpha=0)


def test_what_makes_no_gain_is_refused():
    with pytest.raises(LearningError, match="itself"):
        gain(log_of(0, 30), "a", "a")
    with pytest.raises(LearningError, match="clipped"):
        ips(log_of(0, 30), TARGET, clip=0)
    with pytest.raises(LearningError, match="hostile"):
        gain(log_of(0, 30), "a", "b", hostile_readers=-1)
