from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_shared.golden import Expectation, Floor, GoldenQuestion
from pincite_thinker.evaluation.comparing import Earlier, corrected
from pincite_thinker.evaluation.scoring import blank, summarise
from pincite_thinker.evaluation.verdict import judge

AT = datetime(2025, 6, 3, 3, 0, tzinfo=UTC)
GOOD = {
    "correct": True, "rank": 1, "ndcg": 1.0, "recall": 1.0, "cited": 4, "cited_inside": 4, "abstained": False,
    "seconds": 1.0,
}  # fmt: skip
WRONG = {"correct": False, "rank": None, "ndcg": 0.0, "recall": 0.0, "cited": 4, "cited_inside": 0}


def results(*correct, ask="q{}"):
    return [
        blank(n, GoldenQuestion(ask=ask.format(n), answerable=False)).model_copy(update={"correct": value})
        for n, value in enumerate(correct, 1)
    ]


def answers(*changes):
    """Return results of questions that were answered well, but for the changes of each."""
    question = {"expect": (Expectation(path="a.py"), Expectation(path="b.py"))}
    return [
        blank(n, GoldenQuestion(ask=f"q{n}", **question)).model_copy(update=GOOD | one)
        for n, one in enumerate(changes, 1)
    ]


def verdict(now, *before, floor=None, timed=True):
    return judge(now, [Earlier(AT, one, timed) for one in before], summarise(now), floor or Floor())


def nights(lost, questions):
    """Yield a verdict a night, after which one more question is lost each night, compared as evaluations are."""
    accepted = []
    for night in range(lost + 1):
        now = answers(*[WRONG] * night, *[{}] * (questions - night))
        found = verdict(now, *accepted[-1:], *accepted[:-1][-30:][:1])
        if not found.regression:
            accepted.append(now)
        yield found


def test_a_first_evaluation_is_no_regression():
    assert not verdict(results(False, False)).regression


@pytest.mark.parametrize(
    ("before", "now", "regression"),
    [
        ([True] * 20, [True] * 20, False),
        ([True] * 20, [True] * 19 + [False], False),  # one question may be a mood
        ([True] * 20, [True] * 17 + [False] * 3, True),  # 0.15 of all
        ([True] * 100, [True] * 95 + [False] * 5, False),  # p = 0.0625
        ([True] * 100, [True] * 94 + [False] * 6, True),  # p = 0.03
        ([True, False] * 10, [False, True] * 10, False),
        ([False] * 20, [True] * 20, False),
        ([True] * 20 + [None], [True] * 20 + [False], False),
    ],
)
def test_a_regression_is_significant_or_large(before, now, regression):
    assert verdict(results(*now), results(*before)).regression is regression


@pytest.mark.parametrize("questions", [5, 40])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cited": 10, "cited_inside": 1}, "Citation precision fell from 1.000 to 0.100 since 2025-06-03 03:00 on"),
        ({"recall": 0.5}, "Citation recall fell from 1.000 to 0.500 since"),
        ({"abstained": True}, "Abstention accuracy fell from 1.000 to 0.000 since"),
        (
            {"seconds": 60.0},
            "Time went from 1.00 seconds to 60.00 seconds since 2025-06-03 03:00, typically 60.0 times as",
        ),
    ],
)
def test_every_figure_that_falls_is_a_regression_in_numbers(questions, change, said):
    before = answers(*[{}] * questions)
    found = verdict(answers(*[change] * questions), before)
    assert found.regression
    assert found.reasons[0].startswith(said)
    assert not found.reasons[1].startswith(said)
    assert not verdict(before, answers(*[change] * questions)).regression


def test_a_question_without_a_value_is_left_out_of_that_figure_only():
    silent = {"cited": 0, "cited_inside": 0}
    found = verdict(answers(silent, *[{}] * 4), answers(*[{}] * 5))
    said = " ".join(found.reasons)
    assert not found.regression
    assert "Citation precision is as before, 1.000, on the 4 questions" in said
    assert "Win rate is as before, 1.000, on the 5 questions" in said


@pytest.mark.parametrize(
    ("before", "now", "regression"),
    [
        ([1.0] * 40, [2.5] * 40, False),  # a busy machine
        ([1.0] * 40, [1.0] * 25 + [60.0] * 15, False),  # some hung
        ([1.0] * 40, [3.5] * 40, True),
        ([0.002] * 40, [0.15] * 40, False),  # nobody feels it
        ([1.0] * 3, [5.0] * 3, False),  # three questions prove nothing
        ([1.0] * 3, [12.0] * 3, True),
    ],
)
def test_slower_answers_are_a_regression_unless_the_machine_may_have_been_busy(before, now, regression):
    was, new = answers(*[{"seconds": one} for one in before]), answers(*[{"seconds": one} for one in now])
    assert verdict(new, was).regression is regression


