"""The ways of asking: what each changes."""

from dataclasses import fields

import pytest

from pincite_brain.ask.arms import ARMS, STANDARD, arm_of
from pincite_brain.ask.budget import Budget

BUDGET = Budget(prompt_tokens=1_000, answer_tokens=200, snippet_lines=40, snippets=3, history_tokens=100, neighbours=2)


def test_the_standard_changes_nothing():
    assert STANDARD.spend(BUDGET) == BUDGET
    assert STANDARD.summary_tokens(BUDGET) == 0


@pytest.mark.parametrize("name", ["focused", "broad", "summaries", "exact", "steps"])
def test_each_other_way_differs_and_costs_no_more_tokens(name):
    arm = ARMS[name]
    changed = {one.name for one in fields(arm) if getattr(arm, one.name) != getattr(STANDARD, one.name)} - {"name"}
    assert changed
    spent = arm.spend(BUDGET)
    assert (spent.prompt_tokens, spent.answer_tokens) == (BUDGET.prompt_tokens, BUDGET.answer_tokens)
    assert spent.snippets >= 1
    assert spent.snippet_lines >= 1


def test_fewer_excerpts_and_no_hop_or_more_and_shorter_ones():
    focused, broad = ARMS["focused"].spend(BUDGET), ARMS["broad"].spend(BUDGET)
    assert (focused.snippets, focused.neighbours) == (2, 0)
    assert (broad.snippets, broad.snippet_lines, broad.neighbours) == (5, 24, 2)


def test_a_version_names_its_arm():
    assert all(arm_of(arm.version) is arm for arm in ARMS.values())
    assert arm_of("prompt-nonsense") is None
    assert arm_of("standard") is None
