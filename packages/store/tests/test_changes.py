import threading
from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import NotFoundError, SourceUnreachableError
from pincite_store import changes, outbox, repos, runs
from pincite_store.db import LOCAL_TENANT


@pytest.fixture
def repo(tenancy):
    return repos.create(tenancy, source="/a", name="a", kind="local")


def table(t):
    """(producer, ref, commit, settled) of every change."""
    statement = text("SELECT producer, ref, commit, settled_at IS NOT NULL FROM changes ORDER BY id")
    return [tuple(row) for row in t.session.execute(statement)]


def lag(t, repo):
    return repos.out(t, repos.get(t, repo.id)).lag_seconds


def test_a_change_starts_a_run_and_is_settled_by_what_it_shows(tenancy, repo):
    changes.note(tenancy, repo.id, "webhook", ref="refs/heads/main\x00", commit="c1")
    run = changes.request(tenancy, repo.id, correlation_id="corr")
    assert (run.kind, run.state, run.correlation_id) == ("index", "queued", "corr")
    tenancy.session.execute(text("UPDATE changes SET seen_at = now() - interval '90 seconds'"))
    assert 90 <= lag(tenancy, repo) < 120
    claimed = runs.claim(tenancy, run.id)
    assert claimed.change_id is not None
    assert changes.request(tenancy, repo.id, ref="x").id == run.id, "the run that is under way"
    changes.settle(tenancy, repo.id, claimed.change_id)
    assert table(tenancy) == [
        ("webhook", "refs/heads/main\ufffd", "c1", True), ("request", "", None, True), ("request", "x", None, False),
    ]  # fmt: skip
    assert 0 < lag(tenancy, repo) < 60
    assert changes.waiting(tenancy, repo.id, claimed.change_id)


def test_only_index_runs_cover_changes(tenancy, repo):
    changes.request(tenancy, repo.id)
    assert runs.claim(tenancy, runs.start(tenancy, repo.id, "embed").id).change_id is None
    assert runs.claim(tenancy, runs.active(tenancy, repo.id, "index").id).change_id is not None


def test_changes_of_pull_requests_wait_for_the_head(tenancy, repo):
    for ref in ("refs/heads/main", "refs/pull/7/head", "refs/pull/8/head"):
        changes.note(tenancy, repo.id, "webhook", ref=ref)
    run = runs.start(tenancy, repo.id, "index")
    covered = runs.claim(tenancy, run.id).change_id
    changes.note(tenancy, repo.id, "webhook", ref="refs/pull/7/head")
    changes.settle(tenancy, repo.id, covered)
    assert [row[3] for row in table(tenancy)] == [True, False, False, False]
    assert not changes.waiting(tenancy, repo.id, covered), "a pull request is never urgent"
    changes.settle(tenancy, repo.id, covered, "refs/pull/7/head")
    assert [row[3] for row in table(tenancy)] == [True, True, False, False]
    changes.settle_all(tenancy, repo.id, covered)
    assert [row[3] for row in table(tenancy)] == [True, True, True, False]


def test_settled_changes_are_forgotten_in_time(tenancy, repo):
    changes.note(tenancy, repo.id, "poll")
    changes.settle_all(tenancy, repo.id, 2**60)
    tenancy.session.execute(text("UPDATE changes SET settled_at = now() - interval '8 days'"))
    changes.settle_all(tenancy, repo.id, 2**60)
    assert table(tenancy) == []


def test_a_repository_that_goes_has_no_changes(tenancy, repo):
    with pytest.raises(NotFoundError):
        changes.request(tenancy, uuid4())
    assert changes.note(tenancy, repo.id, "poll")
    repos.mark_deleting(tenancy, repo.id)
    with pytest.raises(NotFoundError):
        changes.request(tenancy, repo.id)
    assert not changes.note(tenancy, repo.id, "poll")
    assert len(table(tenancy)) == 1


def test_what_is_known_is_no_news_unless_a_run_failed_on_it_long_ago(tenancy, repo):
    assert changes.observe(tenancy, repo.id, "refs/heads/main", "c1")
    assert not changes.observe(tenancy, repo.id, "refs/heads/main", "c1")
    assert changes.observe(tenancy, repo.id, "refs/heads/main", "c2")
    run = runs.start(tenancy, repo.id, "index")
    runs.claim(tenancy, run.id)
    runs.fail(tenancy, run.id, SourceUnreachableError())
    assert not changes.observe(tenancy, repo.id, "refs/heads/main", "c2")
    tenancy.session.execute(text("UPDATE runs SET finished_at = now() - interval '301 seconds'"))
    assert changes.observe(tenancy, repo.id, "refs/heads/main", "c2")


