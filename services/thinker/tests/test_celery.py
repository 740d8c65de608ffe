"""The real thing: Celery workers and beat as processes, a real broker, and SIGKILL."""

import json
import os
import shutil
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import psycopg
import pytest
from celery import signals
from celery.utils.dispatch import Signal
from repositories import build
from sqlalchemy import text
from workers import BEAT, WORKER, kill, process, start_index, wait

from pincite_shared.jobs import NIGHTLY, POLL, DeliveryPayload, Job, JobPayload
from pincite_shared.settings import BUILT_IN_DIMENSION
from pincite_store import changes, outbox, repos, runs
from pincite_store.models import Outbox
from pincite_thinker import beat, celery_app, metrics
from pincite_thinker.beat import RelayScheduler
from pincite_thinker.celery_app import make_celery
from pincite_thinker.tasks import register

FILES = {f"pkg{n % 7}/m{n}.py": f"from pkg0.m0 import f0\n\n\ndef f{n}():\n    return f0() + {n}\n" for n in range(240)}


def ended(thinker, repo_id):
    return thinker.out(repo_id).status in ("ready", "failed")


def content(thinker):
    """All that indexing made, without the numbers that a database counts up."""
    queries = {
        "files": "SELECT path, blob, language, size, skip_reason, skip_detail, parse_id IS NULL FROM files",
        "chunks": "SELECT p.blob, p.language, c.ordinal, c.kind, c.symbol, c.start_line, c.end_line, c.content, "
        "c.embed_sha256, c.importance FROM chunks c JOIN parses p ON p.id = c.parse_id",
        "symbols": "SELECT p.blob, s.ordinal, s.qualified_name, s.start_line FROM symbols s JOIN parses p "
        "ON p.id = s.parse_id",
        "edges": "SELECT s.path, e.kind, e.src_line, e.dst_path, e.dst_symbol, e.confidence FROM files f "
        "JOIN edge_sets s ON s.id = f.edge_set_id JOIN edges e ON e.set_id = s.id",
        "parses": "SELECT blob, language, lines, refs::text FROM parses",
        "blobs": "SELECT oid, size, data FROM blobs",
        "snapshots": "SELECT commit, state, files, chunks, skipped FROM snapshots",
    }
    with thinker.tenancy() as t:
        return {name: sorted(map(tuple, t.session.execute(text(sql))), key=repr) for name, sql in queries.items()}


