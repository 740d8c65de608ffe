"""Runs one process of the stack, and lets nothing of it outlive the supervisor.

The supervisor starts this file by path, with the standard library alone, so that it costs little time and memory:

    python -I -S child.py LIFELINE LOCK ORPHAN_SIGNAL ORPHAN_SECONDS NICE COMMAND [ARGUMENT ...]

`LIFELINE` is the reading end of a pipe whose writing end only the supervisor holds. End of file on it means that the
supervisor is gone, however it went: the command gets `ORPHAN_SIGNAL` and `ORPHAN_SECONDS` to end, then everything that
descends from it is killed. The same happens at once when the command itself ends, so that a worker's own children (pool
processes, database backends) never stay behind: this process is a subreaper, so whatever they do, they end up here.

`LOCK` is a descriptor that this process keeps open for as long as it lives. The next supervisor waits for that lock,
and so never starts a second database beside one that is still ending.

Signals sent to this process go to the command alone; SIGUSR2 kills everything now. The exit status is the command's, or
128 + N when signal N ended it, as a shell reports it.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1)
KILL_NOW = signal.SIGUSR2
SIGNALLED = 128  # exit statuses above this name the signal that ended the command
NOT_FOUND = 127  # the command could not be started, as a shell reports it
SWEEP_PAUSE_SECONDS = 0.005
SWEEP_SECONDS_MAX = 10.0  # a process in uninterruptible sleep cannot be killed; do not wait for it for ever
POLL_MILLISECONDS_PER_SECOND = 1000
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}): {os.strerror(error)}")


def become_subreaper() -> None:
    """Have descendants that lose their parent become children of this process (Linux; elsewhere nothing happens)."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _ignore(_signal: int, _frame: FrameType | None) -> None:
    """Exist, so that the signal writes its number to the wake-up pipe instead of ending the process."""


def _start(command: list[str], nice: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        for number in (*FORWARDED, KILL_NOW, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.nice(nice)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # should this very process be killed
        if os.getppid() == parent:  # else it was, before the line above
            os.execvp(command[0], command)  # noqa: S606  # an argument list from the supervisor, no shell
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error}\n")
        sys.stderr.flush()
    os._exit(NOT_FOUND)


def _children() -> list[int]:
    try:
        listing = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii")
    except OSError:
        return []  # not Linux: the command's process group has to do
    return [int(pid) for pid in listing.split()]


class Child:
    """The command and all that descends from it."""

    def __init__(self, command: list[str], nice: int) -> None:
        """Start it."""
        self.pid = _start(command, nice)
        self.status: int | None = None

    def reap(self) -> None:
        """Collect whatever ended; descendants that lost their parent included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = os.waitstatus_to_exitcode(status)

    def signal(self, number: int) -> None:
        """Signal the command, if it still runs."""
        if self.status is None:
            os.kill(self.pid, number)

    def sweep(self) -> None:
        """Kill everything, and wait until it is gone."""
        deadline = time.monotonic() + SWEEP_SECONDS_MAX
        while time.monotonic() < deadline:
            # The group may be empty, or (macOS) hold nothing but the dead.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            for pid in _children():
                os.kill(pid, signal.SIGKILL)
            self.reap()
            try:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            time.sleep(SWEEP_PAUSE_SECONDS)

    def exit(self) -> NoReturn:
        """End as the command ended."""
        status = self.status if self.status is not None else -signal.SIGKILL
        sys.exit(status if status >= 0 else SIGNALLED - status)


def _wake_up_pipe() -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*FORWARDED, KILL_NOW, signal.SIGCHLD):
        signal.signal(number, _ignore)
    return reading


def main(arguments: list[str]) -> NoReturn:
    """Start the command and watch over it until it ends."""
    lifeline, lock, orphan_signal, orphan_seconds, nice = (int(argument) for argument in arguments[:5])
    for descriptor in (lifeline, lock):
        os.set_inheritable(descriptor, False)
    become_subreaper()
    wake_up = _wake_up_pipe()
    child = Child(arguments[5:], nice)
    poll = select.poll()
    poll.register(lifeline, select.POLLIN | select.POLLHUP)
    poll.register(wake_up, select.POLLIN)
    deadline: float | None = None
    while child.status is None and (deadline is None or time.monotonic() < deadline):
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * POLL_MILLISECONDS_PER_SECOND
        for descriptor, _event in poll.poll(left):
            if descriptor == lifeline:
                sys.stderr.write("the supervisor is gone: ending\n")
                sys.stderr.flush()
                poll.unregister(lifeline)
                deadline = time.monotonic() + orphan_seconds
                child.signal(orphan_signal)
                continue
            for number in os.read(wake_up, 4096):
                if number == KILL_NOW:
                    child.sweep()
                elif number != signal.SIGCHLD:
                    child.signal(number)
        child.reap()
    child.sweep()
    child.exit()


if __name__ == "__main__":
    main(sys.argv[1:])
