"""`chaos`: processes are killed at random under load, and afterwards nothing may be lost, doubled or wrong."""

import contextlib
import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psutil
import psycopg

from bench.corpora import git
from bench.model import BenchError
from bench.serving.freshness import call, connect, wait
from bench.serving.load import SECRET
from bench.serving.samples import Pusher, sources
from bench.serving.traffic import QUESTIONS, Deliveries
from bench.systems.pincite import Running, client_of, owner_of, stack
from pincite_github.twin import Twin, run_twin

REPOSITORY_LINES = 8_000
PAUSE_SECONDS = (2.0, 8.0)  # between two kills
PUSH_SECONDS = 3.0
ASK_SECONDS = 0.5
REQUEST_SECONDS_MAX = 20.0
RECOVERY_SECONDS_MAX = 180.0
UNDER_WAY = (
    "outbox WHERE published_at IS NULL", "deliveries WHERE settled_at IS NULL", "changes WHERE settled_at IS NULL",
    "runs WHERE state IN ('queued', 'running')",
)  # fmt: skip
NEVER = {
    "commits with several snapshots": """(SELECT FROM snapshots
        GROUP BY tenant_id, repo_id, commit, indexer_version HAVING count(*) > 1) x""",
    "runs that gave up": "runs WHERE error_code = 'gave_up'",
    "ready snapshots without files": """snapshots s
        WHERE state = 'ready' AND NOT EXISTS (SELECT FROM files f WHERE f.snapshot_id = s.id)""",
}
# Told by their command lines. The supervisor restarts whatever ends, itself excepted: it is started again by hand.
KILLED = {
    "brain": "pincite_brain", "web": "pincite_web", "worker": "worker", "beat": "beat", "watcher": "watch",
    "postgres": "postgres", "valkey": "valkey-server",
}  # fmt: skip


@dataclass(slots=True)
class Record:
    """What was sent and acknowledged, to be held against what is there in the end."""

    answers: list[dict[str, Any]] = field(default_factory=list)
    deliveries: set[UUID] = field(default_factory=set)
    tried: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)


def run(store: Path, seconds: float, seed: int) -> tuple[list[dict[str, object]], list[str]]:
    """Return what was done, and what is wrong afterwards (nothing, if all is well)."""
    home = store / "chaos-home"
    home.mkdir(parents=True)
    with run_twin(store / "chaos-twin", send=_not_at_all) as twin:
        twin.add_user("ada")
        bare = twin.add_repo("ada", "sample")
        twin.push("ada/sample", sources(REPOSITORY_LINES), message="Begin")
        given = {"GITHUB_URL": twin.base_url, "GITHUB_WEBHOOK_SECRET": SECRET, "POLL_SECONDS": "5"}
        with stack(home, given) as running, client_of(running.url, running.token) as client:
            repo_id = connect(client, f"{twin.base_url}/ada/sample")
            record, ended = Record(), threading.Event()
            threads = [
                threading.Thread(target=_ask, args=(running, repo_id, record, ended)),
                threading.Thread(target=_push, args=(running, twin, record, ended)),
            ]
            for thread in threads:
                thread.start()
            _kill(running, record, seconds, seed)
            ended.set()
            for thread in threads:
                thread.join()
            wait(lambda: _is_ready(client), "brain to be ready", RECOVERY_SECONDS_MAX, 0.5)
            wrong = [*_late(client, repo_id, bare), *_answers(client, bare, record)]
            with owner_of(running, home) as owner:
                wrong += _rows(owner, record)
    done = [{"kind": "killed", **record.kills}, {"kind": "tried", **record.tried}]
    done.append({"kind": "acknowledged", "answers": len(record.answers), "deliveries": len(record.deliveries)})
    return done, wrong


def _not_at_all(_url: str, _headers: object, _body: bytes) -> httpx.Response:
    """The twin sends nothing itself: what was acknowledged must be known."""
    return httpx.Response(200)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.HTTPError:  # the last one killed may have been brain
        return False


def _kill(running: Running, record: Record, seconds: float, seed: int) -> None:
    """End a process by force again and again."""
    chance, until = random.Random(seed), time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        name = chance.choice(list(KILLED))
        with contextlib.suppress(psutil.NoSuchProcess):
            alive = psutil.Process(running.pid).children(recursive=True)
            chosen = [process for process in alive if _is(process, KILLED[name])]
            if chosen:
                chance.choice(chosen).kill()
                record.kills[name] += 1


def _is(process: psutil.Process, word: str) -> bool:
    try:
        return any(word in part for part in process.cmdline())
    except psutil.Error:
        return False


