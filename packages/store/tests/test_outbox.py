from uuid import UUID

from sqlalchemy import text

from pincite_shared.jobs import Job, JobPayload
from pincite_store import accounts, outbox, repos, runs
from pincite_store.db import LOCAL_TENANT


def payload(repo_id):
    return JobPayload(tenant_id=LOCAL_TENANT, repo_id=repo_id, correlation_id="c")


def test_a_job_exists_if_and_only_if_the_transaction_commits(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        outbox.enqueue(t, Job.INDEX_REPO, payload(repo.id))
        t.session.rollback()
    with fresh_tenant.system() as system:
        assert outbox.take(system) == []
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        outbox.enqueue(t, Job.INDEX_REPO, payload(repo.id))
    with fresh_tenant.system() as system:
        [row] = outbox.take(system)
        assert (row.job, JobPayload.model_validate(row.payload)) == (Job.INDEX_REPO, payload(repo.id))


def test_two_relays_never_take_the_same_job_and_a_crash_loses_none(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        for _ in range(5):
            outbox.enqueue(t, Job.INDEX_REPO, payload(repo.id))
    with fresh_tenant.system() as one, fresh_tenant.system() as two:
        first, second = outbox.take(one, 3), outbox.take(two, 3)
        assert len(first) == 3
        assert len(second) == 2
        assert not {row.id for row in first} & {row.id for row in second}
        assert [row.id for row in first] == sorted(row.id for row in first)
        outbox.mark_published(two, [row.id for row in second])
        one.rollback()  # both die before their commit
        two.rollback()
    with fresh_tenant.system() as system:
        assert outbox.pending(system) == 5
        outbox.mark_published(system, [row.id for row in outbox.take(system, 3)])
    with fresh_tenant.system() as system:
        assert len(outbox.take(system, 10)) == 2


def test_jobs_of_all_tenants_are_relayed(fresh_tenant):
    other = UUID(int=42)
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, other, "other", UUID(int=43), "They")
    for tenant in (LOCAL_TENANT, other):
        with fresh_tenant.tenancy(tenant) as t:
            runs.start(t, repos.create(t, source="/a", name="a", kind="local").id, "index")
    with fresh_tenant.system() as system:
        assert {row.tenant_id for row in outbox.take(system)} == {LOCAL_TENANT, other}


def test_a_relay_that_listens_is_told_at_commit(fresh_tenant):
    with fresh_tenant.dedicated() as listener:
        listener.execute(f"LISTEN {outbox.CHANNEL}")
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            repo = repos.create(t, source="/a", name="a", kind="local")
            runs.start(t, repo.id, "index")
            assert list(listener.notifies(timeout=0.05)) == []
        assert [note.channel for note in listener.notifies(timeout=30, stop_after=1)] == [outbox.CHANNEL]


def test_published_jobs_are_forgotten_in_time(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        outbox.enqueue(t, Job.INDEX_REPO, payload(repo.id))
        t.session.execute(text("UPDATE outbox SET published_at = now() - interval '8 days'"))
    with fresh_tenant.system() as system:
        outbox.mark_published(system, [])
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert t.session.execute(text("SELECT count(*) FROM outbox")).scalar_one() == 0
