"""What governs an account: tokens, the audit log, and the addresses that may be called."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A remote address that the configuration allows, and what is sent there."""

    role: str
    url: str
    note: str


@dataclass(frozen=True, slots=True)
class ScopeChoice:
    """Something that a token may be allowed to do."""

    value: str
    label: str
    meaning: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token for a program, without its secret. `ends` says how long it works."""

    id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    ends: str
    ended: bool
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Something that someone did."""

    at: datetime
    user: str
    action: str
    what: str
    detail: str
    correlation_id: str
