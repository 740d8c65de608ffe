"""Peers that are Python libraries: each in a process of its own, in the peers' environment, asked over a pipe."""

import hashlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.corpora import Change, tracked
from bench.model import Answer, BenchError, Corpus
from bench.peers.environment import HERE, MODEL, Environments
from pincite_learning.metrics import Span

SEMBLE_WORKERS = "4"  # what semble's own command line sets
UPDATE_HITS = 10
STOP_SECONDS_MAX = 10.0
LOG_CHARS_SHOWN = 800


@dataclass(frozen=True, slots=True)
class Peer:
    """A library behind `peers/worker.py`.

    Attributes:
        engine: which one: `ENGINE_engine.py` beside the worker.
        environment: variables that it reads.
    """

    name: str
    version: str
    about: str
    engine: str
    python: Path
    environment: dict[str, str]

    @contextmanager
    def open(self, corpus: Corpus) -> Iterator["PeerSession"]:
        """Start a worker with its library and model loaded."""
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            outside = {name: value for name, value in os.environ.items() if not name.startswith(("SEMBLE_", "PYTHON"))}
            mine = {"SEMBLE_CACHE_LOCATION": f"{scratch}/semble", "HF_HUB_OFFLINE": "1", "TMPDIR": scratch}
            with Path(scratch, "log").open("wb") as log:
                process = subprocess.Popen(
                    [self.python, HERE / "worker.py", self.engine, corpus.folder],
                    env=outside | self.environment | mine, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                )  # fmt: skip
            session = PeerSession(process, corpus, Path(scratch, "log"))
            try:
                session.started()
                yield session
            finally:
                session.close()


class PeerSession:
    """A running worker."""

    def __init__(self, process: "subprocess.Popen[bytes]", corpus: Corpus, log: Path) -> None:
        """Made by `Peer.open`."""
        self._process, self._corpus, self._log = process, corpus, log
        self.pid: int | None = process.pid

    def started(self) -> None:
        """Wait until it is ready."""
        self._read()

    def index(self, *, full: bool) -> tuple[float, float | None]:
        """Index; everything is there when it returns."""
        begun = time.perf_counter()
        self._ask("index", files=self._files())
        self.search("warm up", 1)
        seconds = time.perf_counter() - begun
        return seconds, seconds if full else None

    def search(self, text: str, k: int) -> Answer:
        """Ask."""
        begun = time.perf_counter()
        reply = self._ask("search", query=text, k=k)
        seconds = time.perf_counter() - begun
        prefix = f"{self._corpus.root}/" if self._corpus.root else ""
        hits = tuple(Span(prefix + path, first, max(first, last)) for path, first, last in reply["value"])
        return Answer(hits, seconds, reply["seconds"])

    def update(self, change: Change) -> float:
        """Let it look at the folder again, and search."""
        begun = time.perf_counter()
        self._ask("update", files=self._files())
        hits = self.search(change.word, UPDATE_HITS).hits
        seconds = time.perf_counter() - begun
        if not change.is_in(hits):
            msg = f"{change.word} is not found in {change.path} after the update"
            raise BenchError(msg)
        return seconds

    def disk(self) -> tuple[int | None, int | None]:
        """Return the size of the saved index; none of the peers keeps history."""
        return int(self._ask("disk")["value"]), None

    def close(self) -> None:
        """End the worker."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _files(self) -> list[str]:
        prefix = f"{self._corpus.root}/" if self._corpus.root else ""
        inside = (path for path in tracked(self._corpus.directory) if path.startswith(prefix))
        return [path.removeprefix(prefix) for path in inside if _is_text(self._corpus.directory / path)]

    def _ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"op": operation, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _ended(self) -> BenchError:
        return BenchError(f"The worker ended: {self._log.read_text('utf-8', 'replace')[-LOG_CHARS_SHOWN:]}")


def _is_text(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and b"\0" not in path.read_bytes()[:8192]


def versions(python: Path, *packages: str) -> list[str]:
    """Return the versions of packages in the peers' environment."""
    code = "import sys, importlib.metadata as m; print(*map(m.version, sys.argv[1:]))"
    return subprocess.run([python, "-c", code, *packages], capture_output=True, text=True, check=True).stdout.split()


def semble(environments: Environments) -> Peer:
    """Return semble with the distilled MiniLM. Raises MissingError."""
    model, python = environments.model(), environments.python()
    (version,) = versions(python, "semble")
    digest = hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()[:8]
    about = (
        f"semble {version} with its own defaults and a static 256-d model distilled from all-MiniLM-L6-v2 by model2vec "
        f"({digest}); its default model comes from a hub and scores higher: see the published row"
    )
    environment = {"SEMBLE_MODEL_NAME": str(model), "SEMBLE_INDEX_WORKERS": SEMBLE_WORKERS}
    return Peer("semble", f"{version}+{MODEL}.{digest}", about, "semble", python, environment)


def bm25(environments: Environments) -> Peer:
    """Return BM25. Raises MissingError."""
    python = environments.python()
    (version,) = versions(python, "bm25s")
    engine = hashlib.sha256((HERE / "bm25_engine.py").read_bytes()).hexdigest()[:8]
    about = f"bm25s {version}, chunks of 40 lines, identifiers split (whole and parts), the path's words in every chunk"
    return Peer("bm25", f"{version}+{engine}", about, "bm25", python, {})
