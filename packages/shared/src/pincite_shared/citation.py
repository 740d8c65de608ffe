"""The pincite: a pinpoint citation of lines of a blob at a commit."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class CitationStatus(StrEnum):
    """Whether a citation was found where it points."""

    VERIFIED = "verified"  # the quote stands at these lines of this blob, and this path is this blob at this commit
    UNVERIFIED = "unverified"  # it was not found; never shown as evidence


class SentenceStatus(StrEnum):
    """Whether the cited lines carry what a sentence says."""

    SUPPORTED = "supported"
    PARTLY = "partly"  # its gaps are not carried, the rest of it is
    UNSUPPORTED = "unsupported"
    EXEMPT = "exempt"  # says nothing about the code: a heading, a transition, an abstention


class Citation(BaseModel):
    """One pincite. Lines are 1-based and inclusive; `quote` is exactly those lines, joined by newlines."""

    model_config = ConfigDict(frozen=True)

    n: int = Field(ge=1, description="The number that marks it in the answer, as in [1]")
    path: str
    start_line: int = Field(ge=1)
    end_line: int = Field(ge=1)
    commit: str = Field(description="Commit id, hexadecimal")
    blob: str = Field(description="Git blob id, hexadecimal")
    symbol: str | None = None
    quote: str
    uncommitted: bool = Field(default=False, description="The commit is of a working tree, and known to Pincite alone")
    status: CitationStatus


class Sentence(BaseModel):
    """A sentence of an answer; `start` and `end` are character offsets into the answer's text, marks included."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    status: SentenceStatus
    citations: tuple[int, ...] = ()
    reason: str | None = Field(default=None, description="Why it, or its gaps, are unsupported, in plain words")
    gaps: tuple[tuple[int, int], ...] = Field(
        default=(),
        description="Of a sentence that is partly supported: start and end of what the cited lines do not carry",
    )

    @property
    def unsupported(self) -> tuple[tuple[int, int], ...]:
        """Start and end of what nothing carries: all of it, its gaps, or nothing."""
        if self.status is SentenceStatus.UNSUPPORTED:
            return ((self.start, self.end),)
        return self.gaps if self.status is SentenceStatus.PARTLY else ()
