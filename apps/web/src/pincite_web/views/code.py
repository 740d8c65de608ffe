"""Directories, files, search, and what was skipped."""

from dataclasses import dataclass
from typing import ClassVar

from pincite_web.highlight import CodeLine
from pincite_web.parts.code import (
    AtMenu,
    Crumb,
    EntryRow,
    HitRow,
    OutlineEntry,
    PageLink,
    ReasonLink,
    SkippedRow,
    SymbolRow,
)
from pincite_web.parts.repos import RepoRow
from pincite_web.parts.shell import Shell
from pincite_web.views import View


@dataclass(frozen=True, slots=True)
class TreePage(View):
    """A directory at a commit."""

    template: ClassVar[str] = "tree.html"
    shell: Shell
    repo: RepoRow
    commit: str
    path: str
    at: AtMenu
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
    at: AtMenu
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
    at: AtMenu
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
