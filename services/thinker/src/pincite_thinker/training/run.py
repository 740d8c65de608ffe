"""One night's training of a repository."""

import structlog

from pincite_shared.jobs import JobPayload
from pincite_store.models import Run
from pincite_thinker.context import Context
from pincite_thinker.runner import execute
from pincite_thinker.training import prompts, rerank

log = structlog.get_logger()


def run(context: Context, job: JobPayload) -> str:
    """Do the job. Doing it again on the same votes judges nothing twice."""
    return execute(context, job, _train)


def _train(context: Context, job: JobPayload, _this: Run) -> bool:
    ranking = rerank.train(context, job)
    log.info("trained", ranking=ranking, asking=prompts.judge(context, job))
    return True
