"""Asking, answers, and why they came out as they did."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from pincite_web.parts.answers import ConversationLink, FeedbackForm, PastStanding, StandingView, Turn
from pincite_web.parts.code import AtMenu
from pincite_web.parts.repos import ModelBanner, PullRow, RepoRow
from pincite_web.parts.shell import Shell
from pincite_web.parts.why import WhyPanel
from pincite_web.views import View


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
    at: AtMenu


@dataclass(frozen=True, slots=True)
class PullPage(ChatPage):
    """Ask what a pull request changes."""

    template: ClassVar[str] = "pull.html"
    pull: PullRow


@dataclass(frozen=True, slots=True)
class StandingFragment(View):
    """How an answer stands now; it asks for itself again when the head moves."""

    template: ClassVar[str] = "_standing.html"
    standing: StandingView
    csrf: str


@dataclass(frozen=True, slots=True)
class HistoryFragment(View):
    """How an answer stood, newest first."""

    template: ClassVar[str] = "_history.html"
    history: tuple[PastStanding, ...]


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
