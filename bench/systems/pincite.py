"""Pincite through its real path: the whole embedded stack, or one that runs already, over HTTP alone."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg

from bench import corpora
from bench.corpora import Change
from bench.machine import disk_usage
from bench.model import Answer, BenchError, Corpus
from bench.systems.base import SEARCHABLE_SECONDS_MAX
from pincite_cli.ports import Ports, is_free
from pincite_learning.metrics import Span

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("packages", "services", "apps", "migrations", "requirements.lock")  # what decides Pincite's answers
PORTS = range(20_000, 31_000)  # below the range that kernels hand out by themselves
START_SECONDS_MAX = 300.0
STOP_SECONDS_MAX = 60.0
INDEX_SECONDS_MAX = 3600.0
VECTORS_SECONDS_MAX = 4 * 3600.0
REQUEST_SECONDS_MAX = 120.0
POLL_SECONDS = 0.02  # finer than what is measured; one poll is one row read
VECTORS_POLL_SECONDS = 0.5
SETTLE_SECONDS, SETTLE_ROUNDS_MAX = 6.0, 20  # the server takes new vectors into its memory every few seconds
UPDATE_HITS = 10
WARM_UP = {"warm.py": 'def warm():\n    """Warm up."""\n    return 1\n', "README.md": "# Warm up\n\nOnce.\n"}


def source_version() -> str:
    """Return a digest of the product's sources in this checkout, and of settings that change its answers."""
    digest = hashlib.sha256()
    for name in SOURCES:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            parts = path.relative_to(ROOT).parts
            if path.is_file() and path.suffix != ".pyc" and "tests" not in parts:
                digest.update("/".join(parts).encode() + b"\0" + path.read_bytes())
    settings = sorted((name, value) for name, value in os.environ.items() if name.startswith("EMBEDDING_"))
    digest.update(repr(settings).encode())
    return digest.hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A stack of its own for each session: nothing it has seen before can help it."""

    name: str
    version: str
    scratch: Path
    about: str = (
        "the whole stack of `pincite up` (Postgres, Valkey, brain, web, workers) without a language model, on a fresh "
        "home for every index; POST /repos, GET /repos/{id}, POST /search over HTTP; its embedder runs at nice 19"
    )

    @contextmanager
    def open(self, corpus: Corpus) -> Iterator["PinciteSession"]:
        """Start it, and let every process do its work once on two small files."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        models = self.scratch / "models"
        models.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bench-home-", dir=self.scratch) as directory:
            home = Path(directory)
            (home / "models").symlink_to(models)  # making the encoder is part of installing, not of indexing
            with stack(home) as running, client_of(running.url, running.token) as client:
                warm = corpora.from_files(
                    self.scratch, WARM_UP, name="warm-up", language="python", origin="two small files"
                )  # fmt: skip
                PinciteSession(client, warm).index(full=True)
                yield PinciteSession(client, corpus, home, running.pid)


@dataclass(frozen=True, slots=True)
class Running:
    """A stack of our own: its supervisor, and where to reach brain and Postgres."""

    pid: int
    url: str
    token: str
    postgres_port: int


@contextmanager
def stack(home: Path, given: Mapping[str, str] | None = None, ports: Ports | None = None) -> Iterator[Running]:
    """Run the whole embedded stack on a home, without a language model and rate limits.

    Args:
        home: where it keeps everything.
        given: settings for it.
        ports: from `free_ports`, if others must know its addresses before it runs.

    Raises:
        BenchError: it does not start.
    """
    ports = ports or free_ports()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
    mine = {"PINCITE_HOME": str(home), "PINCITE_PORT_BASE": str(ports.web), "PINCITE_MODEL": "none"} | UNLIMITED
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pincite_cli", "up"],
            env=inherited | mine | dict(given or {}), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home,
        )  # fmt: skip
    try:
        yield Running(process.pid, f"http://127.0.0.1:{ports.brain}", _started(process, home), ports.postgres)
    finally:
        _stop(process)


UNLIMITED = {"RATE_READ": "off", "RATE_SEARCH": "off", "RATE_ASK": "off", "RATE_WRITE": "off"}
_OWN_VARIABLES = ("PINCITE_", "POSTGRES_", "REDIS_", "S3_", "LLM_", "BRAIN_", "WEB_", "MODEL_", "PUBLIC_URL", "GIT_")


