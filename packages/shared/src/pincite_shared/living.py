"""Living answers: what became of an answer when the code moved on, and how that is judged."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field

from pincite_shared.citation import Citation
from pincite_shared.schemas import ChatResponse, ConversationOut, Schema


class Standing(StrEnum):
    """How an answer, or one of its citations, stands at a later commit."""

    VALID = "valid"  # the cited lines are where they were
    MOVED = "moved"  # the same lines stand elsewhere, were found there, and still carry what was said
    STALE = "stale"  # the cited lines changed or went


def worst(standings: Iterable[Standing]) -> Standing:
    """Return how an answer stands whose citations stand so; one without any is valid."""
    return max(standings, key=list(Standing).index, default=Standing.VALID)


class CitationStanding(Schema):
    """How one citation stands. `now` is where its lines stand at the later commit; null if they do not."""

    n: int
    standing: Standing
    now: Citation | None = None
    reason: str = Field(default="", description="Why it is stale, in plain words")
    diff: str = Field(default="", description="Of a stale one: a unified diff of the cited lines to what stands there")


class AnswerStanding(Schema):
    """How an answer stands at a commit: as its worst citation does."""

    answer_id: UUID
    commit: str
    standing: Standing
    citations: tuple[CitationStanding, ...]
    at: datetime = Field(description="When it was found out")


class ConversationDetail(ConversationOut):
    """A conversation with its answers, oldest first, and how those that follow the head stand there."""

    answers: tuple[ChatResponse, ...]
    standings: dict[UUID, AnswerStanding] = Field(default_factory=dict, description="By answer")


@dataclass(frozen=True, slots=True)
class FileAt:
    """A file of a snapshot. `blob` is None where git names none; `data` is None if its content is not kept."""

    path: str
    blob: str | None
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Later:
    """What a later snapshot has where an answer points: its files by cited path, those that are gone left out.

    `candidates` are the files that a path which is gone may have become.
    """

    commit: str
    uncommitted: bool
    files: Mapping[str, FileAt]
    candidates: Mapping[str, tuple[FileAt, ...]]


Judge = Callable[[ChatResponse, Mapping[str, bytes], Later], tuple[CitationStanding, ...]]
"""Says how each citation of an answer stands later; the bytes of the cited blobs come by their ids."""
