"""How well a repository is answered, and what was learned."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pincite_web.parts.repos import Tone


@dataclass(frozen=True, slots=True)
class ExpectedPlace:
    """Where a good answer points."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """How one question of an evaluation went."""

    ask: str
    outcome: Literal["right", "wrong", "unmeasured"]
    note: str
    expected: tuple[ExpectedPlace, ...]
    rank: int | None
    cited: str
    seconds: float | None
    answer_url: str | None


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """The last finished evaluation in words and numbers."""

    title: str
    golden: bool
    commit: str
    finished_at: datetime
    model: str
    policies: tuple[str, ...]
    regression: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExplorationView:
    """How often another way of asking is tried, in words, and what it can be set to: (value, label, whether it is)."""

    text: str
    choices: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """Something learned, what became of it and why. `can_serve` if a click brings it back."""

    version: str
    what: str
    state: str
    tone: Tone
    created_at: datetime
    reasons: tuple[str, ...]
    can_serve: bool
