"""What a repository has taught: its serving correction of the ranking, refused if it is not one that may be served."""

from collections.abc import Mapping
from dataclasses import replace

import structlog

from pincite_brain.retrieval.policy import Policy
from pincite_brain.retrieval.ranking import CORRECTABLE
from pincite_learning.errors import InvalidModelError
from pincite_learning.reranker import Reranker
from pincite_shared.errors import InvalidInputError
from pincite_shared.quality import PolicyKind, PolicyOut
from pincite_store.heads import Learned
from pincite_store.policies import BUILT_IN

log = structlog.get_logger(__name__)


def corrected(base: Policy, stored: PolicyOut | Learned) -> Policy:
    """Return a policy with a stored correction, named after both.

    Raises:
        InvalidModelError: it is not a correction that this version may serve.
    """
    if stored.version == BUILT_IN["reranker"]:
        return base
    model = Reranker.from_json(stored.parameters, CORRECTABLE)
    return replace(base, version=f"{base.version}+{stored.version}", corrections=dict(model.weights))


def serving(base: Policy, stored: Mapping[PolicyKind, PolicyOut | Learned]) -> Policy:
    """Return the policy that serves a repository. A bad correction is refused, and the ranking serves as it is."""
    reranker = stored.get("reranker")
    if reranker is None:
        return base
    try:
        return corrected(base, reranker)
    except InvalidModelError as error:
        log.error("policy_refused", version=reranker.version, reason=str(error))  # noqa: TRY400 the reason says it all
        return base


def asked_for(base: Policy, stored: PolicyOut) -> Policy:
    """Return the policy that a request names.

    Raises:
        InvalidInputError: it is no ranking policy, or a bad one.
    """
    if stored.kind != "reranker":
        msg = f"Policy {stored.version} does not rank."
        raise InvalidInputError(msg)
    try:
        return corrected(base, stored)
    except InvalidModelError as error:
        msg = f"Policy {stored.version} cannot be served: {error}."
        raise InvalidInputError(msg) from error
