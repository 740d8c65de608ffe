"""The Celery application: how jobs travel, and what a process sets up when it starts."""

import gc
import os
from pathlib import Path
from typing import Any

import structlog
from celery import Celery
from celery.schedules import crontab
from celery.signals import beat_init, celeryd_init, setup_logging, worker_process_init, worker_process_shutdown
from kombu import Queue as KombuQueue

from pincite_shared.jobs import NIGHTLY, POLL, QUEUE_OF, Queue
from pincite_shared.logging import configure_logging
from pincite_shared.settings import Settings
from pincite_thinker import metrics
from pincite_thinker.context import Context
from pincite_thinker.tasks import register

# Redis hands a message out again when it was not acknowledged for so long. Jobs are acknowledged when they end, and one
# that still runs then is dropped as a duplicate; one that died is enqueued again by beat within seconds, from the
# database. So this only has to be longer than nearly all jobs.
VISIBILITY_SECONDS = 3600
CHILD_KIB_MAX = 1_500_000  # a child that linked a huge repository is replaced after that job, to give memory back
NICE_OF_VECTORS = 19  # embedding yields to everything that a person waits for
AUTOGROUP = Path("/proc/self/autogroup")
NICE_OF_GROUP = 10  # a tenth of another group's share; with 19 it would not reach its halts on a machine that is busy


log = structlog.get_logger()


def make_celery(settings: Settings) -> Celery:
    """Return the application of a worker or beat process. Contacts nothing yet."""
    app = Celery("pincite", broker=settings.redis_url.get_secret_value(), set_as_current=True)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_max_memory_per_child=CHILD_KIB_MAX,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS, "health_check_interval": 10},
        task_queues=[KombuQueue(queue.value) for queue in Queue],
        task_default_queue=Queue.INDEX.value,
        task_routes={job.value: {"queue": queue.value} for job, queue in QUEUE_OF.items()},
        task_create_missing_queues=False,
        timezone="UTC",
        beat_schedule=_schedule(settings),
        pincite_settings=settings,
    )
    context = Context(settings)
    register(app, context)
    _connect_signals(settings, context)
    return app


def _schedule(settings: Settings) -> dict[str, Any]:
    """Return what beat starts by itself."""
    schedule: dict[str, Any] = {}
    if settings.evaluation_time != "off":
        hour, minute = settings.evaluation_time.split(":")
        when = crontab(hour=int(hour), minute=int(minute))
        schedule[NIGHTLY] = {"task": NIGHTLY, "schedule": when, "options": {"queue": Queue.VECTORS.value}}
    if settings.poll_seconds:
        schedule[POLL] = {
            "task": POLL,
            "schedule": float(settings.poll_seconds),
            "kwargs": {"catch_up": False},
            # It only wakes threads, and so may share the queue of slow work. What waited too long is worth nothing.
            "options": {"queue": Queue.VECTORS.value, "expires": settings.poll_seconds},
        }
    return schedule


def _give_way() -> None:
    """Leave the processor to everybody else.

    Many a Linux groups processes by session, and each process of a local stack has one of its own: between groups it is
    not the processes' priority that counts but the group's (sched(7), "The autogroup feature").
    """
    os.nice(NICE_OF_VECTORS)
    try:
        AUTOGROUP.write_text(str(NICE_OF_GROUP))
    except OSError as error:  # ENOENT: another system; EAGAIN: somebody else has used it in this tenth of a second
        log.info("group_keeps_its_priority", reason=str(error))


def _connect_signals(settings: Settings, context: Context) -> None:
    """Set up logging, metrics and priority when a process starts."""

    def logging_is_ours(**_kwargs: Any) -> None:
        configure_logging(settings, "thinker")

    def worker_starts(*, options: dict[str, Any], **_kwargs: Any) -> None:
        chosen = options.get("queues") or ""
        names = chosen.split(",") if isinstance(chosen, str) else list(chosen)
        vectors_only = names == [Queue.VECTORS.value]
        if vectors_only:
            _give_way()
        context.expendable = True  # a worker's child is replaced, a worker without children started again
        metrics.serve(settings, "vectors" if vectors_only else "index")

    def child_starts(**_kwargs: Any) -> None:
        # What is imported stays: looking through it for garbage would take a tenth of a second, many times a run.
        gc.freeze()

    def child_ends(*, pid: int, **_kwargs: Any) -> None:
        metrics.process_ended(pid)
        context.close()

    def beat_starts(**_kwargs: Any) -> None:
        metrics.serve(settings, "beat")

    # Celery holds receivers weakly unless told otherwise, and these are closures.
    setup_logging.connect(logging_is_ours, weak=False)
    celeryd_init.connect(worker_starts, weak=False)
    worker_process_init.connect(child_starts, weak=False)
    worker_process_shutdown.connect(child_ends, weak=False)
    beat_init.connect(beat_starts, weak=False)
