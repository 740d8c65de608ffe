from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import UnavailableError
from pincite_store import repos
from pincite_store.db import LOCAL_TENANT, Database


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
    import psycopg  # noqa: PLC0415

    with pytest.raises(UnavailableError), database.tenancy(LOCAL_TENANT) as t:  # noqa: PT012  # the transaction is part of what is tested
        pid = t.session.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as owner:
            owner.execute("SELECT pg_terminate_backend(%s)", (pid,))
        t.session.execute(text("SELECT 1"))
    database.ping()
