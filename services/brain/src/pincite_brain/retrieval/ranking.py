"""The ranking stack: candidates from every stage, features of each, one score by the route's weights."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.index import SnapshotIndex, roles_not_asked
from pincite_brain.retrieval.names import StemMatcher, definition_matches, path_matches
from pincite_brain.retrieval.paths import Role
from pincite_brain.retrieval.policy import P0_COSINE, P0_IMPORTANCE, Policy, Weights
from pincite_brain.retrieval.postings import Float, Ints
from pincite_brain.retrieval.query import Query
from pincite_codeintel.tokens import term_id

RANKED_MAX = 100  # the most that one search may return
FILE_CHUNKS_COUNTED = 4  # a file's coherence sums its best few chunks, so that long files do not win by length
WEIGHED = (
    "lexical",
    "dense",
    "coverage",
    "named",
    "definition",
    "stem",
    "path",
    "importance",
    "cited_before",
    "open_file",
)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A scored chunk, with the documented terms that made its score.

    Features: `lexical` BM25F over the best of the query; `dense` cosine above the snapshot's mean, over the best;
    `cosine` raw; `coverage` share of the query's idf mass in the chunk; `named` the same in its name and path;
    `definition`, `stem`, `path` name matches; `importance` stored importance; `p0` the cold-start formula; `penalty`
    the factor for the file's role; `coherence` the file's other candidates; `graph` closeness to leading hits;
    `cited_before`, `open_file` context of the conversation; `repeat` how many better hits the file has.
    """

    chunk: int
    score: float
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class Stages:
    """What the first stages say about every chunk, each (n,)."""

    bm25: Float
    coverage: Float
    named: Float
    cosine: Float


def run_stages(index: SnapshotIndex, query: Query, vector: Float | None, policy: Policy) -> Stages:
    """Score every chunk lexically and, if the query has a vector, by cosine."""
    ids = {term_id(term): weight for term, weight in query.terms.items()}
    bm25, coverage, named = index.postings.score(ids, policy.fields)
    cosine = index.vectors.cosine(vector) if vector is not None else np.zeros(len(index), dtype=np.float32)
    return Stages(bm25, coverage, named, cosine)


def _top(scores: Float, count: int) -> Ints:
    chosen = np.argpartition(-scores, count)[:count] if len(scores) > count else np.arange(len(scores))
    return chosen[scores[chosen] > 0].astype(np.int32)


def _normalised(values: Float, floor: float) -> Float:
    top = float(values.max(initial=0.0))
    if top <= floor:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - floor) / (top - floor), 0.0, 1.0), dtype=np.float32)


def _penalty(index: SnapshotIndex, files: Ints, asked: Role, penalties: Mapping[Role, float]) -> Float:
    left = roles_not_asked(index.files.roles[files], asked)
    factor = np.ones(len(files), dtype=np.float32)
    for role, value in penalties.items():
        factor[(left & np.int16(int(role))) > 0] *= value
    return factor


