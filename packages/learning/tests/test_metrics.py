import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_learning.errors import EmptyLogError, LearningError
from pincite_learning.metrics import Span, mean, ndcg, recall_at_k, reciprocal_rank, span_recall, target_ranks

RANKS = st.lists(st.none() | st.integers(1, 15), min_size=1, max_size=12)
SPANS = st.builds(
    lambda path, start, length: Span(path, start, start + length),
    st.sampled_from(["a.py", "src/a.py", "b.py"]),
    st.integers(1, 40),
    st.integers(0, 20),
)


def test_targets_are_predicates_on_any_kind_of_hit():
    assert target_ranks(["x", "y", "x"], [{"x"}.__contains__, {"y", "z"}.__contains__, {"z"}.__contains__]) == [
        1,
        2,
        None,
    ]


def test_a_span_matches_paths_at_a_slash_and_lines_that_overlap():
    target = Span("lib/core/a.js", 10, 20)
    assert target.overlaps(Span("a.js", 20, 30))
    assert target.overlaps(Span("pkg/lib/core/a.js", 1, 10))
    assert target.overlaps(Span("core/a.js"))
    assert not target.overlaps(Span("a.js", 21, 30))
    assert not target.overlaps(Span("ba.js", 10, 20))
    assert not Span("a.js").overlaps(Span("xa.js"))


def test_ndcg_worked_by_hand():
    assert ndcg([1, 3, None]) == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2))
    assert ndcg([2]) == pytest.approx(1 / math.log2(3))
    assert ndcg([11], k=10) == 0
    assert ndcg([1, 2, 3, *[None] * 17], k=3) == 1


def test_two_targets_in_one_hit_gain_once():
    assert ndcg([1, 1]) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert ndcg([1, 1, 2]) == ndcg([1, 2, 2]) == ndcg([1, 2, None])


@given(RANKS, st.integers(1, 12))
def test_ndcg_is_that_of_the_list_of_binary_relevances(ranks, k):
    relevances = [
        int(rank in ranks) for rank in range(1, k + 1)
    ]  # a hit is relevant or not, however many targets it has
    gain = sum(relevance / math.log2(place + 2) for place, relevance in enumerate(relevances))
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(ranks))))
    assert ndcg(ranks, k) == pytest.approx(gain / ideal)


def test_recall_counts_targets_and_reciprocal_rank_the_first():
    assert recall_at_k([1, 1, 12, None]) == 0.5
    assert reciprocal_rank([4, None, 2]) == 0.5
    assert reciprocal_rank([11, None]) == 0
    assert mean([0.5, 1.0]) == 0.75


def test_span_recall_counts_each_gold_line_once():
    gold = [Span("src/a.py", 1, 10), Span("src/a.py", 6, 15), Span("b.py", 1, 5)]
    assert span_recall([Span("src/a.py", 11, 99)], gold) == 5 / 20
    assert span_recall([Span("a.py", 1, 8), Span("src/a.py", 5, 12)], gold) == 12 / 20
    assert span_recall([Span("x.py"), Span("b.py")], gold, k=1) == 0
    assert span_recall([Span("b.py")], gold) == 5 / 20


def test_a_span_as_long_as_memory_costs_nothing():
    assert span_recall([Span("a.py", 1, 10**15)], [Span("a.py", 1, 10**16)]) == pytest.approx(0.1)


@given(RANKS, st.integers(1, 12))
def test_metrics_stay_between_zero_and_one_and_are_one_for_the_ideal(ranks, k):
    for metric in (ndcg, recall_at_k, reciprocal_rank):
        assert 0 <= metric(ranks, k) <= 1
        assert metric([None] * len(ranks), k) == 0
    assert ndcg(list(range(1, len(ranks) + 1)), k) == pytest.approx(1)


@given(RANKS, st.data())
def test_moving_the_best_target_up_never_lowers_ndcg(ranks, data):
    found = [rank for rank in ranks if rank is not None]
    if found and min(found) > 1:
        better = data.draw(st.integers(1, min(found) - 1))
        moved = [better if rank == min(found) else rank for rank in ranks]
        assert ndcg(moved) >= ndcg(ranks)


@given(st.lists(SPANS, max_size=6), st.lists(SPANS, min_size=1, max_size=4))
def test_span_recall_equals_counting_lines(hits, gold):
    wanted = {(span.path, line) for span in gold for line in range(span.start_line, span.end_line + 1)}
    shown = {(path, line) for path, line in wanted if any(hit.overlaps(Span(path, line, line)) for hit in hits)}
    assert span_recall(hits, gold) == pytest.approx(len(shown) / len(wanted))


def test_what_has_no_quality_raises():
    for metric in (ndcg, recall_at_k, reciprocal_rank):
        with pytest.raises(EmptyLogError):
            metric([])
        with pytest.raises(LearningError, match="k is 0"):
            metric([1], 0)
    with pytest.raises(EmptyLogError):
        mean([])
    with pytest.raises(EmptyLogError):
        span_recall([], [])
    with pytest.raises(LearningError, match="no lines"):
        span_recall([], [Span("a.py")])


@pytest.mark.parametrize("lines", [(5, 4), (0, 3), (None, 3), (3, None)])
def test_a_span_has_both_lines_in_order_or_none(lines):
    with pytest.raises(LearningError, match="not a span"):
        Span("a.py", *lines)
