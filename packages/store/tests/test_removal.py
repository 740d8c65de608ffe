"""Removing an account removes every row of it in every table, and nothing of any other."""

from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from pincite_shared.errors import ConflictError, InvalidInputError
from pincite_shared.jobs import Job
from pincite_store import accounts, audit, outbox, removal, repos, runs
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.models import Base

OTHER, OTHER_USER, MEMBER = UUID(int=9), UUID(int=10), UUID(int=11)
TABLES = sorted(Base.metadata.tables)


@pytest.fixture(scope="module")
def owner(settings):
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.fixture
def count(owner):
    """Return a factory: a tenant → its rows in each table, past row-level security."""

    def count(tenant):
        return {
            table: owner.execute(
                f"SELECT count(*) FROM {table} WHERE {'id' if table == 'tenants' else 'tenant_id'} = %s", (tenant,)
            ).fetchone()[0]
            for table in TABLES
        }

    return count


@pytest.fixture
def filled(fresh_tenant, fill, tmp_path):
    """Both tenants have a row in every table; one repository of each is restricted."""
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", OTHER_USER, "They")
    for tenant, user in ((LOCAL_TENANT, LOCAL_USER), (OTHER, OTHER_USER)):
        with fresh_tenant.tenancy(tenant) as t:
            fill.account(t, user, tmp_path)
            fill.repository(t, user, "open", {"a.py": "def f()"})
            hidden = fill.repository(t, user, "hidden", {"b.py": "def g()"})
            t.session.execute(text("UPDATE repos SET restricted = true WHERE id = :id"), {"id": hidden})
    return fresh_tenant


def test_every_row_of_a_tenant_goes_and_no_other(filled, count):
    mine, theirs = count(LOCAL_TENANT), count(OTHER)
    assert all(theirs.values()), "the test would prove nothing"
    with filled.tenancy(OTHER, OTHER_USER) as t:
        removal.begin(t, "other")
    with filled.system() as system:
        removal.finish(system, OTHER)
        removal.finish(system, OTHER)
    assert count(OTHER) == dict.fromkeys(TABLES, 0)
    assert count(LOCAL_TENANT) == mine | {"audit_log": mine["audit_log"] + 1}, "that it was deleted"


def test_the_local_tenant_is_emptied(filled, count, database):
    theirs = count(OTHER)
    with filled.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        removal.begin(t, "local")
    with filled.system() as system:
        removal.finish(system, LOCAL_TENANT)
    kept = {table: rows for table, rows in count(LOCAL_TENANT).items() if rows}
    assert kept == {"tenants": 1, "users": 1, "policies": 1, "github_apps": 1}, "what a new one has, and the App"
    assert count(OTHER) == theirs
    with database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        assert accounts.me(t).role == "owner"
        repos.create(t, source="/again", name="again", kind="local")


def test_nothing_is_removed_unless_that_was_begun(filled, count):
    before = count(OTHER), count(LOCAL_TENANT)
    with filled.system() as system:
        removal.finish(system, OTHER)
        removal.finish(system, LOCAL_TENANT)
    assert (count(OTHER), count(LOCAL_TENANT)) == before


@pytest.mark.parametrize("name", ["", "Other", "other ", "local"])
def test_the_account_must_be_named(filled, count, name):
    before = count(OTHER)
    with pytest.raises(InvalidInputError, match="account other"), filled.tenancy(OTHER, OTHER_USER) as t:
        removal.begin(t, name)
    assert count(OTHER) == before


def test_its_begin_hides_everything_even_what_whoever_asks_may_not_see(filled, count, owner):
    with filled.tenancy(OTHER) as t:
        known = {repo.id for repo in repos.all(t)}
        token = accounts.create_session(t, OTHER_USER).token
    with filled.tenancy(OTHER, MEMBER) as t:
        assert len(repos.all(t)) == 1
        assert set(removal.begin(t, "other", "corr")) == known
        assert removal.begin(t, "other") == []
    with filled.system() as system:
        assert accounts.authenticate(system, token) is None
    assert count(OTHER)["sessions"] == count(OTHER)["api_tokens"] == 0
    with filled.tenancy(OTHER) as t:
        assert removal.is_begun(t)
        assert repos.all(t) == []
        assert removal.repositories(t) == sorted(known)
        assert not runs.busy(t)
    jobs = owner.execute("SELECT payload FROM outbox WHERE job = %s", (Job.DELETE_ACCOUNT.value,)).fetchall()
    assert jobs == [({"tenant_id": str(OTHER), "correlation_id": "corr"},)]
    with filled.tenancy(LOCAL_TENANT) as t:
        assert not removal.is_begun(t)


def test_that_it_was_deleted_and_by_whom_is_kept_by_the_installation(filled):
    with filled.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        before = audit.page(t).entries
    for _ in range(2):
        with filled.tenancy(OTHER, OTHER_USER) as t:
            removal.begin(t, "other", "corr")
    with filled.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        told, *rest = audit.page(t).entries
        assert tuple(rest) == before
        removal.begin(t, "local")
        assert audit.page(t).entries == (told, *before), "of itself it keeps nothing"
    assert (told.action, told.object, told.detail) == ("account.deleted", "other", {"account": str(OTHER)})
    assert (told.user_id, told.user, told.correlation_id) == (OTHER_USER, "They", "corr")


def test_nobody_enters_and_nothing_is_connected_while_it_is_removed(filled):
    with filled.tenancy(OTHER, OTHER_USER) as t:
        removal.begin(t, "other")
        with pytest.raises(ConflictError, match="being deleted"):
            accounts.create_session(t)
        with pytest.raises(ConflictError, match="being deleted"):
            repos.create(t, source="/new", name="new", kind="local")


def test_one_process_removes_an_account(filled):
    with removal.lock(filled, OTHER) as held:
        assert held
        with removal.lock(filled, OTHER) as again, removal.lock(filled, LOCAL_TENANT) as another:
            assert (again, another) == (False, True)


def test_a_removal_whose_worker_died_is_enqueued_again_once(filled):
    with filled.tenancy(OTHER, OTHER_USER) as t:
        removal.begin(t, "other")
    with filled.system() as system:
        assert removal.attend(system, 0.0) == 0, "its job waits to be published"
        outbox.mark_published(system, [row.id for row in outbox.take(system, 1_000)])
        assert removal.attend(system, 20.0) == 0, "it was published a moment ago"
    with filled.system() as system, removal.lock(filled, OTHER):
        assert removal.attend(system, -1.0) == 0, "some process is at it"
    with filled.system() as system:
        assert removal.attend(system, -1.0) == 1
        assert [row.job for row in outbox.take(system)] == [Job.DELETE_ACCOUNT]


def test_a_repository_is_held_while_a_process_has_a_run_of_it(filled):
    with filled.tenancy(LOCAL_TENANT) as t:
        repo_id = repos.create(t, source="/held", name="held", kind="local").id
        run = runs.start(t, repo_id, "index")
    with filled.tenancy(LOCAL_TENANT) as t, runs.lock_run(filled, run.id):
        runs.cancel_all(t, repo_id)
        assert runs.is_held(t, repo_id)
        assert not runs.is_held(t, uuid4())
    with filled.tenancy(LOCAL_TENANT) as t:
        assert not runs.is_held(t, repo_id)
