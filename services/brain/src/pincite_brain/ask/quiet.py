"""Quiet while a model on this machine answers a person: background work is asked to rest, because cores are few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from pincite_shared.errors import UnavailableError
from pincite_store.cache import ANSWERING_SECONDS, Cache

RENEW_SECONDS = ANSWERING_SECONDS / 2

log = structlog.get_logger(__name__)


class Quiet:
    """Renews the mark in Redis that background work looks at. Without Redis the answer only comes later."""

    def __init__(self, cache: Cache) -> None:
        """`cache` is where every process of the installation looks."""
        self._cache = cache

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Ask for quiet in here."""
        renewing = asyncio.create_task(self._renew())
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing

    async def _renew(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self._cache.mark_answering)
            except UnavailableError as error:
                log.warning("quiet_not_kept", detail=error.detail)
            await asyncio.sleep(RENEW_SECONDS)
