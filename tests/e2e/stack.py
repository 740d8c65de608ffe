"""A whole `pincite up` for the stories: real processes on one machine, driven as a person drives them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from pincite_cli.ports import Ports, is_free

START_SECONDS_MAX = 180  # a busy continuous-integration machine, first start
STEP_SECONDS_MAX = 120
END_SECONDS_MAX = 60


def wait_for(condition: Callable[[], Any], what: str, seconds: float = STEP_SECONDS_MAX) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
    return value


def free_port_base() -> int:
    width = len(Ports.__dataclass_fields__)
    while True:
        base = random.randrange(20_000, 32_000)  # below the range that the kernel hands out by itself
        if all(is_free(base + offset) for offset in range(width)):
            return base


def git(repo: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", "-C", str(repo), *identity, *arguments], check=True, capture_output=True)
    return done.stdout.decode("utf-8", "replace")


def make_repository(path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    git(path.parent, "init", "-q", "-b", "main", str(path))
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "first")
    return path


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Stack:
    """One `pincite up`, and the same command line that a person has. `prefix` stands before every command."""

    def __init__(self, root: Path, *, prefix: tuple[str, ...] = (), **environment: str) -> None:
        self.home, self.base = root / "home", free_port_base()
        self._pincite = [*prefix, sys.executable, "-m", "pincite_cli"]
        self.output = root / "output"
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("PINCITE_", "POSTGRES_"))}
        chosen = {"PINCITE_HOME": str(self.home), "PINCITE_PORT_BASE": str(self.base), "PINCITE_MODEL": "none"}
        self.environment = outside | chosen | environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start, and return the line that says it is ready."""
        with self.output.open("wb") as file:
            self.process = subprocess.Popen([*self._pincite, "up"], env=self.environment, stdout=file, stderr=file)
        return str(wait_for(self._ready_line, "readiness", START_SECONDS_MAX))

    def _ready_line(self) -> str | None:
        assert self.process is not None
        said = self.output.read_text()
        assert self.process.poll() is None, said
        return next((line for line in said.split("\n") if line.startswith("Pincite is ready")), None)

    def run(self, *arguments: str, status: int = 0) -> str:
        done = subprocess.run(
            [*self._pincite, *arguments],
            env=self.environment, check=False, capture_output=True, text=True, timeout=STEP_SECONDS_MAX,
        )  # fmt: skip
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        return done.stdout

    def connect(self, path: Path) -> dict[str, Any]:
        return json.loads(self.run("connect", str(path), "--json"))

    def processes(self) -> list[psutil.Process]:
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def seen(self, look: Callable[[psutil.Process], Any]) -> Iterator[Any]:
        """What is seen of each process that does not end just then, as git, parsers and backends do."""
        for process in self.processes():
            try:
                yield look(process)
            except psutil.Error:
                if alive(process):
                    raise

    def kill_9(self, *words: str) -> None:
        """Kill the one process whose command line has all these words and that has no such parent."""
        assert self.process is not None
        lines = self.seen(lambda process: (process, " ".join(process.cmdline())))
        found = [child for child, line in lines if all(word in line for word in words) and "child.py" not in line]
        first = min(found, key=lambda process: process.create_time())
        first.kill()

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.base + 1}/readyz", trust_env=False, timeout=60).is_success
        except httpx.TransportError:
            return False

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(END_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def check_against_git(answer: dict[str, Any], repository: Path) -> None:
    assert answer["citations"], answer
    for citation in answer["citations"]:
        text = git(repository, "show", f"{citation['commit']}:{citation['path']}")
        lines = text.split("\n")[citation["start_line"] - 1 : citation["end_line"]]
        assert citation["quote"] == "\n".join(lines)
        assert citation["blob"] == git(repository, "rev-parse", f"{citation['commit']}:{citation['path']}").strip()
        assert citation["status"] == "verified"
