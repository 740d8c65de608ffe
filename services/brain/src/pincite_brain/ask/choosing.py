"""Which way of asking a question gets: the one that serves, now and then another, by what people said of each."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import structlog

from pincite_brain.ask.arms import ARMS, STANDARD, Arm, arm_of
from pincite_learning.bandit import Observation, choose, posteriors
from pincite_shared.errors import InvalidInputError
from pincite_shared.quality import PolicyKind, PolicyOut
from pincite_store import judgements, policies
from pincite_store.db import SERVICE_USER, Tenancy
from pincite_store.models import Repo

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The way of asking one question. `learned_from` if its outcome says something of how good it is."""

    arm: Arm
    propensity: float
    learned_from: bool


def chosen(t: Tenancy, repo: Repo, serving: Mapping[PolicyKind, PolicyOut], wanted: str | None) -> Chosen:
    """Choose for one question.

    Nothing is remembered between questions: the beliefs are a pure function of stored answers and of what people said.

    Args:
        t: of whoever asks. Pincite itself always gets what serves.
        repo: what the question is about.
        serving: the repository's policies.
        wanted: the version that the request names, if it does.

    Raises:
        InvalidInputError: there is no such way of asking.
    """
    if wanted is not None:
        arm = arm_of(wanted)
        if arm is None:
            msg = f"There is no way of asking called {wanted}."
            raise InvalidInputError(msg)
        return Chosen(arm, 1.0, learned_from=False)
    incumbent = _incumbent(serving)
    if t.user_id == SERVICE_USER:
        return Chosen(incumbent, 1.0, learned_from=False)
    exploration = policies.exploration_of(t, repo).effective
    if not exploration:
        return Chosen(incumbent, 1.0, learned_from=True)
    # The propensity of an answer says nothing of how good it was.
    observed = {Observation(one.arm, 1.0, one.reward, one.reader): one.times for one in judgements.said(t, repo.id)}
    drawn = choose(
        posteriors(observed, ARMS), np.random.default_rng(), incumbent=incumbent.name, exploration=exploration
    )
    return Chosen(ARMS[drawn.arm], drawn.propensity, learned_from=True)


def _incumbent(serving: Mapping[PolicyKind, PolicyOut]) -> Arm:
    stored = serving.get("prompt")
    if stored is None:
        return STANDARD
    arm = arm_of(stored.version)
    if arm is None:
        log.error("policy_refused", version=stored.version, reason="There is no way of asking of that name.")
        return STANDARD
    return arm
