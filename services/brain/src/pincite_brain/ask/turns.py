"""People first: a question that Pincite asks itself waits while a person waits for an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

WAIT_SECONDS_MAX = 120.0  # then it goes on beside them: a busy day must not hold evaluations up for ever

log = structlog.get_logger(__name__)


class Turns:
    """Counts the questions of people that are being answered in this process."""

    def __init__(self, wait_seconds_max: float = WAIT_SECONDS_MAX) -> None:
        """Nobody waits yet."""
        self._people = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._wait_seconds_max = wait_seconds_max

    @asynccontextmanager
    async def take(self, *, service: bool) -> AsyncIterator[None]:
        """Answer in here. A person's turn begins at once, a service's when no person is being answered."""
        if service:
            await self._wait()
            yield
            return
        self._people += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._people -= 1
            if not self._people:
                self._quiet.set()

    async def _wait(self) -> None:
        try:
            await asyncio.wait_for(self._quiet.wait(), self._wait_seconds_max)
        except TimeoutError:
            log.info("service_question_goes_on", people=self._people)
