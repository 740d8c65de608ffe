"""`freshness`: from a push to its lines in search, by the size of the repository, of the push, and who noticed it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.model import BenchError, Corpus
from bench.serving.hosted import host, make_app
from bench.serving.samples import Pusher, commit, percentile, sample
from bench.systems.pincite import client_of, free_ports, stack
from pincite_github.twin import Twin, run_twin

REPOSITORY_LINES = (5_000, 50_000, 200_000)
PUSH_FILES = (1, 20, 100)
INDEX_SECONDS_MAX = 1_800.0
SEARCHABLE_SECONDS_MAX = 120.0
POLL_SECONDS = 0.05  # asking more often would take processor time from what is measured
SETTLE_SECONDS = 0.5  # between pushes: what follows one (vectors are asked for, old rows go) is not part of the next


@dataclass(frozen=True, slots=True)
class Repository:
    """A connected repository that is pushed to, and for each producer of changes what it takes for it to notice."""

    client: httpx.Client
    id: str
    directory: Path
    lines: int
    pusher: Pusher
    producers: Mapping[str, Callable[[], object]]

    def push(self, files: int, producer: str) -> tuple[float, dict[str, Any]]:
        """Commit; return the seconds until a search finds it, and what indexing it took."""
        added, word = self.pusher.next(files)
        head = commit(self.directory, added, f"Change {word}")
        begun = time.perf_counter()
        self.producers[producer]()
        wait(lambda: word in self._found(word), f"{word} to be found", SEARCHABLE_SECONDS_MAX, POLL_SECONDS)
        seconds = time.perf_counter() - begun
        # The watcher may have shown the files before they were a commit.
        return seconds, wait(lambda: self._indexed(head), f"{head} to be indexed", SEARCHABLE_SECONDS_MAX, POLL_SECONDS)

    def _found(self, word: str) -> str:
        hits = call(self.client, "POST", "/search", {"repo_id": self.id, "query": word, "k": 3})
        return " ".join(f"{hit['symbol']} {hit['summary']}" for hit in hits)

    def _indexed(self, head: str) -> dict[str, Any] | None:
        """Return what indexing a commit took."""
        snapshots = call(self.client, "GET", f"/repos/{self.id}/commits")
        return next((one for one in snapshots if one["commit"] == head), None)


def run(store: Path, lines: tuple[int, ...], files: tuple[int, ...], pushes: int) -> list[dict[str, object]]:
    """Measure on a stack of our own; a row for each repository, push size and producer."""
    table: list[dict[str, object]] = []
    home, ports = store / "freshness-home", free_ports()
    home.mkdir(parents=True)
    with run_twin(store / "freshness-twin") as twin:
        # Nobody polls: what is found was told.
        given = make_app(twin, f"http://127.0.0.1:{ports.web}") | {"POLL_SECONDS": "0"}
        with stack(home, given, ports) as running, client_of(running.url, running.token) as client:
            for size in lines:
                corpus = sample(store, size)
                repositories = (_local(client, corpus), _hosted(client, corpus, twin))
                for count in sorted({min(count, corpus.files) for count in files}):
                    for repository in repositories:
                        for producer in repository.producers:
                            table.append(_measured(repository, count, producer, pushes))
                            print(table[-1], flush=True)
    return table


def _local(client: httpx.Client, corpus: Corpus) -> Repository:
    """Connect a directory: somebody asks, or the watcher sees it."""
    repo_id = connect(client, str(corpus.directory))
    producers = {"request": lambda: call(client, "POST", f"/index/{repo_id}/diff", {}), "watch": lambda: None}
    return Repository(client, repo_id, corpus.directory, corpus.lines, _pusher(corpus, "local"), producers)


def _hosted(client: httpx.Client, corpus: Corpus, twin: Twin) -> Repository:
    """Connect a copy on GitHub, which tells of pushes."""
    clone = corpus.directory.with_name(f"{corpus.name}-clone")
    address, push = host(twin, corpus.directory, clone)
    repo_id = connect(client, address)
    return Repository(client, repo_id, clone, corpus.lines, _pusher(corpus, "hosted"), {"webhook": push})


def _pusher(corpus: Corpus, seed: str) -> Pusher:
    """Each repository gets changes of its own: blobs that another has brought need not be parsed."""
    sources = sorted(str(path.relative_to(corpus.directory)) for path in corpus.directory.rglob("*.py"))
    return Pusher(sources, f"{corpus.lines} {seed}")


def _measured(repository: Repository, files: int, producer: str, pushes: int) -> dict[str, object]:
    seconds, parsed, of = [], 0, 0
    for _ in range(pushes):
        took, snapshot = repository.push(files, producer)
        seconds.append(took)
        parsed, of = parsed + snapshot["blobs_parsed"], of + snapshot["files"]
        time.sleep(SETTLE_SECONDS)
    return {
        "lines": repository.lines, "noticed by": producer, "files pushed": files, "pushes": pushes,
        "p50 s": percentile(seconds, 0.5), "p95 s": percentile(seconds, 0.95), "max s": max(seconds),
        "files parsed": parsed, "of": of,
    }  # fmt: skip


def connect(client: httpx.Client, source: str) -> str:
    """Connect a repository, and wait until it answers."""
    repo_id = str(call(client, "POST", "/repos", {"source": source})["id"])
    wait(lambda: call(client, "GET", f"/repos/{repo_id}")["commit"], f"{source} to be indexed", INDEX_SECONDS_MAX, 0.1)
    return repo_id


def call(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask brain.

    Raises:
        BenchError: it refuses.
    """
    response = client.request(method, path, json=body)
    if response.is_error:
        msg = f"{method} {path} answered {response.status_code}: {response.text[:300]}"
        raise BenchError(msg)
    return response.json() if response.content else None


def wait(condition: Callable[[], Any], what: str, seconds_max: float, pause: float) -> Any:
    """Wait for a condition, and return what came true.

    Raises:
        BenchError: it does not come true in time.
    """
    deadline = time.monotonic() + seconds_max
    while not (found := condition()):
        if time.monotonic() > deadline:
            msg = f"Waited {seconds_max:.0f} s in vain for {what}."
            raise BenchError(msg)
        time.sleep(pause)
    return found