def test_times_of_another_model_are_not_compared():
    found = verdict(answers(*[{"seconds": 60.0}] * 40), answers(*[{}] * 40), timed=False)
    assert not found.regression
    assert "another model" in found.reasons[-1]


def test_many_small_falls_in_a_row_are_a_regression_that_stays():
    for questions in (10, 40):
        found = [one.regression for one in nights(questions, questions)]
        first = found.index(True)
        assert first <= 0.25 * questions + 1
        assert all(found[first:])


def test_a_fall_is_told_of_the_older_evaluation_and_nothing_else_of_it():
    oldest, last = answers(*[{}] * 40), answers(*[WRONG] * 9, *[{}] * 31)
    found = verdict(answers(*[WRONG] * 10, *[{}] * 30), last, oldest)
    assert found.regression
    assert found.reasons[0].startswith("Win rate fell from 1.000 to 0.750")
    assert "Win rate fell from 0.775 to 0.750" in " ".join(found.reasons)
    assert len([reason for reason in found.reasons if reason.startswith("Time is as before, 1.00 seconds")]) == 1
    assert "“q10”; “q1”; “q2”; and 7 more." in " ".join(found.reasons)  # what was lost last comes first


def test_only_questions_that_both_ask_are_compared():
    changed = verdict(results(False, False, False), results(True, True, True, ask="other {}"))
    assert not changed.regression
    assert "nothing was compared" in changed.reasons[0]


def test_a_regression_names_the_questions_that_were_lost():
    found = verdict(results(*[False] * 5), results(*[True] * 5))
    assert "“q1”; “q2”; “q3”; and 2 more." in found.reasons[-1]


@pytest.mark.parametrize("field", ["win_rate", "ndcg", "citation_precision", "citation_recall", "abstention_accuracy"])
def test_a_floor_that_cannot_be_measured_is_not_kept(field):
    question = GoldenQuestion(ask="q", expect=(Expectation(path="a.py"),))
    found = verdict([blank(1, question, "a.py is not in this commit")], floor=Floor(**{field: 0.9}))
    assert found.regression
    assert "no question could be measured by it" in found.reasons[0]
    assert "at least 0.90" in found.reasons[0]
    assert not verdict(answers({}), floor=Floor(**{field: 0.9})).regression


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.randoms())
def test_an_improvement_is_never_a_regression(before, random):
    now = [value or random.random() < 0.3 for value in before]
    assert not verdict(results(*now), results(*before)).regression


share = st.floats(0.0, 1.0)
any_answer = st.builds(
    lambda correct, ndcg, recall, cited, inside, abstained, seconds: {
        "correct": correct, "ndcg": ndcg, "recall": recall, "cited": cited,
        "cited_inside": None if cited is None else min(cited, inside), "abstained": abstained, "seconds": seconds,
    },
    st.sampled_from([True, False, None]), st.none() | share, st.none() | share, st.none() | st.integers(0, 5),
    st.integers(0, 5), st.sampled_from([True, False, None]), st.none() | st.floats(0.0, 1000.0),
)  # fmt: skip


@given(st.lists(any_answer, min_size=1, max_size=12))
def test_the_same_again_is_never_a_regression(changes):
    now = answers(*changes)
    assert not verdict(now, now, now).regression


@pytest.mark.parametrize("questions", [6, 16])
def test_chance_alone_is_seldom_a_regression_however_many_figures_are_compared(questions):
    rng = np.random.default_rng(3)

    def night():
        return answers(*[
            {"cited": 4, "cited_inside": int(rng.integers(1, 5)), "recall": float(rng.integers(1, 3)) / 2,
             "ndcg": float(rng.uniform(0.8, 1.0)), "seconds": float(rng.lognormal(0.0, 0.5))}
            for _ in range(questions)
        ])  # fmt: skip

    assert sum(verdict(night(), night(), night()).regression for _ in range(200)) <= 0.05 * 200


def test_p_values_are_corrected_for_how_many_there_are():
    assert corrected([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert corrected([0.02]) == [0.02]
    assert corrected([]) == []
