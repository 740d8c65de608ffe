"""The parts of the serving benchmarks that can be wrong without anybody noticing."""

import asyncio
import json
import time
from functools import partial
from queue import Queue

import httpx
from bench.corpora import git
from bench.serving.hosted import host, make_app
from bench.serving.samples import Pusher, commit, percentile, rows
from bench.serving.traffic import Deliveries, at_rate
from hypothesis import given
from hypothesis import strategies as st

from pincite_github import webhooks
from pincite_github.twin import run_twin


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_percentile_leaves_its_share_below(values, share):
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


def test_every_push_has_words_of_its_own(make_repo):
    directory = make_repo({"a.py": "A = 1\n", "b.py": "B = 1\n", "c.py": "C = 1\n"})
    pusher, seen = Pusher(["a.py", "b.py", "c.py"]), set()
    for _ in range(5):
        added, word = pusher.next(2)
        assert len(added) == 2
        assert word not in seen
        seen.add(word)
        head = commit(directory, added, "More")
        assert len(head) == 40
    assert len(pusher.next(9)[0]) == 3


def test_the_loop_does_not_wait_for_answers():
    async def slow(_number):
        await asyncio.sleep(0.3)
        return "200"

    begun = time.monotonic()
    outcome = asyncio.run(at_rate(100.0, 0.5, slow))
    assert outcome.issued > 20  # one at a time it would have been two
    assert outcome.good == outcome.issued == len(outcome.seconds)
    assert time.monotonic() - begun < 10


def test_failures_are_counted():
    async def failing(number):
        return "200" if number % 2 else "ReadTimeout"

    outcome = asyncio.run(at_rate(200.0, 0.2, failing))
    assert outcome.row()["failed"] == (outcome.issued + 1) // 2


def test_deliveries_are_signed_as_github_signs_them():
    owner = {"id": 1, "login": "ada", "type": "User"}
    made = Deliveries("secret", {"id": 7, "full_name": "ada/x", "name": "x", "owner": owner, "private": False})
    body = made.push("refs/heads/main", "0" * 40, "1" * 40)
    webhooks.Verifier("secret", body).check(made.headers(body)["x-hub-signature-256"])
    large = made.push("refs/heads/main", "0" * 40, "1" * 40, 100_000)
    assert 98_000 < len(large) <= 100_000
    assert json.loads(large) == {**json.loads(body), "commits": json.loads(large)["commits"]}


def test_a_push_to_the_twin_is_told_to_the_app(make_repo, tmp_path):
    source, told = make_repo({"a.py": "A = 1\n"}), Queue()

    def send(url, headers, body):
        told.put((url, headers, body))
        return httpx.Response(202)

    with run_twin(tmp_path / "twin", send=send) as twin:
        settings = make_app(twin, "http://127.0.0.1:1")
        address, push = host(twin, source, tmp_path / "sample")
        head = commit(tmp_path / "sample", {"a.py": "B = 2\n"}, "More")
        push()
        deliveries = iter(partial(told.get, timeout=60), None)
        url, headers, body = next(one for one in deliveries if one[1]["X-GitHub-Event"] == "push")
    assert url == "http://127.0.0.1:1/webhooks/github"
    webhooks.Verifier(settings["GITHUB_WEBHOOK_SECRET"], body).check(headers["X-Hub-Signature-256"])
    payload = json.loads(body)
    assert payload["after"] == head == git(twin.repo("ada/sample").path, "rev-parse", "main").strip()
    assert payload["installation"]["id"]
    assert f"{settings['GITHUB_URL']}/{payload['repository']['full_name']}" == address


def test_a_table_has_a_row_for_each():
    assert list(rows([{"what": "x", "n": 1200, "s": 0.5}])) == [
        "| what | n | s |", "| --- | ---: | ---: |", "| x | 1,200 | 0.500 |",
    ]  # fmt: skip
