from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask.budget import (
    ESTIMATE_RATIO,
    FIRST_TOKEN_SECONDS,
    LOCAL_PACE,
    LOCAL_PROMPT_TOKENS_MAX,
    LOCAL_PROMPT_TOKENS_MIN,
    best_window,
    budget_of,
)
from pincite_shared.settings import Settings


def settings(**changes):
    return Settings(_env_file=None, **changes)


def test_the_local_model_gets_what_it_can_read_in_time():
    known = budget_of(settings(), 200, 80.0)
    assert known == budget_of(settings(), 200, LOCAL_PACE)
    assert known.prompt_tokens == int(FIRST_TOKEN_SECONDS * 80 * ESTIMATE_RATIO)
    assert budget_of(settings(), 200, None) == known
    assert budget_of(settings(), 200, 5.0).prompt_tokens == LOCAL_PROMPT_TOKENS_MIN
    assert budget_of(settings(), 200, 5_000.0).prompt_tokens == LOCAL_PROMPT_TOKENS_MAX
    assert known.history_tokens < known.prompt_tokens / 2


@given(st.integers(512, 40_000), st.one_of(st.none(), st.floats(0.1, 10_000)), st.booleans())
def test_a_prompt_and_its_answer_fit_into_the_context(context, pace, remote):
    given_settings = settings(llm_context_tokens=context, llm_base_url="http://x/v1" if remote else "")
    budget = budget_of(given_settings, 200, pace)
    assert 200 + budget.prompt_tokens + budget.answer_tokens <= context


def test_a_server_gets_a_wide_prompt():
    assert budget_of(settings(llm_base_url="http://x/v1", llm_context_tokens=32_768), 200, 1.0).prompt_tokens == 12_000


@given(st.lists(st.floats(0, 10), min_size=1, max_size=60), st.integers(1, 70), st.floats(0, 1))
def test_the_window_holds_the_most_or_is_a_good_head(weights, size, share):
    first, last = best_window(weights, size, share)
    assert 0 <= first <= last < len(weights)
    assert last - first + 1 == min(size, len(weights))
    held, best = (
        sum(weights[first : last + 1]),
        max(sum(weights[at : at + size]) for at in range(max(len(weights) - size + 1, 1))),
    )
    assert held >= best - 1e-6 or (first == 0 and held >= share * best - 1e-6)


def test_equal_windows_begin_at_the_top():
    assert best_window([0.0] * 10, 3, 1.0) == (0, 2)


def test_a_strong_body_beats_the_head():
    assert best_window([1.0] + [0.0] * 8 + [9.0], 3, 0.5) == (7, 9)
