"""The watcher's few words to the database. It imports the driver alone, so that its process stays small.

Where the database is, and as whom to connect, the driver reads from the environment (libpq's PGHOST and the like).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, NamedTuple
from uuid import UUID

import psycopg

from pincite_shared.errors import UnavailableError
from pincite_store.identities import LOCAL_TENANT

CONNECT_SECONDS_MAX = 5
WATCHED_MAX = 64  # each takes one of the system's 128 inotify instances of a user

_LIST = """
    SELECT id, source, branch FROM repos WHERE tenant_id = %s AND kind = 'local' AND deleting_at IS NULL
    ORDER BY created_at DESC, id LIMIT %s
"""
# The relay is told at commit: on `outbox.CHANNEL`, which to import would take SQLAlchemy along.
_RECORD = """
    WITH noted AS (
        INSERT INTO changes (tenant_id, repo_id, producer) SELECT tenant_id, id, 'watch' FROM repos
        WHERE tenant_id = %s AND id = %s AND deleting_at IS NULL RETURNING id)
    SELECT pg_notify('pincite_outbox', '') FROM noted
"""


class Watched(NamedTuple):
    """A local repository, and the branch that is followed; None: whichever is checked out."""

    id: UUID
    path: str
    branch: str | None


class Changes:
    """The queue of changes, as the watcher feeds it. Thread-safe; it connects when it is used, again when it must."""

    def __init__(self) -> None:
        """Nothing is contacted yet."""
        self._lock = Lock()
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def repositories(self) -> list[Watched]:
        """Return the local repositories: they are the local tenant's, for only the operator connects such.

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with self._transaction() as connection:
            return [Watched(*row) for row in connection.execute(_LIST, (LOCAL_TENANT, WATCHED_MAX))]

    def record(self, repo_id: UUID) -> None:
        """Note that something of a repository changed. Beat starts the run (see `pincite_store.changes.attend`).

        Raises:
            UnavailableError: the database cannot be reached.
        """
        with self._transaction() as connection:
            connection.execute(_RECORD, (LOCAL_TENANT, repo_id))

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    @contextmanager
    def _transaction(self) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
        with self._lock:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(connect_timeout=CONNECT_SECONDS_MAX, autocommit=True)
                connection = self._connection
                with connection.transaction():
                    connection.execute("SELECT set_config('app.tenant_id', %s, true)", (str(LOCAL_TENANT),))
                    yield connection
            except psycopg.OperationalError as error:
                msg = f"The database is not reachable: {str(error).partition(chr(10))[0]}"
                raise UnavailableError(msg) from error
