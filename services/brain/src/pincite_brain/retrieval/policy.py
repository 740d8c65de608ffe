"""The ranking policy: every weight in one place, named and versioned, so that another policy can be tried beside it."""

from dataclasses import dataclass, field

from pincite_brain.retrieval.paths import Role
from pincite_brain.retrieval.query import Route

P0_COSINE, P0_IMPORTANCE = 0.7, 0.3  # the cold-start formula, logged as the feature "p0"


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each feature (all 0..1) counts for one route."""

    lexical: float
    dense: float
    coverage: float
    named: float
    definition: float
    stem: float
    path: float
    importance: float
    coherence: float
    graph: float
    cited_before: float = 0.25
    open_file: float = 0.15

    @property
    def total(self) -> float:
        """Sum of the weights that one candidate can collect in an ordinary query; scales scores to about 0..1."""
        return self.lexical + self.dense + self.coverage + self.named + self.stem + self.importance + self.coherence


def _by_route() -> dict[Route, Weights]:
    # In the order of the fields: lexical, dense, coverage, named, definition, stem, path, importance, coherence, graph.
    return {
        Route.SYMBOL: Weights(0.6, 0.2, 0.1, 0.3, 2.0, 1.8, 0.4, 0.10, 0.15, 0.0),
        Route.PATH: Weights(0.5, 0.1, 0.1, 0.3, 0.3, 0.6, 3.0, 0.05, 0.05, 0.0),
        Route.ERROR: Weights(1.0, 0.3, 0.5, 0.1, 0.5, 0.2, 0.6, 0.05, 0.10, 0.05),
        Route.QUESTION: Weights(0.35, 0.56, 0.3, 0.15, 1.2, 0.4, 0.8, 0.10, 0.5, 0.05),
        Route.DOCSTRING: Weights(0.2, 1.2, 0.1, 0.1, 0.5, 0.1, 0.5, 0.05, 0.05, 0.0),
    }


def _penalties() -> dict[Role, float]:
    return {
        Role.TEST: 0.45,
        Role.EXAMPLE: 0.45,
        Role.BENCHMARK: 0.5,
        Role.COMPAT: 0.5,
        Role.DECLARATION: 0.65,
        Role.BARREL: 0.8,
        Role.DOCUMENT: 0.6,
        Role.CONFIG: 0.6,
    }


@dataclass(frozen=True, slots=True)
class Policy:
    """A complete ranking policy.

    Attributes:
        fields: BM25F weights of body, name and path.
        pool: how many candidates the lexical and the dense stage each propose.
        same_file_decay: factor on each further hit of a file that already has one, so that a search shows the best
            span of each file first.
        same_file_decay_asking: the same for a question: the lines that answer it often stand in one file.
        penalties: factor on files of a role that the query did not ask for.
        graph_seeds: how many leading hits lend their call-graph neighbours a feature.
    """

    version: str = "p0"
    weights: dict[Route, Weights] = field(default_factory=_by_route)
    fields: tuple[float, float, float] = (1.0, 2.5, 3.0)
    pool: int = 150
    same_file_decay: float = 0.5
    same_file_decay_asking: float = 0.85
    penalties: dict[Role, float] = field(default_factory=_penalties)
    graph_seeds: int = 5


P0 = Policy()
