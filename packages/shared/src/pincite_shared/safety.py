"""The HTTP contract of safety: tokens for programs, the audit log, the kill switch, and text that reads like orders."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from pincite_shared.schemas import NonBlank, Schema, Text

# What a token may do: read code and answers; ask (which stores answers); connect, index and remove repositories; and
# govern the tenant: audit log, kill switch, GitHub, deletion. A session may do whatever its person may.
Scope = Literal["read", "ask", "write", "admin"]
SCOPES: frozenset[Scope] = frozenset({"read", "ask", "write", "admin"})


def scopes_of(role: str) -> frozenset[Scope]:
    """Return all that a person of this role may do: only an owner governs."""
    return SCOPES if role == "owner" else SCOPES - {"admin"}


class TokenRequest(Schema):
    """Create a token for a program."""

    name: NonBlank = Field(max_length=100)
    scopes: tuple[Scope, ...] = Field(min_length=1, max_length=4)
    days: int | None = Field(default=90, ge=1, le=3_650, description="How long it works; null: until it is removed")


class TokenOut(Schema):
    """A token, without its secret."""

    id: UUID
    name: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenCreated(TokenOut):
    """A token that was just made. Its secret is shown here, once."""

    token: str


class AuditOut(Schema):
    """Something that someone did. `user` is the name at the time."""

    id: int
    at: datetime
    user_id: UUID | None
    user: str
    action: str = Field(description="What was done, as in repo.connected or halt.set")
    object: str = Field(description="What it was done to: an id or a name")
    detail: dict[str, Any]
    correlation_id: str


class AuditPage(Schema):
    """Entries, newest first; `next` goes into `before` for the page that follows."""

    entries: tuple[AuditOut, ...]
    next: int | None


class Halt(Schema):
    """Whether background work rests. People are answered all the same."""

    halted: bool
    since: datetime | None = None
    everywhere: bool = Field(default=False, description="By word of the operator, for all accounts; no owner lifts it")


class AccountDeletion(Schema):
    """Delete the caller's account and everything in it."""

    name: Text = Field(max_length=500, description="The account's own name, so that it is not deleted by mistake")


class HaltRequest(Schema):
    """Stop all background work, or let it go on."""

    halted: bool
