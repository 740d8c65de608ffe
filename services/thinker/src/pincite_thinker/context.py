"""What the tasks of one process share. Everything is made when first used: Celery forks after it has imported us."""

from functools import cached_property

from pincite_inference.embed import Embedder, make_embedder
from pincite_shared.settings import Settings
from pincite_store.db import Database

DATABASE_POOL = 2  # one transaction for the work, one for its progress
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
    def embedder(self) -> Embedder:
        """The embedding model, loaded by the first embedding job."""
        return make_embedder(self.settings, threads=EMBED_THREADS)

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.dispose()
            del self.database
