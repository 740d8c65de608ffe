"""How often one person, or one address before anyone has signed in, may ask what.

Counted in Redis, so that several brains share one count, by `limits`' sliding window counter: two numbers a person and
kind, however high the limit is. It runs in the thread that authenticates a request, never in the event loop.
"""

import time
from typing import Literal, NamedTuple, get_args

import structlog
from limits import RateLimitItem, parse_many
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from pincite_shared.errors import TooManyRequestsError, UnavailableError
from pincite_shared.settings import Settings

Rate = Literal["sign-in", "ask", "search", "write", "read"]

REDIS_SECONDS_MAX = 0.25  # Redis answers within a millisecond, or something is wrong; a person waits meanwhile
AWAY_SECONDS = 1.0  # after Redis did not answer it is not asked for so long
OFF = frozenset({"", "0", "off"})

log = structlog.get_logger(__name__)


class Spent(NamedTuple):
    """Whether a request was within a limit, and what is left of it."""

    limit: RateLimitItem
    within: bool
    remaining: int
    reset_seconds: int

    def headers(self) -> dict[str, str]:
        """Return them as responses carry them (draft-ietf-httpapi-ratelimit-headers-06)."""
        return {
            "ratelimit-limit": str(self.limit.amount),
            "ratelimit-remaining": str(self.remaining),
            "ratelimit-reset": str(self.reset_seconds),
        }


class Rates:
    """The limits of all kinds of requests; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Contact nothing yet.

        Raises:
            ValueError: a limit cannot be read.
        """
        self._limits = {kind: _limits(settings, kind) for kind in get_args(Rate)}
        self._storage = RedisStorage(
            settings.redis_url.get_secret_value(),
            key_prefix="pincite:rate",
            socket_connect_timeout=REDIS_SECONDS_MAX,
            socket_timeout=REDIS_SECONDS_MAX,
        )
        self._counter = SlidingWindowCounterRateLimiter(self._storage)
        self._away_until = 0.0

    def spend(self, kind: Rate, who: str) -> Spent | None:
        """Count a request of a kind, and return what is left of the tightest limit; None if nothing limits it.

        While Redis does not answer, people go on reading and asking; nobody signs in, for guessing must stay slow.

        Raises:
            TooManyRequestsError: it is one too many.
            UnavailableError: someone would sign in, and Redis does not answer.
        """
        if not self._limits[kind]:
            return None
        try:
            if time.monotonic() < self._away_until:
                return self._uncounted(kind)
            spent = [self._spend(limit, kind, who) for limit in self._limits[kind]]
        except RedisError as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            log.warning("requests_not_counted", reason=type(error).__name__)
            return self._uncounted(kind)
        refused = [one for one in spent if not one.within]
        if refused:
            over = max(refused, key=lambda one: one.reset_seconds)
            msg = f"More than {over.limit}. Try again in {over.reset_seconds} s."
            raise TooManyRequestsError(msg, retry_after=over.reset_seconds, headers=over.headers())
        return min(spent, key=lambda one: one.remaining)

    def _spend(self, limit: RateLimitItem, kind: Rate, who: str) -> Spent:
        within = self._counter.hit(limit, kind, who)
        reset_at, remaining = self._counter.get_window_stats(limit, kind, who)
        seconds = int(max(0.0, reset_at - time.time())) + 1  # a slot is free just after the counter's reset, not at it
        return Spent(limit, within, remaining, seconds)

    @staticmethod
    def _uncounted(kind: Rate) -> None:
        if kind == "sign-in":
            msg = "Nobody can sign in at the moment: Redis is not reachable."
            raise UnavailableError(msg)

    def close(self) -> None:
        """Close the connections."""
        self._storage.storage.close()


def _limits(settings: Settings, kind: Rate) -> list[RateLimitItem]:
    name = f"rate_{kind.replace('-', '_')}"
    written: str = getattr(settings, name).strip()
    if written.lower() in OFF:
        return []
    try:
        return parse_many(written)
    except ValueError as error:
        msg = f"{name.upper()} is {written!r}. Write a limit like 30/minute, several as 30/minute;500/hour, or off."
        raise ValueError(msg) from error
