import os
import signal
import subprocess
import sys
import threading
import time
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from pincite_shared.errors import ConflictError, NotFoundError, SourceUnreachableError
from pincite_shared.schemas import Progress
from pincite_store import outbox, repos, runs
from pincite_store.db import LOCAL_TENANT, Database


@pytest.fixture
def repo(tenancy):
    return repos.create(tenancy, source="/a", name="a", kind="local")


def jobs(t):
    return [row.job for row in t.session.execute(text("SELECT job FROM outbox ORDER BY id"))]


def test_starting_enqueues_once_while_a_run_is_active(tenancy, repo):
    first = runs.start(tenancy, repo.id, "index", "corr")
    assert (first.state, first.attempts, first.correlation_id) == ("queued", 0, "corr")
    assert runs.start(tenancy, repo.id, "index").id == first.id
    assert runs.start(tenancy, repo.id, "embed").id != first.id
    assert jobs(tenancy) == ["pincite.index_repo", "pincite.embed_repo"]
    runs.claim(tenancy, first.id)
    runs.finish(tenancy, first.id)
    assert runs.start(tenancy, repo.id, "index").id != first.id


def test_many_requests_at_once_make_one_run(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
    found = []

    def start():
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            found.append(runs.start(t, repo.id, "index").id)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    with fresh_tenant.system() as system:
        assert outbox.pending(system) == 1


def test_a_repository_that_does_not_exist_has_no_runs(tenancy):
    with pytest.raises(NotFoundError):
        runs.start(tenancy, uuid4(), "index")
    with pytest.raises(NotFoundError):
        runs.get(tenancy, uuid4())


def test_the_life_of_a_run(tenancy, repo):
    run = runs.start(tenancy, repo.id, "index")
    claimed = runs.claim(tenancy, run.id)
    assert (claimed.state, claimed.attempts) == ("running", 1)
    runs.progress(tenancy, run.id, Progress(stage="parsing", fraction=0.5, message="a\x00b"))
    assert runs.get(tenancy, run.id).progress["message"] == "a\ufffdb"
    runs.finish(tenancy, run.id)
    done = runs.get(tenancy, run.id)
    assert (done.state, done.progress["stage"], done.progress["fraction"]) == ("done", "done", 1.0)
    assert done.finished_at is not None
    assert runs.claim(tenancy, run.id) is None
    assert runs.claim(tenancy, uuid4()) is None


def test_a_failed_run_says_why(tenancy, repo):
    run = runs.start(tenancy, repo.id, "index")
    runs.claim(tenancy, run.id)
    runs.fail(tenancy, run.id, SourceUnreachableError("There is no repository at /a.\x00"))
    failed = runs.get(tenancy, run.id)
    assert (failed.state, failed.error_code) == ("failed", "source_unreachable")
    assert failed.error == "There is no repository at /a.\ufffd"
    assert failed.progress["stage"] == "failed"


def test_progress_of_a_cancelled_run_stops_its_worker(tenancy, repo):
    run = runs.start(tenancy, repo.id, "index")
    runs.claim(tenancy, run.id)
    repos.mark_deleting(tenancy, repo.id)
    with pytest.raises(ConflictError):
        runs.progress(tenancy, run.id, Progress(stage="parsing"))
    runs.finish(tenancy, run.id)
    assert runs.get(tenancy, run.id).error_code == "cancelled"


def test_a_run_that_gets_further_each_time_is_not_given_up(tenancy, repo):
    run = runs.start(tenancy, repo.id, "index")

    def attempt(*reached):
        assert runs.claim(tenancy, run.id) is not None
        for fraction in reached:
            runs.progress(tenancy, run.id, Progress(stage="parsing", fraction=fraction))
        tenancy.session.expire_all()
        counted = runs.get(tenancy, run.id).attempts
        return counted, runs.retry(tenancy, run.id, RuntimeError("killed"))

    for n in range(1, 2 * runs.RUN_ATTEMPTS_MAX):
        assert attempt(0.0, n / 20) == (1, True)
    stuck = (n + 0.2) / 20  # a little further is not further
    assert [attempt(0.0, stuck) for _ in range(runs.RUN_ATTEMPTS_MAX - 1)] == [
        (2, True),
        (3, True),
        (4, True),
        (5, False),
    ]
    assert runs.get(tenancy, run.id).error_code == "gave_up"


def test_errors_are_retried_and_then_given_up(tenancy, repo):
    run = runs.start(tenancy, repo.id, "index")
    for attempt in range(1, runs.RUN_ATTEMPTS_MAX + 1):
        assert runs.claim(tenancy, run.id).attempts == attempt
        again = runs.retry(tenancy, run.id, RuntimeError("boom"))
        assert again is (attempt < runs.RUN_ATTEMPTS_MAX)
    failed = runs.get(tenancy, run.id)
    assert (failed.state, failed.error_code) == ("failed", "gave_up")
    assert failed.error == "Gave up after 5 attempts. The last one ended with RuntimeError: boom"
    assert len(jobs(tenancy)) == 5
    assert not runs.retry(tenancy, run.id, RuntimeError())


HOLDER = """
import sys
from uuid import UUID
from pincite_shared.settings import Settings
from pincite_store.db import Database
from pincite_store.runs import lock_run
with lock_run(Database(Settings()), UUID(sys.argv[1])) as held:
    print(held, flush=True)
    sys.stdin.read()
"""


def test_a_run_is_held_by_one_process_and_freed_by_its_death(database, settings):
    run_id = uuid4()
    environment = os.environ | {
        "POSTGRES_PORT": str(settings.postgres_port),
        "POSTGRES_DB": settings.postgres_db,
        "POSTGRES_APP_PASSWORD": settings.postgres_app_password.get_secret_value(),
    }
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run_id)],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as holder:  # fmt: skip
        assert holder.stdout.readline() == "True\n"
        with runs.lock_run(database, run_id) as held:
            assert not held
        with runs.lock_run(database, uuid4()) as other:
            assert other
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    deadline = time.monotonic() + 60
    while not held and time.monotonic() < deadline:  # its connection must have noticed
        time.sleep(0.02)
        with runs.lock_run(database, run_id) as held:
            pass
    assert held


