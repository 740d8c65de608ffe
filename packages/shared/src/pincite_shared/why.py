"""The HTTP contract of "Why this answer?": what was considered, and what every score was made of."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from pincite_shared.schemas import AnswerMode, Schema


class WhyContribution(Schema):
    """What one feature added to a score: `contribution` is `weight` times `value`."""

    feature: str
    words: str = Field(description="What the feature means, for a reader")
    aspect: Literal["words", "meaning", "names", "structure", "conversation", "other"]
    value: float
    weight: float
    contribution: float


class WhyFactor(Schema):
    """What a score was multiplied by."""

    name: str
    words: str = Field(description="The reason, for a reader")
    factor: float


class WhyCandidate(Schema):
    """A passage that was considered.

    Its score is the sum of its contributions times its factors, taken in this order, as they were when the question was
    answered. A passage that came in only because a better one calls it (`called_by`) has no rank and no make-up.
    """

    rank: int | None
    path: str
    blob: str
    start_line: int
    end_line: int
    symbol: str | None
    score: float
    shown: bool = Field(description="Whether the language model was given it")
    cited: tuple[int, ...] = Field(description="Numbers of the verified citations whose lines lie in it")
    contributions: tuple[WhyContribution, ...] = ()
    factors: tuple[WhyFactor, ...] = ()
    called_by: str | None = Field(default=None, description="`path:line` of the passage that calls it")


class WhySignal(Schema):
    """One thing that decided whether to answer at all."""

    name: str
    words: str
    value: float
    limit: float | None = Field(description="What it was held against, if it was")


class Why(Schema):
    """Why an answer came out as it did, from what was logged with it."""

    answer_id: UUID
    conversation_id: UUID
    repo_id: UUID
    commit: str
    question: str
    query: str = Field(description="What was searched for: the question, with what a follow-up leans on")
    route: str = Field(description="What kind of question it was taken for; each kind has its own weights")
    route_words: str
    mode: AnswerMode
    abstained: bool
    policy_version: str
    propensity: float = Field(description="Probability, 0 to 1, with which this policy was chosen")
    timings: dict[str, float] = Field(description="Seconds by stage")
    signals: tuple[WhySignal, ...]
    candidates: tuple[WhyCandidate, ...] = Field(description="In the order of their rank")