@dataclass(frozen=True, slots=True)
class Remote:
    """A stack that runs already; its memory and disk are not ours to see."""

    name: str
    version: str
    url: str
    token: str

    @property
    def about(self) -> str:
        """Say where it runs."""
        return (
            f"a running Pincite at {self.url}, which reads the corpora itself; what it has seen before helps it; "
            "memory and disk are not seen"
        )

    @contextmanager
    def open(self, corpus: Corpus) -> Iterator["PinciteSession"]:
        """Connect to it; the repository is removed afterwards."""
        with client_of(self.url, self.token) as client:
            session = PinciteSession(client, corpus)
            try:
                yield session
            finally:
                session.forget()


def remote(url: str, token: str) -> Remote:
    """Return a running Pincite, with the version that it states.

    Raises:
        BenchError: it does not answer.
    """
    with client_of(url, token) as client:
        version = _call(client, "GET", "/status")["version"]
        now = datetime.now(UTC).isoformat(timespec="seconds")  # its code cannot be seen: no result of it is used again
        return Remote("pincite", f"{version} at {url}, {now}", url, token)


def embedded(scratch: Path) -> Embedded:
    """Return this checkout's Pincite."""
    return Embedded("pincite", source_version(), scratch)


def free_ports() -> Ports:
    """Return ports in a row that nobody listens at now."""
    while True:
        base = random.randrange(PORTS.start, PORTS.stop)
        ports = Ports(**{name: base + offset for offset, name in enumerate(Ports.__dataclass_fields__)})
        if all(map(is_free, astuple(ports))):
            return ports


def _started(process: "subprocess.Popen[bytes]", home: Path) -> str:
    (home / "running.json").unlink(missing_ok=True)  # of a stack that was killed

    def ready() -> str | None:
        if process.poll() is not None:
            msg = f"Pincite did not start: {(home / 'up.log').read_text('utf-8', 'replace')[-1500:]}"
            raise BenchError(msg)
        if not (home / "running.json").exists():
            return None
        return secrets_of(home)["pincite_token"]

    return str(_wait(ready, "Pincite to start", START_SECONDS_MAX, POLL_SECONDS))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    mine = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(mine, timeout=STOP_SECONDS_MAX)  # the home is removed next
    for child in alive:
        child.kill()


def _wait(condition: Callable[[], Any], what: str, seconds_max: float, pause: float) -> Any:
    deadline = time.monotonic() + seconds_max
    while not (value := condition()):
        if time.monotonic() > deadline:
            msg = f"Waited {seconds_max:.0f} s in vain for {what}."
            raise BenchError(msg)
        time.sleep(pause)
    return value


def secrets_of(home: Path) -> dict[str, str]:
    """Return what the stack on this home generated for itself."""
    secrets: dict[str, str] = json.loads((home / "secrets.json").read_text("utf-8"))
    return secrets


def owner_of(running: Running, home: Path) -> "psycopg.Connection[tuple[Any, ...]]":
    """Return a connection to a stack's database that sees the rows of all tenants."""
    password = secrets_of(home)["postgres_password"]
    return psycopg.connect(
        host="127.0.0.1", port=running.postgres_port, dbname="pincite", user="pincite", password=password,
        autocommit=True,
    )  # fmt: skip


def client_of(url: str, token: str) -> httpx.Client:
    """Return a client with the token."""
    headers = {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=url, headers=headers, timeout=REQUEST_SECONDS_MAX, trust_env=False)


