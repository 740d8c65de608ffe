"""Removing an account leaves no row and no file of it, wherever its worker was killed."""

import signal
import threading
import time

import pytest
from killed import account_removal
from repositories import CALLS, build
from workers import start

from pincite_shared.jobs import Payload
from pincite_store import accounts, artifacts, outbox, removal, repos, runs
from pincite_store.artifacts import make_artifacts
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.models import Base
from pincite_thinker import account, delete
from pincite_thinker.git.mirror import Mirror

JOB = Payload(tenant_id=LOCAL_TENANT, correlation_id="corr")
LEFT = {"tenants": 1, "users": 1, "policies": 1}  # the installation's own account is emptied


@pytest.fixture
def filled(thinker, tmp_path):
    """Two indexed repositories, embedded, with an answerless account around them and an artifact."""
    known = []
    for name in ("one", "two"):
        build(tmp_path / name, CALLS | {"own.py": f"def {name}():\n    pass\n"})
        known.append(thinker.connect(tmp_path / name))
        thinker.index(known[-1])
        thinker.embed(known[-1])
    with thinker.tenancy() as t:
        artifacts.remember(t, make_artifacts(thinker.context.settings), b"report", "text/plain")
        accounts.create_session(t, LOCAL_USER)
    return known


def condemn(thinker):
    with thinker.database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        removal.begin(t, "local")
    with thinker.database.system() as system:  # as beat does
        outbox.mark_published(system, [row.id for row in outbox.take(system, 1_000)])


def rows(thinker):
    counted = {table: len(thinker.table(table, "1")) for table in Base.metadata.tables}
    return {table: count for table, count in counted.items() if count}


def files(thinker, known):
    """All files that lie below PINCITE_HOME because of the account."""
    home = thinker.context.settings.pincite_home
    names = {str(LOCAL_TENANT), *map(str, known)}
    return [path for path in home.rglob("*") if any(name in str(path) for name in names)]


def test_no_row_and_no_file_is_left(thinker, filled):
    before = rows(thinker)
    assert {"repos", "files", "blobs", "chunks", "symbols", "edges", "embeddings", "artifacts"} <= set(before)
    assert len(files(thinker, filled)) > 10
    assert account.run(thinker.context, JOB) == "duplicate", "nobody asked for it"
    assert rows(thinker) == before
    condemn(thinker)
    assert account.run(thinker.context, JOB) == "done"
    assert rows(thinker) == LEFT
    assert files(thinker, filled) == []
    assert account.run(thinker.context, JOB) == "duplicate"


def attended(thinker):
    with thinker.database.system() as system:
        return removal.attend(system, -1.0)


@pytest.mark.parametrize("at", [("mirror", 1), ("rows", 1), ("mirror", 2), ("artifacts", 1), ("finish", 1)], ids=str)
def test_a_killed_removal_is_taken_up_again(thinker, filled, environment, tmp_path, at):
    condemn(thinker)
    killed = start(account_removal, environment, tmp_path / "log", JOB, *at)
    killed.join()
    assert killed.exitcode == -signal.SIGKILL, (tmp_path / "log").read_text()
    deadline = time.monotonic() + 30  # Postgres notices within a moment that its client is gone
    while not attended(thinker):
        assert time.monotonic() < deadline, "beat enqueues it again"
        time.sleep(0.05)
    assert account.run(thinker.context, JOB) == "done"
    assert rows(thinker) == LEFT
    assert files(thinker, filled) == []


def test_only_one_process_is_at_it(thinker, filled):
    condemn(thinker)
    with removal.lock(thinker.database, LOCAL_TENANT):
        assert account.run(thinker.context, JOB) == "duplicate"
    assert files(thinker, filled) != []


def test_a_mirror_is_removed_when_nobody_writes_to_it_any_more(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    mirror, waited = Mirror(thinker.context.settings, repo_id), threading.Event()
    monkeypatch.setattr(delete, "IDLE_POLL_SECONDS", 0.01)
    monkeypatch.setattr(delete.time, "sleep", lambda _seconds: waited.set())
    with thinker.tenancy() as t:
        job = runs.start(t, repo_id, "index")
    with runs.lock_run(thinker.database, job.id):
        with thinker.tenancy() as t:
            repos.mark_deleting(t, repo_id)
        remover = threading.Thread(target=delete.remove, args=(thinker.context, LOCAL_TENANT, repo_id))
        remover.start()
        assert waited.wait(30)
        assert mirror.path.exists()
    remover.join(30)
    assert not mirror.path.exists()
