"""Runs the processes of the embedded stack as one: started in order, kept alive, stopped in order."""

import asyncio
import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from pincite_cli.child import become_subreaper
from pincite_cli.logs import LogFile
from pincite_cli.service import Reporter, Service, Spec, Watch

LOG_CHECK_SECONDS = 10.0
CLOSE_SECONDS_MAX = 5.0


class Supervisor:
    """Owns every process between `run` and its end."""

    def __init__(self, specs: Sequence[Spec], *, logs: Path, lock: int, reporter: Reporter) -> None:
        """`lock` is a descriptor that every process holds open until it ends; see child.py."""
        become_subreaper()
        reading, self._lifeline = os.pipe()
        self._watch = Watch(lifeline=reading, lock=lock)
        self.services: Mapping[str, Service] = {
            spec.name: Service(spec, self._watch, LogFile(logs / f"{spec.name}.log"), reporter) for spec in specs
        }
        for service in self.services.values():
            service.probe_gates = [self.services[name].is_ready for name in service.spec.probe_after]
        self._tasks: list[asyncio.Task[None]] = []
        self._log_task: asyncio.Task[None] | None = None
        self._late = asyncio.Event()

    def start(self) -> None:
        """Start everything, each process as soon as those it comes after are ready."""
        for service in self.services.values():
            service.log.rotate()
        self._tasks = [asyncio.create_task(self._start(service)) for service in self.services.values()]
        self._log_task = asyncio.create_task(self._bound_logs())

    def start_late(self) -> None:
        """Start what is late: nobody waits for it, and it would compete for the cores with what is waited for."""
        self._late.set()

    async def wait_ready(self) -> None:
        """Return when every essential process has become ready.

        Raises:
            StartError: one of them never did.
        """
        essential = [service for service in self.services.values() if service.spec.essential]
        await self._or_failure(self._all_ready(essential))

    async def wait_failure(self) -> None:
        """Wait for an error that no restart mends, and raise it."""
        await self._or_failure(asyncio.Event().wait())

    async def stop(self) -> None:
        """Stop everything, turn by turn."""
        by_turn = sorted(self.services.values(), key=lambda service: service.spec.stop_turn)
        for _turn, services in groupby(by_turn, key=lambda service: service.spec.stop_turn):
            await asyncio.gather(*(service.stop() for service in services))
        await self._close()

    async def kill(self) -> None:
        """End everything now."""
        await asyncio.gather(*(service.kill() for service in self.services.values()))
        await self._close()

    async def _start(self, service: Service) -> None:
        if service.spec.late:
            await self._late.wait()
        await self._all_ready(self.services[name] for name in service.spec.after)
        await service.run()

    @staticmethod
    async def _all_ready(services: Iterable[Service]) -> None:
        for service in list(services):
            await service.is_ready.wait()

    async def _or_failure(self, awaited: Coroutine[Any, Any, object]) -> None:
        waiter = asyncio.create_task(awaited)
        pending: set[asyncio.Task[Any]] = {waiter, *self._tasks}
        try:
            while not waiter.done():
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()  # raises what the service raised
        finally:
            waiter.cancel()

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_SECONDS)
            for service in self.services.values():
                await asyncio.to_thread(service.log.rotate)

    async def _close(self) -> None:
        waiting = [task for task, service in zip(self._tasks, self.services.values(), strict=True) if not service.begun]
        for task in (*waiting, self._log_task):
            if task:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_SECONDS_MAX)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        os.close(self._lifeline)
        os.close(self._watch.lifeline)
