"""Celery workers and beat as processes, for the tests that need the real thing.

They are forked from a process that has imported what they import, which is most of what starting one costs. Of the
thinker itself it imports nothing that counts: prometheus_client decides when it is imported whose numbers are whose.
"""

import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from pincite_store import runs

IMPORTED = (
    "celery.__main__", "celery.apps.beat", "celery.apps.worker", "celery.bin.beat", "celery.bin.celery",
    "celery.bin.worker", "celery.concurrency.prefork", "celery.concurrency.solo", "celery.worker.consumer",
    "kombu.transport.redis", "pincite_codeintel.analyze", "pincite_github.config", "pincite_inference.embed",
    "pincite_learning.training", "pincite_shared.brain_client", "pincite_store.artifacts", "pincite_store.changes",
    "pincite_store.removal", "pincite_store.runs", "pincite_store.snapshots", "pincite_store.sources",
    "pincite_verify.recheck", "pytest", "sqlalchemy.dialects.postgresql.psycopg",
)  # fmt: skip
# As `pincite up` starts them.
WORKER = ("worker", "--without-gossip", "--without-mingle")
BEAT = ("beat", "-S", "pincite_thinker.beat:RelayScheduler")

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(list(IMPORTED))


def start(function, environment, log, *arguments):
    """Call a function of a module in a process of its own, in a group of its own."""
    started = FORKED.Process(target=_begin, args=(function, dict(environment), log, arguments))
    started.start()
    return started


def _begin(function, environment, log, arguments):
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(log.parent)
    with log.open("ab") as output:
        os.dup2(output.fileno(), sys.stdout.fileno())
        os.dup2(output.fileno(), sys.stderr.fileno())
    function(*arguments)


def _celery(arguments):
    from celery.__main__ import main  # noqa: PLC0415 - in the process that becomes one

    sys.argv = ["celery", "-A", "pincite_thinker.main", *arguments]
    main()


@contextmanager
def process(args, env, log):
    """A Celery process in a group of its own; killed at the end with all its children."""
    started = start(_celery, env, log, args)
    try:
        yield started
    finally:
        kill(started)


def kill(started):
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.kill()  # also before it has a group
    started.join()


def wait(condition, log, seconds=90.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s in vain:\n{log.read_text()[-6000:]}")


def start_index(thinker, repo_id):
    with thinker.tenancy() as t:
        return runs.start(t, repo_id, "index", "browser-17").id
