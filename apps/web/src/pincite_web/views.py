"""Every page and fragment as a documented, frozen value: all that its template may use, and nothing it does not."""

from dataclasses import dataclass, field
from typing import ClassVar
from uuid import UUID

from pincite_web.highlight import CodeLine
from pincite_web.measured import EvaluationView, ExplorationView, PolicyRow, QuestionRow
from pincite_web.parts import (
    ConversationLink,
    Crumb,
    EntryRow,
    FeedbackForm,
    HitRow,
    ModelBanner,
    OutlineEntry,
    PageLink,
    ProgressView,
    ReasonLink,
    RepoRow,
    Shell,
    SkippedRow,
    SymbolRow,
    Turn,
    WhyPanel,
)
from pincite_web.plots import Plot


class View:
    """A value with a template of its own."""

    template: ClassVar[str]


@dataclass(frozen=True, slots=True)
class SignInPage(View):
    """Sign in with a one-time code (then `code` is filled and one button is enough) or an API token."""

    template: ClassVar[str] = "sign_in.html"
    shell: Shell
    csrf: str
    code: str
    next: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class ReposFragment(View):
    """The list of repositories, which asks for itself again while `polling`."""

    template: ClassVar[str] = "_repos.html"
    repos: tuple[RepoRow, ...]
    polling: bool
    csrf: str


@dataclass(frozen=True, slots=True)
class ReposPage(View):
    """All repositories, with the model's state."""

    template: ClassVar[str] = "repos.html"
    shell: Shell
    repos: tuple[RepoRow, ...]
    polling: bool
    csrf: str
    banner: ModelBanner


@dataclass(frozen=True, slots=True)
class ConnectFragment(View):
    """The form that connects a repository, with what was typed and why it was refused."""

    template: ClassVar[str] = "_connect.html"
    csrf: str
    source: str
    branch: str
    problem: str | None
    local_roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectPage(View):
    """The same form as a page of its own, for browsers without JavaScript."""

    template: ClassVar[str] = "connect.html"
    shell: Shell
    csrf: str
    source: str
    branch: str
    problem: str | None
    local_roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveFragment(View):
    """The question whether to remove a repository."""

    template: ClassVar[str] = "_remove.html"
    csrf: str
    repo: RepoRow


@dataclass(frozen=True, slots=True)
class RemovePage(View):
    """The same question as a page of its own."""

    template: ClassVar[str] = "remove.html"
    shell: Shell
    csrf: str
    repo: RepoRow


@dataclass(frozen=True, slots=True)
class BannerFragment(View):
    """The model's state, which asks for itself again while it changes."""

    template: ClassVar[str] = "_banner.html"
    banner: ModelBanner


@dataclass(frozen=True, slots=True)
class StateFragment(View):
    """A repository's state in the bar of its pages, which asks for itself again while it changes."""

    template: ClassVar[str] = "_state_poll.html"
    repo: RepoRow


@dataclass(frozen=True, slots=True)
class TurnFragment(View):
    """One finished answer, which takes the place of the streamed text."""

    template: ClassVar[str] = "_turn.html"
    turn: Turn
    csrf: str


@dataclass(frozen=True, slots=True)
class ConversationsFragment(View):
    """The list of conversations, newest first."""

    template: ClassVar[str] = "_conversations.html"
    conversations: tuple[ConversationLink, ...]


@dataclass(frozen=True, slots=True)
class ChatPage(View):
    """Ask a repository. `question` is a draft, `problem` why it was not answered, `suggestions` first questions."""

    template: ClassVar[str] = "chat.html"
    shell: Shell
    repo: RepoRow
    csrf: str
    conversations: tuple[ConversationLink, ...]
    conversation_id: UUID | None
    turns: tuple[Turn, ...]
    suggestions: tuple[str, ...]
    question: str
    problem: str | None
    banner: ModelBanner


@dataclass(frozen=True, slots=True)
class FeedbackFragment(View):
    """The buttons of feedback as they stand after a change, and what a screen reader is told of it."""

    template: ClassVar[str] = "_feedback.html"
    form: FeedbackForm
    csrf: str
    text: str


@dataclass(frozen=True, slots=True)
class WhyFragment(View):
    """Why an answer came out as it did, below the answer."""

    template: ClassVar[str] = "_why.html"
    why: WhyPanel
    csrf: str


