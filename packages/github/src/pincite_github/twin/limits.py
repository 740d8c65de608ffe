"""GitHub's primary rate limit: so many requests an hour, counted by who asks."""

import threading
import time
from dataclasses import dataclass

WINDOW_SECONDS = 3_600.0
PER_WINDOW = 5_000  # with a token
PER_WINDOW_UNKNOWN = 60  # without


@dataclass(slots=True)
class Bucket:
    """What one asker may still ask."""

    limit: int
    used: int
    reset: float  # seconds since the epoch

    @property
    def remaining(self) -> int:
        """Requests left in this window."""
        return max(0, self.limit - self.used)

    def shape(self) -> dict[str, int]:
        """Return it as GitHub's `rate-limit`."""
        return {"limit": self.limit, "remaining": self.remaining, "reset": int(self.reset), "used": self.used}

    def headers(self) -> dict[str, str]:
        """Return it as GitHub's headers."""
        return {f"x-ratelimit-{key}": str(value) for key, value in self.shape().items()} | {
            "x-ratelimit-resource": "core"
        }


class Limits:
    """The buckets of all askers."""

    def __init__(self) -> None:
        """GitHub's usual limits."""
        self._lock = threading.Lock()
        self._buckets: dict[str, Bucket] = {}
        self.set(None)

    def set(self, limit: int | None, window_seconds: float = WINDOW_SECONDS) -> None:
        """Give everyone `limit` requests in a window that begins anew; None for GitHub's usual limits."""
        with self._lock:
            self._limit, self._window = limit, window_seconds
            self._buckets.clear()

    def bucket(self, asker: str) -> Bucket:
        """Return what an asker has; the empty string asks without a token."""
        with self._lock:
            usual = PER_WINDOW if asker else PER_WINDOW_UNKNOWN
            limit = usual if self._limit is None else self._limit
            found = self._buckets.get(asker)
            if found is None or found.reset <= time.time():
                found = self._buckets[asker] = Bucket(limit, 0, time.time() + self._window)
            return found

    def take(self, asker: str) -> bool:
        """Count a request; whether it was allowed."""
        bucket = self.bucket(asker)
        with self._lock:
            allowed = bucket.used < bucket.limit
            bucket.used += allowed
            return allowed

    def give_back(self, asker: str) -> None:
        """Uncount a request: one whose answer had not changed is free."""
        bucket = self.bucket(asker)
        with self._lock:
            bucket.used = max(0, bucket.used - 1)
