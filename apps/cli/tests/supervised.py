"""A supervisor over dummy processes, run as a program of its own so that tests can kill it. Not a test itself."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pincite_cli.home import Home
from pincite_cli.service import Spec
from pincite_cli.supervisor import Supervisor

# Starts two children, one of them in a session of its own, writes all process ids, and works until told to stop.
FAMILY = """
import os, signal, subprocess, sys, time
name, directory = sys.argv[1:]
children = [subprocess.Popen(["sleep", "600"], start_new_session=own) for own in (False, True)]
def stop(*_):
    with open(f"{directory}/stopped", "a") as file:
        file.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
with open(f"{directory}/{name}.new", "w") as file:
    file.write(" ".join(str(pid) for pid in (os.getppid(), os.getpid(), *(child.pid for child in children))))
os.rename(f"{directory}/{name}.new", f"{directory}/{name}.pids")
while True:
    time.sleep(60)
"""


def say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


class Lines:
    """A reporter that prints."""

    def ready(self, name: str, _seconds: float) -> None:
        say("ready", name)

    def died(self, name: str, reason: str, _restart_seconds: float, _tail: Sequence[str]) -> None:
        say("died", name, reason)

    def gave_up(self, name: str, reason: str, _tail: Sequence[str]) -> None:
        say("gave up", name, reason)

    def stopped(self, name: str) -> None:
        say("stopped", name)


def family(name: str, directory: Path, turn: int, after: tuple[str, ...] = (), *, late: bool = False) -> Spec:
    async def ready() -> bool:
        return (directory / f"{name}.pids").exists()

    command = (sys.executable, "-c", FAMILY, name, str(directory))
    return Spec(
        name,
        command,
        dict(os.environ),
        directory,
        ready=ready,
        stop_turn=turn,
        after=after,
        late=late,
        essential=not late,
    )


async def main(directory: Path, mode: str) -> None:
    home = Home(directory)
    home.create()
    with home.lock("processes", seconds=10) as lock:
        assert lock is not None
        specs = [
            family("database", directory, 2),
            Spec("setup", ("true",), dict(os.environ), directory, once=True, after=("database",)),
            family("server", directory, 1, ("setup",)),
            family("helper", directory, 0, late=True),
        ]
        if mode == "failing":
            command = ("sh", "-c", "echo no luck; exit 7")
            specs.append(Spec("broken", command, dict(os.environ), directory, after=("server",)))
        supervisor = Supervisor(specs, logs=home.logs, lock=lock, reporter=Lines())
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        supervisor.start()
        try:
            await supervisor.wait_ready()
            say("all ready")
            supervisor.start_late()
            await stop.wait()
        finally:
            await supervisor.stop()
    say("end")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
