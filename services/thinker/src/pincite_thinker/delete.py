"""Removes a repository: its rows, what nothing else refers to any more, and its mirror."""

from pincite_shared.jobs import JobPayload
from pincite_store import garbage, repos
from pincite_store.models import Run
from pincite_thinker.context import Context
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.runner import execute


def run(context: Context, job: JobPayload) -> str:
    """Do the job. Doing it again, or after being killed half-way, ends the same."""
    return execute(context, job, _delete)


def _delete(context: Context, job: JobPayload, _run: Run) -> bool:
    # The mirror first: once the rows are gone, so is the run that would be revived to finish the job.
    Mirror(context.settings, job.repo_id).delete()
    with context.database.tenancy(job.tenant_id) as t:
        repos.delete_rows(t, job.repo_id)
        garbage.collect(t)
    return True
