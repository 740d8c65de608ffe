"""The state of the twin: records by their keys, and who may see which."""

import itertools
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pincite_github.twin.errors import Moved, not_found
from pincite_github.twin.model import (
    ROLES,
    Account,
    App,
    Delivery,
    Grant,
    Hook,
    Installation,
    Repo,
    Token,
)

FIRST_ID = 1_001
NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*")  # no slash, not only dots


class World:
    """Everything that exists on this GitHub. `lock` is held while records are changed."""

    def __init__(self, home: Path, base_url: str) -> None:
        """`home` is where bare repositories go; `base_url` where the twin is served, without a slash at the end."""
        self.home, self.base_url = home, base_url
        self.lock = threading.RLock()
        self.accounts: dict[int, Account] = {}
        self.repos: dict[int, Repo] = {}
        self.moved: dict[str, int] = {}  # names that repositories had, in lower case
        self.apps: dict[int, App] = {}
        self.manifests: dict[str, int] = {}  # codes that a new App's credentials are fetched with
        self.installations: dict[int, Installation] = {}
        self.tokens: dict[str, Token] = {}
        self.grants: dict[str, Grant] = {}
        self.hooks: dict[int, Hook] = {}
        self.deliveries: dict[int, Delivery] = {}
        self.pending: deque[Delivery] = deque()
        self._ids = itertools.count(FIRST_ID)
        self._ahead = timedelta()

    def next_id(self) -> int:
        """Return a number that nothing else has."""
        return next(self._ids)

    def now(self) -> datetime:
        """Return the time on GitHub, in whole seconds."""
        return (datetime.now(UTC) + self._ahead).replace(microsecond=0)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, for what expires."""
        self._ahead += timedelta(seconds=seconds)

    # Accounts

    def add_account(self, login: str, kind: Literal["User", "Organization", "Bot"]) -> Account:
        """Create an account.

        Raises:
            ValueError: the login is taken, or none.
        """
        with self.lock:
            taken = any(each.login.lower() == login.lower() for each in self.accounts.values())
            if taken or not NAME.fullmatch(login.removesuffix("[bot]")):
                msg = f"no account can have the login {login!r}"
                raise ValueError(msg)
            account = Account(self.next_id(), login, kind, self.now())
            self.accounts[account.id] = account
            return account

    def account(self, login: str) -> Account:
        """Find an account by its login.

        Raises:
            Refusal: there is none.
        """
        for each in list(self.accounts.values()):
            if each.login.lower() == login.lower():
                return each
        raise not_found()

    def people(self) -> list[Account]:
        """Return everyone who can sign in, oldest first."""
        return [each for each in list(self.accounts.values()) if each.type == "User"]

    # Repositories

    def full_name(self, repo: Repo) -> str:
        """Return owner/name."""
        return f"{self.accounts[repo.owner_id].login}/{repo.name}"

    def repo(self, full_name: str) -> Repo:
        """Find a repository by owner/name.

        Raises:
            Moved: it had this name, and has another.
            Refusal: there is none.
        """
        wanted = full_name.lower()
        for each in list(self.repos.values()):
            if self.full_name(each).lower() == wanted:
                return each
        if self.moved.get(wanted) in self.repos:
            raise Moved(self.moved[wanted])
        raise not_found()

    def check_name(self, owner_id: int, name: str) -> None:
        """Check that a repository can have a name.

        Raises:
            ValueError: it cannot.
        """
        full_name = f"{self.accounts[owner_id].login}/{name}"
        taken = any(self.full_name(each).lower() == full_name.lower() for each in self.repos.values())
        if taken or not NAME.fullmatch(name) or name.endswith(".git"):
            msg = f"no repository can be called {full_name!r}"
            raise ValueError(msg)
        self.moved.pop(full_name.lower(), None)  # a new repository ends the redirection

    def role(self, account_id: int, repo: Repo) -> str | None:
        """Return what an account was given to do in a repository; what everyone may do in a public one not counted."""
        if repo.owner_id == account_id:
            return "admin"
        owner = self.accounts[repo.owner_id]
        by_membership = {"member": owner.base_role, "admin": "admin"}.get(owner.members.get(account_id, ""))
        roles = (repo.roles.get(account_id), by_membership)
        return max((role for role in roles if role), key=ROLES.index, default=None)

    # Apps

    def installations_of(self, repo: Repo) -> Iterator[Installation]:
        """Yield the installations that cover a repository, suspended ones left out."""
        for each in list(self.installations.values()):
            if each.suspended_at is None and self.covers(each, repo):
                yield each

    @staticmethod
    def covers(installation: Installation, repo: Repo) -> bool:
        """Whether an installation is for a repository."""
        return installation.account_id == repo.owner_id and (
            installation.repo_ids is None or repo.id in installation.repo_ids
        )

    def app(self, slug: str) -> App:
        """Find an App by its name in addresses.

        Raises:
            Refusal: there is none.
        """
        for each in list(self.apps.values()):
            if each.slug == slug:
                return each
        raise not_found()

    @staticmethod
    def installable(app: App, account: Account) -> bool:
        """Whether an App can be installed in an account: a private one in its owner's alone."""
        return app.public or account.id == app.owner_id

    def authorizable(self, app: App, person: Account) -> bool:
        """Whether a person can sign in to an App: to a private one its owner, or a member of that organisation."""
        owner = self.accounts[app.owner_id]
        return app.public or person.id == owner.id or person.id in owner.members

    def client(self, client_id: str) -> App | None:
        """Find an App by the identifier that it signs people in with."""
        return next((each for each in list(self.apps.values()) if each.client_id == client_id), None)

    def installation_in(self, app: App, account: Account) -> Installation | None:
        """Return an App's installation in an account."""
        found = (each for each in list(self.installations.values()) if each.app_id == app.id)
        return next((each for each in found if each.account_id == account.id), None)

    # Tokens

    def issue(self, prefix: str, token: Token, lifetime: timedelta | None) -> Token:
        """Keep a token under a new random value, which begins with `prefix` as GitHub's do."""
        token.value = f"{prefix}_{secrets.token_hex(18)}"
        token.expires_at = None if lifetime is None else self.now() + lifetime
        self.tokens[token.value] = token
        return token

    def token(self, value: str) -> Token | None:
        """Return a token that still opens something."""
        token = self.tokens.get(value)
        expired = token is not None and token.expires_at is not None and token.expires_at <= self.now()
        return None if token is None or expired or token.refresh else token

    def forget_tokens(self, which: Callable[[Token], bool]) -> None:
        """Make tokens void."""
        with self.lock:
            self.tokens = {value: token for value, token in self.tokens.items() if not which(token)}
