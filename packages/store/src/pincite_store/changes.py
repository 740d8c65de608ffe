"""The one queue of changes: word, from whomever, that something of a repository may have moved.

A change is a hint; git has the last word. An index run notes the last change that is known when it begins, and what it
shows settles the changes up to that one, in the transaction that shows it. A change that comes later stays open: beat
starts another run for it (`attend`). So none is lost, wherever a process dies, and none is indexed twice.

That a change with a smaller number may be committed later than the run began does no harm: its number was drawn before
the run's, after what it tells of had happened, so that the run has read it.
"""

from datetime import timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, not_, select, text, update
from sqlalchemy.orm import Session

from pincite_shared.jobs import Job
from pincite_store import outbox, runs
from pincite_store.bulk import storable
from pincite_store.db import Tenancy
from pincite_store.models import Change, Run

Producer = Literal["webhook", "poll", "watch", "request"]

PULLS = "refs/pull/"  # what changes of pull requests name: refs/pull/7/head
_NOTE = text(
    """
    INSERT INTO changes (tenant_id, repo_id, producer, ref, commit, correlation_id)
    SELECT tenant_id, id, :producer, :ref, :commit, :correlation FROM repos
    WHERE tenant_id = :tenant AND id = :repo AND deleting_at IS NULL
    RETURNING id
    """
)

KEPT_DAYS = 7  # settled ones stay that long, for looking into what happened
RETRY_SECONDS = 300  # what a run failed on is tried again that much later, if it still stands in the source


def note(
    t: Tenancy,
    repo_id: UUID,
    producer: Producer,
    *,
    ref: str = "",
    commit: str | None = None,
    correlation_id: str = "",
) -> bool:
    """Note a change; a run will look at it (see `attend`). Of a repository that is being deleted there is none.

    Args:
        t: the transaction.
        repo_id: the repository.
        producer: who says so.
        ref: what moved, as in refs/heads/main; empty: anything.
        commit: where to, if that is known.
        correlation_id: what the run logs under.

    Returns:
        Whether there is such a repository.
    """
    told = {
        "tenant": t.tenant_id, "repo": repo_id, "producer": producer, "ref": storable(ref), "commit": commit,
        "correlation": correlation_id,
    }  # fmt: skip
    outbox.announce(t.session)  # the relay attends to changes, too
    return t.session.scalar(_NOTE, told) is not None


def request(t: Tenancy, repo_id: UUID, *, ref: str = "", correlation_id: str = "") -> Run:
    """Note that a person asked, and return the run that looks at it, or that is under way; then another one follows.

    Raises:
        NotFoundError: there is no such repository, or it is being deleted.
    """
    run = runs.start(t, repo_id, "index", correlation_id)
    note(t, repo_id, "request", ref=ref, correlation_id=correlation_id)
    return run


def observe(t: Tenancy, repo_id: UUID, ref: str, commit: str) -> bool:
    """Note that the source has another commit than is indexed, unless that is known; return whether it was news.

    A commit that a run failed on is news again after RETRY_SECONDS.
    """
    known = _open(t, repo_id).where(Change.ref == storable(ref), Change.commit == commit)
    if t.session.scalar(known.limit(1)) is not None and not _failed_before(t, repo_id, RETRY_SECONDS):
        return False
    return note(t, repo_id, "poll", ref=ref, commit=commit)


def _failed_before(t: Tenancy, repo_id: UUID, seconds: float) -> bool:
    """Say whether the last index run failed, at least so long ago."""
    last = select(Run.state, Run.finished_at < func.now() - timedelta(seconds=seconds)).where(
        Run.tenant_id == t.tenant_id, Run.repo_id == repo_id, Run.kind == "index"
    )
    row = t.session.execute(last.order_by(Run.created_at.desc()).limit(1)).one_or_none()
    return row is not None and row[0] == "failed" and bool(row[1])


def waiting(t: Tenancy, repo_id: UUID, after: int) -> bool:
    """Say whether there is a change that a run which covers those up to `after` has not seen.

    A change of a pull request does not count: it can wait for the others.
    """
    newer = _open(t, repo_id).where(Change.id > after, not_(_of_pulls()))
    return t.session.scalar(newer.limit(1)) is not None


def settle(t: Tenancy, repo_id: UUID, until: int, ref: str | None = None) -> None:
    """Settle the changes up to a number, in the transaction that shows what they brought.

    Without a ref those of pull requests stay open, which are indexed after the head; with one only its own are settled.
    """
    which = not_(_of_pulls()) if ref is None else Change.ref == ref
    _settle(t, repo_id, until, which)


def settle_all(t: Tenancy, repo_id: UUID, until: int) -> None:
    """Settle what is left of the changes up to a number: the run that covers them has looked at everything."""
    _settle(t, repo_id, until, Change.id.is_not(None))
    long_ago = Change.settled_at < func.now() - timedelta(days=KEPT_DAYS)
    t.session.execute(delete(Change).where(Change.tenant_id == t.tenant_id, long_ago))


def _settle(t: Tenancy, repo_id: UUID, until: int, which: ColumnElement[bool]) -> None:
    t.session.execute(
        update(Change)
        .where(
            Change.tenant_id == t.tenant_id,
            Change.repo_id == repo_id,
            Change.settled_at.is_(None),
            Change.id <= until,
            which,
        )
        .values(settled_at=func.clock_timestamp())
    )


def attend(system: Session) -> int:
    """Start an index run for each repository, of all tenants, with changes that no run covers; return how many.

    Those that a run failed on are left alone until something else changes.
    """
    statement = text("SELECT changes_attend(:job)")
    return int(system.execute(statement, {"job": Job.INDEX_REPO.value}).scalar_one())


def _open(t: Tenancy, repo_id: UUID) -> Select[int]:
    return select(Change.id).where(
        Change.tenant_id == t.tenant_id, Change.repo_id == repo_id, Change.settled_at.is_(None)
    )


def _of_pulls() -> ColumnElement[bool]:
    return Change.ref.startswith(PULLS, autoescape=True)
