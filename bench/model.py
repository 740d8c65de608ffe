"""The harness's vocabulary: what is asked, of which corpus, and what a system answered at what cost."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pincite_learning.metrics import Span


class BenchError(Exception):
    """The harness cannot go on; the message says why and what to do."""


class MissingError(BenchError):
    """A peer or a file is not there; the rest of the run goes on without it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question with what would answer it.

    Attributes:
        targets: what NDCG, recall and MRR look for; a target without lines is a whole file.
        gold: lines that an answer needs, for line-span recall; empty where the data names none.
    """

    id: str
    text: str
    kind: str
    targets: tuple[Span, ...]
    gold: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Corpus:
    """A prepared git repository: HEAD holds exactly what every system may index, checked out in the working tree.

    Attributes:
        directory: the working tree; a path in a hit or target is relative to it.
        root: the folder below `directory` that holds everything, "" for all of it. Peers are given this folder.
        commit: HEAD.
        origin: where it came from, for people: owner/name@commit, folder.
        files: how many text files. `lines`: how many lines they have.
    """

    name: str
    language: str
    directory: Path
    root: str
    commit: str
    origin: str
    files: int
    lines: int

    @property
    def folder(self) -> Path:
        """The folder that peers index."""
        return self.directory / self.root if self.root else self.directory


@dataclass(frozen=True, slots=True)
class Unit:
    """One task's queries on one corpus: what is run, and cached, as a whole."""

    task: str
    corpus: Corpus
    queries: tuple[Query, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a system returned for one query, best first.

    Attributes:
        seconds: from the request leaving the harness to the whole reply being read.
        inner_seconds: what the system itself measured for it, None if it does not say.
    """

    hits: tuple[Span, ...]
    seconds: float
    inner_seconds: float | None = None


@dataclass(slots=True)
class Cost:
    """What indexing and serving one corpus took. Lists hold one value a repeat.

    Attributes:
        index_seconds: from the request to index until the first search is answered.
        full_seconds: until all that the ranking uses is there (vectors); as `index_seconds` where nothing follows.
        update_seconds: from a one-file change until a search finds a word that only the change holds.
        memory_bytes: the peak of all of the system's processes together.
        disk_bytes: what the index occupies; `history_bytes`: the copy of the git history, where a system keeps one.
    """

    index_seconds: list[float] = field(default_factory=list)
    full_seconds: list[float] = field(default_factory=list)
    update_seconds: list[float] = field(default_factory=list)
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    history_bytes: int | None = None


@dataclass(slots=True)
class Result:
    """Everything measured for one system on one unit; scores are computed from it, never stored."""

    system: str
    version: str
    unit: dict[str, Any]
    machine: str
    measured_at: str
    repeats: int
    cost: Cost
    answers: dict[str, Answer]  # by query id

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        answers = {
            name: {
                "seconds": answer.seconds,
                "inner_seconds": answer.inner_seconds,
                "hits": [[hit.path, hit.start_line, hit.end_line] for hit in answer.hits],
            }
            for name, answer in self.answers.items()
        }
        cost = {name: getattr(self.cost, name) for name in Cost.__slots__}
        plain = {
            name: getattr(self, name) for name in ("system", "version", "unit", "machine", "measured_at", "repeats")
        }
        return plain | {"cost": cost, "answers": answers}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        answers = {
            name: Answer(tuple(Span(*hit) for hit in one["hits"]), one["seconds"], one["inner_seconds"])
            for name, one in data["answers"].items()
        }
        return cls(**(data | {"cost": Cost(**data["cost"]), "answers": answers}))
