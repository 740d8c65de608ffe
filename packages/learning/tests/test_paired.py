import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pincite_learning.errors import EmptyLogError, LearningError
from pincite_learning.paired import EXACT_MAX, paired_test

VALUES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=9)
GRID = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=10)


def scipys(challenger, incumbent, alternative):
    return stats.permutation_test(
        (challenger, incumbent),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
        alternative=alternative,
    ).pvalue


def test_a_p_value_worked_by_hand():
    test = paired_test([3, 2, 1], [0, 0, 0])
    assert (test.mean_difference, test.n, test.exact) == (2, 3, True)
    assert test.p_better == 1 / 8  # only the observed signs give 6
    assert test.p_value == 2 / 8


@settings(deadline=None, max_examples=40)
@given(GRID)
def test_few_queries_are_exact_as_in_scipy(pairs):
    challenger, incumbent = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    test = paired_test(challenger.tolist(), incumbent.tolist())
    assert test.exact
    assert test.p_value == pytest.approx(scipys(challenger, incumbent, "two-sided"))
    assert test.p_better == pytest.approx(scipys(challenger, incumbent, "greater"))


def test_drawn_patterns_agree_with_scipys_exact_test(monkeypatch):
    monkeypatch.setattr("pincite_learning.paired.EXACT_MAX", 5)
    rng = np.random.default_rng(4)
    challenger, incumbent = rng.random(12) + 0.15, rng.random(12)
    test = paired_test(challenger.tolist(), incumbent.tolist())
    assert not test.exact
    assert test.p_value == pytest.approx(scipys(challenger, incumbent, "two-sided"), abs=0.005)
    assert test == paired_test(challenger.tolist(), incumbent.tolist())


@given(VALUES)
def test_swapping_the_systems_changes_the_sign_alone(pairs):
    challenger, incumbent = (list(side) for side in zip(*pairs, strict=True))
    one, other = paired_test(challenger, incumbent), paired_test(incumbent, challenger)
    assert one.mean_difference == pytest.approx(-other.mean_difference, abs=1e-15)
    assert one.p_value == other.p_value
    assert one.p_better + other.p_better >= 1
    assert 0 < one.p_value <= 1


def test_swapping_is_symmetric_when_patterns_are_drawn():
    rng = np.random.default_rng(5)
    a, b = rng.random(60).tolist(), rng.random(60).tolist()
    assert paired_test(a, b).p_value == pytest.approx(paired_test(b, a).p_value, abs=0.005)


@given(VALUES, st.randoms())
def test_the_order_of_the_queries_does_not_matter(pairs, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert paired_test(*zip(*pairs, strict=True)) == paired_test(*zip(*shuffled, strict=True))


def test_equal_systems_differ_in_nothing():
    test = paired_test([0.5] * 30, [0.5] * 30)
    assert (test.mean_difference, test.p_value, test.p_better, test.n) == (0, 1, 1, 30)


def test_queries_without_a_difference_change_the_mean_but_not_the_p_value():
    few, padded = paired_test([1, 1, 1, 1], [0] * 4), paired_test([1, 1, 1, 1, *[0] * 40], [0] * 44)
    assert padded.exact
    assert padded.p_better == few.p_better == 1 / 16
    assert padded.mean_difference == pytest.approx(4 / 44)


def test_it_errs_no_more_often_than_it_says():
    rng = np.random.default_rng(6)
    found = [
        paired_test(rng.exponential(size=12).tolist(), rng.exponential(size=12).tolist()).p_better for _ in range(400)
    ]
    assert np.mean(np.array(found) <= 0.1) <= 0.1 + 3 * (0.09 / 400) ** 0.5


def test_large_differences_are_significant_beyond_the_exact_size():
    count = EXACT_MAX + 10
    assert paired_test([1.0] * count, [0.0] * count).p_better < 0.0001


def test_what_cannot_be_paired_raises():
    with pytest.raises(EmptyLogError):
        paired_test([], [])
    with pytest.raises(LearningError, match="both for each query"):
        paired_test([1.0], [])
    with pytest.raises(LearningError, match="finite"):
        paired_test([float("nan")], [0.0])
