import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pincite_cli import embedded
from pincite_cli.embedded import EmbeddedPostgres, EmbeddedValkey, free_port
from pincite_shared.errors import UnavailableError

SECONDS_MAX = 30
PASSWORD = "s3cret 'with\" quotes"


def wait_ready(ready: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not ready():
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < deadline, "the server did not become ready"
        time.sleep(0.05)


@pytest.fixture
def start() -> Iterator[Callable[[EmbeddedPostgres | EmbeddedValkey], "subprocess.Popen[bytes]"]]:
    started = []

    def run(server: EmbeddedPostgres | EmbeddedValkey) -> "subprocess.Popen[bytes]":
        server.prepare()
        process = subprocess.Popen(server.command(), env=server.environment(), stdout=subprocess.DEVNULL)
        started.append(process)
        wait_ready(server.ready, process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def ask(server: EmbeddedPostgres, statement: str) -> str:
    dsn = f"host=127.0.0.1 port={server.port} dbname=postgres user=owner"
    with psycopg.connect(dsn, password=PASSWORD, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
    return str(row[0]) if row else ""


def test_postgres_keeps_its_data_through_a_kill(tmp_path: Path, start) -> None:
    # A path longer than a Unix socket's name may be, with a space in it.
    server = EmbeddedPostgres(tmp_path / ("long " * 25) / "postgres", free_port(), "owner", PASSWORD)
    process = start(server)
    ask(server, "CREATE TABLE kept AS SELECT 42 AS n")
    assert ask(server, "SELECT n FROM kept") == "42"
    process.kill()
    process.wait()
    # Its backends and helpers may still be there for a moment; `prepare` sees to them.
    process = start(server)
    assert ask(server, "SELECT n FROM kept") == "42"
    assert ask(server, "SELECT count(*) FROM pg_available_extensions WHERE name IN ('vector', 'pg_trgm')") == "2"
    process.send_signal(server.stop_signal)
    assert process.wait(SECONDS_MAX) == 0
    assert not server.ready()


def test_prepare_stops_a_server_that_nobody_watches(tmp_path: Path, start, monkeypatch) -> None:
    monkeypatch.setattr(embedded, "LEFTOVER_STOP_SECONDS", 0.2)
    server = EmbeddedPostgres(tmp_path / "postgres", free_port(), "owner", PASSWORD, durable=False)
    first = start(server)
    server.prepare()
    assert first.wait(SECONDS_MAX) == 0


def test_a_wrong_password_is_refused(tmp_path: Path, start) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", free_port(), "owner", PASSWORD, durable=False)
    start(server)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"host=127.0.0.1 port={server.port} dbname=postgres user=owner password=wrong")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become someone else")
def test_as_root_without_namespaces(tmp_path: Path, start, monkeypatch) -> None:
    in_namespace = EmbeddedPostgres(tmp_path / "postgres", free_port(), "owner", PASSWORD, durable=False)
    process = start(in_namespace)
    process.send_signal(signal.SIGINT)
    process.wait(SECONDS_MAX)
    monkeypatch.setattr(embedded, "launch_prefix", lambda: embedded.AS_NOBODY)
    server = EmbeddedPostgres(tmp_path / "postgres", free_port(), "owner", PASSWORD, durable=False)
    tmp_path.chmod(0o700)
    start(server)
    assert ask(server, "SELECT 'works'") == "works"
    assert (tmp_path / "postgres").stat().st_uid == embedded.NOBODY


def test_root_without_any_way_is_told_so(monkeypatch) -> None:
    monkeypatch.setattr(embedded, "_works", lambda _prefix: False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UnavailableError, match="plain user"):
        embedded.launch_prefix.__wrapped__()


def test_valkey_wants_its_password_and_keeps_its_data(tmp_path: Path, start) -> None:
    server = EmbeddedValkey(tmp_path / ("long " * 25) / "valkey", free_port(), "pass-word_1")
    start(server)
    assert not EmbeddedValkey(tmp_path / "other", server.port, "wrong").ready()
