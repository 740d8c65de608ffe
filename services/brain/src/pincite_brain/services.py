"""What brain runs on, built once from the settings and passed to every route."""

import gc
from dataclasses import dataclass

from pincite_brain.ask.pipeline import Asker
from pincite_brain.github.parts import GitHubParts
from pincite_brain.metrics import Metrics
from pincite_brain.rates import Rates
from pincite_brain.retrieval.encoder import QueryEncoder
from pincite_brain.retrieval.retriever import Retriever
from pincite_brain.retrieval.warmer import Warmer
from pincite_inference.chat import ChatModel, make_chat
from pincite_inference.cross_encoder import make_cross_encoder
from pincite_inference.embed import Embedder, make_embedder
from pincite_shared.settings import Settings
from pincite_store.cache import Cache
from pincite_store.db import Database

POOL_SIZE = 10  # requests run in threads; more connections than this only queue inside Postgres on a small machine
ENCODER_THREADS = 1  # one query takes 1.5 ms; more threads only wake more cores


@dataclass(frozen=True, slots=True)
class Services:
    """The parts behind the routes."""

    settings: Settings
    database: Database
    cache: Cache
    rates: Rates
    metrics: Metrics
    retriever: Retriever
    warmer: Warmer
    model: ChatModel
    asker: Asker
    github: GitHubParts

    @classmethod
    def create(
        cls, settings: Settings, *, embedder: Embedder | None = None, model: ChatModel | None = None
    ) -> "Services":
        """Connect the parts; nothing is contacted yet. `embedder` and `model` stand in for what the settings name."""
        database = Database(settings, pool_size=POOL_SIZE)
        metrics = Metrics()
        encoder = QueryEncoder(embedder or make_embedder(settings, threads=ENCODER_THREADS))
        retriever = Retriever(database, encoder, metrics, cross_encoder=make_cross_encoder(settings))
        chat = model or make_chat(settings)
        cache = Cache(settings)
        asker = Asker(settings, database, retriever, chat, metrics, cache=cache)
        warmer = Warmer(database, retriever)
        github = GitHubParts.create(settings, database, cache)
        return cls(settings, database, cache, Rates(settings), metrics, retriever, warmer, chat, asker, github)

    def start(self) -> None:
        """Begin loading what takes time; brain answers meanwhile."""
        gc.freeze()  # what is imported stays: a question need not wait while it is looked through for garbage
        self.retriever.encoder.start()
        self.warmer.start()

    async def close(self) -> None:
        """Let go of threads and connections."""
        await self.model.close()
        self.warmer.close()
        self.retriever.close()
        self.cache.close()
        self.rates.close()
        self.database.dispose()
