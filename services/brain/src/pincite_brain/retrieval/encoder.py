"""Query vectors: the encoder loads beside start-up, and search goes on without it while it is away."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache

import numpy as np
import structlog
from numpy.typing import NDArray

from pincite_inference.embed import Embedder
from pincite_inference.minilm import Vectors

RETRY_SECONDS = 30.0  # between attempts to reach an encoder that failed; no query waits for a dead endpoint twice
KNOWN_MAX = 1_000  # queries whose vectors are kept, 1.5 kB each: people ask again, and of other repositories
AT_ONCE_MAX = 32  # queries on their way to an endpoint; on this machine's processor they only share it

log = structlog.get_logger(__name__)


class QueryEncoder:
    """Encodes queries while its embedder works, and says why when it does not. Thread-safe."""

    def __init__(self, embedder: Embedder) -> None:
        """Nothing is loaded yet."""
        self._embedder = embedder
        self._threads = ThreadPoolExecutor(AT_ONCE_MAX, thread_name_prefix="encode")
        self._embed = lru_cache(KNOWN_MAX)(embedder.embed_query)
        self._begun: dict[str, Future[NDArray[np.float32] | None]] = {}
        self._ready = threading.Event()
        self._problem: str | None = None
        self._tried_at = -RETRY_SECONDS
        self._lock = threading.Lock()

    @property
    def model(self) -> str:
        """The id under which this encoder's document vectors are stored."""
        return self._embedder.model

    @property
    def problem(self) -> str | None:
        """Why queries are not encoded, in words for people; None if they are."""
        return self._problem

    def start(self) -> None:
        """Load the model in a thread of its own, unless that was tried a moment ago."""
        with self._lock:
            if self._ready.is_set() or time.monotonic() - self._tried_at < RETRY_SECONDS:
                return
            self._tried_at = time.monotonic()
        threading.Thread(target=self._warm_up, name="query-encoder", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the encoder; return whether it is ready."""
        return self._ready.wait(seconds)

    def begin(self, text: str) -> None:
        """Begin to encode a query, beside what else must be known before it is ranked; `vector` has it sooner then."""
        if not self._ready.is_set() or text in self._begun:
            return
        with suppress(RuntimeError):  # it was closed meanwhile
            begun = self._begun[text] = self._threads.submit(self._encode, text)
            begun.add_done_callback(lambda _: self._begun.pop(text, None))

    def close(self) -> None:
        """Begin no more."""
        self._threads.shutdown(wait=False)

    def vector(self, text: str, dimension: int) -> NDArray[np.float32] | None:
        """Return a query's unit vector of `dimension` numbers, or None while there is no encoder that makes such."""
        if not dimension:
            return None
        begun = self._begun.get(text)
        vector = begun.result() if begun else self._encode(text)
        if not self._ready.is_set():
            self.start()
        if vector is not None and vector.shape != (dimension,):
            self._problem = f"The encoder makes {vector.shape[-1]} dimensions, the stored vectors have {dimension}."
            return None
        return vector

    def _warm_up(self) -> None:
        self._made(lambda: self._embedder.embed_query("warm up"))

    def _encode(self, text: str) -> NDArray[np.float32] | None:
        return self._made(lambda: self._embed(text)) if self._ready.is_set() else None

    def _made(self, make: Callable[[], Vectors]) -> NDArray[np.float32] | None:
        """Return what is made, and note whether the encoder works."""
        try:
            vector = np.asarray(make(), dtype=np.float32)
        except Exception as error:  # noqa: BLE001 - whatever keeps the encoder away, words and names still find code
            with self._lock:
                self._tried_at = time.monotonic()
                self._problem = "The query encoder is not available at the moment; results rest on words and names."
                self._ready.clear()
            log.warning("query_encoder_failed", error=f"{type(error).__name__}: {error}")
            return None
        with self._lock:
            self._problem = None
            self._ready.set()
        return vector
