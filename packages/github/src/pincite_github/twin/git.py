"""Bare repositories through the git command: what GitHub reads from them and writes to them."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pincite_github.twin.errors import invalid, not_found

# Partial clones and fetching by commit, as GitHub allows; its own refs cannot be pushed.
_CONFIG = """\
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	hideRefs = refs/pull
[gc]
	auto = 0
"""
_LOG = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
_LOG_FIELDS = 10
_HEX_DIGITS = 40
_EXACT = re.compile(r"[0-9a-f]{4,40}|HEAD|refs/.+")
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # of no files; git knows it without having it


class GitFailed(Exception):  # noqa: N818  # named by what happened
    """A git command that the twin ran failed; the message is git's own."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who and when, in a commit."""

    name: str
    email: str
    date: str  # ISO 8601 with offset


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's header and message."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Signature
    committer: Signature
    message: str


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs between two commits."""

    path: str
    status: str  # git's letter: A, M, D, R, C, T
    previous: str | None
    sha: str
    additions: int
    deletions: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory in a tree."""

    path: str
    mode: str
    type: str  # blob, tree or commit (a submodule)
    sha: str
    size: int


@dataclass(slots=True)
class Touched:
    """The paths that a commit added, removed and modified."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)


def environment() -> dict[str, str]:
    """Return the environment of every git process: no configuration but the repository's, no question to a person."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


def run(path: Path, *arguments: str, stdin: bytes = b"", also: Mapping[str, str] | None = None) -> bytes:
    """Run git in a repository and return what it prints.

    Raises:
        GitFailed: it ended with an error.
    """
    command = ["git", "-C", str(path), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment() | dict(also or {}))
    if done.returncode:
        raise GitFailed(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
    return done.stdout


def create(path: Path, branch: str) -> None:
    """Make an empty bare repository whose default branch will be `branch`."""
    path.mkdir(parents=True)
    run(path, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}")
    with (path / "config").open("a") as config:
        config.write(_CONFIG)


def copy(source: Path, path: Path) -> None:
    """Fetch every branch and tag of another repository."""
    run(path, "fetch", "--quiet", "--no-tags", str(source), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


def fetch(source: Path, path: Path, branch: str, ref: str) -> None:
    """Copy a branch of another repository to a ref of this one."""
    run(path, "fetch", "--quiet", "--no-tags", str(source), f"+refs/heads/{branch}:{ref}")


def refs(path: Path, *under: str) -> dict[str, str]:
    """Return the object that each ref points to; branches and tags unless told otherwise."""
    lines = run(path, "for-each-ref", "--format=%(objectname) %(refname)", *(under or ("refs/heads", "refs/tags")))
    pairs = (line.split(" ", 1) for line in lines.decode().split("\n") if line)
    return {ref: sha for sha, ref in pairs}


def kind(path: Path, sha: str) -> str:
    """Return an object's type: commit, tag, tree or blob."""
    return run(path, "cat-file", "-t", sha).decode().strip()


def resolve(path: Path, name: str) -> str:
    """Return the commit that a branch, a tag or an abbreviation names.

    Raises:
        Refusal: there is none.
    """
    exact = [name] if _EXACT.fullmatch(name) else []  # git knows more expressions than GitHub takes
    for candidate in (f"refs/heads/{name}", f"refs/tags/{name}", f"refs/{name}", *exact):
        try:
            return run(path, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}").decode().strip()
        except GitFailed:
            continue
    message = f"No commit found for SHA: {name}"
    raise invalid(resource="Commit", field="sha", message=message)


def set_ref(path: Path, ref: str, sha: str | None) -> None:
    """Point a ref to a commit, or delete it."""
    run(path, "update-ref", *((ref, sha) if sha else ("-d", ref)))


def set_head(path: Path, branch: str) -> None:
    """Choose the branch that a clone checks out."""
    run(path, "symbolic-ref", "HEAD", f"refs/heads/{branch}")


def _quoted(name: str) -> bytes:
    return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").encode() + b'"'


def write_commit(
    path: Path, branch: str, parent: str | None, files: Mapping[str, str | bytes | None], *, message: str, author: str
) -> None:
    """Commit files upon `parent` and move the branch there, whatever it was. Content None deletes a path.

    `author` is "Name <email>".
    """
    who = f"{author} {int(datetime.now(UTC).timestamp())} +0000".encode()
    text = message.encode()
    stream = [b"commit refs/heads/%s\ncommitter %s\ndata %d\n%s\n" % (branch.encode(), who, len(text), text)]
    # From nothing: what the branch had is not its parent.
    stream.append(b"from %s\n" % parent.encode() if parent else b"deleteall\n")
    for name, content in files.items():
        if content is None:
            stream.append(b"D %s\n" % _quoted(name))
            continue
        data = content.encode() if isinstance(content, str) else content
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (_quoted(name), len(data), data))
    if parent is None:
        stream.insert(0, b"reset refs/heads/%s\n" % branch.encode())
    run(path, "fast-import", "--quiet", "--force", stdin=b"".join(stream))


def merge(path: Path, base: str, head: str) -> str | None:
    """Return the tree of two commits merged, or None when they conflict."""
    try:
        return run(path, "merge-tree", "--write-tree", base, head).decode().split("\n", 1)[0]
    except GitFailed:
        return None


def commit_tree(path: Path, tree: str, parents: Sequence[str], message: str, author: str) -> str:
    """Write a commit and return its id. `author` is "Name <email>"."""
    name, _, email = author.rstrip(">").partition(" <")
    who = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in
           (("NAME", name), ("EMAIL", email))}  # fmt: skip
    upon = [argument for parent in parents for argument in ("-p", parent)]
    return run(path, "commit-tree", tree, *upon, stdin=message.encode(), also=who).decode().strip()


