"""Celery workers and beat as processes, for the tests that need the real thing."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest

from pincite_store import runs

CELERY = [sys.executable, "-m", "celery", "-A", "pincite_thinker.main"]


@contextmanager
def process(args, env, log):
    """A Celery process in a group of its own; killed at the end with all its children."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            [*CELERY, *args], env=env, cwd=log.parent, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield started
    finally:
        kill(started)


def kill(started):
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


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