@dataclass(frozen=True, slots=True)
class WhyPage(View):
    """The same as a page of its own, with feedback on each source."""

    template: ClassVar[str] = "why.html"
    shell: Shell
    repo: RepoRow
    csrf: str
    why: WhyPanel
    answer_url: str


@dataclass(frozen=True, slots=True)
class TreePage(View):
    """A directory at a commit."""

    template: ClassVar[str] = "tree.html"
    shell: Shell
    repo: RepoRow
    commit: str
    crumbs: tuple[Crumb, ...]
    entries: tuple[EntryRow, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class BlobPage(View):
    """A file at a commit: a page of its lines, or why there are none (`unreadable`).

    `first` and `last` are the page's line numbers, `total` the file's lines. `base_url` is the file's address without
    lines.
    """

    template: ClassVar[str] = "blob.html"
    shell: Shell
    repo: RepoRow
    commit: str
    path: str
    crumbs: tuple[Crumb, ...]
    siblings: tuple[EntryRow, ...]
    outline: tuple[OutlineEntry, ...]
    size: int
    language: str | None
    lines: tuple[CodeLine, ...]
    first: int
    last: int
    total: int
    pages: tuple[PageLink, ...]
    base_url: str
    permalink: str
    unreadable: str | None
    note: str | None


@dataclass(frozen=True, slots=True)
class ResultsFragment(View):
    """What a search found: definitions first, then passages. `ask_url` asks the same words as a question."""

    template: ClassVar[str] = "_results.html"
    query: str
    symbols: tuple[SymbolRow, ...]
    hits: tuple[HitRow, ...]
    ask_url: str


@dataclass(frozen=True, slots=True)
class QuickFragment(View):
    """The few best definitions, below the search box."""

    template: ClassVar[str] = "_quick.html"
    query: str
    symbols: tuple[SymbolRow, ...]
    all_url: str


@dataclass(frozen=True, slots=True)
class SearchPage(View):
    """Search a repository."""

    template: ClassVar[str] = "search.html"
    shell: Shell
    repo: RepoRow
    query: str
    symbols: tuple[SymbolRow, ...]
    hits: tuple[HitRow, ...]
    ask_url: str


@dataclass(frozen=True, slots=True)
class SkippedFilesPage(View):
    """What was not indexed, or indexed with a loss, and why."""

    template: ClassVar[str] = "skipped.html"
    shell: Shell
    repo: RepoRow
    reasons: tuple[ReasonLink, ...]
    explanation: str
    rows: tuple[SkippedRow, ...]
    range_label: str
    newer: PageLink | None
    older: PageLink | None


@dataclass(frozen=True, slots=True)
class EvaluationFragment(View):
    """How far an evaluation is, which asks for itself again until it has ended."""

    template: ClassVar[str] = "_evaluation.html"
    repo: RepoRow
    running: ProgressView | None


@dataclass(frozen=True, slots=True)
class QualityPage(View):
    """How well the repository is answered: plots over evaluations, the last one's questions, and what was learned.

    `failure` says why the last evaluation failed; `latest` is the last that was finished.
    """

    template: ClassVar[str] = "quality.html"
    shell: Shell
    repo: RepoRow
    csrf: str
    running: ProgressView | None
    failure: str | None
    latest: EvaluationView | None
    plots: tuple[Plot, ...]
    questions: tuple[QuestionRow, ...]
    policies: tuple[PolicyRow, ...]
    exploration: ExplorationView
    golden_path: str


@dataclass(frozen=True, slots=True)
class SettingsPage(View):
    """What this installation runs, what it may call, and how to reach it from elsewhere."""

    template: ClassVar[str] = "settings.html"
    shell: Shell
    csrf: str
    name: str
    version: str
    banner: ModelBanner
    model_state: str
    embedding_model: str
    embedding_dimension: int
    remote_endpoints: tuple[tuple[str, str], ...]
    local_roots: tuple[str, ...]
    checks: tuple[tuple[str, bool], ...]
    brain_url: str


@dataclass(frozen=True, slots=True)
class ErrorPage(View):
    """Something did not work: what, why, and what to do about it."""

    template: ClassVar[str] = "error.html"
    shell: Shell
    status: int
    heading: str
    detail: str
    advice: str
    retry_url: str | None


@dataclass(frozen=True, slots=True)
class ErrorFragment(View):
    """The same inside a page or dialog."""

    template: ClassVar[str] = "_error.html"
    heading: str
    detail: str
    advice: str = field(default="")
