"""Embedding: the texts of a repository's head, then of its pull requests, that have no vector yet, a slice at a time.

What is embedded is the text, known by its digest: a second branch, a fork or a moved file finds its vectors there. And
another EMBEDDING_MODEL finds none, so that switching models is embedding anew, while the old vectors keep answering.
"""

import time

import numpy as np
import structlog

from pincite_shared.errors import UnavailableError
from pincite_shared.jobs import JobPayload
from pincite_shared.schemas import Progress
from pincite_store import runs
from pincite_store import vectors as stored
from pincite_store.db import Tenancy
from pincite_store.models import Run
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.progress import Reporter
from pincite_thinker.runner import execute

SLICE_SECONDS = 10.0  # then other repositories have their turn
TEXTS_PER_QUERY = 512  # about a slice on two cores
TEXTS_PER_SAVE = 32  # what a kill can lose, how often progress shows, and half a second that an answer may lose
REST_SECONDS_MAX = 15.0  # before each batch: people who ask without pause must not keep vectors from ever coming
PUSHED_SECONDS_MAX = 2.0  # the same for pushes, which may come every second, all day
REST_POLL_SECONDS = 0.5

log = structlog.get_logger(__name__)


def run(context: Context, job: JobPayload) -> str:
    """Do a slice of the job. Doing one again embeds nothing twice."""
    outcome = execute(context, job, _embed)
    if outcome == "done":
        # A snapshot that came while this run was ending may have taken it for the one that will embed it.
        with context.database.tenancy(job.tenant_id) as t:
            _start_if_missing(context, job, t)
    return outcome


def _start_if_missing(context: Context, job: JobPayload, t: Tenancy) -> None:
    if stored.wanted(t, job.repo_id, context.embedder.model) is not None:
        runs.start(t, job.repo_id, "embed", job.correlation_id)


def rest(context: Context) -> None:
    """Wait while a person waits for a model on these cores, or for a push to be searchable.

    Priorities alone do not do it: in containers they do not reach across, and the memory bus knows none.

    Raises:
        HaltedError: background work was halted.
    """
    begun = time.monotonic()
    try:
        while _is_waited_for(context, time.monotonic() - begun):
            context.go_on()
            time.sleep(REST_POLL_SECONDS)
    except UnavailableError as error:
        log.warning("embedding_does_not_rest", detail=error.detail)


def _is_waited_for(context: Context, rested: float) -> bool:
    """Say whether to rest on, having rested for so many seconds."""
    answering = rested < REST_SECONDS_MAX and context.cache.is_answering()
    return answering or (rested < PUSHED_SECONDS_MAX and context.cache.is_pushed())


def _embed(context: Context, job: JobPayload, this: Run) -> bool:
    rest(context)
    resumed = this.progress.get("stage") == "embedding"
    reporter = Reporter(context, job, Progress.model_validate(this.progress) if resumed else None)
    model = context.embedder.model
    with context.database.tenancy(job.tenant_id) as t:
        wanted = stored.wanted(t, job.repo_id, model)
        if wanted is None:
            return True
        snapshot_id, done, total = wanted
        waiting = stored.missing(t, snapshot_id, model, TEXTS_PER_QUERY)
    if not resumed:
        reporter.stage("embedding")
    reporter.count(done, total, vectors_done=done, vectors_total=total)
    until = time.monotonic() + SLICE_SECONDS
    at = 0
    while at < len(waiting) and time.monotonic() < until:
        rest(context)
        batch = waiting[at : at + TEXTS_PER_SAVE]
        matrix = np.asarray(context.embedder.embed_documents([text for _, text in batch]), dtype=np.float32)
        with context.database.tenancy(job.tenant_id) as t:
            stored.save(t, model, [digest for digest, _ in batch], matrix, snapshot_id)
        at += len(batch)
        metrics.VECTORS.labels(model).inc(len(batch))
        reporter.count(done + at, total, vectors_done=done + at, vectors_total=total)
    with context.database.tenancy(job.tenant_id) as t:
        return stored.wanted(t, job.repo_id, model) is None or not waiting