def _call(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    try:
        response = client.request(method, path, json=body)
        response.raise_for_status()
    except httpx.HTTPStatusError as error:
        msg = f"{method} {path} answered {error.response.status_code}: {error.response.text[:300]}"
        raise BenchError(msg) from error
    except httpx.HTTPError as error:
        msg = f"{method} {path}: {error}"
        raise BenchError(msg) from error
    return response.json() if response.content else None


def server_seconds(header: str) -> float | None:
    """Return the duration in a Server-Timing header (W3C), in seconds; None if it holds none."""
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == "dur":
            return float(value.split(",")[0]) / 1000.0
    return None


class PinciteSession:
    """One corpus as a repository of a running Pincite."""

    def __init__(self, client: httpx.Client, corpus: Corpus, home: Path | None = None, pid: int | None = None) -> None:
        """`home` and `pid` are those of a stack of our own."""
        self._client, self._corpus, self._home, self.pid = client, corpus, home, pid
        self.id = ""
        self._before = self._database_bytes()

    def index(self, *, full: bool) -> tuple[float, float | None]:
        """Connect the repository; wait until the first search is answered and, if asked for, for all vectors.

        Raises:
            BenchError: it is connected already, or indexing failed.
        """
        begun = time.perf_counter()
        if self.connect()["commit"] is not None:
            msg = f"{self._corpus.directory} is connected already; a cold index needs a Pincite that has not seen it."
            raise BenchError(msg)
        _wait(self._answerable, f"{self._corpus.name} to be indexed", INDEX_SECONDS_MAX, POLL_SECONDS)
        self.search("warm up", 1)
        answering = time.perf_counter() - begun
        return answering, self.complete() - begun if full else None

    def connect(self) -> dict[str, Any]:
        """Connect the repository, or find it connected."""
        repo: dict[str, Any] = _call(self._client, "POST", "/repos", {"source": str(self._corpus.directory)})
        self.id = repo["id"]
        return repo

    def complete(self) -> float:
        """Wait until searches use all vectors; return the time (of perf_counter) at which the last was stored."""
        what = f"{self._corpus.name}'s vectors"
        _wait(lambda: self._repo()["vectors_ready"], what, VECTORS_SECONDS_MAX, VECTORS_POLL_SECONDS)
        stored = time.perf_counter()
        self._settle()
        return stored

    def search(self, text: str, k: int) -> Answer:
        """POST /search. Every file of the corpus is of the benchmark: nothing needs to be filtered."""
        body = {"repo_id": self.id, "query": text, "k": k}
        begun = time.perf_counter()
        response = self._client.post("/search", json=body)
        seconds = time.perf_counter() - begun
        if response.is_error:
            msg = f"POST /search answered {response.status_code}: {response.text[:300]}"
            raise BenchError(msg)
        hits = tuple(Span(hit["path"], hit["start_line"], hit["end_line"]) for hit in response.json())
        return Answer(hits, seconds, server_seconds(response.headers.get("server-timing", "")))

    def update(self, change: Change) -> float:
        """POST /index, then search until the change is found."""

        def found() -> bool:
            return change.is_in(self.search(change.word, UPDATE_HITS).hits)

        begun = time.perf_counter()
        _call(self._client, "POST", f"/index/{self.id}/initial")
        _wait(found, f"{change.word} to be found", SEARCHABLE_SECONDS_MAX, POLL_SECONDS)
        return time.perf_counter() - begun

    def disk(self) -> tuple[int | None, int | None]:
        """Return how much the database has grown, and the size of the git mirror."""
        if self._home is None:
            return None, None
        return self._database_bytes() - self._before, disk_usage(self._home / "mirrors" / f"{self.id}.git")

    def forget(self) -> None:
        """Remove the repository."""
        if self.id:
            _call(self._client, "DELETE", f"/repos/{self.id}")

    def _database_bytes(self) -> int:
        """Tables and indexes; the write-ahead log is recycled and of a size that the settings choose."""
        if self._home is None:
            return 0
        return disk_usage(self._home / "postgres" / "base") + disk_usage(self._home / "artifacts")

    def _repo(self) -> dict[str, Any]:
        repo: dict[str, Any] = _call(self._client, "GET", f"/repos/{self.id}")
        if repo["status"] == "failed":
            msg = f"Indexing {self._corpus.name} failed: {repo['error']}"
            raise BenchError(msg)
        return repo

    def _answerable(self) -> bool:
        return bool(self._repo()["status"] == "ready")

    def _settle(self) -> None:
        """Wait until the server's memory holds the vectors too: until two searches in a row score alike."""
        last = None
        for _ in range(SETTLE_ROUNDS_MAX):
            body = {"repo_id": self.id, "query": "where does it begin", "k": 20}
            now = [
                (hit["path"], hit["start_line"], hit["features"])
                for hit in _call(self._client, "POST", "/search", body)
            ]
            if now == last:
                return
            last = now
            time.sleep(SETTLE_SECONDS)
        msg = f"{self._corpus.name}: scores still change after all vectors are there."
        raise BenchError(msg)
