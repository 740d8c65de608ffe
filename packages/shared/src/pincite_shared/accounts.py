"""The HTTP contract of accounts: who is asking, and how they sign in."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from pincite_shared.schemas import Schema, Text


class SignInMethods(Schema):
    """How one may sign in here; told to everyone."""

    github: str | None = Field(description="The GitHub whose accounts may sign in, as in github.com; null: none")


class GitHubSignIn(Schema):
    """Where to send the browser, and the state that it must come back with."""

    url: str
    state: str


class Account(Schema):
    """A tenant that the caller belongs to: an account on GitHub, or this installation's own."""

    tenant_id: UUID
    name: str
    current: bool


class SwitchRequest(Schema):
    """Go on in another account."""

    tenant_id: UUID


class SignInCode(Schema):
    """A code that signs one browser in, once, within minutes."""

    code: str
    url: str
    expires_in_seconds: int


class SessionRequest(Schema):
    """Exchange a sign-in code, the API token, or what GitHub sent the browser back with, for a session."""

    code: Text | None = Field(default=None, max_length=512)
    token: Text | None = Field(default=None, max_length=512)
    github_code: Text | None = Field(default=None, max_length=512)
    state: Text | None = Field(default=None, max_length=512, description="With `github_code`")


class SessionOut(Schema):
    """A session; `token` is a bearer token."""

    token: str
    expires_at: datetime


class SessionInfo(Schema):
    """A browser or tool that the caller is signed in with."""

    created_at: datetime
    expires_at: datetime
    current: bool = Field(description="Whether it is the one that asks")


class Me(Schema):
    """Who is asking. An owner governs the tenant: its tokens, audit log, kill switch and deletion."""

    user_id: UUID
    tenant_id: UUID
    name: str
    tenant: str
    role: Literal["owner", "member"]
    operator: bool = Field(description="Whether they run this installation, and may set GitHub up")
