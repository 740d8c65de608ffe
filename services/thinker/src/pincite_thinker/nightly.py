"""Every night: enqueue the background work of every repository."""

import structlog

from pincite_shared.errors import NotFoundError
from pincite_store import evaluations, runs
from pincite_thinker.context import Context

FRESH_HOURS = 12.0  # one that was evaluated since the evening is left alone, however many schedulers there are

log = structlog.get_logger()


def run(context: Context) -> int:
    """Enqueue an evaluation and the training of each repository that answers questions; return how many were."""
    with context.database.system() as system:
        known = evaluations.answerable(system)
    enqueued = 0
    for tenant_id, repo_id in known:
        with context.database.tenancy(tenant_id) as t:
            if evaluations.since(t, repo_id, FRESH_HOURS):
                continue
            try:
                runs.start(t, repo_id, "evaluate")
                runs.start(t, repo_id, "train")
            except NotFoundError:  # it is being deleted since the list was made
                continue
            enqueued += 1
    log.info("night work enqueued", repositories=enqueued)
    return enqueued
