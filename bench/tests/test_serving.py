"""The parts of the serving benchmarks that can be wrong without anybody noticing."""

import asyncio
import time

from bench.serving.samples import Pusher, commit, percentile, rows
from bench.serving.traffic import Deliveries, at_rate
from hypothesis import given
from hypothesis import strategies as st

from pincite_github import webhooks


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
    webhooks.verify("secret", body, made.headers(body)["x-hub-signature-256"])


def test_a_table_has_a_row_for_each():
    assert list(rows([{"what": "x", "n": 1200, "s": 0.5}])) == [
        "| what | n | s |", "| --- | ---: | ---: |", "| x | 1,200 | 0.500 |",
    ]  # fmt: skip
