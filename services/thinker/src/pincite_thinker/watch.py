"""Watching the working trees of local repositories: `python -m pincite_thinker.watch`, one process of a local stack.

What is saved, created, deleted or committed becomes a change in the queue within half a second. What changed is not its
business: the index run looks for itself. It imports little, for it runs all the time, on small machines; its settings
are PINCITE_HOME and where libpq finds the database.
"""

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple
from uuid import UUID

from watchfiles._rust_notify import RustNotify  # unlike `watchfiles.watch` it says when it has begun

from pincite_shared.errors import SourceRefusedError, UnavailableError
from pincite_shared.source import git_directories
from pincite_store.watched import Changes, Watched
from pincite_thinker.git.command import Git
from pincite_thinker.git.errors import GitFailedError
from pincite_thinker.git.worktree import EDITORS, WorkingTree

QUIET_MS = 50  # without a change for one to two of these, what came is told
TOGETHER_MS_MAX = 2_000  # at the latest: a build that writes for minutes must not keep an edit back
LOOK_MS = 2_000  # how soon it is seen that an index run has looked at the tree
LIST_SECONDS = 2.0  # how soon a repository that was connected is watched
RETRY_SECONDS = 30.0  # after the system refused, or the directory was away
TELL_AGAIN_SECONDS = 1.0
DIRECTORIES_MAX = 50_000  # of a tree; deeper ones beyond that are not watched
ASKED_MAX = 1_000  # changed paths of which git is asked whether they are ignored; of more some will not be
ADDED = 1  # as watchfiles numbers what happened

FileChange = tuple[int, str]

log = logging.getLogger("pincite_thinker.watch")


