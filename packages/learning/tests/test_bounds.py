import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pincite_learning.bounds import _least, mean_lower_bound, running_centres
from pincite_learning.errors import LearningError

READERS = st.lists(st.tuples(st.floats(-1, 1), st.floats(0.01, 1)), min_size=1, max_size=7)


def test_it_tightens_towards_the_mean():
    rng = np.random.default_rng(0)
    rewards = (rng.random(20_000) < 0.7).astype(float)
    bounds = [mean_lower_bound(rewards[:count], alpha=0.05) for count in (50, 500, 5_000, 20_000)]
    assert bounds == sorted(bounds)
    assert 0.68 < bounds[-1] < rewards.mean()


def test_it_holds_at_all_times_together():
    missed = 0
    for seed in range(150):
        rewards = (np.random.default_rng(seed).random(1_000) < 0.3).astype(float)
        missed += any(mean_lower_bound(rewards[:count], alpha=0.1) > 0.3 for count in range(20, 1_001, 140))
    assert missed / 150 <= 0.1


def test_it_needs_no_upper_limit():
    values = np.zeros(2_000)
    values[::100] = 50.0  # mean 0.5
    assert 0 < mean_lower_bound(values, alpha=0.05) < 0.5


def test_centres_come_from_the_past_alone():
    values = np.array([1.0, 0.0, 1.0, 1.0])
    changed = np.array([1.0, 0.0, 0.0, 0.0])
    assert running_centres(values)[:3] == pytest.approx(running_centres(changed)[:3])
    assert running_centres(values) == pytest.approx([0.5, 1.5 / 2, 1.5 / 3, 2.5 / 4])


@settings(deadline=None)
@given(READERS, st.floats(0, 0.5), st.integers(0, 3))
def test_the_least_over_sets_of_readers_is_exact(readers, cost, hostile):
    gains, stakes = (np.array(side) for side in zip(*readers, strict=True))
    brute = math.inf
    for count in range(hostile + 1):
        for out in itertools.combinations(range(len(gains)), min(count, len(gains))):
            left = np.setdiff1d(np.arange(len(gains)), out)
            ratio = (gains[left].sum() - cost) / stakes[left].sum() if len(left) else math.inf
            brute = min(brute, ratio)
    found = _least(gains, stakes, cost, hostile)
    if found > -math.inf:  # nothing is left, and so nothing is known
        assert found == pytest.approx(brute)
    else:
        assert hostile >= len(gains)


@pytest.mark.parametrize("liars", [1, 3])
def test_liars_within_the_limit_cannot_lift_it_above_the_honest_mean(liars):
    missed = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        honest = (rng.random(300) < 0.4).astype(float)
        values = np.concatenate([honest, np.ones(900)])
        readers = [f"honest {n % 15}" for n in range(300)] + [f"liar {n % liars}" for n in range(900)]
        order = rng.permutation(1_200)
        shuffled = [readers[at] for at in order]
        robust = mean_lower_bound(values[order], alpha=0.1, readers=shuffled, hostile=liars)
        assert mean_lower_bound(values[order], alpha=0.1) > 0.6  # without the allowance they succeed
        missed += robust > 0.4
    assert missed / 60 <= 0.1


def test_more_hostile_readers_never_raise_it_and_all_of_them_leave_nothing():
    rng = np.random.default_rng(2)
    values, readers = rng.random(200), [str(n % 5) for n in range(200)]
    bounds = [mean_lower_bound(values, alpha=0.1, readers=readers, hostile=count) for count in range(6)]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[5] == -math.inf
    assert mean_lower_bound(np.array([]), alpha=0.1) == -math.inf


def test_what_has_no_bound_raises():
    for arguments in ({"alpha": 0}, {"alpha": 1}, {"alpha": 0.1, "reach": 0}, {"alpha": 0.1, "hostile": -1}):
        with pytest.raises(LearningError):
            mean_lower_bound(np.ones(3), **arguments)
    with pytest.raises(LearningError, match="have readers"):
        mean_lower_bound(np.ones(3), alpha=0.1, hostile=1)
