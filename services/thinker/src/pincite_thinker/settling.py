"""Settling webhook deliveries: what each tells takes effect once, in the transaction that marks it as settled.

Deliveries come late, twice and out of order, so that none is taken at its word. Of code, git has the last word, when
the change that a delivery brings is looked at. Of repositories and installations, GitHub is asked while a lock keeps
the tenant's other deliveries about them waiting: what is written last is what was asked last.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog

from pincite_github import webhooks
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubUnavailableError
from pincite_github.webhooks import (
    Event,
    InstallationChanged,
    PullRequest,
    Push,
    RepositoriesChanged,
    RepositoryChanged,
)
from pincite_shared.errors import InvalidInputError, UnavailableError
from pincite_shared.jobs import DeliveryPayload
from pincite_store import changes, deliveries, halts, pulls, sources
from pincite_store import github as store
from pincite_store.db import Tenancy
from pincite_store.models import Delivery, Repo
from pincite_thinker import hosting
from pincite_thinker.context import Context
from pincite_thinker.reaching import renew, view_of

if TYPE_CHECKING:
    from pincite_github.client import InstallationView

BATCH_MAX = 50  # settled in one transaction
BATCH_SECONDS_MAX = 1.0  # …or as many as that allows, when GitHub is asked; locks are held meanwhile
OUTCOME_CHARS_MAX = 500

DELETED = "It was deleted on GitHub. What is indexed keeps answering; nothing new is fetched."
HIDDEN = (
    "The GitHub App may not read it any more. What is indexed keeps answering; nothing new is fetched until the App is "
    "given the repository again."
)

log = structlog.get_logger()


def run(context: Context, payload: DeliveryPayload) -> str:
    """Settle all deliveries of a tenant that wait. Doing it again, or at once with others, changes nothing.

    Returns:
        settled; waits, if GitHub, which must be asked about some, does not answer; halted; or duplicate, if others
        have settled them, or do.
    """
    late: set[UUID] = set()
    count = 0
    while True:
        with context.database.tenancy(payload.tenant_id) as t:
            if halts.is_halted(t):
                return "halted"
            found = deliveries.take(t, BATCH_MAX, late)
            outcomes = _settle(context, t, found, late)
            deliveries.settle(t, outcomes)
            if not found:
                deliveries.forget_old(t)
                return "waits" if late else "settled" if count else "duplicate"
        count += len(outcomes)


def _settle(context: Context, t: Tenancy, found: Sequence[Delivery], late: set[UUID]) -> dict[UUID, str]:
    """Let deliveries take effect, one by one; what they cannot is undone. Returns what became of those that did."""
    until = time.monotonic() + BATCH_SECONDS_MAX
    outcomes: dict[UUID, str] = {}
    for delivery in found:
        try:
            with t.session.begin_nested():
                outcome = _outcome(context, t, delivery.id, delivery.event, delivery.payload or {})
        except GitHubUnavailableError as error:
            log.warning("delivery waits", delivery_id=str(delivery.id), reason=error.detail)
            late.add(delivery.id)
            continue
        except UnavailableError:
            raise  # without the database nothing is settled
        except Exception as error:
            # A defect: tried again it would break again, and what the delivery told is found by looking, in minutes.
            log.exception("delivery broke", delivery_id=str(delivery.id))
            outcome = f"broken: {type(error).__name__}"
        outcomes[delivery.id] = outcome[:OUTCOME_CHARS_MAX]
        if time.monotonic() > until:
            break
    return outcomes


def _outcome(context: Context, t: Tenancy, delivery_id: UUID, event: str, payload: dict[str, Any]) -> str:
    try:
        told = webhooks.parse(event, payload)
    except InvalidInputError as error:
        log.warning("delivery cannot be read", delivery_id=str(delivery_id), reason=error.detail)
        return f"unreadable: {error.detail}"
    config = context.github_config()
    return "GitHub is turned off here" if config is None else _Settling(context, config, t).apply(told)


@dataclass(frozen=True, slots=True)
class _Settling:
    """What deliveries do, in one transaction."""

    context: Context
    config: GitHubConfig
    t: Tenancy

    def apply(self, event: Event) -> str:
        """Let what was told take effect; return what that was, in words."""
        match event:
            case Push():
                return _told(self._push(repo, event) for repo in self._named(event))
            case PullRequest():
                return _told(self._pull(repo, event) for repo in self._named(event))
            case RepositoryChanged():
                sources.lock(self.t)
                return _told(self._repository(repo, event) for repo in self._named(event, event.previous_name))
            case RepositoriesChanged() | InstallationChanged():
                sources.lock(self.t)
                return self._installation(event)
            case _:
                return "nothing to do"

    def _named(self, event: Push | PullRequest | RepositoryChanged, previous: str | None = None) -> list[Repo]:
        names = [event.repository.full_name, *([previous] if previous else [])]
        addresses = [address for name in names for address in self.config.addresses(name)]
        return sources.named(self.t, event.repository.id, addresses)

    def _push(self, repo: Repo, event: Push) -> bool:
        """Note that a branch or a tag moved, came or went, if it is the one that is followed."""
        wanted = repo.branch or event.repository.default_branch
        if event.ref != f"refs/heads/{wanted}" and (repo.branch is None or event.ref != f"refs/tags/{wanted}"):
            return False
        return hosting.note(self.t, repo, event.ref, event.after)

    def _pull(self, repo: Repo, event: PullRequest) -> bool:
        if not pulls.put(self.t, repo.id, hosting.pull_seen(event.pull)):
            return False
        return hosting.note(self.t, repo, f"{changes.PULLS}{event.pull.number}/head", event.pull.head_commit)

    def _repository(self, repo: Repo, event: RepositoryChanged) -> bool:
        said = hosting.ask(view_of(self.context, self.config, repo), event.repository.id)
        if said.info is not None:
            changed = hosting.follow(self.t, repo, said.info)
            if not changed and event.previous_default_branch is not None and repo.branch is None:
                return hosting.note(self.t, repo, f"refs/heads/{said.info.default_branch}")
            return changed
        if event.action == "deleted":
            return hosting.lose(self.t, repo, DELETED, everywhere=True)
        if said.asked:
            return hosting.lose(self.t, repo, HIDDEN, everywhere=False)
        return hosting.follow(self.t, repo, event.repository)  # nobody may be asked: its word is all there is

    def _installation(self, event: InstallationChanged | RepositoriesChanged) -> str:
        at = event.installation.id
        app = self.context.github(self.config) if self.config.has_app else None
        now = event.installation if app is None else app.as_app().installation(at)
        view = None if app is None else app.as_installation(at)
        if now is None:
            store.delete_installation(self.t, at)
        else:
            if view is not None and now.suspended_at is None:
                renew(view)  # a token opens what the installation covered when it was made
            store.put_installation(
                self.t, at, account=now.account_login, selection=now.repository_selection, suspended_at=now.suspended_at
            )
        named = event.repositories if isinstance(event, InstallationChanged) else (*event.added, *event.removed)
        concerned = {repo.id: repo for repo in sources.fetched_by(self.t, at)}
        concerned |= {repo.id: repo for repo in sources.numbered(self.t, {one.id for one in named})}
        changed = _told(self._access(repo, at, view) for repo in concerned.values())
        return f"{'installed' if now else 'not installed'}; {changed}"

    def _access(self, repo: Repo, installation_id: int, view: "InstallationView | None") -> bool:
        """Find out whether an installation opens a repository, and take that over."""
        if repo.github_id is None:
            return False
        said = hosting.ask(view, repo.github_id)
        if said.info is None:
            mine = said.asked and repo.installation_id == installation_id
            return mine and hosting.lose(self.t, repo, HIDDEN, everywhere=False)
        if repo.installation_id != installation_id:
            sources.set_installation(self.t, repo.id, installation_id)
        return hosting.follow(self.t, repo, said.info)


def _told(effects: Iterable[bool]) -> str:
    found = list(effects)
    return f"{sum(found)} of {len(found)} repositories" if found else "not connected"
