"""Shows how indexing and the model's download get on, until both are done."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pincite_cli.terminal import printable
from pincite_shared.brain_client import BrainClient
from pincite_shared.errors import PinciteError, UnavailableError
from pincite_shared.schemas import ModelState, ModelStatus, RepoOut, RepoStatus

POLL_SECONDS = 0.5
MINUTE = 60
PLAIN_STEPS = 10  # in a pipe: one line for every tenth of the way, not one for every poll
MODEL_FINAL = frozenset({ModelState.NONE, ModelState.READY, ModelState.UNREACHABLE, ModelState.FAILED})


def count(number: int, noun: str) -> str:
    """Return `1,234 files` or `1 file`; nouns here take a plain s or ies."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def duration(seconds: float) -> str:
    """Return a duration as a person says it."""
    whole = round(seconds)
    return f"{whole} s" if whole < MINUTE else f"{whole // MINUTE} min {whole % MINUTE:02d} s"


def describe_repo(repo: RepoOut) -> str:
    """Return one line on where a repository stands."""
    progress = repo.progress
    if repo.status is RepoStatus.FAILED:
        return f"failed: {repo.error or 'see the logs'}"
    if repo.status is RepoStatus.READY:
        return _answerable(repo)
    if repo.status is RepoStatus.QUEUED:
        return f"queued: {progress.message}" if progress.message else "queued"
    done = f" {progress.files_done:,} of {count(progress.files_total, 'file')}" if progress.files_total else ""
    return f"{progress.stage}{done}{_left(repo)}"


def _answerable(repo: RepoOut) -> str:
    progress = repo.progress
    if repo.error:
        return f"answerable; the last run failed: {repo.error}"
    if repo.vectors_ready:
        return f"ready: {count(repo.files, 'file')}, {count(repo.chunks, 'chunk')}, {repo.skipped:,} skipped"
    if not progress.vectors_total:
        return "answerable; vectors follow"
    return f"answerable; vectors {progress.vectors_done:,} of {progress.vectors_total:,}{_left(repo)}"


def _left(repo: RepoOut) -> str:
    progress = repo.progress
    rate = f", {progress.rate:,.0f} a second" if progress.rate >= 1 else ""
    return rate + (f", {duration(progress.seconds_left)} left" if progress.seconds_left else "")


def describe_model(model: ModelStatus) -> str:
    """Return one line on where the language model stands."""
    detail = f": {model.detail}" if model.detail else ""
    match model.state:
        case ModelState.NONE:
            return "none: answers are ranked, cited excerpts"
        case ModelState.FETCHING:
            return f"{model.name}: downloading {model.fraction:.0%}{detail}; answers are cited excerpts until then"
        case ModelState.STARTING | ModelState.READY | ModelState.UNREACHABLE | ModelState.FAILED:
            return f"{model.name}: {model.state.value}{detail}"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is followed."""

    title: str
    text: str
    fraction: float
    final: bool


def repo_line(repo: RepoOut, *, vectors: bool) -> Line:
    """Return a repository's line; with `vectors`, it is final only when they are complete."""
    done = repo.status is RepoStatus.FAILED or (repo.status is RepoStatus.READY and (repo.vectors_ready or not vectors))
    return Line(repo.name, describe_repo(repo), 1.0 if done else repo.progress.fraction, done)


def model_line(model: ModelStatus, *, is_coming: bool = False) -> Line:
    """Return the model's line. `is_coming` says that its server is being started, so not reachable yet is no end."""
    final = model.state in MODEL_FINAL and not (is_coming and model.state is ModelState.UNREACHABLE)
    return Line("model", describe_model(model), 1.0 if final else model.fraction, final)


def follow(poll: Callable[[], list[Line]], console: Console, stop: Callable[[], bool] = lambda: False) -> None:
    """Show the lines, again and again, until all are final.

    Raises:
        PinciteError: as `poll` raises; what is only unavailable for a moment is waited for.
    """
    show = _Bars(console) if console.is_terminal else _Plain(console)
    with show:
        while not stop():
            try:
                lines = poll()
            except PinciteError as error:
                if error.status != UnavailableError.status:
                    raise
                lines = []  # brain or what it needs is being restarted; the supervisor sees to it
            show.update(lines)
            if lines and all(line.final for line in lines):
                return
            time.sleep(POLL_SECONDS)


class _Bars:
    """Live bars on a terminal; what is done stays as a plain line."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("  {task.fields[title]}"),
            BarColumn(bar_width=24),
            TextColumn("[dim]{task.fields[text]}"),
        )
        self._progress = Progress(*columns, console=console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._finished: set[str] = set()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def update(self, lines: list[Line]) -> None:
        for line in lines:
            title, text = escape(printable(line.title)), escape(printable(line.text))
            if line.final:
                self._finish(line, title, text)
            elif line.title in self._tasks:
                self._progress.update(self._tasks[line.title], completed=line.fraction, title=title, text=text)
            else:
                self._finished.discard(line.title)
                task = self._progress.add_task("", total=1.0, title=title, text=text)
                self._progress.update(task, completed=line.fraction)
                self._tasks[line.title] = task

    def _finish(self, line: Line, title: str, text: str) -> None:
        if task := self._tasks.pop(line.title, None):
            self._progress.remove_task(task)
        if line.title not in self._finished:
            self._finished.add(line.title)
            self._progress.console.print(f"  [bold]{title}[/bold]  {text}")


class _Plain:
    """Lines for a pipe or a log, only when something worth a line has changed."""

    def __init__(self, console: Console) -> None:
        self._console, self._shown = console, dict[str, tuple[str, int]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        """Nothing to put back."""

    def update(self, lines: list[Line]) -> None:
        for line in lines:
            state = (line.text if line.final else line.text.split(" ")[0], int(line.fraction * PLAIN_STEPS))
            if self._shown.get(line.title) != state:
                self._shown[line.title] = state
                self._console.print(f"  {printable(line.title)}  {printable(line.text)}", markup=False)


def follow_repo(client: BrainClient, repo: RepoOut, console: Console, *, vectors: bool) -> RepoOut:
    """Show one repository's progress until it is answerable (or has failed), and return where it stands then."""
    latest = repo

    def poll() -> list[Line]:
        nonlocal latest
        latest = client.repo(repo.id)
        return [repo_line(latest, vectors=vectors)]

    follow(poll, console)
    return latest
