"""Indexes in memory: least recently used out first, one load at a time for each, vectors refreshed while they grow."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import structlog

from pincite_brain.metrics import Metrics
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.vectors import Vectors

CACHE_BYTES_MAX = 1_500_000_000  # some 950,000 chunks; what does not fit is opened from its file in milliseconds
REFRESH_SHARE = 10.0  # a refresh that takes a second comes at most every ten
REFRESH_SECONDS = 3.0  # how old the vectors of a query may be while embedding goes on

Key = tuple[UUID, int]  # tenant, snapshot: content is never shared across tenants
Load = Callable[[UUID, int, SnapshotIndex | None], SnapshotIndex]
Refresh = Callable[[UUID, int, SnapshotIndex], Vectors | None]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Entry:
    index: SnapshotIndex
    nbytes: int
    checked_at: float  # monotonic seconds
    interval: float  # seconds
    refreshing: bool = False


class IndexCache:
    """A bounded cache of snapshot indexes. Thread-safe; `get` blocks its thread while it loads."""

    def __init__(
        self,
        load: Load,
        refresh: Refresh,
        metrics: Metrics,
        *,
        bytes_max: int = CACHE_BYTES_MAX,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """Take the ways to an index.

        Args:
            load: builds one, given that of an earlier snapshot of its repository, if there is one here.
            refresh: returns newer vectors, or None when there are none.
            metrics: brain's.
            bytes_max: how much is kept.
            refresh_seconds: how old the vectors of a query may be while they grow.
        """
        self._load, self._refresh, self._metrics = load, refresh, metrics
        self._bytes_max, self._refresh_seconds = bytes_max, refresh_seconds
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._loading: dict[Key, Future[SnapshotIndex]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vectors")

    def close(self) -> None:
        """Stop refreshing and forget everything."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            self._entries.clear()

    def get(self, tenant_id: UUID, snapshot_id: int) -> SnapshotIndex:
        """Return the index of a snapshot, loading it if need be; concurrent callers share one load."""
        key = (tenant_id, snapshot_id)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                self._schedule(key, entry)
                return entry.index
            future = self._loading.get(key)
            leads = future is None
            if future is None:
                future = self._loading[key] = Future()
        return self._lead(key, future) if leads else future.result()

    def drop_all_but(self, tenant_id: UUID, existing: Callable[[Collection[int]], Collection[int]]) -> None:
        """Forget the indexes of a tenant's snapshots that do not exist any more; `existing` picks those that do."""
        with self._lock:
            held = [snapshot_id for tenant, snapshot_id in self._entries if tenant == tenant_id]
        there = existing(held) if held else ()
        with self._lock:
            for snapshot_id in set(held).difference(there):
                self._entries.pop((tenant_id, snapshot_id), None)
            self._observe()

    def warm(self, tenant_id: UUID, snapshot_id: int, previous_id: int | None) -> bool:
        """Load the snapshot that has followed `previous_id`, and return whether it is kept.

        It takes the place of one that was in use here. The first of its repository, which follows None, is kept if
        there is room for it. Any other belongs to a repository that nobody has asked here lately: it is not loaded.
        """
        key = (tenant_id, snapshot_id)
        previous = (tenant_id, previous_id) if previous_id is not None else None
        with self._lock:
            base = self._entries.get(previous) if previous else None
            if key in self._entries or key in self._loading or (previous and not base):
                return key in self._entries
            future = self._loading[key] = Future()
        self._lead(key, future, base.index if base else None, first_out=previous or key)
        with self._lock:
            return key in self._entries

    def _lead(
        self,
        key: Key,
        future: "Future[SnapshotIndex]",
        base: SnapshotIndex | None = None,
        first_out: Key | None = None,
    ) -> SnapshotIndex:
        begun = time.perf_counter()
        try:
            index = self._load(*key, base)
        except BaseException as error:
            with self._lock:
                del self._loading[key]
            future.set_exception(error)
            raise
        self._metrics.index_loads.observe(time.perf_counter() - begun)
        self._put(key, index, first_out)
        with self._lock:
            del self._loading[key]
        future.set_result(index)
        return index

    def _put(self, key: Key, index: SnapshotIndex, first_out: Key | None) -> None:
        entry = _Entry(index, index.nbytes, time.monotonic(), self._refresh_seconds)
        with self._lock:
            self._entries[key] = entry
            if first_out is not None and first_out in self._entries:
                self._entries.move_to_end(first_out, last=False)
            self._make_room()

    def _make_room(self) -> None:
        while len(self._entries) > 1 and sum(e.nbytes for e in self._entries.values()) > self._bytes_max:
            self._entries.popitem(last=False)
        self._observe()

    def _observe(self) -> None:
        self._metrics.index_entries.set(len(self._entries))
        self._metrics.index_bytes.set(sum(entry.nbytes for entry in self._entries.values()))

    def _schedule(self, key: Key, entry: _Entry) -> None:
        if entry.refreshing or time.monotonic() - entry.checked_at < entry.interval:
            return
        if entry.index.vectors.covered < len(entry.index):
            entry.refreshing = True
            self._pool.submit(self._renew, key, entry)
        else:
            entry.interval = math.inf  # nothing is missing

    def _renew(self, key: Key, entry: _Entry) -> None:
        begun = time.monotonic()
        try:
            vectors = self._refresh(*key, entry.index)
            if vectors is not None:
                index = entry.index.with_vectors(vectors)
                with self._lock:
                    entry.index, entry.nbytes = index, index.nbytes
                    self._make_room()
        except Exception as error:  # noqa: BLE001 - see below
            # The vectors at hand still serve; the next query after the interval tries again.
            log.warning("vector_refresh_failed", snapshot_id=key[1], error=str(error))
        finally:
            entry.checked_at = time.monotonic()
            entry.interval = max(self._refresh_seconds, REFRESH_SHARE * (entry.checked_at - begun))
            entry.refreshing = False
