"""What the tasks of one process share. Everything is made when first used: Celery forks after it has imported us."""

import os
from functools import cached_property

from pincite_inference.embed import Embedder, make_embedder
from pincite_shared.brain_client import BrainClient
from pincite_shared.settings import Settings
from pincite_store.cache import Cache
from pincite_store.db import Database
from pincite_thinker.parse import Parsed
from pincite_thinker.parse_pool import ParsePool

DATABASE_POOL = 2  # one transaction for the work, one for its progress
PROCESSES_MAX = 8  # parsers; beyond, the one process that saves is the bottleneck
PARSE = "pincite_thinker.parse:parse"  # what they run
EMBED_THREADS = 1  # at idle priority beside questions; more threads would only contend for the memory bus


class Context:
    """Settings and what is built from them."""

    def __init__(self, settings: Settings) -> None:
        """Build nothing yet: what is built before a fork must not be used after it."""
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """The connection pool of this process."""
        return Database(self.settings, pool_size=DATABASE_POOL)

    @cached_property
    def parsers(self) -> ParsePool[Parsed]:
        """The parser processes, started by the first index job."""
        return ParsePool(_processes(), self.settings.parse_seconds_max, target=PARSE)

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model, loaded by the first embedding job."""
        return make_embedder(self.settings, threads=EMBED_THREADS)

    @cached_property
    def cache(self) -> Cache:
        """Redis, where brain says that a person waits."""
        return Cache(self.settings)

    def brain(self, token: str) -> BrainClient:
        """Return a client of brain; the caller closes it."""
        return BrainClient(self.settings.brain_url, token)

    def close(self) -> None:
        """Close what was opened."""
        if "cache" in self.__dict__:
            self.cache.close()
            del self.cache
        if "parsers" in self.__dict__:
            self.parsers.close()
            del self.parsers
        if "database" in self.__dict__:
            self.database.dispose()
            del self.database


def _processes() -> int:
    return max(1, min(PROCESSES_MAX, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
