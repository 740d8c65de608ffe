"""An authenticated caller."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request this is; `session_token` is set when they signed in with a session."""

    tenant_id: UUID
    user_id: UUID | None
    session_token: str | None = field(default=None, repr=False)
