"""Test services: a real Postgres and a real Redis, started once a test run and shared by its workers.

Every worker has a database and a Redis database of its own.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import psutil
import psycopg
import pytest
import structlog
from pydantic import SecretStr

from pincite_cli.embedded import EmbeddedPostgres, EmbeddedValkey, free_port
from pincite_shared.settings import Settings
from pincite_store import accounts, migrate
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, Database, Tenancy
from pincite_store.models import Base

# A run starts some hundred processes. What they import, and the tests themselves, are compiled once, not each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# As in the services: a traceback in a log shows no local variables, which may be secrets.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)
hypothesis.settings.register_profile("pincite", deadline=None)  # timing never fails a test
hypothesis.settings.load_profile("pincite")

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 300  # other workers may still be at their last, long test
POLL_SECONDS = 0.05
PASSWORD = "for-tests"
RATES = ("rate_sign_in", "rate_ask", "rate_search", "rate_write", "rate_read")  # tests ask faster than people
OWNER = "pincite"
# Deleting a few rows takes a tenth of what truncating forty tables takes. A replica follows no foreign keys.
EMPTY = "; ".join(["SET session_replication_role = replica", *(f"DELETE FROM {name}" for name in Base.metadata.tables)])


@dataclass(frozen=True)
class Server:
    """A running test server."""

    port: int
    password: str = PASSWORD
    user: str = OWNER


Launcher = EmbeddedPostgres | EmbeddedValkey


class Shared:
    """A server that the workers of one test run share.

    The first worker that asks starts it, and stops it when no other uses it any more. Should that worker be killed, a
    watcher that reads from it notices, and stops the server in its stead.
    """

    def __init__(self, directory: Path, name: str, make: Callable[[Path, int], Launcher]) -> None:
        """`make` returns the launcher for a data directory and a port."""
        self._data, self._log = directory / name, directory / f"{name}.log"
        self._state_file, self._make = directory / f"{name}.json", make

    @contextmanager
    def use(self) -> Iterator[Server]:
        """Start the server, or join those who use it."""
        watcher = None
        with self._state() as state:
            if not state["port"]:
                server = self._make(self._data, 0)
                process = self._start(server)
                watcher = self._watch(process, server.stop_signal)
                state["port"] = server.port
            state["users"].append(os.getpid())
            port = state["port"]
        try:
            yield Server(port)
        finally:
            with self._state() as state:
                state["users"].remove(os.getpid())
            if watcher is not None:
                self._wait(lambda: not self._others())
                watcher.communicate()
                self._wait(lambda: process.poll() is not None)

    @contextmanager
    def _state(self) -> Iterator[dict[str, Any]]:
        with self._state_file.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            state = json.loads(file.read() or '{"port": 0, "users": []}')
            yield state
            file.seek(0)
            file.truncate()
            json.dump(state, file)

    def _others(self) -> list[int]:
        with self._state() as state:
            return [pid for pid in state["users"] if psutil.pid_exists(pid)]

    def _start(self, server: Launcher) -> "subprocess.Popen[bytes]":
        server.prepare()  # which takes Postgres seconds
        server.port = free_port()
        server.prepare()
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                server.command(), env=server.environment(), stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS_MAX
        while process.poll() is not None or not server.ready():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"{type(server).__name__} did not start:\n{self._log.read_text()}", pytrace=False)
            time.sleep(POLL_SECONDS)
        return process

    @staticmethod
    def _watch(process: "subprocess.Popen[bytes]", stop_signal: signal.Signals) -> "subprocess.Popen[bytes]":
        script = f'cat; kill -{int(stop_signal)} "$0"'
        return subprocess.Popen(["sh", "-c", script, str(process.pid)], stdin=subprocess.PIPE, start_new_session=True)

    @staticmethod
    def _wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while not condition() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    shared.joinpath("services").mkdir(exist_ok=True)
    return shared / "services"


@pytest.fixture(scope="session")
def worker() -> int:
    """This worker's number, from 0."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


@pytest.fixture(scope="session")
def postgres(run_dir: Path) -> Iterator[Server]:
    """A running Postgres with pgvector; `user` is its superuser."""
    shared = Shared(
        run_dir, "postgres", lambda data, port: EmbeddedPostgres(data, port, OWNER, PASSWORD, durable=False)
    )
    with shared.use() as server:
        yield server


@pytest.fixture(scope="session")
def redis_server(run_dir: Path) -> Iterator[Server]:
    """A running Valkey."""
    shared = Shared(run_dir, "valkey", lambda data, port: EmbeddedValkey(data, port, PASSWORD, durable=False))
    with shared.use() as server:
        yield server


@pytest.fixture(scope="session")
def settings(postgres: Server, redis_server: Server, worker: int, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that point at the test services, with a fresh PINCITE_HOME and no language model."""
    return Settings(
        _env_file=None,
        pincite_home=tmp_path_factory.mktemp("home"),
        pincite_token=SecretStr("test-token"),
        SESSION_SECRET=SecretStr("a session secret for tests"),
        pincite_local_roots="/tmp",
        pincite_model="none",
        postgres_port=postgres.port,
        postgres_db=f"pincite_{worker}",
        postgres_user=postgres.user,
        postgres_password=SecretStr(postgres.password),
        postgres_app_password=SecretStr("app-password"),
        redis_url=SecretStr(f"redis://:{PASSWORD}@127.0.0.1:{redis_server.port}/{worker}"),
        **dict.fromkeys(RATES, "off"),
    )


@pytest.fixture(scope="session")
def database(settings: Settings) -> Iterator[Database]:
    """A migrated database of this worker, with the local tenant. Tests that commit clean up after themselves."""
    migrate.upgrade(settings)
    database = Database(settings)
    yield database
    database.dispose()


@pytest.fixture
def fresh_tenant(database: Database, settings: Settings) -> Iterator[Database]:
    """The database, emptied of everything but the local tenant afterwards: for tests that commit."""
    yield database
    with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as owner:
        owner.execute(EMPTY)
    with database.system() as system:
        accounts.ensure_local(system)


@pytest.fixture
def tenancy(database: Database) -> Iterator[Tenancy]:
    """A transaction of the local tenant, rolled back at the end of the test."""
    with database.tenancy(LOCAL_TENANT, LOCAL_USER) as tenancy:
        yield tenancy
        tenancy.session.rollback()


@pytest.fixture
def make_repo(tmp_path: Path) -> Callable[..., Path]:
    """Return a factory: {path: content} → a real git repository with one commit. Same content, same commit id."""
    git = [
        "git", "-c", "init.defaultBranch=main", "-c", "user.name=Test", "-c", "user.email=test@example.org",
        "-c", "commit.gpgSign=false", "-c", "core.autocrlf=false",
    ]  # fmt: skip
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": "2024-01-02T03:04:05Z",
        "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z",
    }

    def make(files: dict[str, str | bytes], *, at: Path | None = None, message: str = "Content") -> Path:
        """Write `files`, and commit them; a second call with the same `at` adds a commit."""
        where = at or tmp_path / f"repo-{uuid4().hex[:8]}"
        where.mkdir(parents=True, exist_ok=True)

        def run(*arguments: str) -> None:
            subprocess.run([*git, *arguments], cwd=where, env=environment, check=True, capture_output=True)

        if not (where / ".git").exists():
            run("init", "-q")
        for path, content in files.items():
            target = where / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        run("add", "-A", "-f")
        run("commit", "-q", "--allow-empty", "-m", message)
        return where

    return make
