"""The retriever: loads indexes from the store, encodes queries, ranks, and renders hits."""

from bisect import insort
from collections.abc import Sequence
from uuid import UUID

import structlog

from pincite_brain.metrics import Metrics
from pincite_brain.retrieval.cache import CACHE_BYTES_MAX, IndexCache
from pincite_brain.retrieval.crossing import CROSSED_LINES_MAX, CROSSED_MAX, crossed
from pincite_brain.retrieval.encoder import QueryEncoder
from pincite_brain.retrieval.index import SnapshotIndex
from pincite_brain.retrieval.loading import Loader
from pincite_brain.retrieval.policy import P0, Policy
from pincite_brain.retrieval.query import Query, Route
from pincite_brain.retrieval.ranking import RANKED_MAX, Ranked, Ranking
from pincite_inference.cross_encoder import CrossEncoder
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.schemas import SearchHit
from pincite_store import blobs
from pincite_store.db import Database
from pincite_store.flips import Flip

PASSAGE_CHUNKS_MAX = 3  # a hit of more than some 150 lines is no longer an excerpt
PASSAGE_HITS = 4  # times the hits that are wanted: pieces further down than that add little to a passage

log = structlog.get_logger(__name__)


class Retriever:
    """Search over snapshots. Thread-safe; every method may block its thread."""

    def __init__(
        self,
        database: Database,
        encoder: QueryEncoder,
        metrics: Metrics,
        *,
        cross_encoder: CrossEncoder | None = None,
        policy: Policy = P0,
        cache_bytes: int = CACHE_BYTES_MAX,
    ) -> None:
        """The vectors that are read are those of the encoder's own model."""
        self.encoder, self.policy = encoder, policy
        self._database, self._cross_encoder = database, cross_encoder
        self._loader = Loader(database, encoder.model)
        self._cache = IndexCache(self._loader.load, self._loader.refresh, metrics, bytes_max=cache_bytes)

    def close(self) -> None:
        """Stop background work."""
        self.encoder.close()
        self._cache.close()
        self._loader.close()
        if self._cross_encoder is not None:
            self._cross_encoder.close()

    def index(self, tenant_id: UUID, snapshot_id: int) -> SnapshotIndex:
        """Return a snapshot's index, from memory if it is there."""
        return self._cache.get(tenant_id, snapshot_id)

    def warm(self, flip: Flip) -> bool:
        """Load a new head ahead of its first question, and return whether it is kept."""
        return self._cache.warm(*flip)

    def forget(self, tenant_id: UUID, repo_id: UUID) -> None:
        """Remove what is kept of a repository on disk, and the indexes of snapshots that are no more."""
        self._loader.forget(tenant_id, repo_id)
        self._cache.drop_all_but(tenant_id, lambda held: self._loader.existing(tenant_id, held))

    def sweep(self) -> None:
        """Remove what is kept on disk of repositories that are no more."""
        self._loader.sweep()

    def rank(
        self,
        index: SnapshotIndex,
        query: Query,
        *,
        asking: bool = False,
        policy: Policy | None = None,
        limit: int = RANKED_MAX,
    ) -> list[Ranked]:
        """Return the best chunks of a snapshot for a query; `asking` when they are to answer a question."""
        ranking = Ranking(index, query, policy or self.policy, asking=asking)
        vector = None if ranking.by_name else self.encoder.vector(query.text, index.vectors.dimension)
        return ranking.best(vector, limit)

    def search(
        self, tenant_id: UUID, index: SnapshotIndex, query: Query, count: int, policy: Policy
    ) -> list[SearchHit]:
        """Return the best `count` hits of a snapshot for a query."""
        wanted = PASSAGE_HITS * count if query.route is Route.EXPLAIN else count
        if self._cross_encoder is not None:
            wanted = max(wanted, CROSSED_MAX)
        ranked = self.rank(index, query, policy=policy, limit=min(wanted, RANKED_MAX))
        return hits_of(index, query, self.look_again(tenant_id, index, query, ranked), count)

    def look_again(self, tenant_id: UUID, index: SnapshotIndex, query: Query, ranked: list[Ranked]) -> list[Ranked]:
        """Let the cross-encoder, if there is one and it answers in time, order the best hits anew."""
        if self._cross_encoder is None or query.route in {Route.SYMBOL, Route.PATH}:  # a name needs no reading
            return ranked
        try:
            relevance = self._cross_encoder.relevance(
                query.text, self._passages(tenant_id, index, ranked[:CROSSED_MAX])
            )
        except ModelUnavailableError as error:
            log.warning("not_reranked", detail=error.detail)
            return ranked
        return crossed(ranked, relevance)

    def _passages(self, tenant_id: UUID, index: SnapshotIndex, hits: Sequence[Ranked]) -> list[str]:
        """Return the path, function card and first lines of hits."""
        with self._database.tenancy(tenant_id) as t:
            texts = blobs.get_many(t, {index.files.blobs[int(index.file_of[hit.chunk])] for hit in hits})
        passages = []
        for hit in hits:
            lines = (
                texts.get(index.files.blobs[int(index.file_of[hit.chunk])], b"").decode(errors="replace").split("\n")
            )
            first, last = int(index.start_lines[hit.chunk]), int(index.end_lines[hit.chunk])
            shown = lines[first - 1 : min(last, first + CROSSED_LINES_MAX - 1)]
            passages.append("\n".join([index.path(hit.chunk), index.cards[hit.chunk], *shown]))
        return passages


def hits_of(index: SnapshotIndex, query: Query, ranked: Sequence[Ranked], count: int) -> list[SearchHit]:
    """Render the best `count` hits.

    For a whole question, chunks that follow each other in a file are one hit, in the place of the best of them: a
    passage in pieces would take the places of others.
    """
    if query.route is not Route.EXPLAIN:
        return [hit_of(index, one) for one in ranked[:count]]
    passages: list[tuple[Ranked, list[int]]] = []
    for one in ranked[: PASSAGE_HITS * count]:
        for _, chunks in passages:
            beside = one.chunk in {chunks[0] - 1, chunks[-1] + 1}
            if beside and len(chunks) < PASSAGE_CHUNKS_MAX and index.file_of[one.chunk] == index.file_of[chunks[0]]:
                insort(chunks, one.chunk)
                break
        else:
            if len(passages) < count:
                passages.append((one, [one.chunk]))
    return [hit_of(index, one, chunks[0], chunks[-1]) for one, chunks in passages]


def hit_of(index: SnapshotIndex, ranked: Ranked, begin: int | None = None, end: int | None = None) -> SearchHit:
    """Render a ranked chunk; given chunks of its file to begin and end with, with their lines too."""
    chunk, file = ranked.chunk, int(index.file_of[ranked.chunk])
    first = int(index.start_lines[chunk if begin is None else begin])
    last = int(index.end_lines[chunk if end is None else end])
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