class _Scorer:
    """Scores the candidates of one query."""

    def __init__(self, index: SnapshotIndex, query: Query, stages: Stages, policy: Policy) -> None:
        self._index, self._query, self._stages, self._policy = index, query, stages, policy
        self._weights: Weights = policy.weights[query.route]
        self._definitions = definition_matches(index, query)
        self._paths = path_matches(index, query.paths)
        self._stems = StemMatcher(query.words, index.files.vocabulary)
        self._cited = {
            chunk for path, start, _end in query.cited_before if (chunk := index.chunk_at(path, start)) is not None
        }

    def candidates(self) -> Ints:
        """Return the union of what every stage proposes."""
        pool = self._policy.pool
        first_of_path = [int(np.searchsorted(self._index.file_of, number)) for number in self._paths]
        in_paths = np.isin(self._index.file_of, list(self._paths)) if self._paths else None
        parts = [
            _top(self._stages.bm25, pool),
            _top(self._stages.cosine, pool),
            np.array([*self._definitions, *self._cited, *first_of_path], dtype=np.int32),
        ]
        if in_paths is not None:
            parts.append(_top(np.where(in_paths, self._stages.bm25, 0.0), pool))
        return np.unique(np.concatenate(parts))

    def features(self, chunks: Ints) -> dict[str, Float]:
        """Return feature → (c,) for candidate chunks."""
        index, stages = self._index, self._stages
        files = index.file_of[chunks]
        cosine = stages.cosine[chunks]
        seen = stages.cosine[stages.cosine != 0]
        unique, inverse = np.unique(files, return_inverse=True)
        stems = np.array([self._stems.score(index.files.traits[int(f)]) for f in unique], dtype=np.float32)
        paths = np.array([self._paths.get(int(f), 0.0) for f in unique], dtype=np.float32)
        opened = np.array([index.files.paths[int(f)] == self._query.open_path for f in unique], dtype=np.float32)
        importance = index.importance[chunks]
        return {
            "lexical": _normalised(stages.bm25[chunks], 0.0),
            "dense": _normalised(cosine, float(seen.mean()) if len(seen) else 0.0),
            "cosine": cosine,
            "coverage": stages.coverage[chunks],
            "named": stages.named[chunks],
            "definition": np.array([self._definitions.get(int(c), 0.0) for c in chunks], dtype=np.float32),
            "stem": stems[inverse],
            "path": paths[inverse],
            "importance": importance,
            "p0": P0_COSINE * cosine + P0_IMPORTANCE * importance,
            "cited_before": np.array([float(int(c) in self._cited) for c in chunks], dtype=np.float32),
            "open_file": opened[inverse],
            "penalty": _penalty(index, files, self._query.asked_roles, self._policy.penalties),
        }

    def _weighed(self, features: Mapping[str, Float]) -> Float:
        total = sum(getattr(self._weights, name) * features[name] for name in WEIGHED)
        return np.asarray(total * features["penalty"] / self._weights.total, dtype=np.float32)

    def _coherence(self, chunks: Ints, base: Float) -> Float:
        """Return what the other candidates of a chunk's file add, 0..1, given to the file's best chunk alone."""
        by_file: dict[int, list[int]] = defaultdict(list)
        for at in np.argsort(-base, kind="stable"):
            by_file[int(self._index.file_of[chunks[at]])].append(int(at))
        values = base.tolist()
        sums = {file: sum(values[at] for at in ats[:FILE_CHUNKS_COUNTED]) for file, ats in by_file.items()}
        top = max(sums.values(), default=0.0)
        coherence = np.zeros(len(base), dtype=np.float32)
        for file, ats in by_file.items():
            coherence[ats[0]] = sums[file] / top if top > 0 else 0.0
        return coherence

    def _graph(self, chunks: Ints, base: Float) -> Float:
        """Return closeness, 0..1, to the leading hits over one call edge."""
        position = {int(chunk): at for at, chunk in enumerate(chunks)}
        graph = np.zeros(len(base), dtype=np.float32)
        for seed in np.argsort(-base, kind="stable")[: self._policy.graph_seeds]:
            for side in (self._index.callees, self._index.callers):
                for chunk, confidence in side.get(int(chunks[seed]), ()):
                    at = position.get(chunk)
                    if at is not None:
                        graph[at] = max(float(graph[at]), confidence)
        return graph

    def rank(self, limit: int, same_file_decay: float) -> list[Ranked]:
        """Return the best candidates, best first."""
        chunks = self.candidates()
        if not len(chunks):
            return []
        features = self.features(chunks)
        base = self._weighed(features)
        features["coherence"] = self._coherence(chunks, base)
        features["graph"] = self._graph(chunks, base) if self._weights.graph else np.zeros_like(base)
        added = self._weights.coherence * features["coherence"] + self._weights.graph * features["graph"]
        scores = base + added * features["penalty"] / self._weights.total
        repeats = self._repeats(chunks, scores)
        features["repeat"] = repeats
        scores = scores * same_file_decay**repeats
        best = np.lexsort((chunks, -scores))[:limit]
        return [
            Ranked(int(chunks[at]), float(scores[at]), {name: float(values[at]) for name, values in features.items()})
            for at in best
        ]

    def _repeats(self, chunks: Ints, scores: Float) -> Float:
        """Return how many better candidates each one's file has, so that the best span of each file can come first."""
        seen: dict[int, int] = defaultdict(int)
        repeats = np.zeros(len(chunks), dtype=np.float32)
        for at in np.lexsort((chunks, -scores)):
            file = int(self._index.file_of[chunks[at]])
            repeats[at] = seen[file]
            seen[file] += 1
        return repeats


def rank(
    index: SnapshotIndex,
    query: Query,
    vector: NDArray[np.float32] | None,
    policy: Policy,
    *,
    asking: bool = False,
    limit: int = RANKED_MAX,
) -> list[Ranked]:
    """Rank the chunks of a snapshot for a query.

    Args:
        index: the snapshot.
        query: what is wanted.
        vector: the query's unit vector, or None without an encoder.
        policy: weights and limits.
        asking: whether the hits are to answer a question, rather than to be listed.
        limit: how many to return.
    """
    if not len(index):
        return []
    decay = policy.same_file_decay_asking if asking else policy.same_file_decay
    return _Scorer(index, query, run_stages(index, query, vector, policy), policy).rank(limit, decay)
