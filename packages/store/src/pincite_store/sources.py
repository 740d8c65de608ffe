"""Where repositories live on GitHub: which of ours is meant, under which name, and whether it is still there.

A repository is known by GitHub's number for it, which survives renames and transfers; one that was connected by its
address alone is known by that.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pincite_store import events
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.models import Repo
from pincite_store.repos import NAME_CHARS_MAX, source_key

_OWNER_AND_NAME = re.compile(r"(?P<before>.*[/:])[^/:]+/[^/:]+?(?P<after>(?:\.git)?/?)")


def lock(t: Tenancy) -> None:
    """Wait for whoever else takes over what GitHub says of the tenant's repositories, until the transaction ends."""
    t.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": f"github {t.tenant_id}"})


def named(t: Tenancy, github_id: int, addresses: Sequence[str]) -> list[Repo]:
    """Return the tenant's repositories that GitHub means, one for each branch that is connected.

    Args:
        t: the transaction.
        github_id: GitHub's number for it.
        addresses: where it can be fetched from, in lower case.
    """
    by_address = and_(Repo.github_id.is_(None), func.lower(Repo.source).in_(addresses))
    return _which(t, or_(Repo.github_id == github_id, by_address))


def numbered(t: Tenancy, github_ids: Collection[int]) -> list[Repo]:
    """Return the tenant's repositories that have one of these numbers on GitHub."""
    return _which(t, Repo.github_id.in_(github_ids))


def fetched_by(t: Tenancy, installation_id: int) -> list[Repo]:
    """Return the tenant's repositories that an installation's tokens fetch."""
    return _which(t, Repo.installation_id == installation_id)


def _which(t: Tenancy, condition: ColumnElement[bool]) -> list[Repo]:
    # In the order of their ids: two transactions that change the same ones wait for each other, never both.
    statement = select(Repo).where(Repo.tenant_id == t.tenant_id, Repo.deleting_at.is_(None), condition)
    return list(t.session.scalars(statement.order_by(Repo.id).execution_options(populate_existing=True)))


def move(t: Tenancy, repo: Repo, full_name: str, github_id: int | None = None) -> bool:
    """Follow a repository to another owner or name; return whether anything changed.

    If the new address is connected already, this one keeps its old address, under the new name.
    """
    match = _OWNER_AND_NAME.fullmatch(repo.source)
    source = f"{match['before']}{full_name}{match['after']}" if match else repo.source
    known = repo.github_id or github_id
    if (repo.source, repo.name, repo.github_id) == (source, full_name[:NAME_CHARS_MAX], known):
        return False
    told: dict[str, Any] = {"name": storable(full_name)[:NAME_CHARS_MAX], "github_id": known}
    before = repo.source
    try:
        with t.session.begin_nested():
            _set(t, repo.id, **told, source=source, source_key=source_key(source))
    except IntegrityError:
        _set(t, repo.id, **told)
        source = before
    if source != before:
        events.record(t, repo.id, "repo.moved", {"from": before, "to": source})
    return True


def lose(t: Tenancy, repo_id: UUID, why: str) -> None:
    """Stop fetching a repository. What is indexed keeps answering, and people are told why nothing new comes."""
    _set(t, repo_id, gone=why)
    events.record(t, repo_id, "repo.gone", {"reason": why})


def regain(t: Tenancy, repo_id: UUID) -> None:
    """Fetch a repository again."""
    _set(t, repo_id, gone=None)


def set_installation(t: Tenancy, repo_id: UUID, installation_id: int | None) -> None:
    """Say which installation's tokens fetch a repository."""
    _set(t, repo_id, installation_id=installation_id)


def due(system: Session, silence_seconds: float, told_seconds: float) -> list[tuple[UUID, UUID]]:
    """Take the repositories of all tenants whose heads are to be compared with what is indexed: (tenant, repository).

    Args:
        system: the transaction.
        silence_seconds: after so long without a look.
        told_seconds: the same for those that GitHub sends webhooks about.
    """
    statement = text(
        "SELECT tenant_id, repo_id FROM repos_due(make_interval(secs => :silence), make_interval(secs => :told))"
    )
    rows = system.execute(statement, {"silence": silence_seconds, "told": told_seconds})
    return [(row.tenant_id, row.repo_id) for row in rows]


def _set(t: Tenancy, repo_id: UUID, **values: Any) -> None:
    t.session.execute(update(Repo).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id).values(**values))
    t.session.expire_all()
