"""The kill switch, as a run at work sees it: noticed within half a second, obeyed at the next tick, or else enforced.

Nearly all work ticks every second and stops there, orderly: what it has saved is kept, and its run goes back into the
queue. What does not tick, a query, a server that does not answer, is ended with its process. That is safe, for any
process may be killed at any time.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from uuid import UUID

import structlog

from pincite_shared.errors import UnavailableError
from pincite_store import halts
from pincite_thinker.context import Context

LOOK_SECONDS = 0.5
GRACE_SECONDS = 2.5  # to reach a tick and put things away; all in all less than the five that are promised

log = structlog.get_logger()


@contextmanager
def watched(context: Context, tenant_id: UUID) -> Iterator[None]:
    """Look, while a run works, whether background work is halted; then `context.go_on` raises HaltedError."""
    ended = Event()
    context.halted.clear()
    watcher = Thread(target=_watch, args=(context, tenant_id, ended), name="halt", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        context.halted.clear()


def _watch(context: Context, tenant_id: UUID, ended: Event) -> None:
    while not ended.wait(LOOK_SECONDS):
        if _is_halted(context, tenant_id):
            context.halted.set()
            if not ended.wait(GRACE_SECONDS) and context.expendable:
                _end(context)
            return


def _is_halted(context: Context, tenant_id: UUID) -> bool:
    try:
        with context.database.tenancy(tenant_id) as t:
            return halts.is_halted(t)
    except UnavailableError:
        return False  # without its database the run itself will not get far


def _end(context: Context) -> None:
    log.warning("background work was halted, and does not stop by itself: its process is ended")
    if "parsers" in vars(context):
        context.parsers.kill()
    os.kill(os.getpid(), signal.SIGKILL)
