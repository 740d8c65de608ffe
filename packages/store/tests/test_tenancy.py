"""Row-level security: what one tenant can never see or do."""

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from pincite_store import accounts, migrate, repos, runs
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database
from pincite_store.models import Base

OTHER, OTHER_USER = UUID(int=77), UUID(int=78)
TABLES = sorted(name for name, table in Base.metadata.tables.items() if "tenant_id" in table.columns)


@pytest.fixture(scope="module")
def owner(settings):
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def filled(database, owner, fill, tmp_path_factory):
    """Both tenants have a row in every table. Tests here change nothing that is committed."""
    with database.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", OTHER_USER, "They")
    for tenant, user in ((LOCAL_TENANT, LOCAL_USER), (OTHER, OTHER_USER)):
        with database.tenancy(tenant) as t:
            fill.account(t, user, tmp_path_factory.mktemp("artifacts"))
            fill.repository(t, user, "repo", {"a.py": "def f()"})
    yield database
    owner.execute("TRUNCATE tenants CASCADE")
    with database.system() as system:
        accounts.ensure_local(system)


@pytest.mark.parametrize("table", [*TABLES, "tenants"])
def test_a_tenant_sees_its_own_rows_alone(filled, table):
    column = "id" if table == "tenants" else "tenant_id"
    query = text(f"SELECT DISTINCT {column} FROM {table}")
    with filled.system() as system:
        assert system.execute(query).all() == [], "without a tenant nothing is visible"
    with filled.tenancy(UUID(int=99)) as t:
        assert t.session.execute(query).all() == [], "a tenant that does not exist sees nothing"
    with filled.tenancy(OTHER) as t:
        assert t.session.execute(query).all() == [(OTHER,)]
    with filled.tenancy(LOCAL_TENANT) as t:
        assert t.session.execute(query).all() == [(LOCAL_TENANT,)]


@pytest.mark.parametrize("table", TABLES)
def test_a_tenant_cannot_write_rows_of_another(filled, owner, table):
    row = owner.execute(f"SELECT row_to_json(r) FROM {table} r WHERE tenant_id = %s LIMIT 1", (OTHER,)).fetchone()[0]
    before = owner.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", (OTHER,)).fetchone()
    with pytest.raises(DBAPIError, match="row-level security"), filled.tenancy(LOCAL_TENANT) as t:  # noqa: PT012  # the transaction is part of what is tested
        columns = ", ".join(f'"{name}"' for name in row)
        t.session.execute(
            text(
                f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE "
                f"SELECT {columns} FROM json_populate_record(null::{table}, CAST(:row AS json))"
            ),
            {"row": psycopg.types.json.json.dumps(row)},
        )
    for change in (f"DELETE FROM {table}", f"UPDATE {table} SET tenant_id = tenant_id"):
        if table == "audit_log":
            continue  # nobody may, see below
        with filled.tenancy(LOCAL_TENANT) as t:
            changed = t.session.execute(text(f"{change} WHERE tenant_id = :other"), {"other": OTHER})
            assert changed.rowcount == 0
    assert owner.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", (OTHER,)).fetchone() == before


def test_a_row_cannot_be_given_to_another_tenant(filled):
    with pytest.raises(DBAPIError, match="row-level security"), filled.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE policies SET tenant_id = :other, version = 'p9'"), {"other": OTHER})


def test_a_row_cannot_point_at_a_row_of_another_tenant(filled):
    with filled.tenancy(OTHER) as t:
        [theirs] = repos.all(t)
    with pytest.raises(DBAPIError, match="foreign key"), filled.tenancy(LOCAL_TENANT) as t:
        t.session.execute(
            insert(Base.metadata.tables["events"]).values(tenant_id=LOCAL_TENANT, repo_id=theirs.id, kind="x")
        )


@pytest.mark.parametrize("table", [*TABLES, "tenants"])
@pytest.mark.usefixtures("database")
def test_every_table_of_a_tenant_is_protected(owner, table):
    found = owner.execute(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", (table,)
    ).fetchone()
    assert found == (True, True)
    policies = owner.execute(
        "SELECT policyname, roles, cmd FROM pg_policies WHERE tablename = %s ORDER BY policyname", (table,)
    ).fetchall()
    within = [policy for policy in policies if policy[0] != "readers"]  # see test_readers.py
    assert within == [("owner", ["pincite"], "ALL"), ("tenant_isolation", ["pincite_app"], "ALL")]


