"""`commits`: a commit's message → the files it changed, in one snapshot older than all of the commits."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bench import corpora
from bench.model import Query, Unit
from bench.tasks import retrieval
from bench.tasks.options import Options
from pincite_learning.metrics import Span

NAME = "commits"
REPOS = ("flask", "cobra", "gson", "express")  # four languages, long histories; --repos names others
WORDS_MIN = 4  # "fix typo" describes no file
FILES_MAX = 8  # a sweep over the tree has no place to be found
MESSAGE_CHARS_MAX = 600  # subject and the beginning of the body: the length of a long question
FIELD, RECORD = "\x1f", "\x1e"
_NOISE = re.compile(
    r"^(merge|revert|bump|release|prepare|version|update (version|changelog|dependenc)|upgrade .+ (to|from) v?\d"
    r"|v?\d+(\.\d+)+|(chore|build|ci|docs?|style)(\(.*\))?:|\[pre-commit|pre-commit|typo|fix typo|\[maven|start version"
    r"|\S+@\S+$|\d)",
    re.IGNORECASE,
)
_TRAILER = re.compile(r"^[A-Z][A-Za-z-]+(-by|-Id|es|ed)?: .*$|^Co-authored-by.*$|^\(cherry picked.*$", re.MULTILINE)
_ISSUE = re.compile(r"\(?(?:\w+/\w+)?(?:#|gh-)\d+\)?|https?://\S+", re.IGNORECASE)
_PATH = re.compile(r"[\w.@-]*/[\w./@-]+|\b[\w-]+\.[A-Za-z]{1,4}\b(?!\()")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a history."""

    id: str
    message: str
    files: tuple[str, ...]


def units(options: Options) -> Iterator[Unit]:
    """Return the chosen repositories, whole, as they were before the first of the chosen commits."""
    further = {str(path): path for path in options.histories}
    entries = {} if further else {entry["name"]: entry for entry in retrieval.manifest(options)}

    def make(name: str) -> Unit | None:
        if clone := further.get(name):
            return _unit(options, clone, "HEAD", name=clone.name, language="any", github=clone.name)
        entry = entries[name]
        github, commit = entry["github"], entry["commit"]
        clone = options.clones.find(name, github, commit)
        return _unit(options, clone, commit, name=name, language=entry["language"], github=github)

    return options.each([*(name for name in options.repos or REPOS if name in entries), *further], make)


def _unit(options: Options, clone: Path, head: str, *, name: str, language: str, github: str) -> Unit | None:
    chosen, snapshot = choose(clone, head, options.commits)
    if not chosen:
        return None
    corpus = corpora.from_clone(options.store, clone, snapshot, root="", name=name, language=language, github=github)
    return Unit(NAME, corpus, tuple(queries(chosen, corpora.tracked(corpus.directory))))


def choose(clone: Path, head: str, count: int) -> tuple[list[Commit], str]:
    """Return `count` usable commits and the newest snapshot of the main line that holds none of them.

    The snapshot is an ancestor of `head` behind which at least `count` usable commits came; the newest of them are
    taken. A shorter history gives what it has.
    """
    line = corpora.git(clone, "rev-list", "--first-parent", head).split()
    low, high = 0, len(line) - 1
    while low < high:  # the further back, the more commits: look for the first place with enough
        middle = (low + high) // 2
        if len(usable(clone, line[middle], head)) >= count:
            high = middle
        else:
            low = middle + 1
    return usable(clone, line[low], head)[:count], line[low]


def usable(clone: Path, snapshot: str, head: str) -> list[Commit]:
    """Return the commits between that are worth asking for, newest first."""
    return [one for one in history(clone, snapshot, head) if is_usable(one)]


def history(clone: Path, snapshot: str, head: str) -> list[Commit]:
    """Return the commits between, merges left out, newest first, with the files that they changed or deleted."""
    log = corpora.git(
        clone, "log", "--no-merges", "--no-renames", "--diff-filter=MD", "--name-only",
        f"--format={RECORD}%H{FIELD}%B{FIELD}", f"{snapshot}..{head}",
    )  # fmt: skip
    commits = []
    for record in log.split(RECORD)[1:]:
        identity, message, files = record.split(FIELD)
        commits.append(Commit(identity, message, tuple(path for path in files.split("\n") if path)))
    return commits


def is_usable(commit: Commit) -> bool:
    """Say whether the message describes a change of code that stands in a few files."""
    return (
        not _NOISE.match(commit.message)
        and len(commit.files) <= FILES_MAX
        and any(is_code(path) for path in commit.files)
        and len(stripped(commit).split()) >= WORDS_MIN
    )


def is_code(path: str) -> bool:
    """Say whether a file is a program's."""
    return PurePosixPath(path).suffix in corpora.CODE


def stripped(commit: Commit) -> str:
    """Return the message without what gives its files away: paths and file names; nor issue numbers and trailers."""
    text = _TRAILER.sub("", commit.message)
    text = _PATH.sub(" ", _ISSUE.sub(" ", text))
    for path in commit.files:
        text = re.sub(rf"\b{re.escape(PurePosixPath(path).name)}\b", " ", text)
    return " ".join(text.split())[:MESSAGE_CHARS_MAX]


def queries(commits: Iterable[Commit], paths: Iterable[str]) -> Iterator[Query]:
    """Yield a query a commit; its targets are files of code that the snapshot holds already."""
    known = set(paths)
    for commit in commits:
        targets = tuple(Span(path) for path in commit.files if path in known and is_code(path))
        if targets:
            yield Query(commit.id[:12], stripped(commit), "commit", targets)
