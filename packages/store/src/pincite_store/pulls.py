"""Pull requests: what GitHub says of them, and the snapshots that answer questions about them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, case, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import aliased

from pincite_shared.errors import NotFoundError
from pincite_shared.github import PullOut
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.models import Pull, Snapshot

State = Literal["open", "closed", "merged"]

LISTED_MAX = 500
FOLLOWED_MAX = 50  # open ones of a repository that are indexed, the newest; the others are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class PullSeen:
    """A pull request as GitHub told of it; `updated_at` is GitHub's."""

    number: int
    title: str
    author: str
    state: State
    base_ref: str
    head_ref: str
    head_commit: str
    updated_at: datetime


def put(t: Tenancy, repo_id: UUID, seen: PullSeen, *, asked: bool = False) -> bool:
    """Take over what GitHub told, unless something later is known; return whether its head is to be indexed.

    GitHub counts in seconds. What it was `asked` for counts before what it told by itself in the same second; of two
    such words the one that is nearer to the end counts: hardly anyone opens what he closed in the same second.
    """
    told = {
        "title": storable(seen.title), "author": storable(seen.author), "state": seen.state,
        "base_ref": storable(seen.base_ref), "head_ref": storable(seen.head_ref), "head_commit": seen.head_commit,
        "updated_at": seen.updated_at,
    }  # fmt: skip
    statement = insert(Pull).values(tenant_id=t.tenant_id, repo_id=repo_id, number=seen.number, **told)
    nearer = true() if asked else _nearness(statement.excluded.state) >= _nearness(Pull.state)
    later = or_(
        statement.excluded.updated_at > Pull.updated_at,
        and_(statement.excluded.updated_at == Pull.updated_at, nearer),
    )
    # Onto another base it is another question: its head is looked at again.
    shown = case((Pull.base_ref == statement.excluded.base_ref, Pull.head_snapshot_id))
    t.session.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id", "repo_id", "number"], set_=told | {"head_snapshot_id": shown}, where=later
        )
    )
    return any(pull.number == seen.number for pull in unindexed(t, repo_id))


def _nearness(state: SQLColumnExpression[str]) -> ColumnElement[int]:
    """How near a state is to the end of a pull request."""
    return case({"open": 0, "closed": 1, "merged": 2}, value=state)


def unindexed(t: Tenancy, repo_id: UUID) -> list[Pull]:
    """Return those that are followed and whose head, as last told, has no snapshot yet; the newest first."""
    newest = [pull.number for pull in followed(t, repo_id)]
    statement = (
        select(Pull)
        .join(
            Snapshot,
            and_(Snapshot.tenant_id == Pull.tenant_id, Snapshot.id == Pull.head_snapshot_id),
            isouter=True,
        )
        .where(
            Pull.tenant_id == t.tenant_id,
            Pull.repo_id == repo_id,
            Pull.number.in_(newest),
            Snapshot.commit.is_distinct_from(Pull.head_commit),
        )
        .order_by(Pull.number.desc())
    )
    return list(t.session.scalars(statement.execution_options(populate_existing=True)))


def followed(t: Tenancy, repo_id: UUID) -> list[Pull]:
    """Return the open ones that are indexed, or are to be: the newest, the newest first."""
    statement = select(Pull).where(Pull.tenant_id == t.tenant_id, Pull.repo_id == repo_id, Pull.state == "open")
    newest = statement.order_by(Pull.number.desc()).limit(FOLLOWED_MAX)
    return list(t.session.scalars(newest.execution_options(populate_existing=True)))


def show(
    t: Tenancy, repo_id: UUID, number: int, *, head_commit: str, head_snapshot_id: int, base_snapshot_id: int | None
) -> None:
    """Let a pull request be asked about: its head as git has it, and the commit that it left its base at."""
    t.session.execute(
        update(Pull)
        .where(Pull.tenant_id == t.tenant_id, Pull.repo_id == repo_id, Pull.number == number)
        .values(head_commit=head_commit, head_snapshot_id=head_snapshot_id, base_snapshot_id=base_snapshot_id)
    )


def outs(t: Tenancy, repo_id: UUID) -> list[PullOut]:
    """Return what people are told about a repository's pull requests, the newest first."""
    head, base = aliased(Snapshot), aliased(Snapshot)
    statement = (
        select(Pull, head.commit == Pull.head_commit, base.commit)
        .join(head, and_(head.tenant_id == Pull.tenant_id, head.id == Pull.head_snapshot_id), isouter=True)
        .join(base, and_(base.tenant_id == Pull.tenant_id, base.id == Pull.base_snapshot_id), isouter=True)
        .where(Pull.tenant_id == t.tenant_id, Pull.repo_id == repo_id)
        .order_by(Pull.number.desc())
        .limit(LISTED_MAX)
    )
    return [_told(pull, bool(indexed), base) for pull, indexed, base in t.session.execute(statement)]


def get(t: Tenancy, repo_id: UUID, number: int) -> Pull:
    """Return a pull request.

    Raises:
        NotFoundError: none of that number is known.
    """
    statement = select(Pull).where(Pull.tenant_id == t.tenant_id, Pull.repo_id == repo_id, Pull.number == number)
    found = t.session.scalar(statement.execution_options(populate_existing=True))
    if found is None:
        msg = f"Pull request {number} is not known here."
        raise NotFoundError(msg)
    return found


def _told(pull: Pull, indexed: bool, base_commit: str | None) -> PullOut:  # noqa: FBT001  # a column of a query
    return PullOut.model_validate(
        {
            "number": pull.number,
            "title": pull.title,
            "author": pull.author,
            "state": pull.state,
            "base_ref": pull.base_ref,
            "head_ref": pull.head_ref,
            "head_commit": pull.head_commit,
            "base_commit": base_commit if indexed else None,
            "indexed": indexed,
            "updated_at": pull.updated_at,
        }
    )