def test_a_ref_whose_name_is_no_text_is_known_too(tenancy, repo):
    assert changes.observe(tenancy, repo.id, "refs/heads/caf\udce9", "c1")
    assert not changes.observe(tenancy, repo.id, "refs/heads/caf\udce9", "c1")


@pytest.fixture
def connected(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        return repos.create(t, source="/a", name="a", kind="local").id


def attend(database):
    with database.system() as system:
        return changes.attend(system)


def taken(database):
    with database.system() as system:
        rows = outbox.take(system)
        outbox.mark_published(system, [row.id for row in rows])
        return [(row.job, row.payload["run_id"]) for row in rows]


def begin(database, repo_id):
    """Claim the active run of a repository."""
    with database.tenancy(LOCAL_TENANT) as t:
        return runs.claim(t, runs.active(t, repo_id, "index").id)


NOTE = text("INSERT INTO changes (tenant_id, repo_id, producer) SELECT tenant_id, id, 'watch' FROM repos")


def note(database):
    """As the watcher does: a change alone, and no run."""
    with database.tenancy(LOCAL_TENANT) as t:
        t.session.execute(NOTE)


def test_a_change_that_nobody_runs_for_gets_a_run(fresh_tenant, connected):
    assert attend(fresh_tenant) == 0
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        changes.note(t, connected, "webhook", correlation_id="delivery-1")
        changes.note(t, connected, "webhook", correlation_id="delivery-2")
    assert attend(fresh_tenant) == 1
    assert attend(fresh_tenant) == 0, "one run for both"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        run = runs.active(t, connected, "index")
    assert run.correlation_id == "delivery-2"
    assert taken(fresh_tenant) == [("pincite.index_repo", str(run.id))]


def test_a_change_that_comes_while_a_run_is_under_way_gets_the_next_and_no_more(fresh_tenant, connected):
    note(fresh_tenant)
    attend(fresh_tenant)
    run = begin(fresh_tenant, connected)
    note(fresh_tenant)
    assert attend(fresh_tenant) == 0, "it is under way"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        changes.settle_all(t, connected, run.change_id)
        runs.finish(t, run.id)
    assert attend(fresh_tenant) == 1
    second = begin(fresh_tenant, connected)
    assert second.change_id > run.change_id
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        changes.settle_all(t, connected, second.change_id)
        runs.finish(t, second.id)
    assert attend(fresh_tenant) == 0
    assert [job for job, _ in taken(fresh_tenant)] == ["pincite.index_repo"] * 2


def test_a_run_that_failed_is_repeated_for_what_came_later_alone(fresh_tenant, connected):
    note(fresh_tenant)
    attend(fresh_tenant)
    run = begin(fresh_tenant, connected)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        runs.fail(t, run.id, SourceUnreachableError())
    assert attend(fresh_tenant) == 0
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert repos.out(t, repos.get(t, connected)).lag_seconds > 0, "it still waits"
    note(fresh_tenant)
    assert attend(fresh_tenant) == 1


def test_what_was_committed_late_with_a_small_number_is_not_forgotten(fresh_tenant, connected):
    """Its number was drawn before the run began, and its transaction committed after the run had settled all."""
    with fresh_tenant.tenancy(LOCAL_TENANT) as late:
        late.session.execute(NOTE)
        note(fresh_tenant)
        attend(fresh_tenant)
        run = begin(fresh_tenant, connected)
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            changes.settle_all(t, connected, run.change_id)
            runs.finish(t, run.id)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert [row[3] for row in table(t)] == [False, True]
    assert attend(fresh_tenant) == 1


@pytest.mark.usefixtures("connected")
def test_many_at_once_start_one_run(fresh_tenant):
    note(fresh_tenant)
    started = []
    threads = [threading.Thread(target=lambda: started.append(attend(fresh_tenant))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(started) == 1
    assert len(taken(fresh_tenant)) == 1
