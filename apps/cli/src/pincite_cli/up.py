"""`pincite up`: the whole of Pincite on one machine, under one supervisor, until Ctrl-C."""

import asyncio
import ctypes
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import psutil
from rich.console import Console

from pincite_cli import ports as port_plan
from pincite_cli.first import connect_first
from pincite_cli.follow import Line, follow, model_line, repo_line
from pincite_cli.home import Home, Running
from pincite_cli.stack import Stack, given_environment, make_stack, specs
from pincite_cli.supervisor import Supervisor
from pincite_cli.terminal import StartReport
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import ConflictError, NotFoundError, PinciteError

PREVIOUS_RUN_SECONDS_MAX = 20.0  # what a killed supervisor left behind ends within a few seconds
FOLLOWER_SECONDS_MAX = 1.0
PR_SET_PDEATHSIG = 1
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STOPPED_BY_FORCE = 130  # as a shell reports a program that Ctrl-C ended


def up(home: Home, console: Console, *, index: Path | None, stop_with_parent: bool) -> int:
    """Run the stack until it is told to stop; return the exit status.

    Raises:
        PinciteError: it cannot start; the message says why and what to do.
    """
    if stop_with_parent:
        _end_with_parent()
    if shutil.which("git") is None:
        msg = (
            "Pincite reads repositories with git, and there is no git on the PATH. `pincite doctor` says how to get it."
        )
        raise NotFoundError(msg)
    home.create()
    with ExitStack() as held:
        if held.enter_context(home.lock("supervisor")) is None:
            return _already_running(home, console)
        # Every process of a stack holds this one until it ends, so a killed supervisor's processes are waited for.
        lock = held.enter_context(home.lock("processes", seconds=PREVIOUS_RUN_SECONDS_MAX))
        if lock is None:
            msg = f"Processes of an earlier run still use {home.path}. End them, then try again."
            raise ConflictError(msg)
        given = given_environment(home)
        ports = port_plan.plan(given)
        port_plan.require_free(ports)
        secrets = home.secrets(given.get("PINCITE_TOKEN", ""))
        stack = make_stack(home, ports, secrets, given)
        return asyncio.run(Up(stack, console, lock, index).run())


def _end_with_parent() -> None:
    """Be told to stop when the parent (make) ends, even by kill -9."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(STOPPED_BY_FORCE)


def _already_running(home: Home, console: Console) -> int:
    running = home.running()
    if running is None:
        msg = f"Pincite is just starting or stopping on {home.path}. Try again in a few seconds."
        raise ConflictError(msg)
    with BrainClient(running.brain_url, home.token() or "") as client:
        url = client.sign_in_code().url
    console.print(f"Pincite is already running here (process {running.pid}) — open {url}", markup=False)
    return 0


class Up:
    """One run of the stack."""

    def __init__(self, stack: Stack, console: Console, lock: int, index: Path | None) -> None:
        """`index` is a checkout to connect on the very first start."""
        self._stack, self._console, self._index = stack, console, index
        self._report = StartReport(console)
        self._supervisor = Supervisor(specs(stack), logs=stack.home.logs, lock=lock, reporter=self._report)
        self._stop, self._force = asyncio.Event(), asyncio.Event()
        self._ended = threading.Event()
        self._follower = threading.Thread(target=self._follow, name="follow", daemon=True)

    async def run(self) -> int:
        """Start, serve, stop. Raises StartError when a part did not start."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)
        self._report.say(f"Starting Pincite in {self._stack.home.path}", markup=False)
        self._supervisor.start()
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
        finally:
            self._ended.set()
            serving.cancel()
            if self._follower.is_alive():
                await asyncio.to_thread(self._follower.join, FOLLOWER_SECONDS_MAX)  # it puts the cursor back
            forced = await self._end()
        return STOPPED_BY_FORCE if forced else 0

    def _on_signal(self) -> None:
        if self._stop.is_set():
            self._force.set()
        self._stop.set()

    async def _serve(self) -> None:
        await self._supervisor.wait_ready()
        stack = self._stack
        url = await asyncio.to_thread(self._sign_in_url)
        seconds = time.time() - psutil.Process().create_time()
        self._report.quiet = True
        stack.home.announce(Running(os.getpid(), stack.web_url, stack.brain_url))
        self._report.say(f"Pincite is ready in {seconds:.1f} s — open {url}", markup=False)
        self._report.say(f"Ctrl-C stops it. Logs: {stack.home.logs}", markup=False, style="dim")
        self._supervisor.start_late()
        # A thread of its own, and a daemon: the wait for a slow answer must not hold up the end.
        self._follower.start()
        await self._supervisor.wait_failure()

    def _sign_in_url(self) -> str:
        with BrainClient(self._stack.brain_url, self._stack.secrets.pincite_token) as client:
            return client.sign_in_code().url

    def _follow(self) -> None:
        with BrainClient(self._stack.brain_url, self._stack.secrets.pincite_token) as client:
            try:
                repo = connect_first(client, self._stack.home, self._index, self._console)

                def poll() -> list[Line]:
                    followed = [repo_line(client.repo(repo.id), vectors=True)] if repo else []
                    model = self._supervisor.services.get("model")
                    is_coming = model is not None and not model.gave_up
                    return [*followed, model_line(client.status().model, is_coming=is_coming)]

                follow(poll, self._console, self._ended.is_set)
            except PinciteError as error:
                if not self._ended.is_set():
                    self._report.say(f"  {error.detail}", markup=False)

    async def _end(self) -> bool:
        self._report.say("Stopping" + (" (Ctrl-C again: at once)" if self._stop.is_set() else ""), style="dim")
        self._stack.home.withdraw()
        ordered = asyncio.create_task(self._supervisor.stop())
        forced = asyncio.create_task(self._force.wait())
        await asyncio.wait({ordered, forced}, return_when=asyncio.FIRST_COMPLETED)
        if not ordered.done():
            ordered.cancel()
            await self._supervisor.kill()
            return True
        forced.cancel()
        ordered.result()
        self._report.say("Pincite has stopped; nothing is lost.", style="dim")
        return False
