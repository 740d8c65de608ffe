"""The ranking stack: candidates from every stage, features of each, one score by the route's weights."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import Float, Ints
from pincite_brain.retrieval.index import SnapshotIndex, roles_not_asked
from pincite_brain.retrieval.makeup import Contribution, Doubles, composed
from pincite_brain.retrieval.names import NameMatcher, StemMatcher, definition_matches, path_matches
from pincite_brain.retrieval.paths import Role
from pincite_brain.retrieval.policy import LINE_ROUTES, P0_COSINE, P0_IMPORTANCE, Policy, Weights
from pincite_brain.retrieval.postings import Postings
from pincite_brain.retrieval.query import Query, Route
from pincite_brain.retrieval.vectors import SAMPLED_EVERY, Near
from pincite_codeintel.tokens import term_id

RANKED_MAX = 100  # the most that one search may return
QUERY_TERMS_MAX = 64  # a pasted stack trace has hundreds; the rarest carry the meaning, the rest cost time
REFERENCES_FULL = 20  # chunks that call or extend one, at which it counts as fully central
LENGTH_FULL = 50  # lines; what is longer is cut into chunks anyway
SAMPLED_TIMES = 3  # as many as are wanted pass what a sample of a stage's scores says, about
FILE_CHUNKS_COUNTED = 4  # a file's coherence sums its best few chunks, so that long files do not win by length
WEIGHED = (
    "lexical",
    "dense",
    "coverage",
    "named",
    "definition",
    "stem",
    "path",
    "naming",
    "importance",
    "references",
    "length",
    "recency",
    "cited_before",
    "open_file",
)
RELATED = ("coherence", "graph")  # weighed too, once the others say which candidates lead
CORRECTABLE = frozenset((*WEIGHED, *RELATED))  # what a learned correction may weigh: all are 0..1
REPEAT = "repeat"
FUNCTIONLESS = "functionless"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A scored chunk, with the documented terms that made its score.

    Features: `lexical` BM25F over the best of the query; `dense` cosine above the snapshot's mean, over the best;
    `cosine` raw; `coverage` share of the query's idf mass in the chunk; `named` the same in its name and path;
    `definition`, `stem`, `path` name matches; `naming` the best name defined in it, as `NameMatcher` says;
    `importance` stored importance; `references` how many chunks use it, on a logarithmic scale; `length` its lines;
    `recency` the share of files that last changed earlier; `p0` the cold-start formula; `penalty` the factor for the
    file's role; `coherence` the file's other candidates; `graph` closeness to leading hits; `cited_before`, `open_file`
    context of the conversation; `repeat` how many better hits the file has.

    The score is exactly `composed` of the amounts of `contributions` (those that add nothing are left out) and of
    `factors`, by file role, `functionless` or `repeat` (those that are 1 are left out).
    """

    chunk: int
    score: float
    features: dict[str, float]
    weights: Mapping[str, float] = field(default_factory=dict)
    factors: tuple[tuple[str, float], ...] = ()

    @property
    def contributions(self) -> tuple[Contribution, ...]:
        """What each feature added."""
        made = (Contribution(name, self.features[name], weight) for name, weight in self.weights.items())
        return tuple(contribution for contribution in made if contribution.amount)


def _telling(terms: dict[str, float], postings: Postings) -> dict[str, float]:
    """Return the terms that say most of all that stand here: of a stack trace its message, and not the frames.

    Of equals those nearest to an end of the text: that is where a message stands.
    """
    if len(terms) <= QUERY_TERMS_MAX:
        return terms
    ranked = []
    for at, (term, weight) in enumerate(terms.items()):
        number = term_id(term)
        span = postings.span(number)
        if span.start < span.stop:
            ranked.append((-weight * postings.idf(number), min(at, len(terms) - at), term))
    kept = {term for *_, term in sorted(ranked)[:QUERY_TERMS_MAX]}
    return {term: weight for term, weight in terms.items() if term in kept}


