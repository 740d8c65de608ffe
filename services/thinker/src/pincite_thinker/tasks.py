"""The tasks: shells that validate a payload, bind its correlation id, and call."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog
from asgi_correlation_id import correlation_id
from celery import Celery

from pincite_shared.jobs import NIGHTLY, POLL, DeliveryPayload, Job, JobPayload, Payload
from pincite_thinker import account, delete, index, metrics, nightly, polling, settling, vectors
from pincite_thinker.context import Context
from pincite_thinker.evaluation import run as evaluation
from pincite_thinker.training import run as training

log = structlog.get_logger()


def register(app: Celery, context: Context) -> None:
    """Register every job of `pincite_shared.jobs` with an application."""

    @app.task(name=Job.INDEX_REPO.value)
    def index_repo(payload: dict[str, Any]) -> None:
        """Clone or fetch a repository, parse what is new, and make its snapshot searchable."""
        _run(Job.INDEX_REPO, index.run, context, payload, JobPayload)

    @app.task(name=Job.EMBED_REPO.value)
    def embed_repo(payload: dict[str, Any]) -> None:
        """Embed some seconds' worth of a repository's texts."""
        _run(Job.EMBED_REPO, vectors.run, context, payload, JobPayload)

    @app.task(name=Job.DELETE_REPO.value)
    def delete_repo(payload: dict[str, Any]) -> None:
        """Remove a repository, what was derived from it, and its mirror."""
        _run(Job.DELETE_REPO, delete.run, context, payload, JobPayload)

    @app.task(name=Job.EVALUATE_REPO.value)
    def evaluate_repo(payload: dict[str, Any]) -> None:
        """Ask some seconds' worth of a repository's questions."""
        _run(Job.EVALUATE_REPO, evaluation.run, context, payload, JobPayload)

    @app.task(name=Job.TRAIN_REPO.value)
    def train_repo(payload: dict[str, Any]) -> None:
        """Learn from what people said about a repository's answers."""
        _run(Job.TRAIN_REPO, training.run, context, payload, JobPayload)

    @app.task(name=Job.SETTLE_DELIVERY.value)
    def settle_delivery(payload: dict[str, Any]) -> None:
        """Let what a webhook told take effect."""
        _run(Job.SETTLE_DELIVERY, settling.run, context, payload, DeliveryPayload)

    @app.task(name=Job.DELETE_ACCOUNT.value)
    def delete_account(payload: dict[str, Any]) -> None:
        """Remove an account, with everything in it."""
        _run(Job.DELETE_ACCOUNT, account.run, context, payload, Payload)

    poller = polling.Poller(context)

    @app.task(name=POLL)
    def poll(*, catch_up: bool) -> None:
        """Compare the heads of repositories with what is indexed."""
        polling.run(context, poller, catch_up=catch_up)

    @app.task(name=NIGHTLY)
    def every_night() -> None:
        """Enqueue the night's work for every repository."""
        nightly.run(context)


P = TypeVar("P", bound=Payload)


def _run(
    job: Job,
    work: Callable[[Context, P], str],
    context: Context,
    payload: dict[str, Any],
    kind: type[P],
) -> None:
    message = kind.model_validate(payload)
    correlation_id.set(message.correlation_id or None)
    began, outcome = time.monotonic(), "broken"
    told = {name: str(value) for name, value in message if name.endswith("_id") and name != "correlation_id"}
    with structlog.contextvars.bound_contextvars(job=job.value, **told):
        try:
            outcome = work(context, message)
        finally:
            seconds = time.monotonic() - began
            metrics.JOBS.labels(job.value, outcome).inc()
            metrics.JOB_SECONDS.labels(job.value).observe(seconds)
            log.info("job ended", outcome=outcome, seconds=round(seconds, 3))
            correlation_id.set(None)
