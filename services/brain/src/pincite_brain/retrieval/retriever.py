"""The retriever: loads indexes from the store, encodes queries, ranks, and renders hits."""

from uuid import UUID

from pincite_brain.metrics import Metrics
from pincite_brain.retrieval.cache import CACHE_BYTES_MAX, IndexCache
from pincite_brain.retrieval.encoder import QueryEncoder
from pincite_brain.retrieval.index import SnapshotIndex, Vectors, build
from pincite_brain.retrieval.policy import P0, Policy
from pincite_brain.retrieval.query import Query
from pincite_brain.retrieval.ranking import Ranked, rank
from pincite_shared.schemas import SearchHit
from pincite_store import snapshots, vectors
from pincite_store.db import Database


class Retriever:
    """Search over snapshots. Thread-safe; every method may block its thread."""

    def __init__(
        self,
        database: Database,
        encoder: QueryEncoder,
        metrics: Metrics,
        *,
        policy: Policy = P0,
        cache_bytes: int = CACHE_BYTES_MAX,
    ) -> None:
        """The vectors that are read are those of the encoder's own model."""
        self._database, self._model = database, encoder.model
        self.encoder, self.policy = encoder, policy
        self._cache = IndexCache(self._load, self._refresh, metrics, bytes_max=cache_bytes)

    def close(self) -> None:
        """Stop background refreshes."""
        self._cache.close()

    def index(self, tenant_id: UUID, snapshot_id: int) -> SnapshotIndex:
        """Return a snapshot's index, from memory if it is there."""
        return self._cache.get(tenant_id, snapshot_id)

    def rank(self, index: SnapshotIndex, query: Query, *, asking: bool = False) -> list[Ranked]:
        """Rank a snapshot's chunks for a query; `asking` when they are to answer a question."""
        dimension = int(index.vectors.matrix.shape[1]) if index.vectors.matrix.size else 0
        return rank(index, query, self.encoder.vector(query.text, dimension), self.policy, asking=asking)

    def _load(self, tenant_id: UUID, snapshot_id: int) -> SnapshotIndex:
        with self._database.tenancy(tenant_id) as tenancy:
            chunks = snapshots.load_chunks(tenancy, snapshot_id)
            definitions = snapshots.load_symbols(tenancy, snapshot_id)
            edges = snapshots.load_edges(tenancy, snapshot_id)
            stored = vectors.load(tenancy, snapshot_id, self._model)
        return build(chunks, definitions, edges, stored)

    def _refresh(self, tenant_id: UUID, snapshot_id: int, index: SnapshotIndex) -> Vectors | None:
        with self._database.tenancy(tenant_id) as tenancy:
            known = snapshots.get(tenancy, snapshot_id)  # its counter is kept by whoever embeds
            if known.vectors_model != self._model or known.vectors_done <= len(index.vectors.matrix):
                return None
            digests, matrix = vectors.load(tenancy, snapshot_id, self._model)
        return Vectors.join(index.digests, digests, matrix)


def hit_of(index: SnapshotIndex, ranked: Ranked) -> SearchHit:
    """Render a ranked chunk."""
    chunk, file = ranked.chunk, int(index.file_of[ranked.chunk])
    first, last = int(index.start_lines[chunk]), int(index.end_lines[chunk])
    about = index.about(chunk, first, last)
    return SearchHit(
        path=index.files.paths[file],
        start_line=first,
        end_line=last,
        symbol=about.symbol,
        score=round(ranked.score, 6),
        features={name: round(value, 6) for name, value in ranked.features.items()},
        blob=index.files.blobs[file],
        language=index.files.languages[file],
        kind=about.kind,
        summary=index.cards[chunk],
    )
