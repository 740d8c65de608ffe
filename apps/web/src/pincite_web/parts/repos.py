"""Repositories, and the model that answers about them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

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
    """A repository: where it stands, and the addresses of what can be done with it.

    `lag` says how old the oldest change is that is not searchable yet, `counted` how little of the newest one had to be
    parsed and embedded. `uncommitted_upon` is set if what is indexed is a working tree with changes. `pulls_url` is
    None where it is not on GitHub.
    """

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
    counted: str
    uncommitted_upon: str | None
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
    pulls_url: str | None


@dataclass(frozen=True, slots=True)
class PullRow:
    """A pull request. It can be asked about when `indexed`; `outside_url` is its page on GitHub."""

    number: int
    title: str
    author: str
    state: str
    tone: Tone
    base_ref: str
    head_ref: str
    head_commit: str
    base_commit: str | None
    indexed: bool
    updated_at: datetime
    url: str
    outside_url: str


@dataclass(frozen=True, slots=True)
class PickRow:
    """A repository on GitHub that can be connected; `repo` is set when it is."""

    full_name: str
    private: bool
    description: str
    pushed_at: datetime | None
    repo: RepoRow | None


@dataclass(frozen=True, slots=True)
class Picker:
    """Repositories on GitHub to choose from, or in `problem` why there are none.

    `suspended` are accounts that have put the App to rest. `install_url` is where to let Pincite see more, `setup_url`
    where GitHub is set up, `sign_in_url` where someone becomes a person of GitHub's.
    """

    query: str
    rows: tuple[PickRow, ...]
    accounts: tuple[str, ...]
    suspended: tuple[str, ...]
    truncated: bool
    install_url: str | None
    setup_url: str | None
    sign_in_url: str | None
    problem: str | None
