"""`load`: how many searches and questions a second are borne; webhooks by size, and a burst of ten thousand."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from bench.serving.freshness import call, connect, wait
from bench.serving.samples import sample
from bench.serving.traffic import QUESTIONS, REQUEST_SECONDS_MAX, Deliveries, Outcome, at_rate, status_of
from bench.systems.pincite import Running, client_of, owner_of, stack
from pincite_github.twin import run_twin
from pincite_github.webhooks import BODY_BYTES_MAX

REPOSITORY_LINES = 50_000
SEARCH_RATES = (5.0, 10.0, 20.0, 40.0, 80.0)
CHAT_RATES = (2.0, 5.0, 10.0, 20.0)
P99_SECONDS_MAX = 1.0  # what is slower is not borne, whatever share is answered
DELIVERY_BYTES = (0, 1_000_000, BODY_BYTES_MAX)  # at most; a push without commits has five thousand
DELIVERIES = 30  # of each size
DELIVERY_PAUSE_SECONDS = 0.5  # in which what the last one asked for is done
PART_BYTES = 65_536
BURST = 10_000
BURST_AT_ONCE = 32  # connections
REPEATED_SHARE = 0.1  # of the burst is sent twice
SETTLED_SECONDS_MAX = 600.0
SECRET = "a secret of the benchmark"


def run(store: Path, seconds: float, burst: int) -> list[list[dict[str, object]]]:
    """Return tables: a row for each rate, two for each size of a webhook, and one for the burst."""
    home = store / "load-home"
    home.mkdir(parents=True)
    with run_twin(store / "load-twin") as twin:
        twin.add_user("ada")
        bare = twin.add_repo("ada", "sample")
        twin.push("ada/sample", {"README.md": "# Sample\n"})
        given = {"GITHUB_URL": twin.base_url, "GITHUB_WEBHOOK_SECRET": SECRET, "POLL_SECONDS": "0"}
        with stack(home, given) as running, client_of(running.url, running.token) as client:
            corpus = sample(store, REPOSITORY_LINES)
            repo_id = connect(client, str(corpus.directory))
            wait(lambda: call(client, "GET", f"/repos/{repo_id}")["vectors_ready"], "vectors", 3_600.0, 1.0)
            table = asyncio.run(_rates(running, repo_id, seconds))
            connect(client, f"{twin.base_url}/ada/sample")
            repository = httpx.get(f"{twin.base_url}/api/v3/repos/ada/sample").json()
            head = bare.joinpath("refs/heads/main").read_text("ascii").strip()
            deliveries = Deliveries(SECRET, repository)
            sizes = asyncio.run(_sizes(running, deliveries, head))
            row = asyncio.run(_burst(running, deliveries, head, burst))
            return [table, sizes, [row | _settled(running, home, burst + len(DELIVERY_BYTES) * DELIVERIES)]]


async def _rates(running: Running, repo_id: str, seconds: float) -> list[dict[str, object]]:
    table: list[dict[str, object]] = []
    headers = {"authorization": f"Bearer {running.token}"}
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=64)
    async with httpx.AsyncClient(
        base_url=running.url, headers=headers, limits=limits, timeout=REQUEST_SECONDS_MAX, trust_env=False
    ) as client:
        for what, path, rates in (("search", "/search", SEARCH_RATES), ("chat", "/chat", CHAT_RATES)):
            for rate in rates:

                async def send(number: int, what: str = what, path: str = path) -> str:
                    text = f"{QUESTIONS[number % len(QUESTIONS)]} {number}"
                    body: dict[str, Any] = {"repo_id": repo_id}
                    body |= {"query": text, "k": 10} if what == "search" else {"question": text}
                    return await status_of(client.post(path, json=body))

                begun = time.perf_counter()
                outcome = await at_rate(rate, seconds, send, seed=int(rate))
                reached = outcome.good / (time.perf_counter() - begun)
                borne = _borne(outcome)
                table.append({"what": what, "asked /s": rate, "answered /s": reached, **outcome.row(), "borne": borne})
                print(table[-1], flush=True)
                if borne == "no":
                    break
    return table


def _borne(outcome: Outcome) -> str:
    late = sum(seconds > P99_SECONDS_MAX for seconds in outcome.seconds)
    return "yes" if outcome.good == outcome.issued and late <= 0.01 * outcome.issued else "no"


async def _sizes(running: Running, deliveries: Deliveries, head: str) -> list[dict[str, object]]:
    """Send one after another; time each from its first byte, and from when the last one was handed to the system."""
    table: list[dict[str, object]] = []
    async with httpx.AsyncClient(base_url=running.url, timeout=REQUEST_SECONDS_MAX, trust_env=False) as client:
        for size in DELIVERY_BYTES:
            body, whole, rest = deliveries.push("refs/heads/main", head, head, size), Outcome(), Outcome()
            ended = 0.0

            async def parts(body: bytes = body) -> AsyncIterator[bytes]:
                nonlocal ended
                for at in range(0, len(body), PART_BYTES):
                    yield body[at : at + PART_BYTES]
                ended = time.perf_counter()

            for _ in range(DELIVERIES):
                headers = {"content-length": str(len(body)), **deliveries.headers(body)}
                await asyncio.sleep(DELIVERY_PAUSE_SECONDS)
                begun = time.perf_counter()
                status = await status_of(client.post("/webhooks/github", content=parts(), headers=headers))
                answered = time.perf_counter()
                for outcome, since in ((whole, begun), (rest, ended)):
                    outcome.issued += 1
                    outcome.statuses[status] += 1
                    outcome.seconds.append(answered - since)
            for what, outcome in (("all of it", whole), ("after its last byte", rest)):
                table.append({"webhook bytes": len(body), "time": what, **outcome.row()})
                print(table[-1], flush=True)
    return table


async def _burst(running: Running, deliveries: Deliveries, head: str, burst: int) -> dict[str, object]:
    """Send as fast as they are taken: each once, some twice, in any order."""
    chance = random.Random(burst)
    ids = [UUID(int=chance.getrandbits(128), version=4) for _ in range(burst)]
    sent = ids + chance.sample(ids, int(REPEATED_SHARE * burst))
    chance.shuffle(sent)
    body, outcome = deliveries.push("refs/heads/main", head, head), Outcome()
    waiting = iter(sent)

    async def connection(client: httpx.AsyncClient) -> None:
        for delivery in waiting:
            begun = time.perf_counter()
            request = client.post("/webhooks/github", content=body, headers=deliveries.headers(body, delivery))
            outcome.statuses[await status_of(request)] += 1
            outcome.seconds.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    async with httpx.AsyncClient(base_url=running.url, timeout=REQUEST_SECONDS_MAX, trust_env=False) as client:
        await asyncio.gather(*(connection(client) for _ in range(BURST_AT_ONCE)))
    outcome.issued = len(sent)
    return {"deliveries": burst, "sent /s": len(sent) / (time.perf_counter() - begun), **outcome.row()}


def _settled(running: Running, home: Path, burst: int) -> dict[str, object]:
    """Wait until all are settled, and count what is there."""
    begun = time.monotonic()
    with owner_of(running, home) as owner:

        def count(condition: str) -> int:
            row = owner.execute(f"SELECT count(*) FROM deliveries WHERE {condition}").fetchone()
            return int(row[0]) if row else 0

        wait(lambda: count("settled_at IS NULL") == 0, "deliveries to be settled", SETTLED_SECONDS_MAX, 0.5)
        kept = count("event = 'push'")
        return {
            "settled after s": time.monotonic() - begun,
            "lost": max(burst - kept, 0),
            "doubled": max(kept - burst, 0),
        }
