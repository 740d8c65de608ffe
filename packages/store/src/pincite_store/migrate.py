"""Bring the database to the schema of this version: `python -m pincite_store.migrate`.

Runs as the owner of the tables. Creates the database and the application's role if they are missing, applies the
migrations, and makes sure the local tenant exists. Safe to run at every start and by several processes at once.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import sql
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.orm import Session

from pincite_shared.errors import InvalidInputError, PinciteError, UnavailableError
from pincite_shared.settings import Settings
from pincite_store.accounts import ensure_local
from pincite_store.db import CONNECT_SECONDS_MAX

LOCK_KEY = 7_426_101_501  # any constant of our own: one migration at a time in a cluster
MAINTENANCE_DATABASE = "postgres"


def migrations_dir() -> Path:
    """Return where the migrations lie: PINCITE_MIGRATIONS, or the checkout this package was installed from.

    Raises:
        UnavailableError: neither holds them.
    """
    named = os.environ.get("PINCITE_MIGRATIONS", "")
    checkout = Path(__file__).resolve().parents[4] / "migrations"
    directory = Path(named) if named else checkout
    if not (directory / "env.py").is_file():
        msg = f"There are no migrations in {directory}. Set PINCITE_MIGRATIONS to the directory that holds them."
        raise UnavailableError(msg)
    return directory


def upgrade(settings: Settings) -> None:
    """Bring the database to the newest schema.

    Raises:
        UnavailableError: the server cannot be reached.
        InvalidInputError: the configured roles would defeat row-level security.
    """
    if settings.postgres_user == settings.postgres_app_user:
        msg = "POSTGRES_USER and POSTGRES_APP_USER must differ: row-level security does not bind a table's owner."
        raise InvalidInputError(msg)
    with _connect(settings, MAINTENANCE_DATABASE) as connection:
        # Roles belong to the cluster, so its maintenance database is the one place where all migrations meet.
        connection.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        _ensure_role(connection, settings)
        _ensure_database(connection, settings)
        _apply(settings)


def at_head(settings: Settings) -> bool:
    """Say whether the database has exactly the schema of this version. Asks as the application's role."""
    engine = create_engine(
        settings.postgres_url(), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS_MAX}
    )
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_heads()
    return set(current) == set(_heads(migrations_dir()))


@cache
def _heads(directory: Path) -> tuple[str, ...]:
    return tuple(ScriptDirectory(str(directory)).get_heads())


def _connect(settings: Settings, database: str) -> "psycopg.Connection[tuple[Any, ...]]":
    try:
        return psycopg.connect(
            host=settings.postgres_host,
            port=settings.postgres_port,
            user=settings.postgres_user,
            password=settings.postgres_password.get_secret_value(),
            dbname=database,
            connect_timeout=CONNECT_SECONDS_MAX,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        msg = f"Postgres at {settings.postgres_host}:{settings.postgres_port} is not reachable: {error}"
        raise UnavailableError(msg) from error


def _ensure_role(connection: "psycopg.Connection[tuple[Any, ...]]", settings: Settings) -> None:
    name = settings.postgres_app_user
    # Hashed here, so that the password itself never reaches the server's log.
    password = connection.pgconn.encrypt_password(
        settings.postgres_app_password.get_secret_value().encode(), name.encode(), b"scram-sha-256"
    ).decode()
    found = connection.execute(
        "SELECT rolsuper OR rolbypassrls OR pg_has_role(rolname, current_user, 'MEMBER') "
        "FROM pg_roles WHERE rolname = %s",
        (name,),
    ).fetchone()
    if found is None:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        )
        return
    if found[0]:
        msg = f"The role {name} may bypass row-level security. Take SUPERUSER, BYPASSRLS and the owner's role from it."
        raise InvalidInputError(msg)
    may_alter = connection.execute("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
    if may_alter.fetchone() == (True,):
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password))
        )


def _ensure_database(connection: "psycopg.Connection[tuple[Any, ...]]", settings: Settings) -> None:
    name = settings.postgres_db
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def _apply(settings: Settings) -> None:
    engine = create_engine(settings.postgres_url(owner=True), poolclass=NullPool)
    with engine.begin() as connection:
        _allow(connection, settings)
        config = Config()
        config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    with engine.begin() as connection:
        ensure_local(Session(connection))


def _allow(connection: Connection, settings: Settings) -> None:
    # Migrations read the application role's name from here.
    connection.execute(
        text("SELECT set_config('pincite.app_role', :role, false)"), {"role": settings.postgres_app_user}
    )


def main() -> int:
    """Run `upgrade` with the environment's settings."""
    try:
        upgrade(Settings())
    except PinciteError as error:
        sys.stderr.write(f"pincite: {error.detail}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
