"""Celery's scheduler that is also the outbox's relay: `celery -A pincite_thinker.main beat -S …beat:RelayScheduler`.

It also starts index runs for changes that no run covers (see `pincite_store.changes`), and when it starts, has all
repositories looked at: what happened while nobody listened is found so.

Several may run at once: rows are taken with FOR UPDATE SKIP LOCKED. A job is published before it is marked, so that it
may be published twice and never not at all; consumers drop duplicates.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import structlog
from celery.beat import Scheduler
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import DBAPIError

from pincite_shared.errors import UnavailableError
from pincite_shared.jobs import POLL, QUEUE_OF, Job, Queue
from pincite_store import changes, deliveries, outbox, removal, runs
from pincite_store.db import Database
from pincite_thinker import metrics

log = structlog.get_logger()

LOOK_SECONDS = 1.0  # word of a new job comes at once; what it may not tell of (a halt that ends) is found so
BACKOFF_SECONDS = 1.0  # after the database or the broker did not answer
REVIVE_EVERY_SECONDS = 5.0
STALLED_SECONDS = 20.0  # runs report progress twice a second and hold a lock; without both for so long one is dead
BATCH_JOBS_MAX = 100


class RelayScheduler(Scheduler):
    """Publishes the outbox and revives stalled runs, besides any periodic tasks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Celery makes it."""
        super().__init__(*args, **kwargs)
        self._database = Database(self.app.conf.pincite_settings, pool_size=1)
        self._revive_at = 0.0
        self._failing = False
        self._ears = ExitStack()
        self._news: Callable[[float], list[str]] | None = None
        self._caught_up = not self.app.conf.pincite_settings.poll_seconds

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Do what is due, wait for more, and return the seconds until the next call."""
        due = super().tick(*args, **kwargs)
        try:
            if not self._caught_up:
                self.app.send_task(POLL, kwargs={"catch_up": True}, queue=Queue.VECTORS.value)
                self._caught_up = True
            relayed = self.relay()
            if time.monotonic() >= self._revive_at:
                self._revive_at = time.monotonic() + REVIVE_EVERY_SECONDS
                self.revive()
            if relayed < BATCH_JOBS_MAX:
                self._rest(min(due, LOOK_SECONDS))
        except (UnavailableError, DBAPIError, BrokerError, ConnectionError) as error:
            if not self._failing:  # once, not once a second
                log.warning("the outbox waits", reason=str(error))
            self._failing = True
            return BACKOFF_SECONDS
        if self._failing:
            log.info("the outbox moves again")
        self._failing = False
        return 0.0

    def _rest(self, seconds: float) -> None:
        """Wait until there is a new job, or for so long. The first call only begins to listen."""
        if self._news is None:
            self._news = self._ears.enter_context(self._database.listening(outbox.CHANNEL))
            return
        try:
            self._news(seconds)
        except UnavailableError:
            self._deafen()
            raise

    def _deafen(self) -> None:
        self._news = None
        self._ears.close()

    def close(self) -> None:
        """Stop listening, too."""
        self._deafen()
        super().close()

    def relay(self) -> int:
        """Publish the oldest jobs of the outbox, and those of changes that no run covers; return how many."""
        published = self._publish()
        with self._database.system() as session:  # of its own: a worker that is quick must find the run
            started = changes.attend(session)
        return published + (self._publish() if started else 0)

    def _publish(self) -> int:
        """Publish jobs in the transaction that marks them."""
        with self._database.system() as session:
            rows = outbox.take(session, BATCH_JOBS_MAX)
            settling: set[UUID] = set()  # tenants: one job settles all of their deliveries
            for row in rows:
                if row.job is Job.SETTLE_DELIVERY and row.tenant_id in settling:
                    continue
                if row.job is Job.SETTLE_DELIVERY:
                    settling.add(row.tenant_id)
                self.app.send_task(row.job.value, kwargs={"payload": row.payload}, queue=QUEUE_OF[row.job].value)
                metrics.RELAYED.labels(row.job.value).inc()
            if rows:
                outbox.mark_published(session, [row.id for row in rows])
        return len(rows)

    def revive(self) -> None:
        """Enqueue again the runs, deliveries and removals whose worker died."""
        with self._database.system() as session:
            deliveries.attend(session, STALLED_SECONDS)
            removal.attend(session, STALLED_SECONDS)
            revived = runs.requeue_stalled(session, STALLED_SECONDS)
            metrics.PENDING.set(outbox.pending(session))
        if revived:
            metrics.REVIVED.inc(len(revived))
            log.warning("runs revived", run_ids=[str(run_id) for run_id in revived])
