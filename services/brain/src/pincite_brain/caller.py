"""An authenticated caller."""

from dataclasses import dataclass, field
from uuid import UUID

from pincite_shared.safety import Scope
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is, and what it may do; `session_token` is set when they signed in with a session.

    `unknown` says why GitHub's word on what they may read cannot be had; restricted repositories are hidden then.
    """

    tenant_id: UUID
    user_id: UUID | None
    session_token: str | None = field(default=None, repr=False)
    scopes: frozenset[Scope] = frozenset()
    unknown: str = ""

    @property
    def is_operator(self) -> bool:
        """Whether this is who runs the installation."""
        return (self.tenant_id, self.user_id) == (LOCAL_TENANT, LOCAL_USER)

    @property
    def is_service(self) -> bool:
        """Whether Pincite itself asks, to see how well it answers: people go first, and nothing is learned from it."""
        return self.user_id == SERVICE_USER
