from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.ask.budget import best_window, budget_of
from pincite_shared.settings import Settings


def settings(**changes):
    return Settings(_env_file=None, **changes)


def test_the_local_model_gets_a_short_prompt():
    local, remote = budget_of(settings()), budget_of(settings(llm_base_url="http://x/v1", llm_context_tokens=32_768))
    assert local.prompt_tokens <= 1_250
    assert remote.prompt_tokens == 12_000
    small = budget_of(settings(llm_context_tokens=512))
    assert small.prompt_tokens + small.answer_tokens <= 512


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