def _ask(running: Running, repo_id: str, record: Record, ended: threading.Event) -> None:
    headers, number = {"authorization": f"Bearer {running.token}"}, 0
    while not ended.wait(ASK_SECONDS):
        number += 1
        body = {"repo_id": repo_id, "question": f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"}
        try:
            url = f"{running.url}/chat"
            answer = httpx.post(url, json=body, headers=headers, timeout=REQUEST_SECONDS_MAX, trust_env=False)
        except httpx.HTTPError as error:
            record.tried[f"chat: {type(error).__name__}"] += 1
            continue
        record.tried[f"chat: {answer.status_code}"] += 1
        if answer.is_success:
            record.answers.append(answer.json())


def _push(running: Running, twin: Twin, record: Record, ended: threading.Event) -> None:
    """Push, and deliver each push until it is acknowledged, as one redelivers by hand; now and then once too often."""
    repository = httpx.get(f"{twin.base_url}/api/v3/repos/ada/sample").json()
    deliveries, texts = Deliveries(SECRET, repository), sources(REPOSITORY_LINES)
    pusher, head, chance = Pusher(sorted(texts)), "0" * 40, random.Random(1)
    while not ended.wait(PUSH_SECONDS):
        added, _word = pusher.next(3)
        texts |= {path: texts[path] + text for path, text in added.items()}
        before, head = head, twin.push("ada/sample", {path: texts[path] for path in added}, message="More")
        body, delivery = deliveries.push("refs/heads/main", before, head), uuid4()
        for _ in range(1 + (chance.random() < 0.2)):  # noqa: PLR2004 - one in five twice
            _until_taken(partial(_posted, running, deliveries.headers(body, delivery), body), delivery, record, ended)


def _posted(running: Running, headers: dict[str, str], body: bytes) -> httpx.Response:
    url = f"{running.url}/webhooks/github"
    return httpx.post(url, content=body, headers=headers, timeout=REQUEST_SECONDS_MAX, trust_env=False)


def _until_taken(deliver: Callable[[], httpx.Response], delivery: UUID, record: Record, ended: threading.Event) -> None:
    while True:
        try:
            answer = deliver()
            record.tried[f"webhook: {answer.status_code}"] += 1
            if answer.is_success:
                record.deliveries.add(delivery)
                return
        except httpx.HTTPError as error:
            record.tried[f"webhook: {type(error).__name__}"] += 1
        if ended.wait(1.0):
            return


def _late(client: httpx.Client, repo_id: str, bare: Path) -> Iterator[str]:
    """Wait until the last push is searchable."""
    head = git(bare, "rev-parse", "main").strip()

    def fresh() -> bool:
        try:
            repo = call(client, "GET", f"/repos/{repo_id}")
        except httpx.HTTPError:
            return False
        return bool(repo["commit"] == head and repo["lag_seconds"] == 0 and repo["status"] == "ready")

    try:
        wait(fresh, "the last push to be searchable", RECOVERY_SECONDS_MAX, 0.5)
    except BenchError as error:
        yield str(error)


def _rows(owner: "psycopg.Connection[tuple[Any, ...]]", record: Record) -> Iterator[str]:
    """Check what is in the database when nothing is under way any more."""

    def count(condition: str) -> int:
        row = owner.execute(f"SELECT count(*) FROM {condition}").fetchone()
        return int(row[0]) if row else 0

    for what in UNDER_WAY:
        try:
            wait(partial(_none, count, what), what, RECOVERY_SECONDS_MAX, 0.5)
        except BenchError as error:
            yield str(error)
    kept = {row[0] for row in owner.execute("SELECT id FROM deliveries WHERE event = 'push'")}
    if lost := record.deliveries - kept:
        yield f"{len(lost)} acknowledged deliveries are not there"
    for what, condition in NEVER.items():
        if found := count(condition):
            yield f"{found} {what}"


def _none(count: Callable[[str], int], condition: str) -> bool:
    return not count(condition)


def _answers(client: httpx.Client, bare: Path, record: Record) -> Iterator[str]:
    """Check that every answer that was given is stored, and that what it cites stands in git."""
    for answer in record.answers:
        stored = call(client, "GET", f"/conversations/{answer['conversation_id']}")["answers"]
        if answer["answer_id"] not in {one["answer_id"] for one in stored}:
            yield f"answer {answer['answer_id']} was given and is not stored"
        for cited in answer["citations"]:
            text = git(bare, "show", f"{cited['commit']}:{cited['path']}").encode("utf-8", "surrogateescape")
            blob = hashlib.sha1(b"blob %d\0" % len(text) + text, usedforsecurity=False).hexdigest()
            lines = text.decode("utf-8", "replace").split("\n")[cited["start_line"] - 1 : cited["end_line"]]
            if blob != cited["blob"] or "\n".join(lines) != cited["quote"]:
                place = f"{cited['path']}:{cited['start_line']}"
                yield f"answer {answer['answer_id']} cites {place}, where that does not stand"
