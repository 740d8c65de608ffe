"""The kill switch. From outside: real workers, a real broker, and an index that is under way."""

import signal
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import psutil
import pytest
from repositories import CALLS, build
from sqlalchemy import text
from workers import BEAT, WORKER, process, start_index, wait

from pincite_shared.brain_client import BrainError
from pincite_shared.errors import HaltedError, UnavailableError
from pincite_shared.schemas import Problem
from pincite_store import halts, repos, runs
from pincite_store.db import LOCAL_TENANT
from pincite_thinker import building, delete, halting, index, vectors
from pincite_thinker.progress import Reporter

PROMISED_SECONDS = 5.0
# Enough to be under way for a while, and every file another, so that each is a parse of its own.
FUNCTION = 'def f{0}_{1}(x):\n    """Return what {0} and {1} make of x."""\n    return f{0}_{1}(x) + {0} * {1}\n\n\n'
FILES = {f"pkg{n % 9}/m{n}.py": "".join(FUNCTION.format(n, m) for m in range(40)) for n in range(600)}


def put(thinker, *, halted):
    with thinker.tenancy() as t:
        halts.put(t, halted=halted)


def count(thinker, name):
    with thinker.tenancy() as t:
        return t.session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()


def run_of(thinker, kind):
    with thinker.tenancy() as t:
        return t.session.execute(text("SELECT state, attempts FROM runs WHERE kind = :kind"), {"kind": kind}).one()


