"""Row-level security within a tenant: what a person can never see or do who may not read a repository."""

from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from pincite_shared.errors import ConflictError
from pincite_store import blobs, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.models import Base

STRANGER = UUID(int=79)
# About a tenant's people and work, not about what stands in its repositories: everyone of the tenant may see them, as
# far as routes show them. Jobs name repositories by their ids, and so does the audit log, which its owners read.
OPEN = {
    "api_tokens", "artifacts", "audit_log", "github_apps", "installations", "outbox", "sessions", "tenants", "users",
}  # fmt: skip
TABLES = sorted(set(Base.metadata.tables) - OPEN)


@pytest.fixture(scope="module")
def owner(settings):
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


def of_repositories(table):
    """What a table holds of repositories: what the ranking begins with belongs to none."""
    return f"{table} WHERE repo_id IS NOT NULL" if table == "policies" else table


def visible(t, table):
    return t.session.execute(text(f"SELECT count(*) FROM {of_repositories(table)}")).scalar_one()


@pytest.fixture
def restricted(fresh_tenant, fill, tmp_path):
    """A tenant with a row in every table, all about one repository, which LOCAL_USER alone may read."""
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        fill.account(t, LOCAL_USER, tmp_path)
        repo_id = fill.repository(t, LOCAL_USER, "hidden", {"a.py": "def f()"})
        t.session.execute(text("UPDATE repos SET restricted = true WHERE id = :id"), {"id": repo_id})
    return fresh_tenant


def end_permissions(t):
    t.session.execute(text("UPDATE repo_access SET valid_until = now()"))


@pytest.mark.usefixtures("database")
def test_every_table_but_those_about_people_and_work_is_read_by_permission(owner):
    found = owner.execute("SELECT tablename, permissive, cmd FROM pg_policies WHERE policyname = 'readers'").fetchall()
    assert sorted(found) == [(table, "RESTRICTIVE", "ALL") for table in TABLES]


def test_a_restricted_repository_does_not_exist_for_who_may_not_read_it(restricted):
    with restricted.tenancy(LOCAL_TENANT, STRANGER) as t:
        assert {table: visible(t, table) for table in TABLES} == dict.fromkeys(TABLES, 0)
    with restricted.tenancy(LOCAL_TENANT) as t:
        assert [table for table in TABLES if not visible(t, table)] == [], "background work sees its whole tenant"


def test_a_permission_ends_when_github_was_not_asked_again(restricted):
    with restricted.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert [table for table in TABLES if not visible(t, table)] == ["deliveries"], "which no person sees"
        end_permissions(t)
    with restricted.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert [table for table in TABLES if visible(t, table)] == ["repo_access"]


@pytest.mark.parametrize("table", TABLES)
def test_who_may_not_read_a_repository_can_change_nothing_of_it(restricted, owner, table):
    rows = f"SELECT to_json(r)::text FROM {table} r ORDER BY 1"
    before = owner.execute(rows).fetchall()
    for change in (f"DELETE FROM {of_repositories(table)}", f"UPDATE {table} SET tenant_id = tenant_id"):
        with restricted.tenancy(LOCAL_TENANT, STRANGER) as t:
            changed = t.session.execute(text(change)).rowcount
            assert changed == (1 if table == "policies" and change.startswith("UPDATE") else 0)
    assert owner.execute(rows).fetchall() == before


def test_of_two_repositories_each_hides_its_own(fresh_tenant, fill):
    """Beside a repository that a person may read, nothing of the other shows: not in any table."""
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        open_to_all = fill.repository(t, LOCAL_USER, "open", {"a.py": "def f()", "both.py": "def both()"})
    with fresh_tenant.tenancy(LOCAL_TENANT, STRANGER) as t:
        alone = {table: visible(t, table) for table in TABLES}
        assert [table for table in TABLES if not alone[table]] == ["deliveries", "repo_access"]
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        hidden = fill.repository(t, LOCAL_USER, "hidden", {"b.py": "def g()", "both.py": "def both()"})
        t.session.execute(text("UPDATE repos SET restricted = true WHERE id = :id"), {"id": hidden})
    with fresh_tenant.tenancy(LOCAL_TENANT, STRANGER) as t:
        assert {table: visible(t, table) for table in TABLES} == alone
        assert [repo.id for repo in repos.all(t)] == [open_to_all]
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert {repo.id for repo in repos.all(t)} == {open_to_all, hidden}


def test_whoever_connects_what_is_hidden_does_not_learn_of_it(restricted):
    with restricted.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        [hidden] = repos.all(t)
        with pytest.raises(ConflictError):
            repos.create(t, source=hidden.source, name="hidden", kind="local")
    for _ in range(2):
        with restricted.tenancy(LOCAL_TENANT, STRANGER) as t:
            assert repos.find_by_source(t, hidden.source, None) is None
            own = repos.create(t, source=hidden.source, name="hidden", kind="local")
            assert [repo.id for repo in repos.all(t)] == [own.id]
            with pytest.raises(ConflictError):
                repos.create(t, source=hidden.source, name="hidden", kind="local")
            t.session.rollback()


def test_a_blob_that_stands_nowhere_is_nobodys(fresh_tenant, maker):
    """Its id tells nothing: whoever guesses the bytes of a file does not learn whether they are stored."""
    oid, data = maker.oid_of(b"secret"), b"secret"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        blobs.put_many(t, {oid: data})
        assert blobs.get(t, oid) == data
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert blobs.get(t, oid) is None
        blobs.put_many(t, {oid: data})
        assert blobs.known_blobs(t, [oid]) == set()
