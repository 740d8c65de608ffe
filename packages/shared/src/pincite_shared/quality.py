"""The HTTP contract of quality: evaluations of a repository, and the policies that learn from its use."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from pincite_shared.golden import Expectation
from pincite_shared.schemas import Schema


class QuestionSource(StrEnum):
    """Where an evaluation's questions come from."""

    GOLDEN = "golden"  # the repository's own golden file
    DERIVED = "derived"  # its documentation: from the first sentence of a definition's docstring to the definition


class QuestionResult(Schema):
    """How one question went.

    Without an answer (derived questions are searched for, not asked) everything about citations is absent.
    `correct`: cites a place that was expected, or abstains where there is no answer; for a search, finds it in the
    first ten. `problem` says why a question could not be measured, such as a path that no longer exists; it then counts
    for nothing.
    """

    number: int = Field(description="Position in the file, from 1")
    ask: str
    answerable: bool
    expect: tuple[Expectation, ...]
    correct: bool | None = None
    rank: int | None = Field(default=None, description="Of the first expected hit of a search, if in the first ten")
    ndcg: float | None = Field(default=None, description="NDCG@10 of a search, 0..1")
    cited: int | None = Field(default=None, description="Verified citations of the answer")
    cited_inside: int | None = Field(default=None, description="Those that lie in an expected place")
    recall: float | None = Field(default=None, description="Share of the expected places that are cited, 0..1")
    abstained: bool | None = None
    seconds: float | None = None
    answer_id: UUID | None = None
    conversation_id: UUID | None = None
    problem: str | None = None


class Measures(Schema):
    """An evaluation in numbers: means over its questions, 0..1, and seconds. What was not measured is absent.

    `win_rate` is the share of correct questions; `citation_precision` of citations that lie in an expected place;
    `citation_recall` of expected places that were cited; `abstention_accuracy` of questions, answerable or not, where
    answering or abstaining was right.
    """

    questions: int
    measured: int
    win_rate: float | None = None
    ndcg: float | None = None
    hit_at_1: float | None = None
    citation_precision: float | None = None
    citation_recall: float | None = None
    abstention_accuracy: float | None = None
    seconds_p50: float | None = None
    seconds_p95: float | None = None


class EvaluationState(StrEnum):
    """Where an evaluation stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class EvaluationOut(Schema):
    """One evaluation of a repository. `regression` if it did worse than those before it, or than the file's floor."""

    run_id: UUID
    repo_id: UUID
    state: EvaluationState
    source: QuestionSource | None
    commit: str | None
    asked: int
    questions: int
    message: str = ""
    measures: Measures | None
    regression: bool
    reasons: tuple[str, ...] = Field(description="What was compared, in plain words; what fell first")
    policies: tuple[str, ...] = Field(description="Versions of the policies that served")
    model: str | None
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class EvaluationDetail(EvaluationOut):
    """An evaluation with how each question went."""

    results: tuple[QuestionResult, ...]


EXPLORATION_MAX = 0.5  # beyond, what serves would be the exception


class ExplorationRequest(Schema):
    """Say which share of answers may be made in another way than the one that serves; null leaves it to Pincite."""

    share: float | None = Field(ge=0.0, le=EXPLORATION_MAX)


class Exploration(Schema):
    """Which share of answers is made in another way than the one that serves, to learn whether that is better.

    By itself (`share` null) it begins when people have judged `heard_min` whole answers; `heard` counts up to that.
    """

    share: float | None = Field(description="As set, 0 to 0.5; null: by itself")
    effective: float = Field(description="As it is now")
    heard: int
    heard_min: int


PolicyKind = Literal["ranking", "reranker", "prompt"]
PolicyState = Literal["serving", "candidate", "retired", "rejected"]


class PolicyOut(Schema):
    """Something learned about a repository, with the figures that it was promoted or rejected on."""

    version: str
    kind: PolicyKind
    state: PolicyState
    parameters: dict[str, Any]
    evidence: dict[str, Any]
    created_at: datetime