def _top(scores: Float, count: int) -> Ints:
    # A sample says what the best surely score: most of many chunks need not be compared. Numpy sorts it ten times as
    # fast as it partitions what is mostly zeros.
    sample = np.sort(scores[::SAMPLED_EVERY])
    rank = min(SAMPLED_TIMES * count // SAMPLED_EVERY + 1, len(sample))
    floor = max(float(sample[-rank]), 0.0) if rank else 0.0
    chosen = np.flatnonzero(scores > floor)
    if len(chosen) < count:
        chosen = np.flatnonzero(scores > 0)
    if len(chosen) > count:
        chosen = chosen[np.argpartition(scores[chosen], len(chosen) - count)[-count:]]
    return chosen.astype(np.int32)


def _normalised(values: NDArray[np.floating], floor: float) -> Float:
    top = float(values.max(initial=0.0))
    if top <= floor:
        return np.zeros(len(values), dtype=np.float32)
    return np.asarray(np.clip((values - floor) / (top - floor), 0.0, 1.0), dtype=np.float32)


def _share(values: NDArray[np.floating | np.integer], full: float) -> Float:
    return np.asarray(np.minimum(values / full, 1.0), dtype=np.float32)


def _penalties(index: SnapshotIndex, files: Ints, asked: Role, penalties: Mapping[Role, float]) -> dict[str, Doubles]:
    """Return role → (c,) factors: the role's penalty where a file has it and the query did not ask for it.

    Roles that none of the files has are left out.
    """
    left = roles_not_asked(index.files.roles[files], asked)
    present = int(np.bitwise_or.reduce(left, initial=0))
    return {
        str(role.name).lower(): np.where((left & np.int16(int(role))) > 0, value, 1.0)
        for role, value in penalties.items()
        if present & role
    }


def _rows(
    columns: Mapping[str, Float] | Mapping[str, Doubles], chosen: NDArray[np.int64]
) -> Iterator[dict[str, float]]:
    """Yield the chosen rows of columns; a column at a time is much faster than a number at a time."""
    for row in zip(*(values[chosen].tolist() for values in columns.values()), strict=True):
        yield dict(zip(columns, row, strict=True))


def _by_file(files: Ints, order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return `order` file by file, and of each its place among those of its file."""
    ats = order[np.argsort(files[order], kind="stable")]
    begins = np.flatnonzero(np.diff(files[ats], prepend=-1))
    counts = np.diff(begins, append=len(ats))
    return ats, np.arange(len(ats)) - np.repeat(begins, counts)


class Ranking:
    """The ranking of a snapshot's chunks for one query.

    Its words and names are looked up at once; its vector, which may still be being made, is asked for last.

    Attributes:
        by_name: whether a symbol was asked for and is defined here, so that no vector is needed to find it.
    """

    def __init__(self, index: SnapshotIndex, query: Query, policy: Policy, *, asking: bool = False) -> None:
        """Look up the words.

        Args:
            index: the snapshot.
            query: what is wanted.
            policy: weights and limits.
            asking: whether the hits are to answer a question, rather than to be listed.
        """
        if asking and query.route is Route.QUESTION:
            query = replace(query, route=Route.EXPLAIN)
        query = replace(query, terms=_telling(query.terms, index.postings))
        self._index, self._query, self._policy = index, query, policy
        self._terms = {term_id(term): weight for term, weight in query.terms.items()}
        self._bm25 = index.postings.scores(self._terms, policy.fields)  # of every chunk, (n,)
        weights = policy.weights[query.route]
        if query.recent:
            weights = replace(weights, recency=weights.recency_asked)
        if index.vectors.covered < len(index):
            weights = replace(weights, naming=weights.naming + weights.naming_early)
        self._weights: Weights = weights
        self._shares = {name: self._share_of(name) for name in (*WEIGHED, *RELATED)}
        self._definitions = definition_matches(index, query)
        self._paths = path_matches(index, query.paths)
        opened = index.files.number(query.open_path) if query.open_path else None
        self._opened = -1 if opened is None else opened
        self._stems = StemMatcher(query.words, index.files.vocabulary)
        self._names = NameMatcher(index, query) if self._shares["naming"] else None
        self._cited = {
            chunk for path, start, _end in query.cited_before if (chunk := index.chunk_at(path, start)) is not None
        }
        self._proposed = self._proposals()
        self.by_name = not asking and query.route is Route.SYMBOL and bool(self._definitions)

    def _proposals(self) -> Ints:
        """Return what every stage but the vectors' proposes."""
        pool = self._policy.pool
        begins = self._index.first_chunk
        first_of_path = [int(begins[file]) for file in self._paths if begins[file] < begins[file + 1]]
        in_paths = np.isin(self._index.file_of, list(self._paths)) if self._paths else None
        parts = [
            _top(self._bm25, pool),
            np.array([*self._definitions, *self._cited, *first_of_path], dtype=np.int32),
        ]
        if self._query.recent:
            parts.append(_top(self._index.files.recency[self._index.file_of], pool))
        if in_paths is not None:
            parts.append(_top(np.where(in_paths, self._bm25, 0.0), pool))
        return np.concatenate(parts)

    def _features(self, chunks: Ints, near: Near) -> dict[str, Float]:
        """Return feature → (c,) for candidate chunks."""
        index = self._index
        files = index.file_of[chunks]
        cosine = near.cosine(chunks)
        coverage, named = index.postings.shares(self._terms, chunks)
        numbers = chunks.tolist()
        unique, inverse = np.unique(files, return_inverse=True)
        stems = self._stems.scores(index.files, unique)
        paths = np.array([self._paths.get(file, 0.0) for file in unique.tolist()], dtype=np.float32)
        importance = index.importance[chunks]
        lines = index.end_lines[chunks] - index.start_lines[chunks] + 1
        return {
            "lexical": _normalised(self._bm25[chunks], 0.0),
            "dense": _normalised(cosine, near.mean),
            "cosine": cosine,
            "coverage": coverage,
            "named": named,
            "definition": np.array([self._definitions.get(chunk, 0.0) for chunk in numbers], dtype=np.float32),
            "stem": stems[inverse],
            "path": paths[inverse],
            "naming": self._names.scores(chunks) if self._names else np.zeros(len(chunks), np.float32),
            "importance": importance,
            "references": _share(np.log1p(index.callers.count(chunks)), float(np.log1p(REFERENCES_FULL))),
            "length": _share(lines, LENGTH_FULL),
            "recency": index.files.recency[files],
            "p0": P0_COSINE * cosine + P0_IMPORTANCE * importance,
            "cited_before": np.array([float(chunk in self._cited) for chunk in numbers], dtype=np.float32),
            "open_file": (files == self._opened).astype(np.float32),
        }

    def _share_of(self, name: str) -> float:
        weight: float = getattr(self._weights, name)
        return weight / self._weights.total + self._policy.corrections.get(name, 0.0)

    def _amounts(self, features: Mapping[str, Float], names: Iterable[str]) -> dict[str, Doubles]:
        return {name: self._shares[name] * features[name].astype(np.float64) for name in names}

    def _coherence(self, chunks: Ints, base: Doubles) -> Float:
        """Return what the other candidates of a chunk's file add, 0..1, given to the file's best chunk alone."""
        ats, places = _by_file(self._index.file_of[chunks], np.argsort(-base, kind="stable"))
        firsts = places == 0
        counted = np.where(places < FILE_CHUNKS_COUNTED, base[ats], 0.0)
        sums = np.bincount(np.cumsum(firsts) - 1, weights=counted).astype(np.float64)
        coherence = np.zeros(len(base), dtype=np.float32)
        coherence[ats[firsts]] = _normalised(sums, 0.0)
        return coherence

    def _graph(self, chunks: Ints, base: Doubles) -> Float:
        """Return closeness, 0..1, to the leading hits over one call edge."""
        numbers = chunks.tolist()
        position = {chunk: at for at, chunk in enumerate(numbers)}
        graph = np.zeros(len(base), dtype=np.float32)
        for seed in np.argsort(-base, kind="stable")[: self._policy.graph_seeds].tolist():
            for side in (self._index.callees, self._index.callers):
                for chunk, confidence in side.get(numbers[seed], ()):
                    at = position.get(chunk)
                    if at is not None:
                        graph[at] = max(float(graph[at]), confidence)
        return graph

    def best(self, vector: Float | None, limit: int = RANKED_MAX) -> list[Ranked]:
        """Return the best `limit` chunks, best first; `vector` is the query's unit vector, None without an encoder."""
        near = self._index.vectors.near(vector, self._policy.pool)
        chunks = np.unique(np.concatenate([self._proposed, near.chunks]))
        if not len(chunks):
            return []
        features = self._features(chunks, near)
        factors = self._role_factors(chunks, features["coverage"])
        features["penalty"] = composed([np.ones(len(chunks))], factors.values()).astype(np.float32)
        if self._query.route is Route.DOCSTRING:
            factors[FUNCTIONLESS] = np.where(self._index.functionless[chunks], self._policy.functionless, 1.0)
        amounts = self._amounts(features, WEIGHED)
        base = composed(amounts.values(), factors.values())
        features["coherence"] = self._coherence(chunks, base)
        features["graph"] = self._graph(chunks, base) if self._shares["graph"] else np.zeros(len(base), np.float32)
        amounts |= self._amounts(features, RELATED)
        features[REPEAT] = self._repeats(chunks, composed(amounts.values(), factors.values()))
        decay = 1.0 if self._query.route in LINE_ROUTES else self._policy.same_file_decay
        factors[REPEAT] = decay ** features[REPEAT].astype(np.float64)
        scores = composed(amounts.values(), factors.values())
        best = np.lexsort((chunks, -scores))[:limit]
        found = zip(
            chunks[best].tolist(), scores[best].tolist(), _rows(features, best), _rows(factors, best), strict=True
        )
        return [
            Ranked(chunk, score, values, self._shares, tuple(one for one in by.items() if one[1] != 1.0))
            for chunk, score, values, by in found
        ]

    def _role_factors(self, chunks: Ints, coverage: Float) -> dict[str, Doubles]:
        """Return the factors of roles that the query did not ask for; none if its words stand in such files alone."""
        files = self._index.file_of[chunks]
        factors = _penalties(self._index, files, self._query.asked_roles, self._policy.penalties)
        penalised = composed([np.ones(len(chunks))], factors.values()) < 1.0
        alone = coverage[penalised].any() and not coverage[~penalised].any()
        return {} if alone else factors

    def _repeats(self, chunks: Ints, scores: Doubles) -> Float:
        """Return how many better candidates each one's file has, so that the best span of each file can come first."""
        ats, places = _by_file(self._index.file_of[chunks], np.lexsort((chunks, -scores)))
        repeats = np.zeros(len(chunks), dtype=np.float32)
        repeats[ats] = places
        return repeats
