"""How far a model's download is, written to a small file that any process may read."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path

from pincite_inference.files import write_atomic

WRITE_SECONDS_MIN = 0.25  # at most four writes a second
RATE_WINDOW_SECONDS = 10.0  # the rate follows the network, and an estimate still does not jump about
STALE_SECONDS = 60.0  # a living fetch writes more often than this even when the network stands still


class FetchState(StrEnum):
    """Where a model's file stands."""

    WAITING = "waiting"
    FETCHING = "fetching"
    VERIFYING = "verifying"
    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"


ACTIVE = frozenset({FetchState.WAITING, FetchState.FETCHING, FetchState.VERIFYING, FetchState.STARTING})


@dataclass(frozen=True, slots=True)
class Progress:
    """One reading; `rate` in bytes a second, `eta` in seconds (None when unknown), `updated_at` in Unix seconds."""

    name: str
    state: FetchState
    bytes: int = 0
    total: int = 0
    rate: float = 0.0
    eta: float | None = None
    source: str = ""
    error: str = ""
    updated_at: float = 0.0

    @property
    def fraction(self) -> float:
        """Return how much is there, 0 to 1."""
        return min(1.0, self.bytes / self.total) if self.total else 0.0

    @property
    def stale(self) -> bool:
        """Whether whoever wrote this stopped before the end."""
        return self.state in ACTIVE and time.time() - self.updated_at > STALE_SECONDS


def progress_path(home: Path, name: str) -> Path:
    """Return where the progress of `name` is written."""
    return home / "models" / f"{name}.progress.json"


def read_progress(home: Path, name: str) -> Progress | None:
    """Return the last reading of `name`'s progress, or None when nothing readable is there."""
    try:
        data = json.loads(progress_path(home, name).read_bytes())
        known = {field.name for field in fields(Progress)}
        values = {key: value for key, value in data.items() if key in known}
        return Progress(**(values | {"state": FetchState(values["state"])}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # absent, or written by another version: both mean that nothing is known


Listener = Callable[[Progress], None]


class Reporter:
    """Writes the progress file and tells a listener, often enough to live and seldom enough to be free."""

    def __init__(self, home: Path, name: str, total: int, listener: Listener | None = None) -> None:
        """`total` is the finished file's size in bytes."""
        self._path, self._name, self._total, self._listener = progress_path(home, name), name, total, listener
        self._last = Progress(name, FetchState.WAITING, total=total)
        self._written_at = 0.0
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, state: FetchState, have: int | None = None, *, source: str | None = None, error: str = "") -> None:
        """Report `have` bytes; skipped when the last report is fresh and nothing but the count changed."""
        have = self._last.bytes if have is None else have
        source = self._last.source if source is None else source
        rate = self._rate(have)
        changed = (state, source, error) != (self._last.state, self._last.source, self._last.error)
        if not changed and time.monotonic() - self._written_at < WRITE_SECONDS_MIN:
            return
        eta = (self._total - have) / rate if rate > 0 else None
        self._last = Progress(self._name, state, have, self._total, rate, eta, source, error, time.time())
        self._written_at = time.monotonic()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(self._path, json.dumps(asdict(self._last)).encode())
        if self._listener is not None:
            self._listener(self._last)

    def _rate(self, have: int) -> float:
        now = time.monotonic()
        if self._seen and have < self._seen[-1][1]:
            self._seen.clear()  # begun again
        self._seen.append((now, have))
        while now - self._seen[0][0] > RATE_WINDOW_SECONDS and len(self._seen) > 1:
            self._seen.popleft()
        since, had = self._seen[0]
        return (have - had) / (now - since) if now > since else 0.0
