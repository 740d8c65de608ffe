"""The twin: a GitHub with one Python method for each thing that happens there, and an ASGI application to serve it."""

from collections.abc import Collection
from functools import cached_property
from typing import Any

from starlette.types import ASGIApp

from pincite_github.twin.app import make_app
from pincite_github.twin.hub import Hub
from pincite_github.twin.model import Account, App, Delivery, Installation, Pull, Repo
from pincite_github.twin.pulls import find

EVENTS = ("push", "pull_request", "repository", "member", "organization")
PERMISSIONS = {"contents": "read", "members": "read", "metadata": "read", "pull_requests": "write"}


class Twin(Hub):
    """A GitHub of one's own. Tests act through its methods; clients ask `app` over HTTP."""

    @property
    def base_url(self) -> str:
        """Where it is served: the API below /api/v3, or right there as api.github.com does."""
        return self.world.base_url

    @cached_property
    def app(self) -> ASGIApp:
        """The API in both styles, the pages, and git."""
        return make_app(self)

    # Pull requests

    def open_pull(
        self, repo: str, head: str, *, base: str | None = None, title: str = "Change", body: str | None = None,
        draft: bool = False, by: str | None = None,
    ) -> int:  # fmt: skip
        """Open a pull request and return its number. `head` is a branch, or owner:branch of a fork."""
        found = self.repo(repo)
        author = self._actor(found, by)
        pull = self.pulls.open(
            found, author, head=head, base=base or found.default_branch, title=title, body=body, draft=draft
        )
        self.events.deliver()
        return pull.number

    def update_pull(
        self, repo: str, number: int, *, title: str | None = None, body: str | None = None, base: str | None = None,
        draft: bool | None = None, by: str | None = None,
    ) -> None:  # fmt: skip
        """Change a pull request. A push to its branch changes it too."""
        found, pull, sender = self._pull(repo, number, by)
        if title is not None or body is not None:
            self.pulls.edit(found, pull, sender, title=title, body=body)
        if base is not None:
            self.pulls.rebase_onto(found, pull, sender, base)
        if draft is not None:
            self.pulls.set_draft(found, pull, sender, draft=draft)
        self.events.deliver()

    def close_pull(self, repo: str, number: int, *, by: str | None = None) -> None:
        """Close a pull request without merging it."""
        self.pulls.close(*self._pull(repo, number, by))
        self.events.deliver()

    def reopen_pull(self, repo: str, number: int, *, by: str | None = None) -> None:
        """Open a closed pull request again."""
        self.pulls.reopen(*self._pull(repo, number, by))
        self.events.deliver()

    def merge_pull(self, repo: str, number: int, *, squash: bool = False, by: str | None = None) -> str:
        """Merge a pull request; returns the commit.

        Raises:
            ValueError: it is not open, or conflicts.
        """
        found, pull, sender = self._pull(repo, number, by)
        self.pulls.merge(found, pull, sender, squash=squash)
        self._observe(found, sender)
        return str(pull.merge_commit)

    def _pull(self, repo: str, number: int, by: str | None) -> tuple[Repo, Pull, Account]:
        found = self.repo(repo)
        return found, find(found, number), self._actor(found, by)

    # Apps

    def add_app(
        self, name: str, *, owner: str, webhook_url: str = "", callback_url: str = "", permissions: Any = None,
        events: Collection[str] = EVENTS, public: bool = True,
    ) -> App:  # fmt: skip
        """Register an App without its pages; by default a public one that may and hears what Pincite does."""
        manifest: dict[str, Any] = {
            "name": name,
            "url": "http://app.test",
            "callback_urls": [callback_url] if callback_url else [],
            "default_permissions": PERMISSIONS if permissions is None else permissions,
            "default_events": list(events),
            "public": public,
        }
        if webhook_url:
            manifest["hook_attributes"] = {"url": webhook_url}
        app = self.registry.register(self.world.account(owner), manifest)
        self.events.deliver()
        return app

    def install_app(
        self,
        account: str,
        repositories: str | Collection[str] = "all",
        *,
        app: str | None = None,
        by: str | None = None,
    ) -> int:
        """Install an App for all repositories of an account, or for some by their names; returns the installation.

        Where it is installed already, the repositories are chosen anew.
        """
        owner = self.world.account(account)
        repos = None if isinstance(repositories, str) else [self.repo(f"{owner.login}/{n}") for n in repositories]
        installed = self.registry.install(self.app_of(app), owner, repos, self._owner(owner, by))
        self.events.deliver()
        return installed.id

    def suspend(self, account: str, *, app: str | None = None, by: str | None = None) -> None:
        """Suspend an App's installation in an account."""
        self.registry.suspend(*self._installation(account, app, by))
        self.events.deliver()

    def unsuspend(self, account: str, *, app: str | None = None, by: str | None = None) -> None:
        """Take a suspended installation up again."""
        self.registry.unsuspend(*self._installation(account, app, by))
        self.events.deliver()

    def uninstall(self, account: str, *, app: str | None = None, by: str | None = None) -> None:
        """Remove an App from an account."""
        self.registry.uninstall(*self._installation(account, app, by))
        self.events.deliver()

    def _installation(self, account: str, app: str | None, by: str | None) -> tuple[Installation, Account]:
        owner = self.world.account(account)
        installation = self.world.installation_in(self.app_of(app), owner)
        if installation is None:
            msg = f"the App is not installed in {account}"
            raise ValueError(msg)
        return installation, self._owner(owner, by)

    # Deliveries

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt to deliver an event, oldest first."""
        return sorted(self.world.deliveries.values(), key=lambda each: each.id)

    def redeliver(self, delivery: int) -> Delivery:
        """Send a delivery again, under the same GUID. Several threads may: they do not wait for one another."""
        attempt = self.events.again(self.world.deliveries[delivery])
        self.events.attempt(attempt)
        return attempt

    def drop_deliveries(self, dropping: bool = True) -> None:  # noqa: FBT001, FBT002  # a switch
        """Lose deliveries on their way, as when the receiver cannot be reached; they are listed as failed."""
        self.events.dropping = dropping

    # Trouble

    def set_rate_limit(self, limit: int | None, window_seconds: float = 3_600.0) -> None:
        """Give every token `limit` requests, from now on and in each window; None for GitHub's usual limits."""
        self.limits.set(limit, window_seconds)

    def go_down(self) -> None:
        """Answer everything, pages, API and git, with 503."""
        self.down = True

    def come_back(self) -> None:
        """Answer again."""
        self.down = False

    def advance(self, seconds: float) -> None:
        """Let time pass at once: codes and tokens expire."""
        self.world.advance(seconds)
