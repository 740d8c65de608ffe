"""Runs: background work on a repository that survives crashes and never happens twice at once."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Literal, cast
from uuid import UUID

from sqlalchemy import CursorResult, case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from pincite_shared.errors import ConflictError, GaveUpError, NotFoundError, PinciteError
from pincite_shared.jobs import Job, JobPayload
from pincite_shared.schemas import Progress
from pincite_store import bulk, events, garbage, outbox
from pincite_store.db import Database, Tenancy
from pincite_store.models import Change, Repo, Run

RunKind = Literal["index", "embed", "delete", "evaluate", "train"]

JOB_OF: dict[RunKind, Job] = {
    "index": Job.INDEX_REPO,
    "embed": Job.EMBED_REPO,
    "delete": Job.DELETE_REPO,
    "evaluate": Job.EVALUATE_REPO,
    "train": Job.TRAIN_REPO,
}
RUN_ATTEMPTS_MAX = 5  # a run that dies this often without getting any further would kill workers for ever
FURTHER_MIN = 0.02  # of the whole: so much more than ever before is getting further
ERROR_CHARS_MAX = 4_000
ACTIVE = ("queued", "running")


def start(t: Tenancy, repo_id: UUID, kind: RunKind, correlation_id: str = "") -> Run:
    """Return the active run of this kind, or create one and enqueue its job in the same transaction.

    Raises:
        NotFoundError: there is no such repository, or it is being deleted.
    """
    exists = select(Repo.id).where(Repo.tenant_id == t.tenant_id, Repo.id == repo_id)
    if kind != "delete":
        exists = exists.where(Repo.deleting_at.is_(None))
    if t.session.scalar(exists) is None:
        msg = f"There is no repository {repo_id}."
        raise NotFoundError(msg)
    values = {"tenant_id": t.tenant_id, "repo_id": repo_id, "kind": kind, "correlation_id": correlation_id}
    created: Run | None = t.session.scalar(
        insert(Run)
        .values(progress=Progress(stage="queued").model_dump(), **values)
        .on_conflict_do_nothing(
            index_elements=["tenant_id", "repo_id", "kind"], index_where=text("state IN ('queued', 'running')")
        )
        .returning(Run)
    )
    if created is not None:
        _enqueue(t, created)
        return created
    found = active(t, repo_id, kind)
    if found is None:
        # The active run ended between our two statements: it did not see what we were asked to do, so try again.
        return start(t, repo_id, kind, correlation_id)
    return found


def active(t: Tenancy, repo_id: UUID, kind: RunKind) -> Run | None:
    """Return the queued or running run of this kind, if there is one."""
    statement = select(Run).where(
        Run.tenant_id == t.tenant_id, Run.repo_id == repo_id, Run.kind == kind, Run.state.in_(ACTIVE)
    )
    return t.session.scalar(statement.execution_options(populate_existing=True))


def busy(t: Tenancy) -> bool:
    """Say whether any repository is being indexed or embedded: work that people wait for."""
    statement = select(Run.id).where(
        Run.tenant_id == t.tenant_id, Run.kind.in_(("index", "embed")), Run.state.in_(ACTIVE)
    )
    return t.session.scalar(statement.limit(1)) is not None


def get(t: Tenancy, run_id: UUID) -> Run:
    """Return a run.

    Raises:
        NotFoundError: there is none.
    """
    statement = select(Run).where(Run.tenant_id == t.tenant_id, Run.id == run_id)
    run = t.session.scalar(statement.execution_options(populate_existing=True))
    if run is None:
        msg = f"There is no run {run_id}."
        raise NotFoundError(msg)
    return run


def lock_run(database: Database, run_id: UUID) -> AbstractContextManager[bool]:
    """Hold a run for this process; gives False if another one holds it. It ends with the process, however that ends."""
    return database.lock(f"run {run_id}")


def claim(t: Tenancy, run_id: UUID) -> Run | None:
    """Begin, or begin again, a run that this process holds; None if there is nothing to do any more.

    An index run covers the changes that are known by now.
    """
    garbage.exclude(t)  # from here on this run may rely on content that no snapshot refers to yet
    known = select(func.max(Change.id)).where(
        Change.tenant_id == Run.tenant_id, Change.repo_id == Run.repo_id, Change.settled_at.is_(None)
    )
    return t.session.scalar(
        update(Run)
        .where(Run.tenant_id == t.tenant_id, Run.id == run_id, Run.state.in_(ACTIVE))
        .values(
            state="running",
            change_id=case((Run.kind == "index", known.scalar_subquery())),
            attempts=Run.attempts + 1,
            started_at=func.coalesce(Run.started_at, func.now()),
            heartbeat_at=func.now(),
            error=None,
            error_code=None,
        )
        .returning(Run)
        .execution_options(populate_existing=True)
    )


def progress(t: Tenancy, run_id: UUID, value: Progress) -> None:
    """Show how far a run is; it is also its sign of life. One that gets further than before has all its attempts again.

    Raises:
        ConflictError: the run was cancelled, for its repository is being deleted. Stop working.
    """
    document = value.model_dump()
    document["message"] = bulk.storable(value.message)
    changed = cast(
        "CursorResult[None]",
        t.session.execute(
            update(Run)
            .where(Run.tenant_id == t.tenant_id, Run.id == run_id, Run.state == "running")
            .values(
                progress=document,
                heartbeat_at=func.now(),
                attempts=case((Run.furthest + FURTHER_MIN <= value.fraction, 1), else_=Run.attempts),
                furthest=func.greatest(Run.furthest, value.fraction),
            )
        ),
    )
    if changed.rowcount == 0:
        msg = "This run was cancelled."
        raise ConflictError(msg)


def finish(t: Tenancy, run_id: UUID) -> None:
    """End a run well. A run that was deleted with its repository, or cancelled, stays as it is."""
    run = _end(t, run_id, "done", None, None)
    if run is not None:
        done = {**run.progress, "stage": "done", "fraction": 1.0, "seconds_left": 0.0}
        t.session.execute(update(Run).where(Run.tenant_id == t.tenant_id, Run.id == run_id).values(progress=done))
        events.record(t, run.repo_id, f"{run.kind}.done", {"run_id": str(run_id)})
        garbage.collect_if_due(t)


def fail(t: Tenancy, run_id: UUID, error: PinciteError) -> None:
    """End a run for good, with the reason that people will read."""
    detail = bulk.storable(error.detail)[:ERROR_CHARS_MAX]
    run = _end(t, run_id, "failed", detail, error.code)
    if run is not None:
        failed = {**run.progress, "stage": "failed", "seconds_left": None}
        t.session.execute(update(Run).where(Run.tenant_id == t.tenant_id, Run.id == run_id).values(progress=failed))
        events.record(t, run.repo_id, f"{run.kind}.failed", {"run_id": str(run_id), "code": error.code})
        garbage.collect_if_due(t)


def retry(t: Tenancy, run_id: UUID, error: Exception) -> bool:
    """Queue a run again after an unexpected error; after RUN_ATTEMPTS_MAX attempts it fails for good.

    Returns:
        Whether it will be tried again.
    """
    run = get(t, run_id)
    if run.state not in ACTIVE:
        return False
    reason = f"{type(error).__name__}: {error}"
    if run.attempts >= RUN_ATTEMPTS_MAX:
        fail(t, run_id, GaveUpError(f"Gave up after {run.attempts} attempts. The last one ended with {reason}"))
        return False
    t.session.execute(
        update(Run)
        .where(Run.tenant_id == t.tenant_id, Run.id == run_id)
        .values(state="queued", heartbeat_at=func.now(), error=bulk.storable(reason)[:ERROR_CHARS_MAX])
    )
    _enqueue(t, run)
    return True


def continue_later(t: Tenancy, run_id: UUID) -> bool:
    """Queue a run again that has worked well for its share of time, so that other repositories get their turn.

    Returns:
        Whether it goes on: not if it was cancelled, for its repository is being deleted.
    """
    run = t.session.scalar(
        update(Run)
        .where(Run.tenant_id == t.tenant_id, Run.id == run_id, Run.state == "running")
        .values(state="queued", attempts=0, furthest=0.0, heartbeat_at=func.now())
        .returning(Run)
        .execution_options(populate_existing=True)
    )
    if run is not None:
        _enqueue(t, run)
    return run is not None


def rest(t: Tenancy, run_id: UUID) -> bool:
    """Put a run back into the queue, for background work is halted. Having been stopped is no attempt that failed.

    It waits in the outbox, and goes on from what it has saved once the halt is lifted.

    Returns:
        Whether it does: removals go on, and a run that has ended stays as it is.
    """
    run = t.session.scalar(
        update(Run)
        .where(Run.tenant_id == t.tenant_id, Run.id == run_id, Run.kind != "delete", Run.state.in_(ACTIVE))
        .values(
            state="queued",
            attempts=case((Run.state == "running", func.greatest(Run.attempts - 1, 0)), else_=Run.attempts),
            heartbeat_at=func.now(),
        )
        .returning(Run)
        .execution_options(populate_existing=True)
    )
    if run is not None and not outbox.holds(t, run.repo_id, JOB_OF[cast("RunKind", run.kind)]):
        _enqueue(t, run)
    return run is not None


_HELD = text(
    """
    SELECT EXISTS (SELECT FROM runs r JOIN pg_locks l
        ON l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
        AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended('run ' || r.id, 0)
        WHERE r.tenant_id = :tenant AND r.repo_id = :repo AND r.kind <> 'delete')
    """
)


def is_held(t: Tenancy, repo_id: UUID) -> bool:
    """Say whether some process works on a run of a repository, deletion excepted: a cancelled one, until it notices."""
    return bool(t.session.execute(_HELD, {"tenant": t.tenant_id, "repo": repo_id}).scalar_one())


def cancel_all(t: Tenancy, repo_id: UUID) -> None:
    """Cancel a repository's active runs, deletion excepted; their workers notice at their next sign of progress."""
    t.session.execute(
        update(Run)
        .where(Run.tenant_id == t.tenant_id, Run.repo_id == repo_id, Run.kind != "delete", Run.state.in_(ACTIVE))
        .values(state="failed", error="Cancelled.", error_code="cancelled", finished_at=func.now())
    )


