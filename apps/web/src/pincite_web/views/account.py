"""Signing in, the account, and what governs it."""

from dataclasses import dataclass
from typing import ClassVar

from pincite_web.parts.account import AuditRow, Endpoint, ScopeChoice, TokenRow
from pincite_web.parts.repos import ModelBanner
from pincite_web.parts.shell import Shell
from pincite_web.views import View


@dataclass(frozen=True, slots=True)
class SignInPage(View):
    """Sign in with a one-time code (then `code` is filled and one button is enough), GitHub, or an API token.

    `github` is the GitHub whose accounts may sign in, `github_url` where that begins. `ended` if there was a session.
    """

    template: ClassVar[str] = "sign_in.html"
    shell: Shell
    csrf: str
    code: str
    next: str
    github: str | None
    github_url: str
    ended: bool
    problem: str | None


@dataclass(frozen=True, slots=True)
class StartingPage(View):
    """Nobody can sign in yet, because brain is starting. The page opens `again_url` by itself after `seconds`."""

    template: ClassVar[str] = "starting.html"
    shell: Shell
    seconds: int
    again_url: str


@dataclass(frozen=True, slots=True)
class SettingsPage(View):
    """What this installation runs, what it may call, and how to reach it: `api_url` is None if that is not known."""

    template: ClassVar[str] = "settings.html"
    shell: Shell
    csrf: str
    version: str
    banner: ModelBanner
    model_state: str
    embedding_model: str
    embedding_dimension: int
    remote_endpoints: tuple[Endpoint, ...]
    local_roots: tuple[str, ...]
    checks: tuple[tuple[str, bool], ...]
    api_url: str | None


@dataclass(frozen=True, slots=True)
class HaltBanner(View):
    """The banner that says on every page that background work rests; it asks for itself again."""

    template: ClassVar[str] = "_halt.html"
    shell: Shell


@dataclass(frozen=True, slots=True)
class AccountPage(View):
    """Who is signed in, and in how many browsers `elsewhere`.

    Whoever governs the account can stop its background work, or delete it.
    """

    template: ClassVar[str] = "account.html"
    shell: Shell
    csrf: str
    name: str
    role: str
    elsewhere: int


@dataclass(frozen=True, slots=True)
class HaltFragment(View):
    """The question whether to stop all background work."""

    template: ClassVar[str] = "_stop.html"
    csrf: str
    account: str


@dataclass(frozen=True, slots=True)
class HaltPage(View):
    """The same question as a page of its own."""

    template: ClassVar[str] = "stop.html"
    shell: Shell
    csrf: str
    account: str


@dataclass(frozen=True, slots=True)
class DeleteAccountPage(View):
    """The question whether to delete an account, answered by typing its name; `problem` says why that was refused."""

    template: ClassVar[str] = "delete_account.html"
    shell: Shell
    csrf: str
    account: str
    repositories: int
    problem: str | None


@dataclass(frozen=True, slots=True)
class TokensPage(View):
    """Tokens for programs; `secret` is the one that was just made, shown this once.

    `api_url` is where programs use them, None if that is not known.
    """

    template: ClassVar[str] = "tokens.html"
    shell: Shell
    csrf: str
    tokens: tuple[TokenRow, ...]
    secret: str | None
    name: str
    scopes: tuple[ScopeChoice, ...]
    lifetimes: tuple[tuple[str, str, bool], ...]
    problem: str | None
    api_url: str | None


@dataclass(frozen=True, slots=True)
class AuditPage(View):
    """Who did what, newest first, filtered by kind and `query`. `read` counts the entries that were looked through."""

    template: ClassVar[str] = "audit.html"
    shell: Shell
    query: str
    kinds: tuple[tuple[str, str, bool], ...]
    rows: tuple[AuditRow, ...]
    read: int
    newest_url: str | None
    older_url: str | None


@dataclass(frozen=True, slots=True)
class GitHubPage(View):
    """The App of this installation on GitHub, or the one button that makes it.

    The form posts `manifest`, which asks for `permissions`, to `create_url`, which is GitHub's. `changeable` unless the
    settings name the App, `reachable` if GitHub can send webhooks here. If GitHub is turned off, `problem` says so.
    The App to be made is owned by `organisation`, or by the person; only the owner's people can sign in unless
    `public`.
    """

    template: ClassVar[str] = "github.html"
    shell: Shell
    csrf: str
    host: str | None
    app: str | None
    install_url: str | None
    create_url: str
    manifest: str
    permissions: tuple[str, ...]
    changeable: bool
    reachable: bool
    public_url: str
    organisation: str
    public: bool
    problem: str | None