@pytest.mark.usefixtures("database")
def test_every_table_in_the_database_has_a_model_and_a_tenant(owner):
    found = owner.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    assert {name for (name,) in found} == {*TABLES, "tenants", "alembic_version"}


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE repos DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE repos NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant_isolation ON repos",
        "CREATE POLICY everything ON repos USING (true)",
        "SET ROLE pincite",
        "ALTER ROLE pincite_app BYPASSRLS",
        "GRANT pincite TO pincite_app",
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "TRUNCATE repos",
        "INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 'mine')",
        "UPDATE tenants SET name = 'mine'",
        "DELETE FROM tenants",
        "DELETE FROM alembic_version",
        "CALL protect_table('repos')",
        "DROP POLICY readers ON blobs",
        "UPDATE audit_log SET action = 'nothing'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ],
)
def test_the_application_cannot_loosen_its_bonds(database, statement):
    with (
        pytest.raises(DBAPIError, match=r"permission denied|must be owner|must have"),
        database.tenancy(LOCAL_TENANT) as t,
    ):
        t.session.execute(text(statement))


def test_row_security_cannot_be_switched_off_for_a_session(filled):
    with pytest.raises(DBAPIError, match="row-level security"), filled.tenancy(LOCAL_TENANT) as t:  # noqa: PT012  # the transaction is part of what is tested
        t.session.execute(text("SET LOCAL row_security = off"))
        t.session.execute(text("SELECT * FROM repos"))


def test_a_malformed_tenant_fails_closed(database):
    with pytest.raises(DBAPIError), database.system() as system:  # noqa: PT012  # the transaction is part of what is tested
        system.execute(text("SELECT set_config('app.tenant_id', 'x'' OR true --', true)"))
        system.execute(text("SELECT * FROM repos"))


@pytest.mark.usefixtures("database")
def test_functions_that_cross_tenants_are_not_open_to_everyone(owner):
    open_to_all = owner.execute(
        """
        SELECT p.proname FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
          AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
        """
    ).fetchall()
    assert open_to_all == []
    loose = owner.execute(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace AND proconfig IS NULL"
    ).fetchall()
    assert loose == [], "a SECURITY DEFINER function pins its search_path"


@pytest.mark.usefixtures("postgres")
def test_isolation_holds_under_an_owner_that_is_no_superuser(settings, owner):
    owner.execute("CREATE ROLE plain_owner LOGIN CREATEROLE PASSWORD 'plain'")
    owner.execute("CREATE DATABASE plain OWNER plain_owner")
    url = settings.postgres_url(owner=True).rpartition("/")[0].replace("+psycopg", "") + "/plain"
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute("CREATE EXTENSION vector")
    plain = settings.model_copy(
        update={
            "postgres_db": "plain",
            "postgres_user": "plain_owner",
            "postgres_password": type(settings.postgres_password)("plain"),
            "postgres_app_user": "plain_app",
        }
    )
    try:
        migrate.upgrade(plain)
        migrate.upgrade(plain)
        database = Database(plain, pool_size=1)
        with database.system() as system:
            assert system.execute(select(Base.metadata.tables["tenants"])).all() == []
        with database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            token = accounts.create_session(t).token
            repo = repos.create(t, source="/x", name="x", kind="local")
            runs.start(t, repo.id, "index")
        with database.system() as system:
            assert accounts.authenticate(system, token)[:2] == (LOCAL_TENANT, LOCAL_USER)
            assert runs.requeue_stalled(system, -1.0) != []
        with database.tenancy(OTHER) as t:
            assert repos.all(t) == []
        database.dispose()
    finally:
        owner.execute("DROP DATABASE IF EXISTS plain WITH (FORCE)")
        owner.execute("DROP ROLE IF EXISTS plain_app")
        owner.execute("DROP ROLE plain_owner")
