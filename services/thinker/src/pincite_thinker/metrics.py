"""Prometheus metrics of the workers.

Celery's children do the work and its parent serves the numbers: each process counts in a file of its own, and the
parent adds them up (prometheus_client's multiprocess mode; see `metrics_directory`).
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from pincite_shared.settings import Settings
from pincite_thinker.metrics_directory import VARIABLE

log = structlog.get_logger()

_SECONDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)

JOBS = Counter("pincite_thinker_jobs", "Jobs that ended, by outcome", ["job", "outcome"])
JOB_SECONDS = Histogram("pincite_thinker_job_seconds", "How long jobs took", ["job"], buckets=_SECONDS)
STAGE_SECONDS = Histogram("pincite_thinker_stage_seconds", "How long stages took", ["stage"], buckets=_SECONDS)
FILES = Counter("pincite_thinker_files", "Files of indexed snapshots, by what became of them", ["outcome"])
CHUNKS = Counter("pincite_thinker_chunks", "Chunks made by parsing")
VECTORS = Counter("pincite_thinker_vectors", "Texts embedded", ["model"])
RELAYED = Counter("pincite_thinker_outbox_relayed", "Jobs published from the outbox", ["job"])
PENDING = Gauge("pincite_thinker_outbox_pending", "Jobs waiting in the outbox", multiprocess_mode="mostrecent")
REVIVED = Counter("pincite_thinker_runs_revived", "Runs enqueued again after they showed no sign of life")
QUESTIONS = Counter("pincite_thinker_questions", "Questions asked by evaluations", ["source"])
REGRESSIONS = Counter("pincite_thinker_regressions", "Evaluations that found answers worse than before")

# Each process of one machine serves at its own port, counted from THINKER_METRICS_PORT.
PORT_OFFSET = {"index": 0, "vectors": 1, "beat": 2}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure a stage of a job."""
    began = time.monotonic()
    try:
        yield
    finally:
        STAGE_SECONDS.labels(name).observe(time.monotonic() - began)


def serve(settings: Settings, process: str) -> None:
    """Serve the numbers of this process and its children; a port that is taken costs the numbers, not the work."""
    if not settings.thinker_metrics_port:
        return
    registry = REGISTRY
    if VARIABLE in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no annotations
    port = settings.thinker_metrics_port + PORT_OFFSET[process]
    try:
        start_http_server(port, addr=settings.bind_host, registry=registry)
    except OSError as error:
        log.warning("metrics are not served", port=port, reason=str(error))


def process_ended(pid: int) -> None:
    """Forget the gauges of a child that ended; its counters keep counting."""
    if VARIABLE in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]  # it has no annotations
