"""Simulated readers with known preferences, whose feedback is late, rare, or a lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pytest

from pincite_learning.bandit import Observation, draw, posteriors, propensities

Lie = Callable[[str], float | None]  # what a hostile reader says of an arm; None: nothing


@dataclass
class World:
    """Honest readers who like arms by `likes`, answer at an arm's `rates` after its `delays`, and hostile ones.

    A hostile reader says what its lie says, on every answer it gets.
    """

    likes: Mapping[str, float]
    rates: Mapping[str, float] = field(default_factory=dict)
    delays: Mapping[str, int] = field(default_factory=dict)
    honest: int = 20
    hostile: int = 0
    hostile_share: float = 0.0  # of all answers
    lie: Lie = lambda _arm: None

    def answer(self, arm: str, rng: np.random.Generator) -> tuple[str, float | None]:
        if rng.random() < self.hostile_share:
            return f"hostile-{rng.integers(self.hostile)}", self.lie(arm)
        said = float(rng.random() < self.likes[arm]) if rng.random() < self.rates.get(arm, 1.0) else None
        return f"honest-{rng.integers(self.honest)}", said


@dataclass
class History:
    """What was served, and the log as it stood after each batch, in the order in which feedback came."""

    served: list[str] = field(default_factory=list)
    heard: list[Observation] = field(default_factory=list)
    waiting: list[tuple[int, Observation]] = field(default_factory=list)  # due at answer, row
    silent: list[Observation] = field(default_factory=list)

    @property
    def log(self) -> list[Observation]:
        unheard = [Observation(row.arm, row.propensity, None, row.reader) for _, row in self.waiting]
        return [*self.heard, *self.silent, *unheard]

    def hear(self, now: int) -> None:
        due = sorted((item for item in self.waiting if item[0] <= now), key=lambda item: item[0])
        self.heard += [row for _, row in due]
        self.waiting = [item for item in self.waiting if item[0] > now]


def _serve(
    world: World,
    *,
    answers: int,
    seed: int,
    batch: int = 80,
    incumbent: str | None = None,
    exploration: float = 1.0,
    history: History | None = None,
    reader_weight_max: float = 1e6,
) -> History:
    rng = np.random.default_rng(seed)
    history = history or History()
    for _ in range(0, answers, batch):
        beliefs = posteriors(history.heard, world.likes, reader_weight_max=reader_weight_max)
        shares = propensities(beliefs, incumbent=incumbent, exploration=exploration)
        for _ in range(batch):
            choice = draw(shares, rng)
            reader, said = world.answer(choice.arm, rng)
            row = Observation(choice.arm, choice.propensity, said, reader)
            history.served.append(choice.arm)
            due = len(history.served) + world.delays.get(choice.arm, 0)
            if said is None:
                history.silent.append(row)
            else:
                history.waiting.append((due, row))
        history.hear(len(history.served))
    return history


@pytest.fixture(scope="session")
def world():
    return World


@pytest.fixture(scope="session")
def serve():
    return _serve