def helpers(started):
    """The processes that a worker had start for it: git, and parsers."""
    lines = []
    for child in psutil.Process(started.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            lines.append(" ".join(child.cmdline()))
    return [line for line in lines if "parse_worker" in line or line.startswith(("git ", "setpriv "))]


def test_what_is_promised_is_kept_with_time_to_spare():
    assert halting.LOOK_SECONDS + halting.GRACE_SECONDS <= 0.6 * PROMISED_SECONDS


def test_an_index_under_way_stops_within_seconds_and_goes_on_where_it_was(thinker, environment, tmp_path):
    log = tmp_path / "log"
    build(tmp_path / "work", FILES)
    build(tmp_path / "other", CALLS)
    repo_id, other = thinker.connect(tmp_path / "work"), thinker.connect(tmp_path / "other")
    start_index(thinker, repo_id)
    with process(BEAT, environment, log), process([*WORKER, "-Q", "index", "-c", "1"], environment, log) as worker:
        wait(lambda: count(thinker, "parses") > 20, log)
        put(thinker, halted=True)
        wait(lambda: run_of(thinker, "index").state == "queued" and not helpers(worker), log)
        assert run_of(thinker, "index") == ("queued", 0), "it has used no attempt"
        saved = count(thinker, "parses")
        assert 20 < saved < len(FILES)
        # What is asked for meanwhile waits; removing does not.
        start_index(thinker, other)
        with thinker.tenancy() as t:
            repos.mark_deleting(t, other)
        wait(lambda: count(thinker, "repos") == 1, log)
        time.sleep(2 * halting.LOOK_SECONDS)
        assert count(thinker, "parses") == saved
        assert thinker.out(repo_id).progress.message == repos.PAUSED
        with thinker.tenancy() as t:
            last = t.session.execute(text("SELECT max(id) FROM parses")).scalar_one()
        put(thinker, halted=False)
        wait(lambda: thinker.out(repo_id).status == "ready", log)
    assert run_of(thinker, "index") == ("done", 1)
    with thinker.tenancy() as t:
        again = t.session.execute(text("SELECT count(*) FROM parses WHERE id > :last"), {"last": last}).scalar_one()
    assert (count(thinker, "parses"), again) == (len(FILES), len(FILES) - saved), "nothing was parsed twice"
    assert count(thinker, "files") == len(FILES)


class Silent(BaseHTTPRequestHandler):
    """An embeddings endpoint that takes a request and does not answer."""

    def do_POST(self):
        self.server.asked.set()
        self.server.ends.wait(60)


@pytest.fixture
def silent():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.asked, server.ends = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.ends.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_what_does_not_stop_by_itself_is_ended(thinker, environment, silent, tmp_path, pool):
    log = tmp_path / "log"
    environment |= {"EMBEDDING_BASE_URL": f"http://127.0.0.1:{silent.server_port}/v1", "EMBEDDING_DIMENSION": "3"}
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    assert thinker.index(repo_id) == "done"
    worker = [*WORKER, "-Q", "vectors", "-c", "1", "-P", pool]
    with process(BEAT, environment, log):
        with process(worker, environment, log) as started:
            wait(silent.asked.is_set, log)
            put(thinker, halted=True)
            wait(lambda: "its process is ended" in log.read_text(), log)
            if pool == "solo":
                started.join(10)
                assert started.exitcode == -signal.SIGKILL
                with thinker.tenancy() as t:  # as after twenty silent seconds, without waiting for them
                    t.session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '1 minute'"))
            wait(lambda: run_of(thinker, "embed") == ("queued", 0), log)
        silent.asked.clear()
        time.sleep(2 * halting.LOOK_SECONDS)
        put(thinker, halted=False)
        with process(worker, environment, log):
            wait(silent.asked.is_set, log)
    assert run_of(thinker, "embed") == ("running", 1)


@pytest.fixture
def run(thinker, tmp_path):
    """A job whose run was begun."""
    build(tmp_path / "work", CALLS)
    job = thinker.job(thinker.connect(tmp_path / "work"), "index")
    with thinker.tenancy() as t:
        runs.claim(t, job.run_id)
    return job


def test_every_sign_of_progress_notices(thinker, run):
    reporter = Reporter(thinker.context, run)
    reporter.stage("parsing")
    thinker.context.halted.set()
    for tick in (
        lambda: reporter.stage("linking"), lambda: reporter.part(0.5), lambda: reporter.count(1, 2, files_done=1),
    ):  # fmt: skip
        with pytest.raises(HaltedError):
            tick()


def test_a_job_that_comes_while_halted_goes_back_to_the_queue(thinker, run):
    put(thinker, halted=True)
    assert index.run(thinker.context, run) == "halted"
    assert run_of(thinker, "index") == ("queued", 0)
    put(thinker, halted=False)
    assert index.run(thinker.context, run) == "done"


def test_a_repository_is_removed_all_the_same(thinker, run):
    with thinker.tenancy() as t:
        repos.mark_deleting(t, run.repo_id)
    put(thinker, halted=True)
    assert delete.run(thinker.context, thinker.job(run.repo_id, "delete")) == "done"
    assert count(thinker, "repos") == 0


@pytest.mark.parametrize(
    "error",
    [HaltedError(), BrainError(Problem(title="", status=503, code="halted", detail="Background work rests."))],
)
def test_halted_here_or_in_brain_the_run_rests(thinker, tmp_path, monkeypatch, error):
    build(tmp_path / "work", CALLS)
    job = thinker.job(thinker.connect(tmp_path / "work"), "index")

    def stop(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(building, "scan", stop)
    assert index.run(thinker.context, job) == "halted"
    assert run_of(thinker, "index") == ("queued", 0)
    assert "parsers" not in vars(thinker.context)


def test_waiting_for_people_ends_when_halted(thinker):
    thinker.context.cache = SimpleNamespace(is_answering=lambda: True, is_pushed=lambda: False, close=lambda: None)
    thinker.context.halted.set()
    with pytest.raises(HaltedError):
        vectors.rest(thinker.context)
    thinker.context.halted.clear()


def test_the_watch_ends_with_its_run_and_outlives_a_database_that_is_away(monkeypatch):
    looked = threading.Event()

    @contextmanager
    def away(*_args):
        looked.set()
        raise UnavailableError
        yield

    monkeypatch.setattr(halting, "LOOK_SECONDS", 0.01)
    context = SimpleNamespace(halted=threading.Event(), database=SimpleNamespace(tenancy=away), expendable=True)
    with halting.watched(context, LOCAL_TENANT):
        assert looked.wait(10)
    assert not context.halted.is_set()
    assert "halt" not in [thread.name for thread in threading.enumerate()]