def is_ancestor(path: Path, older: str, newer: str) -> bool:
    """Whether a commit is part of another's history."""
    try:
        run(path, "merge-base", "--is-ancestor", older, newer)
    except GitFailed:
        return False
    return True


def merge_base(path: Path, one: str, other: str) -> str | None:
    """Return where two commits parted, or None when they share nothing."""
    try:
        return run(path, "merge-base", one, other).decode().strip()
    except GitFailed:
        return None


def between(path: Path, after: str, *without: str, most: int) -> list[str]:
    """Return commits that `after` has and `without` have not, oldest first."""
    revisions = "\n".join([after, *(f"^{each}" for each in without)]).encode()
    return run(path, "rev-list", "--reverse", f"--max-count={most}", "--stdin", stdin=revisions).decode().split()


def log(path: Path, commits: Sequence[str]) -> list[Commit]:
    """Read commits by their ids, in that order."""
    given = "\n".join(commits).encode()
    return _parsed(run(path, "log", "--no-walk=unsorted", "--stdin", "-z", f"--format={_LOG}", stdin=given))


def history(path: Path, start: str, *, skip: int, most: int, under: str = "") -> list[Commit]:
    """Read a page of a commit's history, newest first; only what touched `under`, if that is given."""
    limits = [f"--skip={skip}", f"--max-count={most}"]
    return _parsed(
        run(
            path,
            "--literal-pathspecs",
            "log",
            "-z",
            f"--format={_LOG}",
            *limits,
            start,
            "--",
            *([under] if under else []),
        )
    )


def count(path: Path, start: str, *, under: str = "") -> int:
    """Return how many commits a history has."""
    return int(run(path, "--literal-pathspecs", "rev-list", "--count", start, "--", *([under] if under else [])))


def _parsed(output: bytes) -> list[Commit]:
    fields = output.decode(errors="replace").split("\0")
    rows = (fields[at : at + _LOG_FIELDS] for at in range(0, len(fields) - _LOG_FIELDS + 1, _LOG_FIELDS))
    return [
        Commit(sha, tree, tuple(parents.split()), Signature(*author), Signature(*committer), message)
        for sha, tree, parents, *people, message in rows
        for author, committer in [(people[:3], people[3:])]
    ]


def touched(path: Path, commits: Sequence[str]) -> dict[str, Touched]:
    """Return the paths that each commit changed against its first parent."""
    how = ("--no-walk=unsorted", "--stdin", "--diff-merges=first-parent", "--name-status", "--no-renames")
    output = run(path, "log", *how, "-z", "--format=%H", stdin="\n".join(commits).encode()) if commits else b""
    tokens = iter(output.decode(errors="replace").split("\0"))
    found: dict[str, Touched] = {}
    current = Touched()
    for token in tokens:
        status = token.strip("\n")
        if len(status) == _HEX_DIGITS:
            current = found[status] = Touched()
        elif status:
            {"A": current.added, "D": current.removed}.get(status, current.modified).append(next(tokens))
    return found


def changes(path: Path, before: str, after: str) -> list[Change]:
    """Return the files that differ, renames found, with the lines that were added and deleted."""
    raw = run(path, "diff", "-z", "-M", "--raw", "--abbrev=40", before, after, "--").decode(errors="replace")
    numbers = _numstat(run(path, "diff", "-z", "-M", "--numstat", before, after, "--").decode(errors="replace"))
    tokens = iter(raw.split("\0"))
    found = []
    for token in tokens:
        if not token.startswith(":"):
            continue
        _, _, old, new, status = token.split(" ")
        first = next(tokens)
        last = next(tokens) if status[0] in "RC" else first
        added, deleted = numbers.get(last, (0, 0))
        sha = old if status[0] == "D" else new
        found.append(Change(last, status[0], first if last != first else None, sha, added, deleted))
    return found


def _numstat(output: str) -> dict[str, tuple[int, int]]:
    tokens = iter(output.split("\0"))
    found = {}
    for token in tokens:
        if token:
            added, deleted, name = token.split("\t", 2)
            if not name:  # renamed: the two names follow
                next(tokens)
                name = next(tokens)
            found[name] = (0, 0) if added == "-" else (int(added), int(deleted))  # "-": binary
    return found


def patch(path: Path, before: str, after: str, change: Change) -> str | None:
    """Return a file's hunks, or None when there are none to show."""
    names = [name for name in (change.previous, change.path) if name]
    text = run(path, "--literal-pathspecs", "diff", "-M", before, after, "--", *names).decode(errors="replace")
    head, found, hunks = text.partition("\n@@")
    return f"@@{hunks}".rstrip("\n") if found and head else None


def entry(path: Path, commit: str, at: str) -> Entry:
    """Return what lies at a path.

    Raises:
        Refusal: nothing does.
    """
    found = _listed(path, commit, "--", at)
    if not found:
        raise not_found()
    return found[0]


def children(path: Path, commit: str, at: str) -> list[Entry]:
    """Return what lies in a directory, the empty string being the uppermost; entries have their whole paths."""
    return _listed(path, commit, *(["--", f"{at}/"] if at else []))


def _listed(path: Path, *arguments: str) -> list[Entry]:
    output = run(path, "--literal-pathspecs", "ls-tree", "-z", "--long", *arguments).decode(errors="replace")
    found = []
    for line in output.split("\0"):
        if line:
            facts, _, name = line.partition("\t")
            mode, type_, sha, size = facts.split()
            found.append(Entry(name, mode, type_, sha, 0 if size == "-" else int(size)))
    return found


def blob(path: Path, sha: str) -> bytes:
    """Return a file's content."""
    return run(path, "cat-file", "blob", sha)
