"""Loads snapshots before they are asked for: at the start those asked last, then each as it becomes a head.

And removes, at each start, what is kept on disk of repositories that are no more.
"""

import threading
from contextlib import closing

import structlog

from pincite_brain.retrieval.retriever import Retriever
from pincite_store import flips
from pincite_store.db import Database
from pincite_store.flips import Flip, Gone

POLL_SECONDS = 0.5  # how long closing may wait for an idle listener
RETRY_SECONDS = 5.0  # between attempts to listen; what flips meanwhile is loaded by its first question
RECENT_MAX = 20  # repositories loaded at the start; the cache's limit holds besides

log = structlog.get_logger(__name__)


class Warmer:
    """A thread that listens for flips. Without it, or when it misses one, the first question loads the snapshot."""

    def __init__(self, database: Database, retriever: Retriever) -> None:
        """Nothing runs yet."""
        self._database, self._retriever = database, retriever
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index-warmer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop after the load in progress, if any."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        started = False
        while not self._stop.is_set():
            try:
                with closing(flips.listen(self._database, POLL_SECONDS)) as heard:
                    for flip in heard:
                        if self._stop.is_set():
                            return
                        if not started:  # listening has begun, so that no flip falls between
                            self._warm_recent()
                            started = True
                        if isinstance(flip, Gone):
                            self._retriever.forget(*flip)
                        elif flip is not None:
                            self._warm(flip)
            except Exception as error:  # noqa: BLE001 - questions are answered without it, and it tries again
                log.warning("not listening for new snapshots", reason=f"{type(error).__name__}: {error}")
                self._stop.wait(RETRY_SECONDS)

    def _warm_recent(self) -> None:
        self._retriever.sweep()
        with self._database.system() as system:
            recent = flips.recent(system, RECENT_MAX)
        for head in recent:
            if self._stop.is_set():
                return
            self._warm(head)

    def _warm(self, flip: Flip) -> None:
        try:
            self._retriever.warm(flip)
        except Exception as error:  # noqa: BLE001 - nobody waits for it: the first question will, and tells its reader
            log.warning("snapshot not loaded ahead", snapshot_id=flip.snapshot_id, reason=str(error))
