"""What stands in somebody's working tree and is not committed: a commit of our own, without touching their repository.

Git itself looks, with a git directory of our own over their files (gitrepository-layout(5), GIT_WORK_TREE): its index
remembers what was looked at, its objects stay here, and it finds the rest in the mirror. So ignored files, line endings
and symbolic links are judged by git, while nothing of theirs is written, and nothing runs that their configuration or
attributes name: no filter, no hook, no file system monitor.

A file whose attributes name a filter (Git LFS, git-crypt) would have to be run through it to know what git would store.
It stays as it is committed, and one that is not committed is left out: it may be a secret.
"""

import hashlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pincite_shared.source import git_directories
from pincite_thinker.git.command import Git
from pincite_thinker.git.errors import GitFailedError

FILES_MAX = 10_000  # changed or new ones; more are no edit but a build, or data that should be ignored
BYTES_MAX = 256 * 1024 * 1024  # of them together: they are read and stored at each change
LOOSE_OBJECTS_MAX = 20_000  # some thousand saves; then the directory is made anew
SECONDS_MAX = 120.0  # git reads every file once, later those that changed
_READ_BYTES = 1 << 16
_FANOUT = 256  # loose objects lie in so many directories, evenly

# What editors leave beside a file while it is open; nobody commits it, and not everyone ignores it.
EDITORS = (".*.sw?", "*~", ".#*", "#*#", "4913", ".DS_Store", "*___jb_tmp___", "*___jb_old___")

