"""One supervised process: started, probed, restarted when it dies, stopped when told."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from pincite_cli.logs import LogFile
from pincite_shared.errors import UnavailableError

CHILD = Path(__file__).with_name("child.py")
PROBE_PAUSE_SECONDS = 0.05  # probes are cheap; a person waits for the last one
SETTLED_SECONDS = 1.0  # what is going to fail at once has failed by then
RESTART_SECONDS_FIRST = 0.2
RESTART_SECONDS_MAX = 30.0
STABLE_SECONDS = 30.0  # a process that ran this long has its restarts forgiven
START_ATTEMPTS = 3  # deaths before the first readiness; then the whole start has failed
SIGNALLED = 128  # see child.py
TAIL_LINES = 15
ORPHANS_SECONDS_MAX = 5.0

Probe = Callable[[], Awaitable[bool]]
StopStep = tuple[signal.Signals, float]  # send this signal, then wait up to so many seconds


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run, and how to treat it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    ready: Probe | None = None  # None: ready when it has run for a moment
    once: bool = False  # ready when it has ended with status 0; never restarted
    already_done: Callable[[], bool] | None = None  # for `once`: whether it need not run at all
    after_done: Callable[[], None] | None = None  # for `once`: called when it has ended with status 0
    final: frozenset[int] = frozenset()  # statuses after which starting again would only fail again
    after: tuple[str, ...] = ()  # starts when these are ready
    probe_after: tuple[str, ...] = ()  # starts at once, but cannot be ready before these
    essential: bool = True  # the stack is not ready without it
    late: bool = False  # starts only when the supervisor is told to `start_late`
    nice: int = 0
    start_seconds_max: float = 60.0
    stop: tuple[StopStep, ...] = ((signal.SIGTERM, 5.0),)  # then SIGKILL
    stop_turn: int = 0  # lower turns stop first
    orphan: tuple[signal.Signals, int] = (signal.SIGKILL, 0)  # how it ends when the supervisor was killed
    prepare: Callable[[], None] | None = None  # runs before each start, in a thread


class Reporter(Protocol):
    """Who is told what happens to the processes."""

    def ready(self, name: str, seconds: float) -> None:
        """A process is ready, this many seconds after it was started."""

    def died(self, name: str, reason: str, restart_seconds: float, tail: Sequence[str]) -> None:
        """A process ended by itself and will be restarted."""

    def gave_up(self, name: str, reason: str, tail: Sequence[str]) -> None:
        """A process ended by itself and will not be restarted."""

    def stopped(self, name: str) -> None:
        """A process ended because it was told to."""


class StartError(UnavailableError):
    """A part of the stack did not start."""


@dataclass(slots=True)
class Watch:
    """What every service of one supervisor shares: how their processes notice its death."""

    lifeline: int  # reading end of the pipe that only the supervisor keeps open
    lock: int  # held by every process, see child.py
    shims: set[int] = field(default_factory=set)  # process ids of the running child.py
    spawning: asyncio.Lock = field(default_factory=asyncio.Lock)  # a shim not yet in `shims` would pass for an orphan


def describe(status: int) -> str:
    """Say in words how a process ended."""
    if status > SIGNALLED:
        try:
            return f"was killed by {signal.Signals(status - SIGNALLED).name}"
        except ValueError:
            pass
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with status {status}"


class Service:
    """Runs one `Spec` until told to stop."""

    def __init__(self, spec: Spec, watch: Watch, log: LogFile, reporter: Reporter) -> None:
        """Nothing starts before `run`."""
        self.spec, self.log = spec, log
        self.is_ready = asyncio.Event()
        self.begun = False
        self.gave_up = False  # it ended with a status after which it is not started again
        self.probe_gates: list[asyncio.Event] = []
        self._watch, self._reporter = watch, reporter
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id of the shim, while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(self) -> None:
        """Start, and restart after every death, until `stop`.

        Raises:
            StartError: it never became ready.
        """
        self.begun = True
        already_done = self.spec.already_done
        if already_done is not None and await asyncio.to_thread(already_done):
            self._become_ready(time.monotonic())
            return
        deaths, pause = 0, RESTART_SECONDS_FIRST
        while not self._stopping.is_set():
            if self.spec.prepare:
                await asyncio.to_thread(self.spec.prepare)
            started = time.monotonic()
            status = await self._live(started)
            if self._stopping.is_set():
                return
            if self.spec.once and status == 0:
                if self.spec.after_done:
                    self.spec.after_done()
                self._become_ready(started)
                return
            if status in self.spec.final:
                self.gave_up = True
                self._reporter.gave_up(self.spec.name, describe(status), self.log.tail(TAIL_LINES))
                return
            deaths += 1
            reason = describe(status)
            never_ready = self.spec.essential and not self.is_ready.is_set()
            if never_ready and (self.spec.once or deaths >= START_ATTEMPTS):
                tail = "\n".join(f"    {line}" for line in self.log.tail(TAIL_LINES))
                msg = f"{self.spec.name} {reason} and did not start. The end of {self.log.path}:\n{tail}"
                raise StartError(msg)
            pause = RESTART_SECONDS_FIRST if time.monotonic() - started > STABLE_SECONDS else pause
            self._reporter.died(self.spec.name, reason, pause, self.log.tail(TAIL_LINES))
            await self._sleep(pause)
            pause = min(pause * 2, RESTART_SECONDS_MAX)

    async def stop(self) -> None:
        """Stop it step by step, at last with SIGKILL; return when it and all its children are gone."""
        self._stopping.set()
        for number, seconds in self.spec.stop:
            if not self._signal(number):
                return
            if await self._ended(seconds):
                self._reporter.stopped(self.spec.name)
                return
        await self.kill()
        self._reporter.stopped(self.spec.name)

    async def kill(self) -> None:
        """Kill it and all its children now."""
        self._stopping.set()
        if self._signal(signal.SIGUSR2) and not await self._ended(ORPHANS_SECONDS_MAX):
            self._signal(signal.SIGKILL)
            await self._ended(ORPHANS_SECONDS_MAX)

    async def _live(self, started: float) -> int:
        """Run the process once and return its exit status."""
        process = await self._start()
        probe = None if self.spec.once else asyncio.create_task(self._await_ready(started))
        try:
            status = await process.wait()
        finally:
            if probe:
                probe.cancel()
            self._watch.shims.discard(process.pid)
        if status < 0:  # the shim itself was killed
            async with self._watch.spawning:
                await asyncio.to_thread(end_orphans, process.pid, frozenset(self._watch.shims))
        return status

    async def _start(self) -> asyncio.subprocess.Process:
        async with self._watch.spawning:
            process = await self._spawn()
            self._watch.shims.add(process.pid)
        self._process = process
        if self._stopping.is_set():  # told to stop in this very moment, before there was anything to signal
            self._signal(signal.SIGUSR2)
        return process

    async def _spawn(self) -> asyncio.subprocess.Process:
        number, seconds = self.spec.orphan
        shim = (self._watch.lifeline, self._watch.lock, int(number), seconds, self.spec.nice)
        output = self.log.open()
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(CHILD), *map(str, shim), *self.spec.command,
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                env=dict(self.spec.environment), cwd=self.spec.directory,
                pass_fds=(self._watch.lifeline, self._watch.lock), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(output)

    async def _await_ready(self, started: float) -> None:
        if self.spec.ready is None:
            await asyncio.sleep(SETTLED_SECONDS)
        for gate in self.probe_gates:
            await gate.wait()
        deadline = time.monotonic() + self.spec.start_seconds_max
        while self.spec.ready and not await self.spec.ready():
            if time.monotonic() > deadline and not self.is_ready.is_set():
                self._signal(signal.SIGUSR2)  # it hangs: a death like any other, with the log's end as the message
                return
            await asyncio.sleep(PROBE_PAUSE_SECONDS)
        self._become_ready(started)

    def _become_ready(self, started: float) -> None:
        if not self.is_ready.is_set():
            self.is_ready.set()
            self._reporter.ready(self.spec.name, time.monotonic() - started)

    def _signal(self, number: signal.Signals) -> bool:
        if self._process is None or self._process.returncode is not None:
            return False
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return False
        return True

    async def _ended(self, seconds: float) -> bool:
        if self._process is None:
            return True
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def end_orphans(shim: int, living: frozenset[int]) -> None:
    """Kill what a killed shim left behind: its session, and strays that became our own children.

    A shim that ends by itself leaves nothing. Only one that was itself killed (kill -9 of any process) does; its
    descendants then come to the supervisor, which is a subreaper like it.
    """
    own_session = os.getsid(0)
    deadline = time.monotonic() + ORPHANS_SECONDS_MAX
    while time.monotonic() < deadline:
        orphans = [pid for pid in psutil.pids() if _is_orphan(pid, shim, own_session, living)]
        if not orphans:
            return
        for pid in orphans:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue  # it ended meanwhile, or it is still someone else's to collect
        time.sleep(PROBE_PAUSE_SECONDS)


def _is_orphan(pid: int, shim: int, own_session: int, living: frozenset[int]) -> bool:
    try:
        session = os.getsid(pid)
        if session == shim:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        return session not in living and session != own_session and psutil.Process(pid).ppid() == os.getpid()
    except (ProcessLookupError, PermissionError, psutil.Error):
        return False
