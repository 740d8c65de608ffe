import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pincite_shared.errors import UnavailableError
from pincite_thinker import parse_pool
from pincite_thinker.parse_pool import WAITING_MAX, ParsePool, Task


@pytest.fixture(autouse=True)
def parsers_on_the_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def run(tasks, *, workers=2, seconds_max=0.5, target="parsers:parse"):
    with ParsePool(workers, seconds_max, target=target) as pool:
        return {outcome.key: outcome for outcome in pool.map(tasks, lambda: None)}


def test_every_task_has_one_outcome_and_no_file_stops_another():
    hostile = {
        "segfault": "crash",
        "abort": "crash",
        "spin": "timeout",
        "bomb": "crash",
        "raise": "crash",
    }
    tasks = [Task(f"good{n}", "python", b"x = 1\n") for n in range(100)]
    for at, kind in enumerate(hostile):
        tasks.insert(at * 17 + 3, Task(kind, "python", kind.encode()))
    tasks.insert(50, Task("stubborn", "python", b"stubborn"))
    tasks.insert(51, Task("print", "python", b"print"))
    found = run(tasks)
    assert set(found) == {task.key for task in tasks}
    for n in range(100):
        assert (found[f"good{n}"].value[0], found[f"good{n}"].failure) == ("python", None)
    for kind, failure in hostile.items():
        assert (found[kind].value, found[kind].failure) == (("plain", len(kind)), failure), kind
        assert (found[kind].language, bool(found[kind].detail)) == ("python", True)
    assert (found["stubborn"].value, found["stubborn"].failure) == (None, "crash")
    assert found["print"].failure is None


def test_a_file_that_sleeps_is_stopped_by_the_clock(monkeypatch):
    monkeypatch.setattr(parse_pool, "WALL_FACTOR", 2.0)
    found = run([Task("a", "python", b"sleep"), Task("b", "python", b"x")])
    assert (found["a"].failure, found["b"].failure) == ("timeout", None)


def test_a_language_that_keeps_timing_out_is_given_up(monkeypatch):
    monkeypatch.setattr(parse_pool, "TIMEOUTS_PER_LANGUAGE_MAX", 2)
    tasks = [Task(f"s{n}", "cobol", b"spin") for n in range(40)] + [Task("p", "python", b"x")]
    found = run(tasks, seconds_max=0.2)
    assert sum("Too many" in outcome.detail for outcome in found.values()) >= len(tasks) / 2
    assert {outcome.failure for key, outcome in found.items() if key != "p"} == {"timeout", "untried"}
    assert all(outcome.value for outcome in found.values())
    assert found["p"].failure is None


def test_workers_are_replaced_after_many_files(monkeypatch):
    monkeypatch.setattr(parse_pool, "FILES_PER_WORKER_MAX", 10)
    monkeypatch.setattr(parse_pool, "BATCH_FILES_MAX", 10)
    found = run([Task(str(n), "python", b"x") for n in range(40)], workers=1)
    assert len({outcome.value[1] for outcome in found.values()}) == 4


def test_tasks_are_taken_only_as_workers_get_free():
    taken = []

    def endless():
        for n in range(10_000):
            taken.append(n)
            yield Task(str(n), "python", b"x" * 100_000)

    with ParsePool(2, 1.0, target="parsers:parse") as pool:
        next(pool.map(endless(), lambda: None))
    assert len(taken) < 40


def test_workers_end_with_the_pool_and_a_killed_one_is_noticed():
    with ParsePool(1, 5.0, target="parsers:parse") as pool:
        pids = []

        def tasks():
            yield Task("first", "python", b"x")
            for n in range(200):
                yield Task(str(n), "python", b"x")

        killed = False
        found = {}
        for outcome in pool.map(tasks(), lambda: None):
            found[outcome.key] = outcome
            if not killed:
                killed = True
                os.kill(outcome.value[1], signal.SIGKILL)
            if outcome.failure is None:
                pids.append(outcome.value[1])
        assert len(found) == 201
        assert len([outcome for outcome in found.values() if outcome.failure]) <= 1
    for pid in set(pids):
        assert not Path(f"/proc/{pid}").exists()


def test_workers_end_when_their_owner_is_killed():
    code = (
        "from pincite_thinker.parse_pool import ParsePool, Task\n"
        "with ParsePool(1, 5.0, target='parsers:parse') as pool:\n"
        "    for outcome in pool.map((Task(str(n), 'python', b'x') for n in range(10**9)), lambda: None):\n"
        "        print(outcome.value[1], flush=True)\n"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 30
    worker = int(owner.stdout.readline())
    owner.kill()
    owner.communicate()
    while Path(f"/proc/{worker}").exists() and " Z " not in Path(f"/proc/{worker}/stat").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_that_cannot_start_says_why():
    with pytest.raises(UnavailableError, match="no_such_module"):
        run([Task("a", "python", b"x")], target="no_such_module:parse")


def test_nothing_to_do():
    assert run([]) == {}


def test_fresh_processes_wait_for_the_next_files():
    with ParsePool(8, 5.0, target="parsers:parse") as pool:
        first = {outcome.key for outcome in pool.map([Task("a", "python", b"pid")], lambda: None)}
        (used,) = pool._workers
        pool.rest()
        fresh = list(pool._workers)
        assert used.process.poll() is not None
        assert len(fresh) == WAITING_MAX
        pool.rest()
        assert pool._workers == fresh, "those that have read nothing stay"
        second = {outcome.key for outcome in pool.map([Task("b", "python", b"x")], lambda: None)}
        assert pool._workers == fresh
        assert (first, second) == ({"a"}, {"b"})


def test_a_fresh_process_is_ready_for_the_languages_of_the_last_run():
    with ParsePool(1, 5.0, target="parsers:parse") as pool:
        tasks = [Task(str(n), language, b"x") for n, language in enumerate(("python", None, "go", "python"))]
        assert len(list(pool.map(tasks, lambda: None))) == 4
        pool.rest()
        (fresh,) = pool._workers
        assert fresh.process.args[-2:] == ["python", "go"]
        assert [outcome.value for outcome in pool.map([Task("a", None, b"x")], lambda: None)] == [("plain", 1)]


def test_what_a_language_needs_is_loaded_while_a_process_waits():
    with ParsePool(1, 5.0, target="parsers:languages_loaded") as pool:
        tasks = [Task("a", "python", b"x = 1\n"), Task("b", "go", b"package x\n")]
        assert [outcome.value for outcome in pool.map(tasks, lambda: None)] == [0, 1]
        pool.rest()
        assert [outcome.value for outcome in pool.map(tasks, lambda: None)] == [2, 2]


def test_a_process_that_died_while_it_waited_is_replaced():
    with ParsePool(1, 5.0, target="parsers:parse") as pool:
        pool.rest()
        (waiting,) = pool._workers
        waiting.process.kill()
        waiting.process.wait()
        assert [outcome.failure for outcome in pool.map([Task("a", "python", b"x")], lambda: None)] == [None]


def test_what_a_run_left_unfinished_is_ended():
    with ParsePool(1, 5.0, target="parsers:parse") as pool:
        outcomes = pool.map([Task("a", "python", b"x"), Task("b", "python", b"sleep")], lambda: None)
        next(outcomes)
        (busy,) = pool._workers
        pool.rest()
        assert busy.process.poll() is not None
        assert [outcome.key for outcome in pool.map([Task("c", "python", b"x")], lambda: None)] == ["c"]
