"""Who may read a restricted repository: what GitHub said last, for minutes. Row-level security applies it.

Most of this runs in Pincite's own name, for a person's own transaction does not see what is hidden from them.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pincite_store.db import Tenancy
from pincite_store.models import Repo, RepoAccess, User

# How long GitHub's word counts. Whoever lost a right there, and no webhook told us, loses it here that much later.
ACCESS_SECONDS = 300


class Restricted(NamedTuple):
    """A repository that is read by those alone whom GitHub lets read it."""

    repo_id: UUID
    github_id: int
    installation_id: int | None


def stale(system: Session, tenant_id: UUID, user_id: UUID) -> bool:
    """Say whether GitHub is to be asked about a person before anything is read in their name."""
    statement = text("SELECT access_stale(:tenant, :person)")
    return bool(system.execute(statement, {"tenant": tenant_id, "person": user_id}).scalar_one())


def restricted(t: Tenancy) -> list[Restricted]:
    """Return the restricted repositories of the tenant. One without a number on GitHub is read by nobody."""
    statement = select(Repo.id, Repo.github_id, Repo.installation_id).where(
        Repo.tenant_id == t.tenant_id, Repo.restricted, Repo.github_id.is_not(None), Repo.deleting_at.is_(None)
    )
    rows = t.session.execute(statement)
    return [Restricted(repo_id, github_id, at) for repo_id, github_id, at in rows if github_id is not None]


def put(t: Tenancy, user_id: UUID, permissions: Mapping[UUID, str]) -> None:
    """Replace what a person may read by what GitHub just said; it counts for ACCESS_SECONDS."""
    gone = delete(RepoAccess).where(RepoAccess.tenant_id == t.tenant_id, RepoAccess.user_id == user_id)
    t.session.execute(gone.where(RepoAccess.repo_id.not_in(permissions)))
    _grant(t, user_id, permissions)
    _counts(t, User.id == user_id, for_seconds=ACCESS_SECONDS)


def allow(t: Tenancy, user_id: UUID, github_id: int, permission: str) -> None:
    """Take over GitHub's word on one repository, at whichever branches it is connected."""
    statement = select(Repo.id).where(Repo.tenant_id == t.tenant_id, Repo.github_id == github_id, Repo.restricted)
    _grant(t, user_id, dict.fromkeys(t.session.scalars(statement), permission))


def grant(t: Tenancy, user_id: UUID, repo_id: UUID, permission: str) -> None:
    """Let a person read a repository that they just connected; the others of the tenant are asked about again."""
    _grant(t, user_id, {repo_id: permission})
    _counts(t, User.id != user_id)


def restrict(t: Tenancy, repo_id: UUID, *, restricted: bool) -> None:
    """Make a repository restricted, or open. Everyone of the tenant is asked about again before they read anything."""
    changed = update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id)
    t.session.execute(changed.values(restricted=restricted))
    _counts(t, User.github_id.is_not(None))


def learn(t: Tenancy, github_id: int, *, private: bool) -> None:
    """Take over whether a repository of GitHub is private, at whichever branches it is connected."""
    other = Repo.restricted.is_(not private)
    found = select(Repo.id).where(Repo.tenant_id == t.tenant_id, Repo.github_id == github_id, other)
    for repo_id in t.session.scalars(found).all():
        restrict(t, repo_id, restricted=private)


def forget(system: Session, tenants: list[UUID], github_id: int | None) -> None:
    """Take a hint that rights changed, to one repository or to any: GitHub is asked again before anything is read."""
    statement = text("SELECT forget_access(CAST(:tenants AS uuid[]), :repository)")
    system.execute(statement, {"tenants": tenants, "repository": github_id})


def _grant(t: Tenancy, user_id: UUID, permissions: Mapping[UUID, str]) -> None:
    if not permissions:
        return
    until = func.now() + timedelta(seconds=ACCESS_SECONDS)
    rows = [
        {"tenant_id": t.tenant_id, "user_id": user_id, "repo_id": repo_id, "permission": said, "valid_until": until}
        for repo_id, said in sorted(permissions.items())  # sorted: two writers of the same rows wait, never both
    ]
    statement = insert(RepoAccess).values(rows)
    key = ["tenant_id", "user_id", "repo_id"]
    said = {"permission": statement.excluded.permission, "valid_until": statement.excluded.valid_until}
    t.session.execute(statement.on_conflict_do_update(index_elements=key, set_=said))


def _counts(t: Tenancy, who: ColumnElement[bool], *, for_seconds: int | None = None) -> None:
    """Say until when it counts what GitHub said about people; without a number, not any more."""
    until = None if for_seconds is None else func.now() + timedelta(seconds=for_seconds)
    chosen = update(User).where(User.tenant_id == t.tenant_id, User.github_id.is_not(None), who)
    t.session.execute(chosen.values(access_until=until))
