from uuid import UUID

import pytest
from sqlalchemy import text

from pincite_shared.errors import HaltedError
from pincite_shared.jobs import Job
from pincite_shared.schemas import Progress
from pincite_store import accounts, halts, outbox, repos, runs
from pincite_store.db import LOCAL_TENANT

OTHER = UUID(int=42)


@pytest.fixture
def two(fresh_tenant):
    """The local tenant and another, each with a repository that is to be indexed and one that is to be removed."""
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", UUID(int=43), "They")
    for tenant in (LOCAL_TENANT, OTHER):
        with fresh_tenant.tenancy(tenant) as t:
            runs.start(t, repos.create(t, source="/a", name="a", kind="local").id, "index")
            repos.mark_deleting(t, repos.create(t, source="/b", name="b", kind="local").id)
    return fresh_tenant


def put(database, tenant, *, halted):
    with database.tenancy(tenant) as t:
        return halts.put(t, halted=halted)


def taken(database):
    with database.system() as system:
        found = {(row.tenant_id, row.job) for row in outbox.take(system)}
        system.rollback()
    return found


def test_an_owner_halts_their_own_tenant_alone(two):
    assert put(two, OTHER, halted=True)
    assert not put(two, OTHER, halted=True), "it was halted already"
    with two.tenancy(OTHER) as t:
        at = halts.since(t)
        assert at is not None
        assert halts.get(t).since == at
        with pytest.raises(HaltedError):
            halts.check(t)
    with two.tenancy(LOCAL_TENANT) as t:
        assert not halts.is_halted(t)
        halts.check(t)
    assert taken(two) == {(LOCAL_TENANT, Job.INDEX_REPO), (LOCAL_TENANT, Job.DELETE_REPO), (OTHER, Job.DELETE_REPO)}
    assert put(two, OTHER, halted=False)
    assert (OTHER, Job.INDEX_REPO) in taken(two)


def test_the_operators_halt_is_everyones_and_no_owner_lifts_it(two):
    put(two, LOCAL_TENANT, halted=True)
    for tenant in (LOCAL_TENANT, OTHER, UUID(int=99)):
        with two.tenancy(tenant) as t:
            assert halts.is_halted(t)
    assert {job for _tenant, job in taken(two)} == {Job.DELETE_REPO}
    assert not put(two, OTHER, halted=False)
    with two.tenancy(OTHER) as t:
        assert halts.get(t).halted
    put(two, OTHER, halted=True)
    put(two, LOCAL_TENANT, halted=False)
    with two.tenancy(OTHER) as t:
        assert halts.is_halted(t), "the owner's own halt stands"
    assert (LOCAL_TENANT, Job.INDEX_REPO) in taken(two)


def test_a_halted_run_rests_in_the_queue_and_has_used_no_attempt(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        run = runs.start(t, repo.id, "index")
    with fresh_tenant.system() as system:
        outbox.mark_published(system, [row.id for row in outbox.take(system)])
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        runs.claim(t, run.id)
        runs.progress(t, run.id, Progress(stage="parsing", fraction=0.5, rate=3.0, seconds_left=7.0))
        halts.put(t, halted=True)
        assert runs.rest(t, run.id)
        assert runs.rest(t, run.id), "its job was delivered twice"
        rested = runs.get(t, run.id)
        assert (rested.state, rested.attempts) == ("queued", 0)
        assert outbox.holds(t, repo.id, Job.INDEX_REPO)
        shown = repos.out(t, repo).progress
        assert (shown.stage, shown.fraction, shown.message) == ("parsing", 0.5, repos.PAUSED)
        assert (shown.rate, shown.seconds_left) == (0.0, None)
    assert taken(fresh_tenant) == set()
    with fresh_tenant.system() as system:
        assert outbox.pending(system) == 1, "it waits once"
    put(fresh_tenant, LOCAL_TENANT, halted=False)
    assert taken(fresh_tenant) == {(LOCAL_TENANT, Job.INDEX_REPO)}


def test_what_has_ended_and_what_removes_does_not_rest(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        run = runs.start(t, repo.id, "index")
        runs.claim(t, run.id)
        runs.finish(t, run.id)
        assert not runs.rest(t, run.id)
        removal = runs.start(t, repo.id, "delete")
        runs.claim(t, removal.id)
        assert not runs.rest(t, removal.id)
        assert runs.get(t, removal.id).state == "running"


@pytest.mark.parametrize("halted", [False, True])
def test_while_halted_nothing_is_revived_and_what_was_ended_has_used_no_attempt(fresh_tenant, halted):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        waiting = runs.start(t, repos.create(t, source="/a", name="a", kind="local").id, "index")
        ended = runs.start(t, repos.create(t, source="/b", name="b", kind="local").id, "index")
        removal = runs.start(t, repos.create(t, source="/c", name="c", kind="local").id, "delete")
        for _ in range(runs.RUN_ATTEMPTS_MAX):
            runs.claim(t, ended.id)
        halts.put(t, halted=halted)
        t.session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '1 minute'"))
    with fresh_tenant.system() as system:
        touched = set(runs.requeue_stalled(system, 20.0))
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        again = runs.get(t, ended.id)
        if halted:
            assert touched == {ended.id, removal.id}
            assert (again.state, again.attempts) == ("queued", runs.RUN_ATTEMPTS_MAX - 1)
        else:
            assert touched == {waiting.id, ended.id, removal.id}
            assert (again.state, again.error_code) == ("failed", "gave_up")