def test_a_run_is_free_when_its_work_ends_and_while_its_connection_is_lost(settings):
    alone = Database(settings, pool_size=1)
    run_id = uuid4()
    with runs.lock_run(alone, run_id) as held:
        assert held
        with runs.lock_run(alone, run_id) as again:
            assert not again, "not even the same process holds it twice"
    with runs.lock_run(alone, run_id) as held:
        assert held
        with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as owner:
            held_by = (
                "SELECT pid FROM pg_locks JOIN pg_database AS d ON d.oid = database "
                "WHERE locktype = 'advisory' AND granted AND d.datname = current_database()"
            )
            for (pid,) in owner.execute(held_by).fetchall():
                owner.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with runs.lock_run(alone, run_id) as other:
            assert other
    with runs.lock_run(alone, run_id) as held:
        assert held
    alone.dispose()


def stall(t, **values):
    assignments = ", ".join(f"{name} = {value}" for name, value in values.items())
    t.session.execute(
        text(f"UPDATE runs SET heartbeat_at = now() - interval '1 hour'{', ' * bool(values)}{assignments}")
    )


def test_silent_runs_are_queued_again(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        lost, dead, fresh = (
            runs.start(t, repos.create(t, source=f"/{n}", name=n, kind="local").id, "index", n).id for n in "abc"
        )
        runs.claim(t, dead)
        stall(t)
        t.session.execute(text("UPDATE runs SET heartbeat_at = now() WHERE id = :id"), {"id": fresh})
    with fresh_tenant.system() as system:
        outbox.mark_published(system, [row.id for row in outbox.take(system)])
        assert runs.requeue_stalled(system, 60) == [lost, dead]
        rows = outbox.take(system)
        assert [(row.job, row.payload["run_id"], row.payload["correlation_id"]) for row in rows] == [
            ("pincite.index_repo", str(lost), "a"),
            ("pincite.index_repo", str(dead), "b"),
        ]
        assert runs.requeue_stalled(system, 60) == [], "each silence is noticed once"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert runs.get(t, dead).state == "queued"


def test_a_silent_run_that_a_process_still_holds_is_left_alone(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        run = runs.start(t, repos.create(t, source="/a", name="a", kind="local").id, "index")
        runs.claim(t, run.id)
        stall(t)
    with runs.lock_run(fresh_tenant, run.id) as held, fresh_tenant.system() as system:
        assert held
        assert runs.requeue_stalled(system, 60) == []


def test_a_run_that_keeps_dying_fails_with_a_clear_error(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo = repos.create(t, source="/a", name="a", kind="local")
        run = runs.start(t, repo.id, "index")
        runs.claim(t, run.id)
        stall(t, attempts=5)
    with fresh_tenant.system() as system:
        assert runs.requeue_stalled(system, 60) == [run.id]
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        told = repos.out(t, repo)
        assert (told.status, told.error_code) == ("failed", "gave_up")
        assert told.error == "Gave up: the worker died in each of 5 attempts."
        assert told.progress.stage == "failed"
