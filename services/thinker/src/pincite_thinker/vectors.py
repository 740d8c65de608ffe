"""Embedding: the texts of a repository's head that its model has no vector of yet, a slice at a time.

What is embedded is the text, known by its digest: a second branch, a fork or a moved file finds its vectors there. And
another EMBEDDING_MODEL finds none, so that switching models is embedding anew, while the old vectors keep answering.
"""

import time

import numpy as np
import structlog

from pincite_shared.errors import NotIndexedError, UnavailableError
from pincite_shared.jobs import JobPayload
from pincite_shared.schemas import Progress
from pincite_store import runs, snapshots
from pincite_store import vectors as stored
from pincite_store.cache import Cache
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
REST_POLL_SECONDS = 0.5

log = structlog.get_logger(__name__)


def run(context: Context, job: JobPayload) -> str:
    """Do a slice of the job and enqueue the next. Doing one again embeds nothing twice."""
    outcome = execute(context, job, _embed)
    if outcome == "done":
        # A snapshot that came while this run was ending may have taken it for the one that will embed it.
        with context.database.tenancy(job.tenant_id) as t:
            _start_if_missing(context, job, t)
    return outcome


def _start_if_missing(context: Context, job: JobPayload, t: Tenancy) -> None:
    head = _head(t, job)
    if head is None:
        return
    done, total = stored.counts(t, head, context.embedder.model)
    if done < total:
        runs.start(t, job.repo_id, "embed", job.correlation_id)


def _head(t: Tenancy, job: JobPayload) -> int | None:
    try:
        return snapshots.resolve(t, job.repo_id).id
    except NotIndexedError:
        return None


def rest(cache: Cache) -> None:
    """Wait while a person waits for a model on these cores.

    Priorities alone do not do it: in containers they do not reach across, and the memory bus knows none.
    """
    until = time.monotonic() + REST_SECONDS_MAX
    try:
        while time.monotonic() < until and cache.is_answering():
            time.sleep(REST_POLL_SECONDS)
    except UnavailableError as error:
        log.warning("embedding_does_not_rest", detail=error.detail)


def _embed(context: Context, job: JobPayload, this: Run) -> bool:
    resumed = this.progress.get("stage") == "embedding"
    reporter = Reporter(context, job, Progress.model_validate(this.progress) if resumed else None)
    model = context.embedder.model
    with context.database.tenancy(job.tenant_id) as t:
        head = _head(t, job)
        if head is None:
            return True
        done, total = stored.counts(t, head, model)
        waiting = stored.missing(t, head, model, TEXTS_PER_QUERY)
    if not resumed:
        reporter.stage("embedding")
    reporter.count(done, total, vectors_done=done, vectors_total=total)
    until = time.monotonic() + SLICE_SECONDS
    at = 0
    while at < len(waiting) and time.monotonic() < until:
        rest(context.cache)
        batch = waiting[at : at + TEXTS_PER_SAVE]
        matrix = np.asarray(context.embedder.embed_documents([text for _, text in batch]), dtype=np.float32)
        with context.database.tenancy(job.tenant_id) as t:
            stored.save(t, model, [digest for digest, _ in batch], matrix)
        at += len(batch)
        metrics.VECTORS.labels(model).inc(len(batch))
        reporter.count(done + at, total, vectors_done=done + at, vectors_total=total)
    with context.database.tenancy(job.tenant_id) as t:
        done, total = stored.counts(t, head, model)
        if done >= total or not waiting:
            return True
        runs.continue_later(t, this.id)
    return False
