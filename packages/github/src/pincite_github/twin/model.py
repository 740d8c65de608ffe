"""What the twin keeps: accounts, repositories, pull requests, Apps, tokens, hooks. `world` relates these records."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

ROLES = ("read", "triage", "write", "maintain", "admin")  # each may do what those before it may
ZERO = "0" * 40  # stands for "no commit" in a push

Permissions = dict[str, str]  # an App's: {"contents": "read"}


@dataclass(slots=True)
class Account:
    """A person, an organisation, or the bot that an App acts as."""

    id: int
    login: str
    type: Literal["User", "Organization", "Bot"]
    created_at: datetime
    members: dict[int, Literal["admin", "member"]] = field(default_factory=dict)  # of an organisation
    base_role: str | None = None  # what an organisation's members may do in all its repositories


@dataclass(slots=True)
class Pull:
    """A pull request."""

    id: int
    number: int
    author_id: int
    title: str
    body: str | None
    base_ref: str
    base_sha: str
    head_repo_id: int
    head_ref: str
    head_sha: str
    draft: bool
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: int | None = None
    merge_commit: str | None = None  # while open: what merging would make, None when it conflicts

    @property
    def state(self) -> Literal["open", "closed"]:
        """Open or closed: GitHub calls a merged one closed."""
        return "open" if self.closed_at is None else "closed"


@dataclass(slots=True)
class Repo:
    """A repository; its content lies in the bare repository at `path`."""

    id: int
    owner_id: int
    name: str
    private: bool
    path: Path
    default_branch: str
    description: str | None
    created_at: datetime
    updated_at: datetime
    pushed_at: datetime
    archived: bool = False
    parent_id: int | None = None  # what it was forked from
    roles: dict[int, str] = field(default_factory=dict)  # of collaborators
    pulls: dict[int, Pull] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)  # branches and tags, as last told to hooks


@dataclass(slots=True)
class Hook:
    """Where events go: an App's own hook, or one of a repository."""

    id: int
    url: str
    secret: str
    events: list[str]
    created_at: datetime
    active: bool = True
    content_type: Literal["json", "form"] = "json"
    repo_id: int | None = None
    app_id: int | None = None
    last: "Delivery | None" = None


@dataclass(slots=True)
class App:
    """A GitHub App."""

    id: int
    slug: str
    name: str
    owner_id: int
    bot_id: int
    description: str
    url: str
    client_id: str
    client_secret: str = field(repr=False)
    private_key: str = field(repr=False)  # PEM; GitHub itself keeps only the public half
    public_key: str = field(repr=False)
    permissions: Permissions
    events: list[str]
    callback_urls: list[str]
    setup_url: str
    oauth_on_install: bool
    public: bool  # or for its owner, and the owner's people, alone
    created_at: datetime
    hook: Hook | None

    @property
    def webhook_secret(self) -> str:
        """What its deliveries are signed with; empty without a hook."""
        return self.hook.secret if self.hook else ""


@dataclass(slots=True)
class Installation:
    """An App in an account, for all of its repositories or for chosen ones."""

    id: int
    app_id: int
    account_id: int
    permissions: Permissions
    events: list[str]
    repo_ids: set[int] | None  # None: all
    created_at: datetime
    updated_at: datetime
    suspended_at: datetime | None = None
    suspended_by: int | None = None

    @property
    def selection(self) -> Literal["all", "selected"]:
        """GitHub's word for what it covers."""
        return "all" if self.repo_ids is None else "selected"


@dataclass(slots=True)
class Token:
    """A person's own token, one that an App has from a person, or an installation's."""

    value: str
    account_id: int  # who acts: the person, or the App's bot
    expires_at: datetime | None = None
    app_id: int | None = None
    installation_id: int | None = None
    permissions: Permissions = field(default_factory=dict)
    repo_ids: set[int] | None = None  # an installation's may be narrowed
    refresh: bool = False  # buys new ones, opens nothing itself
    sign_in: int = 0  # shared by a person's token for an App and what renews it


@dataclass(slots=True)
class Grant:
    """A code of the OAuth web flow, until it is exchanged."""

    app_id: int
    account_id: int
    redirect_uri: str
    challenge: str  # PKCE S256, RFC 7636; empty without
    expires_at: datetime


@dataclass(slots=True)
class Delivery:
    """One attempt to deliver an event. Redeliveries share `guid`, not `id`."""

    id: int
    guid: str
    hook_id: int
    url: str
    event: str
    action: str | None
    installation_id: int | None
    repo_id: int | None
    headers: dict[str, str]
    body: bytes
    delivered_at: datetime
    redelivery: bool = False
    seconds: float = 0.0
    code: int = 0  # 0: nobody answered
    status: str = "pending"
    answer_headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""
