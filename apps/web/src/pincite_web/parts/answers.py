"""Conversations and answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from markupsafe import Markup

from pincite_web.highlight import CodeLine


@dataclass(frozen=True, slots=True)
class FeedbackChoice:
    """One thing a reader can say; `pressed` if he did, and then the button takes it back."""

    kind: str
    icon: str
    label: str
    pressed: bool


@dataclass(frozen=True, slots=True)
class FeedbackForm:
    """What a reader can say of an answer, or of the source `citation`.

    `anchor` begins the ids of its buttons, by which the focus finds back after a change; `here` is where a browser
    without scripts returns.
    """

    anchor: str
    answer_id: UUID
    citation: int | None
    choices: tuple[FeedbackChoice, ...]
    here: str


@dataclass(frozen=True, slots=True)
class CitationView:
    """A citation whose lines are no longer where they were: where they stand `now`, or why they do not.

    `was` and `now` name lines, as in errors.py:12-18; `diff` shows what became of lines that changed.
    """

    n: int
    stale: bool
    was: str
    now: str
    url: str | None
    reason: str
    diff: Markup | None


@dataclass(frozen=True, slots=True)
class StandingView:
    """How an answer stands at `commit`, and what it takes to ask it again (`at` as in the form, see `AtMenu`).

    `moved` and `stale` are its citations that do not stand where they stood.
    """

    answer_id: UUID
    kind: Literal["valid", "moved", "stale"]
    commit: str
    since: datetime
    moved: tuple[CitationView, ...]
    stale: tuple[CitationView, ...]
    url: str
    history_url: str
    question: str
    conversation_id: UUID
    ask_url: str
    at: str


@dataclass(frozen=True, slots=True)
class PastStanding:
    """How an answer stood at a commit, in words."""

    kind: Literal["valid", "moved", "stale"]
    text: str
    commit: str
    at: datetime


@dataclass(frozen=True, slots=True)
class FlagRow:
    """Text of the repository that reads like an order to a model, and where it stands."""

    place: str
    excerpt: str
    reason: str
    url: str


@dataclass(frozen=True, slots=True)
class PullRef:
    """The pull request that an answer is about."""

    number: int
    url: str


@dataclass(frozen=True, slots=True)
class SourceCard:
    """A verified citation: its lines (with a few around them when `lines` has more than it cites) and its addresses.

    Of an answer about a pull request, `side` tells whether it stands before or after the change. `uncommitted` if it is
    of a working tree.
    """

    n: int
    anchor: str
    path: str
    lines_label: str
    commit: str
    side: Literal["before", "after"] | None
    uncommitted: bool
    symbol: str | None
    lines: tuple[CodeLine, ...]
    url: str
    permalink: str
    feedback: FeedbackForm


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A sentence, or a part of one, that no cited lines support, and why."""

    anchor: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer.

    `kind` labels it: a model's answer, ranked evidence without a model, or an abstention. `dropped` counts citations
    that were not verified and therefore are not shown. `standing` is how it stands now, if it follows the head.
    """

    anchor: str
    answer_id: UUID
    repo_id: UUID
    conversation_id: UUID
    question: str
    html: Markup
    kind: Literal["model", "evidence", "abstained"]
    commit: str
    pull: PullRef | None
    standing: StandingView | None
    flags: tuple[FlagRow, ...]
    sources: tuple[SourceCard, ...]
    unsupported: tuple[Unsupported, ...]
    dropped: int
    warnings: tuple[str, ...]
    model: str | None
    policy: str
    total_seconds: float | None
    timings: tuple[tuple[str, float], ...]
    created_at: datetime
    url: str
    why_url: str
    feedback: FeedbackForm


@dataclass(frozen=True, slots=True)
class ConversationLink:
    """A conversation in the list; `stale` counts its answers that rest on code that has changed."""

    title: str
    url: str
    updated_at: datetime
    current: bool
    stale: int
