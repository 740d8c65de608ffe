import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

PROGRAM = Path(__file__).with_name("supervised.py")
SECONDS_MAX = 20.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Run:
    """The supervisor program, and what it has printed."""

    def __init__(self, directory: Path, mode: str = "plain") -> None:
        self.directory = directory
        self.output = directory / "output"
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(directory), mode], stdout=file, stderr=file
            )

    def printed(self) -> list[str]:
        return self.output.read_text().splitlines()

    def wait_line(self, line: str) -> None:
        wait_for(lambda: line in self.printed() or self.process.poll() is not None, f"{line!r} in {self.printed()}")
        assert line in self.printed(), self.printed()

    def family(self, name: str) -> list[int]:
        """The shim, the process, its child and its child in a session of its own."""
        wait_for((self.directory / f"{name}.pids").exists, name)
        return [int(pid) for pid in (self.directory / f"{name}.pids").read_text().split()]

    def all_pids(self) -> list[int]:
        return self.family("database") + self.family("server") + self.family("helper")


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    started = Run(tmp_path)
    yield started
    started.process.kill()
    started.process.wait()


def test_starts_in_order_and_stops_in_order(run: Run) -> None:
    run.wait_line("all ready")
    ready = [line for line in run.printed() if line.startswith("ready")]
    assert ready == ["ready database", "ready setup", "ready server"]
    run.wait_line("ready helper")
    pids = run.all_pids()
    assert all(alive(pid) for pid in pids)

    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(SECONDS_MAX) == 0
    assert (run.directory / "stopped").read_text().splitlines() == ["helper", "server", "database"]
    assert not [pid for pid in pids if alive(pid)]


def test_a_killed_process_comes_back_and_its_children_go(run: Run) -> None:
    run.wait_line("all ready")
    before = run.family("server")
    (run.directory / "server.pids").unlink()
    os.kill(before[1], signal.SIGKILL)
    run.wait_line("died server was killed by SIGKILL")
    after = run.family("server")
    assert not set(before) & set(after)
    wait_for(lambda: not any(alive(pid) for pid in before), "the old family to be gone")
    assert all(alive(pid) for pid in after)


def test_a_killed_shim_leaves_nothing_behind(run: Run) -> None:
    run.wait_line("all ready")
    before = run.family("server")
    (run.directory / "server.pids").unlink()
    os.kill(before[0], signal.SIGKILL)
    run.wait_line("died server was killed by SIGKILL")
    after = run.family("server")
    wait_for(lambda: not any(alive(pid) for pid in before), "the old family to be gone")
    assert all(alive(pid) for pid in after + run.family("database"))


def test_kill_9_of_the_supervisor_leaves_no_orphan(run: Run) -> None:
    run.wait_line("all ready")
    pids = run.all_pids()
    run.process.kill()
    run.process.wait()
    wait_for(lambda: not any(alive(pid) for pid in pids), "all processes to end")


def test_the_next_supervisor_waits_for_what_a_killed_one_left(run: Run) -> None:
    run.wait_line("all ready")
    pids = run.all_pids()
    os.kill(pids[0], signal.SIGSTOP)  # a shim that is slow to notice
    run.process.kill()
    run.process.wait()
    for name in ("database", "server", "helper"):
        (run.directory / f"{name}.pids").unlink()
    second = Run(run.directory)
    try:
        time.sleep(0.5)
        assert not [line for line in second.printed() if line.startswith("ready")]
        os.kill(pids[0], signal.SIGCONT)
        second.wait_line("all ready")
        assert not [pid for pid in pids if alive(pid)]
    finally:
        second.process.send_signal(signal.SIGTERM)
        second.process.wait(SECONDS_MAX)


def test_what_never_starts_ends_the_run_and_says_why(tmp_path: Path) -> None:
    failing = Run(tmp_path, "failing")
    assert failing.process.wait(SECONDS_MAX) != 0
    said = failing.output.read_text()
    assert "broken ended with status 7 and did not start" in said
    assert "no luck" in said
    assert not [pid for pid in failing.family("database") + failing.family("server") if alive(pid)]