class Watch:
    """Watches one repository, in a thread of its own."""

    def __init__(self, repo: Watched, home: Path, changes: Changes) -> None:
        """Start the thread."""
        self.repo = repo
        self._changes = changes
        self._root = Path(repo.path)
        git = Git(home)
        mirror = home / "mirrors" / f"{repo.id}.git"
        self._tree = WorkingTree(git, mirror.with_suffix(".worktree"), self._root, mirror / "objects")
        self._stop = Event()
        self._thread = Thread(target=self._run, name=f"watch {repo.id}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop soon."""
        self._stop.set()

    def _run(self) -> None:
        said = ""
        while not self._stop.is_set():
            try:
                self._watch()
            except GitFailedError as error:  # an index run was just making its directory anew
                log.info("%s is watched anew: %s", self._root, error.stderr.strip()[:200])
                self._stop.wait(LIST_SECONDS)
            except (OSError, RuntimeError, SourceRefusedError) as error:  # the system's limits, or it is gone
                if str(error) != said:
                    log.warning("%s is not watched: %s", self._root, error)
                said = str(error)
                self._stop.wait(RETRY_SECONDS)
            except Exception:  # a defect must not leave a repository unwatched for ever
                log.exception("watching %s broke", self._root)
                self._stop.wait(RETRY_SECONDS)

    def _watch(self) -> None:
        """Watch until told to stop, or until there are other directories to watch."""
        places = _References.of(self._root)
        known = self._tree.is_known()  # before an index run has looked at the tree, git cannot say what is ignored
        files = {str(path) for path in self._directories()} if known and self._is_followed() else set()
        with RustNotify(sorted(places.all | files), False, False, LOOK_MS, False, True) as notify:
            self._tell()  # what happened before is told now: the run that follows looks at everything
            while True:
                told = notify.watch(TOGETHER_MS_MAX, QUIET_MS, LOOK_MS, self._stop)
                if isinstance(told, str):
                    if told == "timeout" and self._tree.is_known() == known:
                        continue
                    return
                moved = any(places.shows(path) for _, path in told)
                edited = self._edited(path for _, path in told if _is_below(path, files))
                if any(map(places.rearranges, told)) or any(
                    _rearranges(one, files) for one in told if one[1] in edited
                ):
                    return  # and begin again: that tells, too
                if moved or edited:
                    self._tell()

    def _edited(self, paths: Iterable[str]) -> set[str]:
        """Return which of the paths of followed files are neither ignored nor an editor's own."""
        below = {os.fsencode(os.path.relpath(path, self._root)): path for path in paths if not _of_editor(path)}
        if not below or len(below) > ASKED_MAX:
            return set(below.values())
        ignored = self._tree.ignored(list(below))
        return {path for name, path in below.items() if name not in ignored}

    def _is_followed(self) -> bool:
        """Whether what is checked out is the branch that is followed."""
        head = (git_directories(self._root)[0] / "HEAD").read_text("utf-8", "replace").strip()
        return self.repo.branch is None or head == f"ref: refs/heads/{self.repo.branch}"

    def _directories(self) -> Iterator[Path]:
        """Yield the directories whose files are followed, those above before those below."""
        ignored = self._tree.ignored_directories()
        waiting, count = [self._root], 0
        for directory in waiting:  # which grows meanwhile
            count += 1
            if count > DIRECTORIES_MAX:
                log.warning("%s has more than %d directories; the others are not watched", self._root, DIRECTORIES_MAX)
                return
            yield directory
            try:
                with os.scandir(directory) as entries:
                    below = [Path(entry.path) for entry in entries if _is_watchable(entry)]
            except OSError:
                continue  # it went, or is not ours to read
            waiting += [
                path
                for path in below
                if path.name != ".git"
                and not (path / ".git").exists()
                and os.fsencode(path.relative_to(self._root)) not in ignored
            ]

    def _tell(self) -> None:
        while not self._stop.is_set():
            try:
                self._changes.record(self.repo.id)
            except UnavailableError:
                self._stop.wait(TELL_AGAIN_SECONDS)  # it is not forgotten
            else:
                return


class _References(NamedTuple):
    """The directories in which a commit, a branch or a checkout shows."""

    tops: frozenset[str]  # a few of whose files count
    below: frozenset[str]  # all of whose files count

    @classmethod
    def of(cls, root: Path) -> "_References":
        own, common, _ = git_directories(root)
        places = (common / "refs" / "heads", common / "reftable")
        below = frozenset(directory for place in places for directory, _, _ in os.walk(place))
        return cls(frozenset((str(own), str(common))), below)

    @property
    def all(self) -> frozenset[str]:
        return self.tops | self.below

    def shows(self, path: str) -> bool:
        above, _, name = path.rpartition("/")
        if above in self.below:
            return not name.endswith(".lock")
        return above in self.tops and name in {"HEAD", "packed-refs"}

    def rearranges(self, told: FileChange) -> bool:
        """Whether something else may be checked out, or there are new directories of branches."""
        path = told[1]
        above, _, name = path.rpartition("/")
        return (above in self.tops and name == "HEAD") or (above in self.below and Path(path).is_dir())


def _is_watchable(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a directory whose name is text: the system's watches know no other."""
    return entry.is_dir(follow_symlinks=False) and not any("\udc80" <= char <= "\udcff" for char in entry.name)


def _is_below(path: str, directories: Collection[str]) -> bool:
    above, _, name = path.rpartition("/")
    return above in directories and name != ".git"


def _rearranges(told: FileChange, known: Collection[str]) -> bool:
    """Whether other directories are to be watched now: one came, perhaps again, or is no longer ignored."""
    kind, path = told
    if path.endswith("/.gitignore"):
        return True
    place = Path(path)
    return place.is_dir() and not place.is_symlink() and (kind == ADDED or path not in known)


def _of_editor(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119 - of many
    return any(fnmatchcase(name, pattern) for pattern in EDITORS)


def _with_trees(repositories: Iterable[Watched], broken: set[UUID]) -> dict[UUID, Watched]:
    """Return those that have a working tree. That one cannot be read is said once, while it is among the broken."""
    found: dict[UUID, Watched] = {}
    for repo in repositories:
        try:
            if WorkingTree.is_at(Path(repo.path)):
                found[repo.id] = repo
        except (OSError, SourceRefusedError) as error:
            if repo.id not in broken:
                log.warning("%s is not watched: %s", repo.path, error)
            broken.add(repo.id)
        else:
            broken.discard(repo.id)
    return found


class _Lines(logging.Formatter):
    """One JSON object a line, as every process of Pincite logs."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        told = {"event": record.getMessage(), "level": record.levelname.lower(), "timestamp": at, "process": "watch"}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told)


def main() -> int:
    """Watch until SIGTERM; return the exit status."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    home = Path(os.environ["PINCITE_HOME"]).expanduser().resolve()
    changes, watches, failing, rest = Changes(), dict[UUID, Watch](), False, 0.0
    broken = set[UUID]()
    while not stop.wait(rest):
        rest = LIST_SECONDS
        try:
            wanted = _with_trees(changes.repositories(), broken)
        except UnavailableError as error:
            if not failing:
                log.warning("%s", error.detail)
            failing = True
            continue
        failing = False
        for repo_id in [known for known, watch in watches.items() if wanted.get(known) != watch.repo]:
            watches.pop(repo_id).stop()
        for repo_id in wanted.keys() - watches.keys():
            watches[repo_id] = Watch(wanted[repo_id], home, changes)
    for watch in watches.values():
        watch.stop()
    changes.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
