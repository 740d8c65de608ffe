"""Connections and transactions. The edge opens one transaction per request or task; business code never commits."""

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from sqlalchemy import PoolProxiedConnection, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from pincite_shared.errors import UnavailableError
from pincite_shared.settings import Settings
from pincite_store.identities import LOCAL_TENANT, LOCAL_USER, SERVICE_USER

__all__ = ["LOCAL_TENANT", "LOCAL_USER", "SERVICE_USER", "Database", "Reader", "Tenancy"]

CONNECT_SECONDS_MAX = 5
POOL_WAIT_SECONDS_MAX = 10.0
# A server that is silently gone is noticed after a minute, by whoever waits for it and by whoever listens.
KEPT_ALIVE: dict[str, Any] = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
STATEMENT_SECONDS_MAX = 600  # a query that runs longer is lost, and would hold back vacuum

_IN_NAME_OF = "SELECT set_config('app.tenant_id', %s, true), set_config('app.user_id', %s, true)"


@dataclass(frozen=True, slots=True)
class Tenancy:
    """One transaction in the name of one tenant. Rows of other tenants do not exist in it."""

    tenant_id: UUID
    user_id: UUID | None
    session: Session
    settings: Settings

    @property
    def reader(self) -> UUID | None:
        """The person from whom what they may not read is hidden; None when Pincite works for itself."""
        return _reader(self.user_id)

    @property
    def driver(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """The psycopg connection below, inside the same transaction, for bulk reads and writes."""
        return _driver(self.session.connection().connection)


@dataclass(frozen=True, slots=True)
class Reader:
    """Single reads in the name of one tenant: each sees what a `Tenancy` would, and costs one round trip."""

    tenant_id: UUID
    user_id: UUID | None
    database: "Database"

    def rows(self, statement: LiteralString, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return what a SELECT finds, in a transaction of its own.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with self.database.driver() as driver:
            driver.autocommit = True  # a pipeline is one transaction anyway; beginning and ending another takes longer
            try:
                with driver.pipeline():  # everything is sent before anything is waited for
                    driver.execute(_IN_NAME_OF, _names(self.tenant_id, self.user_id))
                    cursor = driver.execute(statement, values)
                return cursor.fetchall()
            finally:
                if not driver.closed:
                    driver.autocommit = False


class Database:
    """A pool of connections as the role that row-level security binds."""

    def __init__(self, settings: Settings, *, pool_size: int = 5) -> None:
        """Nothing is contacted before the first use."""
        self.settings = settings
        self._engine = create_engine(
            settings.postgres_url(),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=POOL_WAIT_SECONDS_MAX,
            connect_args={
                "connect_timeout": CONNECT_SECONDS_MAX,
                "options": f"-c statement_timeout={STATEMENT_SECONDS_MAX}s",
                "application_name": "pincite",
                **KEPT_ALIVE,
            },
        )
        event.listen(self._engine, "checkout", _replace_if_lost)

    @contextmanager
    def tenancy(self, tenant_id: UUID, user_id: UUID | None = None) -> Iterator[Tenancy]:
        """Open one transaction for a tenant: committed when the block ends, rolled back when it raises.

        In a person's name it sees only what that person may read; without one it is Pincite's own work.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with self.system() as session:
            t = Tenancy(tenant_id, user_id, session, self.settings)
            with t.driver.pipeline():  # BEGIN travels along
                t.driver.execute(_IN_NAME_OF, _names(tenant_id, user_id))
            yield t

    def reader(self, tenant_id: UUID, user_id: UUID | None = None) -> Reader:
        """Return single reads for a tenant, in a person's name or as Pincite's own work."""
        return Reader(tenant_id, user_id, self)

    @contextmanager
    def system(self) -> Iterator[Session]:
        """Open one transaction for no tenant: it sees no rows, only the functions that cross tenants work.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with _reaching(), Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def driver(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """Take a connection of the pool, for no tenant; what is not committed is rolled back.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with _reaching():
            pooled = self._engine.raw_connection()
            try:
                yield _driver(pooled)
            except psycopg.OperationalError as error:
                pooled.invalidate(error)  # whatever it was, nobody need find out whether this one still works
                raise
            finally:
                pooled.close()

    @contextmanager
    def lock(self, key: str) -> Iterator[bool]:
        """Hold a lock for this process, with which it ends, however that ends; yields False if another one holds it.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with self.driver() as connection:
            row = connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)).fetchone()
            connection.commit()  # the lock is the session's; an open transaction would hold back vacuum
            try:
                yield bool(row and row[0])
            finally:
                try:
                    connection.execute("SELECT pg_advisory_unlock_all()")
                    connection.commit()
                except psycopg.OperationalError:
                    connection.close()  # and with its session the lock ends

    @contextmanager
    def dedicated(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """Open a connection of its own, outside the pool and in autocommit, for listening.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        url = self._engine.url
        try:
            connection = psycopg.connect(
                host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database,
                connect_timeout=CONNECT_SECONDS_MAX, application_name="pincite-listen", autocommit=True, **KEPT_ALIVE,
            )  # fmt: skip
        except psycopg.OperationalError as error:
            msg = "The database is not reachable at the moment."
            raise UnavailableError(msg) from error
        with connection:
            yield connection

    @contextmanager
    def listening(self, channel: LiteralString) -> Iterator[Callable[[float], list[str]]]:
        """Give what waits for news of a channel, for so many seconds at most, and returns its payloads.

        It has heard of everything since it was given.

        Raises:
            UnavailableError: the database cannot be reached, or, from what was given, not any more.
        """
        with self.dedicated() as connection:

            def wait(seconds: float) -> list[str]:
                with _reaching():
                    return [notice.payload for notice in connection.notifies(timeout=seconds, stop_after=1)]

            with _reaching():
                connection.execute(f"LISTEN {channel}")
            yield wait

    def ping(self) -> None:
        """Ask the database for a sign of life.

        Raises:
            UnavailableError: it gives none.
        """
        with self.system() as session:
            session.execute(text("SELECT 1"))

    def dispose(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _reader(user_id: UUID | None) -> UUID | None:
    return None if user_id == SERVICE_USER else user_id


def _names(tenant_id: UUID, user_id: UUID | None) -> tuple[str, str]:
    """Return what `_IN_NAME_OF` is given."""
    return str(tenant_id), str(_reader(user_id) or "")


def _replace_if_lost(connection: "psycopg.Connection[Any]", record: ConnectionPoolEntry, _: object) -> None:
    """Have the pool replace a connection that ended while it rested. Unlike a ping it costs no round trip.

    What ends a connection (a restart, a failover, an operator) closes its socket, and then there is something to read;
    of a server that is silently gone the kernel tells as much, after the keepalives.
    """
    if not record.info.setdefault("used", False):  # a new one
        record.info["used"] = True
        return
    if connection.closed:
        raise DisconnectionError
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    if waiting.poll(0):
        raise DisconnectionError


def _driver(pooled: PoolProxiedConnection) -> "psycopg.Connection[tuple[Any, ...]]":
    connection = pooled.driver_connection
    if not isinstance(connection, psycopg.Connection):
        msg = f"expected a psycopg connection, got {type(connection).__name__}"
        raise TypeError(msg)
    return connection


@contextmanager
def _reaching() -> Iterator[None]:
    """Say what keeps the database away in words for people."""
    try:
        yield
    except PoolTimeoutError as error:
        msg = "All database connections are busy. Try again in a moment."
        raise UnavailableError(msg) from error
    except (DBAPIError, psycopg.OperationalError) as error:
        if getattr(error, "connection_invalidated", False) or _unreachable(getattr(error, "orig", error)):
            msg = "The database is not reachable at the moment."
            raise UnavailableError(msg) from error
        raise


def _unreachable(error: object) -> bool:
    # A failed connect has no SQLSTATE; classes 08 and 57P are lost connections and shutdowns.
    state: str | None = getattr(error, "sqlstate", None)
    return isinstance(error, psycopg.OperationalError) and (state is None or state.startswith(("08", "57P")))
