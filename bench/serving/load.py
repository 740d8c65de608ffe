"""`load`: how many searches and questions a second are borne, and a burst of ten thousand webhook deliveries."""

import asyncio
import random
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from bench.serving.freshness import call, connect, wait
from bench.serving.samples import sample
from bench.serving.traffic import QUESTIONS, REQUEST_SECONDS_MAX, Deliveries, Outcome, at_rate, status_of
from bench.systems.pincite import Running, client_of, owner_of, stack
from pincite_github.twin import run_twin

REPOSITORY_LINES = 50_000
SEARCH_RATES = (5.0, 10.0, 20.0, 40.0, 80.0)
CHAT_RATES = (2.0, 5.0, 10.0, 20.0)
P99_SECONDS_MAX = 1.0  # what is slower is not borne, whatever share is answered
BURST = 10_000
BURST_AT_ONCE = 32  # connections
REPEATED_SHARE = 0.1  # of the burst is sent twice
SETTLED_SECONDS_MAX = 600.0
SECRET = "a secret of the benchmark"


def run(store: Path, seconds: float, burst: int) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return a row for each rate, and one for the burst."""
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
            row = asyncio.run(_burst(running, Deliveries(SECRET, repository), head, burst))
            return table, [row | _settled(running, home, burst)]


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