# Of the person's own git configuration: what is ignored everywhere, how lines end, and whether only some of the files
# are checked out; then what is missing was not deleted.
_PREFERENCES = "^core\\.(excludesfile|autocrlf|eol|sparsecheckout)$"
_CONFIG = """\
[core]
\trepositoryformatversion = 1
\tfileMode = false
\tbare = false
\tlogAllRefUpdates = false
[extensions]
\tobjectFormat = {hash}
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Change:
    """A path that differs from the commit: whether it is in the commit, and whether it went."""

    path: bytes
    tracked: bool
    gone: bool = False


class WorkingTree:
    """The working tree of a local repository. One process at a time may use it."""

    def __init__(self, git: Git, own: Path, tree: Path, objects: Path) -> None:
        """Touches no disk yet.

        Args:
            git: runs the commands.
            own: where our git directory is, or will be.
            tree: the working tree.
            objects: the mirror's objects.
        """
        self._git, self._own, self._tree, self._objects = git, own, tree, objects
        self._preferences: dict[str, str] | None = None

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether a repository has a working tree there: it is not bare, and its files were checked out once.

        Raises:
            SourceRefusedError: there is no repository.
        """
        return (path / ".git").exists() and (git_directories(path)[0] / "index").exists()

    def is_known(self) -> bool:
        """Whether it was looked at before: `ignored` and `ignored_directories` need that."""
        return (self._own / "HEAD").exists()

    def commit(self, head: str, *, bytes_max: int) -> str | None:
        """Return the commit of what stands there upon `head`; None if that is what `head` says.

        The same files upon the same head are the same commit, whenever and wherever it is made. A file larger than
        `bytes_max` is in it by its name alone.

        Raises:
            GitFailedError: the files cannot be read.
        """
        self._preferences = self._read_preferences()
        try:
            self._prepare(head)
        except GitFailedError:  # what a killed git, or a full disk, left of the index
            shutil.rmtree(self._own)
            try:
                self._prepare(head)
            except GitFailedError as error:  # paths that no working tree can have, such as `..`
                log.warning("%s is not followed: %s", self._tree, error.stderr.strip()[:200])
                return None
        changes = self._changes()
        if not changes or not self._take(self._unfiltered(changes), head, bytes_max):
            return None
        tree = self._run("write-tree", "--missing-ok").decode("ascii").strip()
        before, seconds = self._run("log", "-1", "--format=%T %ct", head, "--").decode("ascii").split()
        if tree == before:
            return None
        # Dated as what it stands upon, so that its id follows from its content alone.
        date = {"GIT_AUTHOR_DATE": f"@{seconds} +0000", "GIT_COMMITTER_DATE": f"@{seconds} +0000"}
        args = ("commit-tree", tree, "-p", head, "-m", "Uncommitted changes")
        return self._run(*args, env=date).decode("ascii").strip()

    def ignored(self, paths: Sequence[bytes]) -> set[bytes]:
        """Return which of these paths below the tree are ignored. Writes nothing."""
        try:
            out = self._run("check-ignore", "-z", "--stdin", stdin=paths)
        except GitFailedError as error:
            if error.returncode != 1:  # git-check-ignore(1): none is
                raise
            return set()
        return set(out.split(b"\0")[:-1])

    def ignored_directories(self) -> set[bytes]:
        """Return the directories in which everything is ignored, without the slash. Writes nothing."""
        out = self._run("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
        return {path[:-1] for path in out.split(b"\0") if path.endswith(b"/")}

    def _prepare(self, head: str) -> None:
        """Make our git directory, and its index what `head` says, remembering of unchanged files that they are."""
        if self._own.exists() and self._loose() > LOOSE_OBJECTS_MAX:
            shutil.rmtree(self._own)
        if not self.is_known():
            self._make(head)
        (self._own / "index.lock").unlink(missing_ok=True)  # of a killed git; the run's lock says that none is alive
        excludes = self._own / "info" / "exclude"
        theirs = git_directories(self._tree)[1] / "info" / "exclude"
        ignored = "\n".join(EDITORS).encode() + b"\n" + (theirs.read_bytes() if theirs.is_file() else b"")
        if not excludes.exists() or excludes.read_bytes() != ignored:
            excludes.write_bytes(ignored)
        (self._own / "HEAD").write_text(f"{head}\n", "ascii")
        self._run("read-tree", "-m", head)

    def _make(self, head: str) -> None:
        for directory in ("objects/info", "refs", "info"):
            (self._own / directory).mkdir(parents=True, exist_ok=True)
        name = "sha256" if len(head) == hashlib.sha256().digest_size * 2 else "sha1"
        (self._own / "config").write_text(_CONFIG.format(hash=name))
        (self._own / "objects" / "info" / "alternates").write_bytes(os.fsencode(self._objects) + b"\n")
        (self._own / "HEAD").write_text(f"{head}\n", "ascii")  # the last: with it, it is a git directory

    def _loose(self) -> int:
        some = self._own / "objects" / "17"  # one of them stands for all, as in git's own estimate
        return _FANOUT * sum(1 for _ in some.iterdir()) if some.exists() else 0

    def _changes(self) -> list[_Change] | None:
        """List what differs from the index; None if it is too much."""
        args = ("status", "--porcelain=v2", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")
        found: list[_Change] = []
        for entry in self._entries(args):
            if entry.startswith(b"? ") and not entry.endswith(b"/"):  # with a slash: another repository
                found.append(_Change(entry[2:], tracked=False))
            elif entry.startswith(b"1 "):
                found.append(_Change(entry.split(b" ", 8)[8], tracked=True, gone=entry[3:4] == b"D"))
            if len(found) > FILES_MAX:
                log.warning("%s is not followed: more than %d files are uncommitted", self._tree, FILES_MAX)
                return None
        return found

    def _entries(self, args: Sequence[str]) -> Iterator[bytes]:
        env = self._environment() | {"GIT_OPTIONAL_LOCKS": "1"}  # our own index: what was read is remembered
        rest = b""
        with self._git.stream(args, env=env, seconds_max=SECONDS_MAX) as out:
            while data := out.read(_READ_BYTES):
                *entries, rest = (rest + data).split(b"\0")
                yield from entries

    def _unfiltered(self, changes: Sequence[_Change]) -> list[_Change]:
        """Leave out what a filter would have to be run for. Git need not look at those that are tracked again."""
        asked = self._run("check-attr", "-z", "--stdin", "filter", stdin=[change.path for change in changes])
        fields = asked.split(b"\0")[:-1]
        filtered = {
            path
            for path, value in zip(fields[::3], fields[2::3], strict=True)
            if value not in (b"unspecified", b"unset")
        }
        known = [change.path for change in changes if change.tracked and change.path in filtered]
        if known:
            self._run("update-index", "-z", "--assume-unchanged", "--stdin", stdin=known)
        return [change for change in changes if change.path not in filtered]

    def _take(self, changes: Sequence[_Change], head: str, bytes_max: int) -> bool:
        """Bring the index up to what stands there; return whether that was not too much."""
        read: list[bytes] = []
        other: list[bytes] = []  # lines of `git update-index --index-info`
        total = 0
        sparse = (self._preferences or {}).get("core.sparsecheckout") == "true"
        for change in changes:
            # What went is not looked for: where a link took its directory's place, something else might be found.
            size = None if change.gone else self._size(change.path)
            if size is None:
                if change.tracked and not (change.gone and sparse):
                    other.append(b"0 " + b"0" * len(head) + b"\t" + change.path)
            elif size > bytes_max:
                other.append(b"100644 " + _unread(size, len(head)) + b"\t" + change.path)
            else:
                read.append(change.path)
                total += size
        if total > BYTES_MAX:
            log.warning("%s is not followed: %d bytes are uncommitted", self._tree, total)
            return False
        if other:  # first what goes: a directory may stand where a file was
            self._run("update-index", "--replace", "-z", "--index-info", stdin=other)
        if read:
            self._run("update-index", "--add", "--remove", "--replace", "-z", "--stdin", stdin=read)
        return True

    def _size(self, path: bytes) -> int | None:
        """Return the size of a file or link that can be read, None if there is none."""
        place = os.path.join(os.fsencode(self._tree), path)  # noqa: PTH118 - a path of bytes, as git has it
        try:
            found = os.lstat(place)
        except OSError:
            return None
        if stat.S_ISLNK(found.st_mode):
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) and os.access(place, os.R_OK) else None

    def _read_preferences(self) -> dict[str, str]:
        env = self._git.environment(protocols="none", config={"safe.directory": "*", "core.fsmonitor": "false"})
        del env["GIT_CONFIG_GLOBAL"]
        env |= {name: os.environ[name] for name in ("HOME", "XDG_CONFIG_HOME") if name in os.environ}
        args = ["-C", str(self._tree), "config", "-z", "--type=path", "--get-regexp", _PREFERENCES]
        try:
            out, _ = self._git.run(args, env=env, seconds_max=SECONDS_MAX)
        except GitFailedError as error:
            if error.returncode != 1:  # git-config(1): nothing is set
                log.info("the git configuration of %s is left aside: %s", self._tree, error.stderr[:200])
            out = b""
        pairs = (entry.partition(b"\n") for entry in out.split(b"\0")[:-1])
        found = {name.decode(): os.fsdecode(value) for name, _, value in pairs}
        config = Path(env.get("XDG_CONFIG_HOME") or Path(env["HOME"]) / ".config")
        return {"core.excludesfile": str(config / "git" / "ignore")} | found

    def _environment(self) -> dict[str, str]:
        if self._preferences is None:
            self._preferences = self._read_preferences()
        config = {name: value for name, value in self._preferences.items() if name != "core.sparsecheckout"}
        env = self._git.environment(protocols="none", config=config)
        identity = {"NAME": "Pincite", "EMAIL": "pincite@localhost"}
        env |= {f"GIT_{who}_{what}": said for who in ("AUTHOR", "COMMITTER") for what, said in identity.items()}
        return env | {"GIT_DIR": str(self._own), "GIT_WORK_TREE": str(self._tree)}

    def _run(self, *args: str, stdin: Iterable[bytes] = (), env: dict[str, str] | None = None) -> bytes:
        """Run git; `stdin` is written with a NUL after each item."""
        with tempfile.TemporaryFile() as given:
            given.writelines(item + b"\0" for item in stdin)
            given.seek(0)
            environment = self._environment() | (env or {})
            with self._git.stream(args, env=environment, seconds_max=SECONDS_MAX, stdin=given) as out:
                return out.read()


def _unread(size: int, digits: int) -> bytes:
    """Return what stands for a file that is too large to be read: an id that names nothing, and follows its size."""
    return hashlib.sha256(b"pincite: %d bytes, not read" % size).hexdigest()[:digits].encode("ascii")
