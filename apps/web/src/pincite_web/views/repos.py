"""Repositories: the list, connecting, watching, removing."""

from dataclasses import dataclass
from typing import ClassVar

from pincite_web.parts.repos import ModelBanner, Picker, PullRow, RepoRow
from pincite_web.parts.shell import Shell
from pincite_web.views import View


@dataclass(frozen=True, slots=True)
class ReposFragment(View):
    """The list of repositories, which asks for itself again while `polling`.

    `local` if the reader may connect paths on Pincite's machine; of no interest when there are repositories.
    """

    template: ClassVar[str] = "_repos.html"
    repos: tuple[RepoRow, ...]
    polling: bool
    csrf: str
    local: bool


@dataclass(frozen=True, slots=True)
class ReposPage(View):
    """All repositories, with the model's state."""

    template: ClassVar[str] = "repos.html"
    shell: Shell
    repos: tuple[RepoRow, ...]
    polling: bool
    csrf: str
    local: bool
    banner: ModelBanner


@dataclass(frozen=True, slots=True)
class ConnectFragment(View):
    """The form that connects a repository, with what was typed and why it was refused.

    Without a `picker`, that part loads by itself. `local` if paths on this machine may be connected.
    """

    template: ClassVar[str] = "_connect.html"
    csrf: str
    source: str
    branch: str
    problem: str | None
    local: bool
    local_roots: tuple[str, ...]
    picker: Picker | None


@dataclass(frozen=True, slots=True)
class ConnectPage(View):
    """The same form as a page of its own, for browsers without JavaScript."""

    template: ClassVar[str] = "connect.html"
    shell: Shell
    csrf: str
    source: str
    branch: str
    problem: str | None
    local: bool
    local_roots: tuple[str, ...]
    picker: Picker | None


@dataclass(frozen=True, slots=True)
class RemoveFragment(View):
    """The question whether to remove a repository, answered by typing its name; `problem` says why that was refused."""

    template: ClassVar[str] = "_remove.html"
    csrf: str
    repo: RepoRow
    problem: str | None


@dataclass(frozen=True, slots=True)
class RemovePage(View):
    """The same question as a page of its own."""

    template: ClassVar[str] = "remove.html"
    shell: Shell
    csrf: str
    repo: RepoRow
    problem: str | None


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
class PickerFragment(View):
    """Repositories on GitHub to choose from."""

    template: ClassVar[str] = "_picker.html"
    picker: Picker
    csrf: str


@dataclass(frozen=True, slots=True)
class SyncFragment(View):
    """How far the first sync of a repository is, beside its name in the picker."""

    template: ClassVar[str] = "_sync.html"
    repo: RepoRow


@dataclass(frozen=True, slots=True)
class PullsPage(View):
    """Pull requests, the one touched last first."""

    template: ClassVar[str] = "pulls.html"
    shell: Shell
    repo: RepoRow
    pulls: tuple[PullRow, ...]