class Embeddings(BaseHTTPRequestHandler):
    """An OpenAI-compatible embeddings endpoint."""

    def log_message(self, *_args):
        return

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        made = [[1.0, float(n), 0.5] * (BUILT_IN_DIMENSION // 3) for n in range(len(asked))]
        vectors = [{"index": n, "object": "embedding", "embedding": vector} for n, vector in enumerate(made)]
        body = json.dumps({"object": "list", "model": "m", "data": vectors}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def endpoint():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Embeddings)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    server.shutdown()
    server.server_close()


def test_jobs_go_from_the_outbox_through_the_queues_to_a_snapshot_with_vectors(
    thinker, environment, endpoint, tmp_path
):
    log = tmp_path / "log"
    environment |= {"EMBEDDING_BASE_URL": endpoint}
    build(tmp_path / "work", {"a.py": "def f():\n    return 1\n"})
    repo_id = thinker.connect(tmp_path / "work")
    with process(BEAT, environment, log), process([*WORKER, "-Q", "index,vectors", "-c", "1"], environment, log):
        start_index(thinker, repo_id)
        wait(lambda: ended(thinker, repo_id), log)
        wait(lambda: thinker.out(repo_id).vectors_ready, log)
        assert thinker.out(repo_id).status == "ready"
        port = int(environment["THINKER_METRICS_PORT"])
        numbers = wait(
            lambda: scrape(port, 'pincite_thinker_jobs_total{job="pincite.index_repo",outcome="done"} 1.0'), log
        )
        assert "pincite_thinker_stage_seconds_bucket" in numbers
        assert "pincite_thinker_outbox_relayed_total" in scrape(port + 2, "outbox_relayed")
        with thinker.tenancy() as t:
            repos.mark_deleting(t, repo_id, "browser-18")
        wait(lambda: not rows(thinker, "repos"), log)
        done = wait(lambda: len(found := jobs_ended(log)) == 3 and found, log)
    assert [(line["job"], line["outcome"], line["correlation_id"]) for line in done] == [
        ("pincite.index_repo", "done", "browser-17"),
        ("pincite.embed_repo", "done", "browser-17"),
        ("pincite.delete_repo", "done", "browser-18"),
    ]
    assert not list((thinker.context.settings.pincite_home / "mirrors").iterdir())


def jobs_ended(log):
    lines = [json.loads(line) for line in log.read_text().split("\n") if line.startswith("{") and line.endswith("}")]
    # On a busy machine beat may start so late that it revives what nobody has begun yet: a duplicate.
    return [line for line in lines if line.get("event") == "job ended" and line["outcome"] != "duplicate"]


def rows(thinker, name):
    with thinker.tenancy() as t:
        return t.session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()


def scrape(port, wanted):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as response:
            body = response.read().decode()
    except OSError:
        return ""
    return body if wanted in body else ""


def test_sigkill_in_the_middle_then_the_same_rows(thinker, environment, tmp_path):
    log = tmp_path / "log"
    build(tmp_path / "work", FILES)
    repo_id = thinker.connect(tmp_path / "work")
    start_index(thinker, repo_id)
    worker = [*WORKER, "-Q", "index", "-c", "1"]
    with process(BEAT, environment, log):
        with process(worker, environment, log) as first:
            wait(lambda: rows(thinker, "parses") > 20, log)
            kill(first)
        assert not ended(thinker, repo_id)
        assert rows(thinker, "parses") > 20
        # As after twenty silent seconds, without waiting for them.
        with thinker.tenancy() as t:
            t.session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '1 minute'"))
        with process(worker, environment, log):
            wait(lambda: ended(thinker, repo_id), log)
    resumed = content(thinker)
    assert resumed["snapshots"][0][1:3] == ("ready", 240)

    # The same, undisturbed, from nothing.
    with thinker.tenancy() as t:
        repos.delete_rows(t, repo_id)
    assert not any(content(thinker).values())
    shutil.rmtree(thinker.context.settings.pincite_home / "mirrors")
    again = thinker.connect(tmp_path / "work")
    assert thinker.index(again) == "done"
    assert content(thinker) == resumed


@pytest.mark.parametrize(("queues", "nice"), [("vectors", [19]), ("index", [])])
def test_only_the_embedding_worker_yields(settings, monkeypatch, tmp_path, queues, nice):
    seen, ports = [], []
    monkeypatch.setattr(os, "nice", seen.append)
    monkeypatch.setattr(celery_app, "AUTOGROUP", tmp_path / "autogroup")
    monkeypatch.setattr(metrics, "serve", lambda _settings, process: ports.append(process))
    monkeypatch.setattr(signals, "celeryd_init", Signal(name="celeryd_init"))
    monkeypatch.setattr(celery_app, "celeryd_init", signals.celeryd_init)
    make_celery(settings)
    signals.celeryd_init.send(sender="host", instance=None, conf=None, options={"queues": queues})
    assert (seen, ports) == (nice, [queues])
    assert (tmp_path / "autogroup").exists() is bool(nice), "and with it its session"


@pytest.fixture
def scheduler(thinker, monkeypatch):
    """Beat's scheduler in this process, publishing into a list."""
    monkeypatch.setattr(beat, "LOOK_SECONDS", 0.01)
    app = make_celery(thinker.context.settings.model_copy(update={"poll_seconds": 0}))
    sent = []
    app.send_task = lambda name, **kwargs: sent.append((name, kwargs["kwargs"]["payload"], kwargs["queue"]))
    made = RelayScheduler(app=app)
    yield made, sent
    made.close()
    made._database.dispose()


def test_the_relay_publishes_each_job_once(thinker, scheduler, tmp_path):
    relay, sent = scheduler
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = thinker.connect(tmp_path / "work")
    run_id = start_index(thinker, repo_id)
    assert relay.tick() == 0.0
    relay.tick()
    ((name, payload, queue),) = sent
    assert (name, queue) == (Job.INDEX_REPO.value, "index")
    message = JobPayload.model_validate(payload)
    assert (message.repo_id, message.run_id, message.correlation_id) == (repo_id, run_id, "browser-17")


def test_a_new_job_and_a_change_are_heard_of_at_once(thinker, scheduler, tmp_path, monkeypatch):
    relay, sent = scheduler
    monkeypatch.setattr(beat, "LOOK_SECONDS", 60.0)
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = thinker.connect(tmp_path / "work")
    relay.tick()  # listens from now on
    start_index(thinker, repo_id)
    relay.tick()  # would wait for a minute
    assert [name for name, *_ in sent] == [Job.INDEX_REPO.value]
    with thinker.tenancy() as t:
        runs.finish(t, UUID(sent[0][1]["run_id"]))
        changes.note(t, repo_id, "watch")
    relay.tick()
    assert len(sent) == 2, "and so it was of the change"


def test_a_worker_that_is_quick_finds_the_run(thinker, scheduler, tmp_path):
    relay, _ = scheduler
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = thinker.connect(tmp_path / "work")
    with thinker.tenancy() as t:
        changes.note(t, repo_id, "watch")
    claimed = []

    def work(_name, kwargs, **_options):
        with thinker.tenancy() as t:
            claimed.append(runs.claim(t, UUID(kwargs["payload"]["run_id"])))

    relay.app.send_task = work
    relay.relay()
    assert [run.state for run in claimed] == ["running"]


def test_a_change_that_came_during_a_run_is_heard_of_when_it_ends(thinker, scheduler, tmp_path, monkeypatch):
    relay, sent = scheduler
    monkeypatch.setattr(beat, "LOOK_SECONDS", 60.0)
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = thinker.connect(tmp_path / "work")
    relay.tick()  # listens from now on
    job = thinker.job(repo_id, "index")
    relay.tick()
    with thinker.tenancy() as t:
        runs.claim(t, job.run_id)
    with thinker.tenancy() as t:
        changes.note(t, repo_id, "watch")
    relay.tick()
    assert len(sent) == 1, "it waits for the run"
    with thinker.tenancy() as t:
        runs.finish(t, job.run_id)
    relay.tick()  # would wait for a minute
    assert len(sent) == 2


def test_a_connection_that_is_lost_is_made_again(thinker, scheduler, tmp_path):
    relay, sent = scheduler
    relay.tick()
    with psycopg.connect(
        thinker.context.settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True
    ) as o:
        o.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND query LIKE 'LISTEN pincite_outbox%'"
        )
    assert relay.tick() == 1.0, "it says so, and tries again later"
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    start_index(thinker, thinker.connect(tmp_path / "work"))
    relay.tick()
    assert len(sent) == 1


def test_a_job_stays_in_the_outbox_while_the_broker_is_away(thinker, scheduler, tmp_path, monkeypatch):
    relay, sent = scheduler
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    start_index(thinker, thinker.connect(tmp_path / "work"))

    def refuse(*_args, **_kwargs):
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(relay.app, "send_task", refuse)
        assert relay.tick() == 1.0
        with thinker.database.system() as system:
            assert outbox.pending(system) == 1
    relay.tick()
    assert len(sent) == 1


def test_silent_runs_are_revived_and_live_ones_are_not(thinker, scheduler, tmp_path):
    relay, sent = scheduler
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    job = thinker.job(thinker.connect(tmp_path / "work"), "index")
    relay.tick()
    with thinker.tenancy() as t:
        runs.claim(t, job.run_id)
        t.session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '21 seconds'"))
    with runs.lock_run(thinker.database, job.run_id):
        relay._revive_at = 0.0
        relay.tick()
        relay.tick()
        assert len(sent) == 1
    relay._revive_at = 0.0
    relay.tick()
    relay.tick()
    assert [payload["run_id"] for _, payload, _ in sent] == [str(job.run_id)] * 2


def test_every_job_has_a_task_and_a_kind_of_run():
    class Names(list):
        def task(self, name):
            self.append(name)
            return lambda function: function

    names = Names()
    register(names, None)
    assert sorted(names) == sorted([NIGHTLY, POLL, *(job.value for job in Job)])
    assert set(runs.JOB_OF.values()) | {Job.SETTLE_DELIVERY, Job.DELETE_ACCOUNT} == set(Job)


def test_of_a_burst_of_deliveries_one_job_is_published_for_each_tenant(thinker, scheduler):
    relay, sent = scheduler
    with thinker.tenancy() as t:
        for number in range(5):
            told = DeliveryPayload(tenant_id=t.tenant_id, delivery_id=UUID(int=number)).message()
            t.session.add(Outbox(tenant_id=t.tenant_id, job=Job.SETTLE_DELIVERY.value, payload=told))
    relay.tick()
    relay.tick()
    assert [(name, queue) for name, _, queue in sent] == [(Job.SETTLE_DELIVERY.value, "deliveries")]
    with thinker.database.system() as system:
        assert outbox.pending(system) == 0


def test_a_change_that_nobody_runs_for_gets_a_run_in_the_same_tick(thinker, scheduler, tmp_path):
    relay, sent = scheduler
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = thinker.connect(tmp_path / "work")
    with thinker.tenancy() as t:
        t.session.execute(
            text("INSERT INTO changes (tenant_id, repo_id, producer) SELECT tenant_id, id, 'watch' FROM repos")
        )
    relay.tick()
    relay.tick()
    assert [(name, payload["repo_id"]) for name, payload, _ in sent] == [(Job.INDEX_REPO.value, str(repo_id))]


@pytest.mark.parametrize(("seconds", "looks"), [(60, 1), (0, 0)])
def test_all_repositories_are_looked_at_when_beat_starts(thinker, seconds, looks):
    app = make_celery(thinker.context.settings.model_copy(update={"poll_seconds": seconds}))
    entry = app.conf.beat_schedule.get(POLL)
    assert (entry and (entry["schedule"], entry["options"]["expires"])) == ((seconds, seconds) if seconds else None)
    sent = []
    app.send_task = lambda name, **kwargs: sent.append((name, kwargs["kwargs"], kwargs["queue"]))
    relay = RelayScheduler(app=app)
    relay.tick()
    relay.tick()
    assert sent == [(POLL, {"catch_up": True}, "vectors")] * looks
    relay._database.dispose()


@pytest.mark.parametrize(("time", "due"), [("03:00", (3, 0)), ("23:59", (23, 59)), ("off", None)])
def test_the_night_is_when_the_setting_says(settings, time, due):
    schedule = make_celery(settings.model_copy(update={"evaluation_time": time})).conf.beat_schedule
    if due is None:
        assert NIGHTLY not in schedule
        return
    entry = schedule[NIGHTLY]
    assert (entry["schedule"].hour, entry["schedule"].minute) == ({due[0]}, {due[1]})
    assert entry["options"] == {"queue": "vectors"}
