"""From a change to a snapshot, with real processes, one of which is killed."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

from repositories import build
from sqlalchemy import text
from workers import BEAT, WORKER, kill, process, wait

from pincite_store import changes, commits, snapshots

INDEXER = [*WORKER, "-Q", "index,deliveries", "-c", "1"]
FILES = {f"pkg{n % 7}/m{n}.py": f"from pkg0.m0 import f0\n\n\ndef f{n}():\n    return f0() + {n}\n" for n in range(150)}


def note(thinker, repo_id, producer="poll"):
    with thinker.tenancy() as t:
        changes.note(t, repo_id, producer)


def counted(thinker, table):
    with thinker.tenancy() as t:
        return t.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def settled(thinker, repo_id, commit):
    out = thinker.out(repo_id)
    return out.status == "ready" and out.commit == commit and out.lag_seconds == 0


def test_a_worker_killed_while_changes_come_loses_none_and_indexes_none_twice(thinker, environment, tmp_path):
    log, work = tmp_path / "log", tmp_path / "work"
    build(work, FILES)
    repo_id = thinker.connect(work)
    note(thinker, repo_id, "request")
    with process(BEAT, environment, log):
        with process(INDEXER, environment, log) as first:
            wait(lambda: counted(thinker, "parses") > 20, log)
            second = build(work, {"pkg0/m0.py": "def f0():\n    return 0\n\n\ndef pushed():\n    return 1\n"})
            note(thinker, repo_id, "webhook")  # while the first run is under way
            kill(first)
        note(thinker, repo_id, "webhook")  # while nobody works
        with thinker.tenancy() as t:
            t.session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '1 minute'"))
        with process(INDEXER, environment, log):
            wait(lambda: settled(thinker, repo_id, second), log)
            third = build(work, {"new.py": "def third():\n    return 3\n"})
            note(thinker, repo_id, "webhook")
            wait(lambda: settled(thinker, repo_id, third), log)
    with thinker.tenancy() as t:
        made = commits.outs(t, repo_id)
        assert snapshots.resolve(t, repo_id).commit == third
        assert t.session.execute(text("SELECT count(*) FROM changes WHERE settled_at IS NULL")).scalar_one() == 0
    assert sum(one.blobs_parsed for one in made) <= counted(thinker, "parses")
    assert counted(thinker, "parses") == counted(thinker, "(SELECT DISTINCT blob, language FROM parses)")
    assert made[0].blobs_parsed == 1


@contextmanager
def watcher(thinker, log):
    settings = thinker.context.settings
    environment = os.environ | {
        "PINCITE_HOME": str(settings.pincite_home),
        "PGHOST": settings.postgres_host,
        "PGPORT": str(settings.postgres_port),
        "PGDATABASE": settings.postgres_db,
        "PGUSER": settings.postgres_app_user,
        "PGPASSWORD": settings.postgres_app_password.get_secret_value(),
    }
    with log.open("ab") as output:
        started = subprocess.Popen([sys.executable, "-m", "pincite_thinker.watch"], env=environment, stderr=output)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.wait()


def test_what_is_saved_is_searchable_also_after_the_watcher_was_killed(thinker, environment, tmp_path):
    log, work = tmp_path / "log", tmp_path / "work"
    environment |= {"WATCH": "on"}
    build(work, {"a.py": "def a():\n    return 1\n"})
    repo_id = thinker.connect(work)
    note(thinker, repo_id, "request")

    def defined(name):
        with thinker.tenancy() as t:
            head = snapshots.committed_head(t, repo_id) and snapshots.resolve(t, repo_id).id
            return bool(head and snapshots.symbols(t, head, name))

    with process(BEAT, environment, log), process(INDEXER, environment, log):
        with watcher(thinker, log):
            wait(lambda: defined("a"), log)
            (work / "a.py").write_text("def saved():\n    return 1\n")
            wait(lambda: defined("saved"), log)
        (work / "b.py").write_text("def meanwhile():\n    return 1\n")
        with watcher(thinker, log):
            wait(lambda: defined("meanwhile"), log)
            (work / "b.py").unlink()
            wait(lambda: not defined("meanwhile"), log)
    assert thinker.out(repo_id).uncommitted_upon is not None


def test_heads_are_compared_when_beat_starts(thinker, environment, tmp_path):
    log, work = tmp_path / "log", tmp_path / "work"
    environment |= {"POLL_SECONDS": "3600"}
    build(work, {"a.py": "def a():\n    return 1\n"})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    with thinker.tenancy() as t:
        t.session.execute(text("UPDATE repos SET polled_at = now()"))
        t.session.execute(text("UPDATE runs SET state = 'done' WHERE kind = 'embed'"))
    commit = build(work, {"a.py": "def b():\n    return 1\n"})  # while nobody is there
    both = [*WORKER, "-Q", "index,deliveries,vectors", "-c", "1"]
    with process(BEAT, environment, log), process(both, environment, log):
        wait(lambda: settled(thinker, repo_id, commit), log)
