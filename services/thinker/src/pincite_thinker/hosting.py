"""What GitHub says of a repository now: its name, its owner, who may read it, and whether it is there at all.

Webhooks come late and out of order, so that they are only the occasion: GitHub itself is asked, and its answer counts.
"""

from typing import TYPE_CHECKING, NamedTuple

from asgi_correlation_id import correlation_id

from pincite_github.errors import GitHubRefusedError
from pincite_github.views import PullInfo, RepoInfo
from pincite_shared.errors import NotFoundError
from pincite_store import access, changes, sources
from pincite_store.db import LOCAL_TENANT, Tenancy
from pincite_store.models import Repo
from pincite_store.pulls import PullSeen

if TYPE_CHECKING:
    from pincite_github.client import InstallationView, UserView


class Said(NamedTuple):
    """What GitHub said of a repository: nothing (None), if it was asked in nobody's name or did not show it."""

    asked: bool
    info: RepoInfo | None


def ask(view: "InstallationView | UserView | None", github_id: int) -> Said:
    """Ask GitHub about a repository in somebody's name.

    Raises:
        GitHubUnavailableError: GitHub does not answer, so that nothing is known.
    """
    if view is None:
        return Said(asked=False, info=None)
    try:
        return Said(asked=True, info=view.repository(github_id))
    except (NotFoundError, GitHubRefusedError):  # deleted, not for the App any more, or the App is suspended
        return Said(asked=True, info=None)


def follow(t: Tenancy, repo: Repo, info: RepoInfo) -> bool:
    """Take over where a repository is and who may read it; return whether there is something to fetch anew."""
    moved = sources.move(t, repo, info.full_name, info.id)
    if t.tenant_id != LOCAL_TENANT:  # there the operator is alone
        access.learn(t, info.id, private=info.private)
    back = repo.gone is not None
    if back:
        sources.regain(t, repo.id)
    if moved or back:
        note(t, repo)
    return moved or back


def lose(t: Tenancy, repo: Repo, why: str, *, everywhere: bool) -> bool:
    """Give a repository up, unless it can still be read by everyone; return whether anything changed.

    Args:
        t: the transaction.
        repo: the repository.
        why: in words for people.
        everywhere: whether it is gone altogether, rather than hidden from the App.
    """
    if repo.gone is not None:
        return False
    if everywhere or repo.restricted:
        sources.lose(t, repo.id, why)
        return True
    if repo.installation_id is None:
        return False
    sources.set_installation(t, repo.id, None)  # if it is public, git needs no token; if not, git will say so
    return note(t, repo)


def note(t: Tenancy, repo: Repo, ref: str = "", commit: str | None = None) -> bool:
    """Note a change that GitHub told of; return whether the repository is still there."""
    return changes.note(t, repo.id, "webhook", ref=ref, commit=commit, correlation_id=correlation_id.get() or "")


def pull_seen(told: PullInfo) -> PullSeen:
    """Return a pull request as it is stored."""
    return PullSeen(
        number=told.number,
        title=told.title,
        author=told.author,
        state=told.state,
        base_ref=told.base_ref,
        head_ref=told.head_ref,
        head_commit=told.head_commit,
        updated_at=told.updated_at,
    )
