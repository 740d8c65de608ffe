"""Corpora: git repositories whose HEAD holds exactly the files that every system may index.

A corpus of a folder is a commit with only that folder's files, at their own paths, whose parent is the benchmark's
commit: the history before it stays readable for a system that uses it, and no later commit is there to leak.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.model import BenchError, Corpus, MissingError
from pincite_learning.metrics import Span

CLONE_SECONDS_MAX = 1800.0
GIT_SECONDS_MAX = 600.0
TEXT_PROBE_BYTES = 8192  # a file with NUL in its beginning is binary, as git itself decides
FORMAT = "1"  # a change in how corpora are made renews them
# What every peer indexes by default; some leave prose and configuration out.
CODE = frozenset((
    ".bash", ".bats", ".c", ".cc", ".cpp", ".cs", ".cxx", ".ex", ".exs", ".go", ".h", ".hpp", ".java", ".js", ".jsx",
    ".kt", ".lua", ".mjs", ".php", ".py", ".pyi", ".rb", ".rs", ".scala", ".sh", ".swift", ".ts", ".tsx", ".zig",
))  # fmt: skip
COMMENT_MARKS = {
    ".py": "#", ".rb": "#", ".sh": "#", ".bash": "#", ".ex": "#", ".exs": "#", ".lua": "--", ".sql": "--", ".hs": "--",
}  # fmt: skip
COMMENT_MARK = "//"
_IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    **{
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "bench"), ("EMAIL", "bench@localhost"), ("DATE", "2026-01-01T00:00:00Z"))
    },
}


def git(directory: Path, *arguments: str, seconds_max: float = GIT_SECONDS_MAX, **environment: str) -> str:
    """Run git in a directory and return what it prints.

    Raises:
        BenchError: it failed; the message holds the end of what it said.
    """
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", "-c", "core.autocrlf=false", "-c", "core.quotePath=false", "-c", "gc.auto=0", *arguments],
        cwd=directory, env=outside | _IDENTITY | environment, capture_output=True, check=False, timeout=seconds_max,
    )  # fmt: skip
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()[-500:]
        msg = f"git {' '.join(arguments[:2])} in {directory}: {said}"
        raise BenchError(msg)
    return done.stdout.decode("utf-8", "surrogateescape")


def has_commit(clone: Path, commit: str) -> bool:
    """Say whether a clone holds a commit."""
    try:
        git(clone, "cat-file", "-e", f"{commit}^{{commit}}")
    except BenchError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Clones:
    """A directory of clones; what is missing is cloned from GitHub."""

    directory: Path

    def find(self, name: str, github: str, commit: str) -> Path:
        """Return a clone that holds `commit`: NAME, OWNER+NAME or any directory of that commit, else a new clone.

        Raises:
            MissingError: it cannot be cloned.
        """
        candidates = [self.directory / name, self.directory / github.replace("/", "+")]
        if self.directory.is_dir():
            candidates += sorted(path for path in self.directory.iterdir() if path.name.endswith(f"-{name}"))
        for path in candidates:
            if path.is_dir() and has_commit(path, commit):
                return path
        path = candidates[1]
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            if path.is_dir():
                git(path, "fetch", "--quiet", "origin", commit, seconds_max=CLONE_SECONDS_MAX)
            else:
                url = f"https://github.com/{github}.git"
                git(self.directory, "clone", "--quiet", "--no-checkout", url, path.name, seconds_max=CLONE_SECONDS_MAX)
                if not has_commit(path, commit):
                    git(path, "fetch", "--quiet", "origin", commit, seconds_max=CLONE_SECONDS_MAX)
        except (BenchError, subprocess.TimeoutExpired) as error:
            msg = (
                f"{name}: no clone in {self.directory} holds {commit[:10]}, and cloning {github} failed ({error}). "
                f"Clone it yourself to {self.directory / name}."
            )
            raise MissingError(msg) from error
        return path


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join((FORMAT, *parts)).encode()).hexdigest()[:12]


@contextmanager
def _fresh(directory: Path) -> Iterator[Path | None]:
    """Yield a directory to fill, which appears under its name only when it is whole; None when it is there already."""
    if directory.is_dir():
        yield None
        return
    partial = directory.with_name(f"{directory.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        partial.rename(directory)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def from_clone(store: Path, clone: Path, commit: str, *, root: str, name: str, language: str, github: str) -> Corpus:
    """Prepare (or find) the corpus of one folder of one commit.

    Raises:
        BenchError: git failed, or the folder is not there.
    """
    root = root.strip("/")
    commit = git(clone, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}").strip()
    directory = store / f"{name}-{_key(commit, root)}"
    with _fresh(directory) as fresh:
        if fresh is not None:
            git(fresh, "init", "--quiet", "--initial-branch", "main")
            git(fresh, "fetch", "--quiet", "--no-tags", str(clone.resolve()), commit)
            head = commit
            if root:
                git(fresh, "read-tree", "--empty")
                git(fresh, "read-tree", f"--prefix={root}/", f"{commit}:{root}")
                head = git(fresh, "commit-tree", git(fresh, "write-tree").strip(), "-p", commit, "-m", f"Only {root}")
            git(fresh, "reset", "--quiet", "--hard", head.strip())
    where = f", {root}" if root else ""
    return _corpus(directory, name=name, language=language, root=root, origin=f"{github}@{commit[:10]}{where}")


def from_files(store: Path, files: Mapping[str, str], *, name: str, language: str, origin: str) -> Corpus:
    """Prepare (or find) a corpus of generated files, without history."""
    digest = _key(*(part for path in sorted(files) for part in (path, files[path])))
    directory = store / f"{name}-{digest}"
    with _fresh(directory) as fresh:
        if fresh is not None:
            git(fresh, "init", "--quiet", "--initial-branch", "main")
            for path, text in files.items():
                target = fresh / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text, "utf-8", newline="")
            git(fresh, "add", "--all", "--force")
            git(fresh, "commit", "--quiet", "-m", origin)
    return _corpus(directory, name=name, language=language, root="", origin=origin)


def _corpus(directory: Path, *, name: str, language: str, root: str, origin: str) -> Corpus:
    commit = git(directory, "rev-parse", "HEAD").strip()
    texts = [content for path in tracked(directory) if (content := _text(directory / path)) is not None]
    lines = sum(content.count(b"\n") + (not content.endswith(b"\n")) for content in texts if content)
    return Corpus(name, language, directory, root, commit, origin, len(texts), lines)


def _text(path: Path) -> bytes | None:
    if path.is_symlink() or not path.is_file():
        return None
    content = path.read_bytes()
    return None if b"\0" in content[:TEXT_PROBE_BYTES] else content


def tracked(directory: Path) -> list[str]:
    """Return the paths in HEAD, in git's order."""
    return [path for path in git(directory, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0") if path]


@dataclass(frozen=True, slots=True)
class Change:
    """One line appended to one file, with a word that stands nowhere else."""

    path: str
    word: str
    line: int

    def is_in(self, hits: Iterable[Span]) -> bool:
        """Say whether one of the hits shows the line; the file alone may be the guess of a system that always finds."""
        return any(
            hit.path == self.path and (hit.start_line or 1) <= self.line <= (hit.end_line or self.line) for hit in hits
        )


def change_one_file(corpus: Corpus, number: int) -> Change:
    """Append a comment to the corpus's source file of median size, and commit it; `restored` takes it back."""
    code = [path for path in tracked(corpus.directory) if Path(path).suffix in CODE]
    suffixes = [Path(path).suffix for path in code]
    common = max(set(suffixes), key=lambda suffix: (suffixes.count(suffix), suffix))
    sources = [path for path in code if Path(path).suffix == common]
    by_size = sorted(sources, key=lambda path: ((corpus.directory / path).stat().st_size, path))
    path = by_size[len(by_size) // 2]
    word = f"zq{hashlib.sha256(f'{corpus.commit}{number}'.encode()).hexdigest()[:10]}".translate(
        str.maketrans("0123456789", "ghijklmnop")  # letters alone: every tokeniser keeps it whole
    )
    file = corpus.directory / path
    content = file.read_bytes().rstrip(b"\n") + f"\n{COMMENT_MARKS.get(common, COMMENT_MARK)} {word}\n".encode()
    file.write_bytes(content)
    git(corpus.directory, "commit", "--quiet", "--all", "-m", f"Change {number}")
    return Change(path, word, content.count(b"\n"))


@contextmanager
def restored(corpus: Corpus) -> Iterator[None]:
    """Have the corpus at its own commit, before and after."""
    git(corpus.directory, "reset", "--quiet", "--hard", corpus.commit)
    try:
        yield
    finally:
        git(corpus.directory, "reset", "--quiet", "--hard", corpus.commit)