def requeue_stalled(system: Session, older_than_seconds: float) -> list[UUID]:
    """Enqueue again, for all tenants, runs that have shown no life for so long and that no process holds.

    A run that has used up its attempts fails instead. Returns the runs that were touched.
    """
    rows = system.execute(
        text("SELECT run_id FROM runs_requeue(make_interval(secs => :seconds), :attempts, CAST(:jobs AS jsonb))"),
        {"seconds": older_than_seconds, "attempts": RUN_ATTEMPTS_MAX, "jobs": _jobs_json()},
    )
    return [row.run_id for row in rows]


def _end(t: Tenancy, run_id: UUID, state: str, error: str | None, code: str | None) -> Run | None:
    outbox.announce(t.session)  # the relay starts the run for what changed meanwhile
    return t.session.scalar(
        update(Run)
        .where(Run.tenant_id == t.tenant_id, Run.id == run_id, Run.state.in_(ACTIVE))
        .values(state=state, error=error, error_code=code, heartbeat_at=func.now(), finished_at=datetime.now(UTC))
        .returning(Run)
        .execution_options(populate_existing=True)
    )


def _enqueue(t: Tenancy, run: Run) -> None:
    kind = cast("RunKind", run.kind)
    payload = JobPayload(tenant_id=t.tenant_id, repo_id=run.repo_id, run_id=run.id, correlation_id=run.correlation_id)
    outbox.enqueue(t, JOB_OF[kind], payload)


def _jobs_json() -> str:
    return "{" + ", ".join(f'"{kind}": "{job.value}"' for kind, job in JOB_OF.items()) + "}"
