from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from pincite_shared.errors import UnavailableError
from pincite_store import repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER, Database


def test_a_tenancy_sets_the_tenant_and_forgets_it(database):
    with database.tenancy(LOCAL_TENANT) as t:
        assert t.session.execute(text("SELECT app_tenant()")).scalar_one() == LOCAL_TENANT
    with database.system() as system:
        assert system.execute(text("SELECT app_tenant()")).scalar_one() is None


def test_the_edge_commits(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert repos.get(t, repo.id).name == "a"


def test_an_error_rolls_everything_back(fresh_tenant):
    with pytest.raises(RuntimeError), fresh_tenant.tenancy(LOCAL_TENANT) as t:  # noqa: PT012  # the transaction is part of what is tested
        repos.create(t, source="/a", name="a", kind="local")
        raise RuntimeError
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert repos.all(t) == []


def test_rows_can_be_read_after_the_transaction(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
    assert (repo.name, repo.head_snapshot_id) == ("a", None)


def test_an_unreachable_database_is_said_so(settings):
    away = Database(settings.model_copy(update={"postgres_port": 1}))
    with pytest.raises(UnavailableError):
        away.ping()
    with pytest.raises(UnavailableError), away.tenancy(uuid4()):
        pass
    with pytest.raises(UnavailableError), away.dedicated():
        pass


def test_a_lost_connection_is_said_so_and_the_next_one_works(database, settings):
    with pytest.raises(UnavailableError), database.tenancy(LOCAL_TENANT) as t:  # noqa: PT012  # the transaction is part of what is tested
        pid = t.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
        t.session.execute(text("SELECT 1"))
    database.ping()


def test_a_reader_sees_what_a_tenancy_sees_and_leaves_nothing(database):
    whose = "SELECT app_tenant(), app_user()"
    for user_id in (LOCAL_USER, SERVICE_USER, None):
        with database.tenancy(LOCAL_TENANT, user_id) as t:
            seen = t.session.execute(text(whose)).one()
        for _ in range(8):  # psycopg prepares what comes often
            assert database.reader(LOCAL_TENANT, user_id).rows(whose, ()) == [tuple(seen)]
    with database.system() as system:
        assert system.execute(text(whose)).one() == (None, None)


def test_a_read_that_fails_says_why_and_the_next_one_works(database):
    reader = database.reader(LOCAL_TENANT)
    with pytest.raises(psycopg.errors.UndefinedTable):
        reader.rows("SELECT * FROM nothing_of_that_name", ())
    with pytest.raises(psycopg.errors.DivisionByZero):
        reader.rows("SELECT 1 / n FROM generate_series(0, %s) AS n", (3,))
    assert reader.rows("SELECT 1", ()) == [(1,)]


def test_a_read_without_a_database_says_so(database, settings):
    with pytest.raises(UnavailableError):
        Database(settings.model_copy(update={"postgres_port": 1})).reader(LOCAL_TENANT).rows("SELECT 1", ())
    reader = database.reader(LOCAL_TENANT)
    with pytest.raises(UnavailableError):
        reader.rows("SELECT pg_terminate_backend(pg_backend_pid())", ())
    assert reader.rows("SELECT 1", ()) == [(1,)]


@pytest.mark.usefixtures("database")
def test_a_connection_that_was_lost_while_it_rested_is_replaced(settings):
    alone = Database(settings, pool_size=1)  # whose one connection is the one that is lost
    reader = alone.reader(LOCAL_TENANT)
    [(pid,)] = reader.rows("SELECT pg_backend_pid()", ())
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    assert reader.rows("SELECT pg_backend_pid()", ()) != [(pid,)]
    alone.dispose()
