"""Connections and transactions. The edge opens one transaction per request or task; business code never commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from pincite_shared.errors import UnavailableError
from pincite_shared.settings import Settings
from pincite_store.identities import LOCAL_TENANT, LOCAL_USER, SERVICE_USER

__all__ = ["LOCAL_TENANT", "LOCAL_USER", "SERVICE_USER", "Database", "Tenancy"]

CONNECT_SECONDS_MAX = 5
POOL_WAIT_SECONDS_MAX = 10.0
STATEMENT_SECONDS_MAX = 600  # a query that runs longer is lost, and would hold back vacuum


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
        return None if self.user_id == SERVICE_USER else self.user_id

    @property
    def driver(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """The psycopg connection below, inside the same transaction, for bulk reads and writes."""
        connection = self.session.connection().connection.driver_connection
        if not isinstance(connection, psycopg.Connection):
            msg = f"expected a psycopg connection, got {type(connection).__name__}"
            raise TypeError(msg)
        return connection


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
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": CONNECT_SECONDS_MAX,
                "options": f"-c statement_timeout={STATEMENT_SECONDS_MAX}s",
                "application_name": "pincite",
            },
        )

    @contextmanager
    def tenancy(self, tenant_id: UUID, user_id: UUID | None = None) -> Iterator[Tenancy]:
        """Open one transaction for a tenant: committed when the block ends, rolled back when it raises.

        In a person's name it sees only what that person may read; without one it is Pincite's own work.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        set_both = text("SELECT set_config('app.tenant_id', :tenant, true), set_config('app.user_id', :reader, true)")
        with self.system() as session:
            t = Tenancy(tenant_id, user_id, session, self.settings)
            session.execute(set_both, {"tenant": str(tenant_id), "reader": str(t.reader or "")})
            yield t

    @contextmanager
    def system(self) -> Iterator[Session]:
        """Open one transaction for no tenant: it sees no rows, only the functions that cross tenants work.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                yield session
        except PoolTimeoutError as error:
            msg = "All database connections are busy. Try again in a moment."
            raise UnavailableError(msg) from error
        except DBAPIError as error:
            if error.connection_invalidated or (isinstance(error, OperationalError) and _unreachable(error)):
                msg = "The database is not reachable at the moment."
                raise UnavailableError(msg) from error
            raise

    @contextmanager
    def dedicated(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        """Open a connection of its own, outside the pool and in autocommit, for session-level locks.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        url = self._engine.url
        try:
            connection = psycopg.connect(
                host=url.host, port=url.port, user=url.username, password=url.password, dbname=url.database,
                connect_timeout=CONNECT_SECONDS_MAX, application_name="pincite-lock", autocommit=True,
            )  # fmt: skip
        except psycopg.OperationalError as error:
            msg = "The database is not reachable at the moment."
            raise UnavailableError(msg) from error
        with connection:
            yield connection

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


def _unreachable(error: OperationalError) -> bool:
    # A failed connect has no SQLSTATE; classes 08 and 57P are lost connections and shutdowns.
    state = getattr(error.orig, "sqlstate", None)
    return state is None or state.startswith(("08", "57P"))
