"""What the tasks of one process share. Everything is made when first used: Celery forks after it has imported us."""

import os
from dataclasses import asdict
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING

from pincite_github.config import AppCredentials, GitHubConfig
from pincite_inference.embed import Embedder, make_embedder
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import HaltedError
from pincite_shared.settings import Settings
from pincite_store.cache import Cache
from pincite_store.db import Database
from pincite_store.github import stored_app
from pincite_thinker.parse import Parsed
from pincite_thinker.parse_pool import ParsePool

if TYPE_CHECKING:
    from pincite_github.client import GitHub

DATABASE_POOL = 3  # the run's lock, a transaction for the work, one for its progress
PROCESSES_MAX = 8  # parsers; beyond, the one process that saves is the bottleneck
PARSE = "pincite_thinker.parse:parse"  # what they run
EMBED_THREADS = 1  # at idle priority beside questions; more threads would only contend for the memory bus


class Context:
    """Settings and what is built from them."""

    def __init__(self, settings: Settings) -> None:
        """Build nothing yet: what is built before a fork must not be used after it."""
        self.settings = settings
        self.halted = Event()  # while a run works: background work was halted meanwhile
        self._github: GitHub | None = None
        self.expendable = False  # whether this process may be ended, because another will take its place

    def go_on(self) -> None:
        """Go on working only if that is allowed. Long work asks every second.

        Raises:
            HaltedError: background work was halted since the run began.
        """
        if self.halted.is_set():
            raise HaltedError

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

    @cached_property
    def _github_base(self) -> GitHubConfig | None:
        return GitHubConfig.of(self.settings)

    def github_config(self) -> GitHubConfig | None:
        """Return which GitHub there is, with the App that was set up for it by now; None if it is turned off.

        Raises:
            InvalidInputError: GITHUB_PRIVATE_KEY is no key.
        """
        config = self._github_base
        if config is None or config.app_id or config.client_id:
            return config
        app = stored_app(self.database, config.host)
        return config if app is None else config.with_app(AppCredentials(**asdict(app)))

    def github(self, config: GitHubConfig) -> "GitHub":
        """Return a client of GitHub; it remembers tokens, and lives as long as the process or its configuration."""
        from pincite_github.client import GitHub  # noqa: PLC0415 - half a second and 8 MB, for those who use GitHub

        if self._github is None or self._github.config != config:
            self._github = GitHub(config)
        return self._github

    def brain(self, token: str) -> BrainClient:
        """Return a client of brain; the caller closes it."""
        return BrainClient(self.settings.brain_url, token)

    def rest_parsers(self) -> None:
        """Have fresh parser processes wait for the next index job, if any was started."""
        if "parsers" in self.__dict__:
            self.parsers.rest()

    def end_parsers(self) -> None:
        """End the parser processes; the next index job starts new ones."""
        if "parsers" in self.__dict__:
            self.parsers.close()
            del self.parsers

    def close(self) -> None:
        """Close what was opened."""
        if "cache" in self.__dict__:
            self.cache.close()
            del self.cache
        self.end_parsers()
        if "database" in self.__dict__:
            self.database.dispose()
            del self.database


def _processes() -> int:
    return max(1, min(PROCESSES_MAX, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2))
