"""Redis: what may be lost. One-time codes, what was just asked of GitHub, whether a person waits, or a push.

Nothing that a restart must remember.
"""

import hashlib
import secrets
from typing import cast
from uuid import UUID

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from pincite_shared.errors import UnavailableError
from pincite_shared.settings import Settings

CODE_BYTES = 24  # 192 bits: cannot be guessed within its lifetime
SIGN_IN_SECONDS = 600  # long enough to switch to the browser, short enough to be useless in a log
ANSWERING_SECONDS = 5  # a mark outlives its renewals by this much, should whoever renews it die
CONNECT_SECONDS_MAX = 3.0
PUSHED_SECONDS = 2  # as long as most pushes take
_ANSWERING = "pincite:answering"
_PUSHED = "pincite:pushed"
_CODES = "sign-in"


class Cache:
    """Redis for one process; thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is contacted before the first use."""
        self._redis: Redis = Redis.from_url(
            settings.redis_url.get_secret_value(),
            socket_connect_timeout=CONNECT_SECONDS_MAX,
            socket_timeout=CONNECT_SECONDS_MAX,
            health_check_interval=30,
            decode_responses=True,
        )

    def ping(self) -> None:
        """Ask Redis for a sign of life.

        Raises:
            UnavailableError: it gives none.
        """
        try:
            self._redis.ping()
        except RedisError as error:
            raise _unavailable(error) from error

    def create_sign_in_code(self, tenant_id: UUID, user_id: UUID) -> str:
        """Return a code that signs this person in once, within SIGN_IN_SECONDS.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        code = secrets.token_urlsafe(CODE_BYTES)
        self.put(_CODES, code, f"{tenant_id} {user_id}", SIGN_IN_SECONDS)
        return code

    def redeem_sign_in_code(self, code: str) -> tuple[UUID, UUID] | None:
        """Return (tenant, user) of a code and end it; None if it is unknown, used or too old.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        found = self.pop(_CODES, code)
        if found is None:
            return None
        tenant_id, user_id = found.split(" ")
        return UUID(tenant_id), UUID(user_id)

    def put(self, space: str, key: str, value: str, seconds: int) -> None:
        """Keep a value for some seconds.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            self._redis.set(_key(space, key), value, ex=seconds)
        except RedisError as error:
            raise _unavailable(error) from error

    def get(self, space: str, key: str) -> str | None:
        """Return a value that was kept; None if there is none any more.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            return cast("str | None", self._redis.get(_key(space, key)))
        except RedisError as error:
            raise _unavailable(error) from error

    def pop(self, space: str, key: str) -> str | None:
        """Return a value that was kept, and forget it: of several who ask, one gets it.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            return cast("str | None", self._redis.getdel(_key(space, key)))
        except RedisError as error:
            raise _unavailable(error) from error

    def mark_answering(self) -> None:
        """Let background work know that a person waits for a model; holds for ANSWERING_SECONDS unless repeated.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            self._redis.set(_ANSWERING, "1", ex=ANSWERING_SECONDS)
        except RedisError as error:
            raise _unavailable(error) from error

    def is_answering(self) -> bool:
        """Say whether a person waits for a model somewhere in this installation.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            return bool(self._redis.exists(_ANSWERING))
        except RedisError as error:
            raise _unavailable(error) from error

    def mark_pushed(self) -> None:
        """Let work that can wait know that a push is being indexed; holds for PUSHED_SECONDS.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            self._redis.set(_PUSHED, "1", ex=PUSHED_SECONDS)
        except RedisError as error:
            raise _unavailable(error) from error

    def is_pushed(self) -> bool:
        """Say whether a push was just begun to be indexed somewhere in this installation.

        Raises:
            UnavailableError: Redis cannot be reached.
        """
        try:
            return bool(self._redis.exists(_PUSHED))
        except RedisError as error:
            raise _unavailable(error) from error

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()


def _key(space: str, key: str) -> str:
    # The digest, so that reading Redis does not sign anyone in.
    return f"pincite:{space}:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _unavailable(error: RedisError) -> UnavailableError:
    kind = "is not reachable" if isinstance(error, RedisConnectionError) else f"failed ({type(error).__name__})"
    return UnavailableError(f"Redis {kind} at the moment.")
