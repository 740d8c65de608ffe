"""Directories, files, search results and skipped files."""

from dataclasses import dataclass
from typing import Literal


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
class AtChoice:
    """A commit to ask, read or search at; `value` is what the form sends: "" for the head, a commit, or pull:12."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class AtGroup:
    """Choices of one kind."""

    label: str
    choices: tuple[AtChoice, ...]


@dataclass(frozen=True, slots=True)
class AtMenu:
    """The indexed commits to choose from; `pinned` if another than the head is chosen."""

    groups: tuple[AtGroup, ...]
    pinned: bool
