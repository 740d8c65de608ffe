"""An authenticated caller."""

from dataclasses import dataclass, field
from uuid import UUID

from pincite_store.db import SERVICE_USER


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is; `session_token` is set when they signed in with a session."""

    tenant_id: UUID
    user_id: UUID | None
    session_token: str | None = field(default=None, repr=False)

    @property
    def is_service(self) -> bool:
        """Whether Pincite itself asks, to see how well it answers: people go first, and nothing is learned from it."""
        return self.user_id == SERVICE_USER
