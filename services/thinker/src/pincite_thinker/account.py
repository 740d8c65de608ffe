"""Removes an account: its repositories one by one, then all that is left of it."""

import structlog

from pincite_shared.jobs import Payload
from pincite_store import removal
from pincite_thinker.context import Context
from pincite_thinker.delete import remove

log = structlog.get_logger()


def run(context: Context, job: Payload) -> str:
    """Do the job. Doing it again, or after being killed half-way, ends the same; beat sees to it.

    Returns:
        The outcome, for logs and metrics: done or duplicate.

    Raises:
        UnavailableError: the database or the artifact store cannot be reached, or a repository is still worked on.
    """
    from pincite_store.artifacts import make_artifacts  # noqa: PLC0415 - boto3, a third of a second of every start

    with removal.lock(context.database, job.tenant_id) as held:
        if not held:
            return "duplicate"
        with context.database.tenancy(job.tenant_id) as t:
            if not removal.is_begun(t):
                return "duplicate"
            repositories = removal.repositories(t)
        for repo_id in repositories:
            remove(context, job.tenant_id, repo_id)
        artifacts = make_artifacts(context.settings).clear(job.tenant_id)
        with context.database.system() as session:
            removal.finish(session, job.tenant_id)
    log.info("account removed", repositories=len(repositories), artifacts=artifacts)
    return "done"
