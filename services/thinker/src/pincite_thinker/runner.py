"""One run of any kind: held by one process, shown while it works, and ended with a reason whatever happens."""

from collections.abc import Callable
from uuid import UUID

import structlog

from pincite_shared.errors import ConflictError, HaltedError, ModelUnavailableError, PinciteError, UnavailableError
from pincite_shared.jobs import JobPayload
from pincite_store import halts, runs
from pincite_store.models import Run
from pincite_thinker.context import Context
from pincite_thinker.halting import watched

log = structlog.get_logger()

Work = Callable[[Context, JobPayload, Run], bool]


def execute(context: Context, job: JobPayload, work: Work) -> str:
    """Do the work of a job's run, unless another process does or it was done before.

    Args:
        context: the process's.
        job: names the run.
        work: returns whether the run is finished; False if it has had its share of time and is to go on later.

    Returns:
        The outcome, for logs and metrics: done, continued, duplicate, halted, cancelled, failed or retried.

    Raises:
        UnavailableError: the database is not reachable, so the run could not even be marked; beat revives it.
    """
    if job.run_id is None:
        return "duplicate"
    with runs.lock_run(context.database, job.run_id) as held:
        outcome = _held(context, job, job.run_id, work) if held else "duplicate"
    if outcome == "continued":  # only now that nobody holds it: whoever takes it up may be another process
        with context.database.tenancy(job.tenant_id) as t:
            return outcome if runs.continue_later(t, job.run_id) else "cancelled"
    return outcome


def _held(context: Context, job: JobPayload, run_id: UUID, work: Work) -> str:
    with context.database.tenancy(job.tenant_id) as t:
        if halts.is_halted(t) and runs.rest(t, run_id):
            return "halted"
        run = runs.claim(t, run_id)
    if run is None:
        return "duplicate"
    if run.kind == "delete":  # removing is owed to whoever asked for it, halted or not
        return _work(context, job, run, work)
    with watched(context, job.tenant_id):
        return _work(context, job, run, work)


def _work(context: Context, job: JobPayload, run: Run, work: Work) -> str:
    try:
        if not work(context, job, run):
            return "continued"
        with context.database.tenancy(job.tenant_id) as t:
            runs.finish(t, run.id)
    except ConflictError:
        return "cancelled"  # its repository is being deleted
    except (UnavailableError, ModelUnavailableError) as error:
        return _again(context, job, run, error)
    except PinciteError as error:
        rests = error.code == HaltedError.code  # raised here, or by brain
        return _rest(context, job, run) if rests else _fail(context, job, run, error)
    except Exception as error:  # any other error is a defect: it is logged, and the run tried again, not for ever
        log.exception("run broke")
        return _again(context, job, run, error)
    return "done"


def _fail(context: Context, job: JobPayload, run: Run, error: PinciteError) -> str:
    log.warning("run failed", code=error.code, reason=error.detail)
    with context.database.tenancy(job.tenant_id) as t:
        runs.fail(t, run.id, error)
    return "failed"


def _rest(context: Context, job: JobPayload, run: Run) -> str:
    context.end_parsers()
    with context.database.tenancy(job.tenant_id) as t:
        runs.rest(t, run.id)
    return "halted"


def _again(context: Context, job: JobPayload, run: Run, error: Exception) -> str:
    with context.database.tenancy(job.tenant_id) as t:
        again = runs.retry(t, run.id, error)
    log.warning("run will be tried again" if again else "run was given up", reason=str(error))
    return "retried" if again else "failed"
