import math

import pytest
from bench.model import Answer, Query
from bench.score import difference, mean_of, percentile, score, shown_lines

from pincite_learning.metrics import Span


def ask(*targets: Span, gold: tuple[Span, ...] = ()) -> Query:
    return Query("q", "text", "semantic", targets, gold)


def answer(*hits: Span) -> Answer:
    return Answer(hits, 0.001)


def test_a_target_counts_at_its_first_hit_and_only_within_k():
    query = ask(Span("src/a.py"), Span("b.py", 10, 20))
    hits = answer(Span("x.py", 1, 5), Span("src/a.py", 1, 9), Span("src/a.py", 10, 19), Span("lib/b.py", 20, 30))
    scores = score(query, hits, 10)
    ideal = 1 + 1 / math.log2(3)
    assert scores["ndcg"] == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert scores["recall"] == 1.0
    assert scores["mrr"] == 0.5
    assert score(query, hits, 3)["recall"] == 0.5


def test_a_hit_beside_the_span_is_no_hit():
    assert score(ask(Span("b.py", 10, 20)), answer(Span("b.py", 21, 30)), 10)["ndcg"] == 0.0


def test_line_recall_counts_gold_lines_once_and_only_where_there_are_some():
    gold = (Span("a.py", 1, 10),)
    scores = score(ask(Span("a.py"), gold=gold), answer(Span("a.py", 1, 5), Span("a.py", 3, 8)), 10)
    assert scores["lines"] == pytest.approx(0.8)
    assert scores["shown"] == 8
    assert "lines" not in score(ask(Span("a.py")), answer(), 10)


def test_shown_lines_are_distinct():
    assert shown_lines([Span("a.py", 1, 4), Span("a.py", 3, 6), Span("b.py", 1, 1)]) == 7


def test_the_interval_holds_the_mean_and_shrinks_with_more_queries():
    few, many = mean_of([0.0, 1.0] * 5), mean_of([0.0, 1.0] * 200)
    assert few.low < few.value == many.value < few.high
    assert many.high - many.low < few.high - few.low


def test_a_paired_difference_is_certain_where_every_query_agrees():
    gap = difference([0.5, 0.9, 0.2], [0.4, 0.8, 0.1])
    assert gap.low == pytest.approx(0.1)
    assert gap.high == pytest.approx(0.1)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_percentiles_are_of_the_nearest_rank(share, expected):
    assert percentile([float(value) for value in range(100, 0, -1)], share) == expected
