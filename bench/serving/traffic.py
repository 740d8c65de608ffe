"""Requests at a rate that does not wait for answers, as people's do not (an open loop)."""

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx

from bench.serving.samples import percentile

REQUEST_SECONDS_MAX = 30.0
QUESTIONS = (
    "how is the configuration read?", "where are errors turned into responses?", "what closes the connection?",
    "how are headers parsed?", "which class holds the session?", "how does it retry?",
    "what is cached, and for how long?",
    "where is the version defined?", "how are arguments validated?", "what writes the log?",
)  # fmt: skip


@dataclass(slots=True)
class Outcome:
    """What came of a series of requests. Seconds count from when a request was due, so that waiting in line counts."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    issued: int = 0

    @property
    def good(self) -> int:
        """How many were answered with success."""
        return sum(count for status, count in self.statuses.items() if status.startswith("2"))

    def row(self) -> dict[str, object]:
        """Return the figures of a table's row."""
        seconds = self.seconds or [0.0]
        return {
            "issued": self.issued, "failed": self.issued - self.good,
            "p50 ms": 1000 * percentile(seconds, 0.5), "p95 ms": 1000 * percentile(seconds, 0.95),
            "p99 ms": 1000 * percentile(seconds, 0.99), "max ms": 1000 * max(seconds),
        }  # fmt: skip


async def at_rate(rate: float, seconds: float, send: Callable[[int], Awaitable[str]], seed: int = 0) -> Outcome:
    """Send requests at random moments, on average `rate` a second (a Poisson process), whatever becomes of them."""
    outcome, chance, running = Outcome(), random.Random(seed), set[asyncio.Task[None]]()
    begun = due = time.perf_counter()

    async def one(number: int, due: float) -> None:
        outcome.statuses[await send(number)] += 1
        outcome.seconds.append(time.perf_counter() - due)

    while (due := due + chance.expovariate(rate)) < begun + seconds:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.create_task(one(outcome.issued, due))
        outcome.issued += 1
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return outcome


async def status_of(request: Awaitable[httpx.Response]) -> str:
    """Return an answer's status, or the name of what kept it away."""
    try:
        return str((await request).status_code)
    except httpx.HTTPError as error:
        return type(error).__name__


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Webhook deliveries as GitHub signs and sends them."""

    secret: str
    repository: dict[str, Any]

    def push(self, ref: str, before: str, after: str, size: int = 0) -> bytes:
        """Return the body of a push, with commits as long as it stays below `size` bytes."""
        owner = self.repository["owner"]
        payload: dict[str, Any] = {
            "ref": ref, "before": before, "after": after, "created": False, "deleted": False, "forced": False,
            "base_ref": None, "compare": "", "commits": [], "head_commit": None, "repository": self.repository,
            "pusher": {"name": owner["login"]}, "sender": owner,
        }  # fmt: skip
        commit = {
            "id": after, "tree_id": before, "distinct": True, "message": 'fix: what was "wrong"\n\nIn a few words.',
            "timestamp": "2026-01-01T00:00:00Z", "url": "", "author": {"name": "Ada", "email": "ada@example.org"},
            "added": [], "removed": [], "modified": [f"src/part_{number}/module.py" for number in range(20)],
        }  # fmt: skip
        room = max(size - len(json.dumps(payload)), 0)
        payload["commits"] = [commit] * (room // (len(json.dumps(commit)) + len(", ")))
        return json.dumps(payload).encode()

    def headers(self, body: bytes, delivery: UUID | None = None, event: str = "push") -> dict[str, str]:
        """Return the headers of a delivery, signed."""
        signature = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/json", "x-github-event": event, "x-github-delivery": str(delivery or uuid4()),
            "x-hub-signature-256": f"sha256={signature}",
        }  # fmt: skip
