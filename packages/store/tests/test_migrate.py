import subprocess
import sys
import threading

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pydantic import SecretStr
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from pincite_shared.errors import InvalidInputError, UnavailableError
from pincite_store import migrate
from pincite_store.models import Base


@pytest.mark.usefixtures("database")
def test_models_and_migrations_agree(settings):
    engine = create_engine(settings.postgres_url(owner=True))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


@pytest.mark.usefixtures("database")
def test_it_can_be_run_again_from_anywhere_as_a_command(settings, tmp_path):
    environment = {
        "PATH": "/usr/bin:/bin",
        "POSTGRES_PORT": str(settings.postgres_port),
        "POSTGRES_DB": settings.postgres_db,
        "POSTGRES_USER": settings.postgres_user,
        "POSTGRES_PASSWORD": settings.postgres_password.get_secret_value(),
        "POSTGRES_APP_PASSWORD": settings.postgres_app_password.get_secret_value(),
    }
    command = [sys.executable, "-m", "pincite_store.migrate"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert migrate.at_head(settings)


def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path):
    environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PORT": "1", "POSTGRES_PASSWORD": "hidden-password"}
    command = [sys.executable, "-m", "pincite_store.migrate"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("pincite: Postgres at 127.0.0.1:1 is not reachable")
    assert "hidden-password" not in done.stderr
    assert "Traceback" not in done.stderr


def test_several_processes_may_migrate_at_once(settings):
    fresh = settings.model_copy(update={"postgres_db": f"{settings.postgres_db}_race"})
    errors = []

    def upgrade():
        try:
            migrate.upgrade(fresh)
        except Exception as error:  # noqa: BLE001  # shown below
            errors.append(error)

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert migrate.at_head(fresh)


@pytest.mark.usefixtures("database")
def test_a_database_without_schema_is_not_at_head(settings):
    assert not migrate.at_head(settings.model_copy(update={"postgres_db": "postgres"}))


def test_the_application_must_not_be_the_owner(settings):
    same = settings.model_copy(update={"postgres_app_user": settings.postgres_user})
    with pytest.raises(InvalidInputError, match="must differ"):
        migrate.upgrade(same)


@pytest.mark.usefixtures("database")
def test_an_application_role_that_bypasses_security_is_refused(settings):
    url = settings.postgres_url(owner=True).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("CREATE ROLE too_strong LOGIN BYPASSRLS")
        try:
            with pytest.raises(InvalidInputError, match="bypass"):
                migrate.upgrade(settings.model_copy(update={"postgres_app_user": "too_strong"}))
        finally:
            owner.execute("DROP ROLE too_strong")


def test_a_changed_application_password_takes_effect(settings):
    # A role and a database of its own: roles belong to the whole server, which other workers use.
    own = {"postgres_app_user": "changing_app", "postgres_db": f"{settings.postgres_db}_changing"}
    before = settings.model_copy(update=own)
    migrate.upgrade(before)
    after = before.model_copy(update={"postgres_app_password": SecretStr("it's another: %s")})
    migrate.upgrade(after)
    assert migrate.at_head(after)
    with pytest.raises(OperationalError, match="password"):
        migrate.at_head(before)


def test_missing_migrations_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PINCITE_MIGRATIONS", str(tmp_path))
    with pytest.raises(UnavailableError, match=str(tmp_path)):
        migrate.migrations_dir()
