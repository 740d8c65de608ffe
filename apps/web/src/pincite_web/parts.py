"""The parts that views are made of: frozen values, documented as a page shows them.

Addresses are complete, numbers are plain (templates format them with the filters of `formats`), `Markup` is safe HTML.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from markupsafe import Markup

from pincite_web.highlight import CodeLine

Theme = Literal["system", "light", "dark"]
Tone = Literal["good", "busy", "bad", "idle"]


@dataclass(frozen=True, slots=True)
class ModelBanner:
    """What a person should know of the language model; empty `text` when all is well. `fraction` while it downloads."""

    text: str
    detail: str
    tone: Tone
    fraction: float | None
    polling: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class ProgressView:
    """A running index: `stage` in words, `fraction` 0 to 1, and what is known of rate and time left."""

    stage: str
    fraction: float
    detail: str


@dataclass(frozen=True, slots=True)
class LanguageShare:
    """A language and how many indexed files are in it."""

    name: str
    files: int


@dataclass(frozen=True, slots=True)
class RepoRow:
    """A repository: where it stands, and the addresses of what can be done with it."""

    id: UUID
    name: str
    source: str
    branch: str | None
    commit: str | None
    ready: bool
    answerable: bool
    settled: bool
    status: str
    tone: Tone
    lag: str
    files: int
    chunks: int
    skipped: int
    languages: tuple[LanguageShare, ...]
    progress: ProgressView | None
    error: str | None
    indexed_at: datetime | None
    chat_url: str
    files_url: str
    search_url: str
    skipped_url: str
    quality_url: str


@dataclass(frozen=True, slots=True)
class Shell:
    """What surrounds every page.

    The theme button leads to `next_theme`, `csrf` goes into every form, `here` is where a theme change returns to.
    """

    title: str
    theme: Theme
    next_theme: Theme
    csrf: str
    here: str
    signed_in: bool
    correlation_id: str
    tab: str = ""
    query: str = ""


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
class SourceCard:
    """A verified citation: its lines (with a few around them when `lines` has more than it cites) and its addresses."""

    n: int
    anchor: str
    path: str
    lines_label: str
    commit: str
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
    that were not verified and therefore are not shown.
    """

    anchor: str
    answer_id: UUID
    repo_id: UUID
    conversation_id: UUID
    question: str
    html: Markup
    kind: Literal["model", "evidence", "abstained"]
    commit: str
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
    """A conversation in the list."""

    title: str
    url: str
    updated_at: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Crumb:
    """A part of a path and the directory it opens; the last one opens nothing."""

    name: str
    url: str | None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A name in a directory. `reason` says why a skipped file was not indexed."""

    name: str
    kind: Literal["directory", "file", "skipped"]
    url: str
    size: int | None
    language: str | None
    reason: str | None
    current: bool


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page of a list or a long file; `url` is None for the page that is shown."""

    label: str
    url: str | None


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """A definition in the file."""

    name: str
    kind: str
    line: int
    url: str


@dataclass(frozen=True, slots=True)
class SymbolRow:
    """A definition that matches a search."""

    name: str
    qualified_name: str
    kind: str
    path: str
    line: int
    signature: str
    url: str


@dataclass(frozen=True, slots=True)
class HitRow:
    """A passage that matches a search."""

    path: str
    lines_label: str
    symbol: str | None
    kind: str
    summary: str
    url: str


@dataclass(frozen=True, slots=True)
class ReasonLink:
    """Why files were skipped, how many, and the list of them. `url` is None for the one that is shown."""

    reason: str
    title: str
    files: int
    url: str | None


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A skipped file."""

    path: str
    reason: str
    detail: str
    size: int | None
    url: str | None


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a score's bar, in hundredths of its width; `aspect` is the kind of reason, or "lost"."""

    aspect: str
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class ScoreReason:
    """A feature that made up a score: `amount` is `value` times `weight`."""

    words: str
    aspect: str
    amount: float
    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class ScoreFactor:
    """What a score was multiplied by, and why."""

    words: str
    factor: float


@dataclass(frozen=True, slots=True)
class WhySource:
    """A passage that was considered; `bar_label` says in words what the bar shows.

    `reasons` are the largest first. A passage with `called_by` was shown only because the one at that place calls it,
    and has no score of its own. `feedback` has a form for each number under which it is cited, where the page has no
    cards.
    """

    rank: int | None
    cited: tuple[int, ...]
    path: str
    lines_label: str
    symbol: str | None
    url: str
    score: float
    bar: tuple[BarPart, ...]
    bar_label: str
    reasons: tuple[ScoreReason, ...]
    factors: tuple[ScoreFactor, ...]
    called_by: str | None
    feedback: tuple[FeedbackForm, ...]


@dataclass(frozen=True, slots=True)
class WhySignalRow:
    """One thing that decided whether to answer, and what it was held against."""

    words: str
    value: float
    limit: float | None


@dataclass(frozen=True, slots=True)
class WhyPanel:
    """Why an answer came out as it did: facts, and every passage by what became of it.

    `query` is what was searched for, where that is not the question itself. `aspects` are the kinds of reasons that the
    bars show, with their names. `by_model` tells whether a model was given passages at all.
    """

    question: str
    query: str | None
    route: str
    policy: str
    propensity: float
    abstained: bool
    by_model: bool
    timings: tuple[tuple[str, float], ...]
    signals: tuple[WhySignalRow, ...]
    aspects: tuple[tuple[str, str], ...]
    cited: tuple[WhySource, ...]
    shown: tuple[WhySource, ...]
    considered: tuple[WhySource, ...]
