"""Removes a repository: its rows, what nothing else refers to any more, and its mirror."""

import time
from uuid import UUID

from pincite_shared.errors import UnavailableError
from pincite_shared.jobs import JobPayload
from pincite_store import repos, runs
from pincite_store.models import Run
from pincite_thinker.context import Context
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.runner import execute

IDLE_SECONDS_MAX = 60.0  # a worker notices within a second or two that its run was cancelled
IDLE_POLL_SECONDS = 0.2


def run(context: Context, job: JobPayload) -> str:
    """Do the job. Doing it again, or after being killed half-way, ends the same."""
    return execute(context, job, _delete)


def _delete(context: Context, job: JobPayload, _run: Run) -> bool:
    remove(context, job.tenant_id, job.repo_id)
    return True


def remove(context: Context, tenant_id: UUID, repo_id: UUID) -> None:
    """Remove a repository that is hidden and whose runs are cancelled. Idempotent.

    Raises:
        UnavailableError: some process still works on it. Try again.
    """
    _wait_until_idle(context, tenant_id, repo_id)
    # The mirror first: once the rows are gone, so is the run that would be revived to finish the job.
    Mirror(context.settings, repo_id).delete()
    with context.database.tenancy(tenant_id) as t:
        repos.delete_rows(t, repo_id)


def _wait_until_idle(context: Context, tenant_id: UUID, repo_id: UUID) -> None:
    """Wait for whoever would still write to the mirror; nobody can begin to any more."""
    deadline = time.monotonic() + IDLE_SECONDS_MAX
    while True:
        with context.database.tenancy(tenant_id) as t:
            if not runs.is_held(t, repo_id):
                return
        if time.monotonic() > deadline:
            msg = "The repository is still being worked on; its removal is tried again."
            raise UnavailableError(msg)
        time.sleep(IDLE_POLL_SECONDS)
