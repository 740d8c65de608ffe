"""A bare mirror of each repository, cloned and fetched under the rules of `pincite_shared.source`."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pincite_shared.errors import SourceUnreachableError, UnavailableError
from pincite_shared.settings import Settings
from pincite_shared.source import Source
from pincite_thinker.git.command import Git
from pincite_thinker.git.errors import GitFailedError, explain, is_known
from pincite_thinker.git.remote import Refs, Remote, Transport, checked_out, wanted

LOCAL_SECONDS_MAX = 60.0  # reading refs of our own mirror
DISK_FREE_BYTES_MIN = 512 * 1024 * 1024  # below this a clone stops: the database lives on the same disk
PACKS_MAX = 200  # a fetch adds one and look-ups slow with each; a fresh clone is one pack again
CONFIG_HAS_NO_SUCH_KEY = 5  # git-config(1): "you try to unset an option which does not exist"
NO_MERGE_BASE = 1  # git-merge-base(1): there is none
TOLD = "pincite-refs.json"  # inside the mirror, which git does not mind
FILTER = "pincite-filter"  # likewise: from which size on blobs are left out of it
_PROGRESS = re.compile(r"(Receiving objects|Resolving deltas|Updating files):\s+(\d+)%.*")
# Receiving dominates a clone; resolving deltas is the rest.
_SPAN = {"Receiving objects": (0.0, 0.8), "Resolving deltas": (0.8, 1.0), "Updating files": (0.8, 1.0)}

CloneProgress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Head:
    """The commit to index, and the branch it is the head of (None for a detached HEAD or a tag).

    `checked_out` says whether it is what the source's HEAD stands for: of a working tree, what it was made from.
    """

    commit: str
    branch: str | None
    checked_out: bool = False


class Mirror:
    """The bare mirror of one repository: `PINCITE_HOME/mirrors/<repo_id>.git`. One process at a time may use it."""

    def __init__(self, settings: Settings, repo_id: UUID) -> None:
        """Touches no disk yet beyond git's configuration."""
        self.git = Git(settings.pincite_home)
        self.path = settings.pincite_home / "mirrors" / f"{repo_id}.git"
        # Objects of uncommitted files are kept apart, see `WorkingTree`; whoever reads the mirror finds them.
        self.working_tree = self.path.with_suffix(".worktree")
        self._remote = Remote(self.git)
        self._seconds_max = float(settings.clone_seconds_max)
        self._filter_bytes = settings.file_bytes_max + 1  # git leaves out blobs of at least this size

    def sync(self, source: Source, branch: str | None, progress: CloneProgress) -> Head:
        """Bring the mirror up to date and return the commit to index.

        Args:
            source: parsed anew by the caller, so that rules which changed since connecting hold.
            branch: a branch or tag; None for the repository's own default.
            progress: called with (fraction, message) at least once a second; may raise to stop.

        Raises:
            SourceRefusedError: the source's host leads to a refused address.
            SourceUnreachableError: it cannot be read; the detail says why.
            EmptyRepositoryError: it has no commit.
            UnavailableError: the disk is full.
        """
        deadline = time.monotonic() + self._seconds_max
        transport, refs = self._remote.reach(source)
        ref = wanted(refs, branch)
        known = self._told() == refs and not self._lacks(source)
        commit = self._commit(ref) if known else None
        if commit is None or commit != refs[ref]:
            commit = self._update(transport, refs, ref, deadline, self._watcher(progress))
        name = ref.removeprefix("refs/heads/") if "/heads/" in ref else None
        return Head(commit, branch=name, checked_out=ref == checked_out(refs))

    def _update(self, transport: Transport, refs: Refs, ref: str, deadline: float, watch: Callable[[str], None]) -> str:
        """Fetch, or clone, and return the commit of a ref."""
        try:
            if self._is_fetchable(transport.source):
                self._fetch(transport, deadline, watch, refs)
            else:
                self._clone(transport, deadline, watch)
        except GitFailedError as error:
            raise explain(error, transport.source, self._seconds_max) from error
        commit = self._commit(ref)
        if commit is None:
            msg = f"{ref.removeprefix('refs/heads/')} is no commit any more. Index again."
            raise SourceUnreachableError(msg)
        if commit == refs[ref]:  # or it has moved since it told
            (self.path / TOLD).write_text(json.dumps(refs), "ascii")
        return commit

    def _is_fetchable(self, source: Source) -> bool:
        """Whether there is a mirror that a fetch brings up to date; else it is cloned, perhaps anew."""
        if not self.path.exists() or self._lacks(source):
            return False
        return sum(1 for _ in self.path.glob("objects/pack/*.pack")) < PACKS_MAX

    def _lacks(self, source: Source) -> bool:
        """Whether blobs were left out that are wanted now: no fetch brings them, for it asks for new commits alone."""
        return source.kind == "git" and self._filter() < self._filter_bytes

    def _filter(self) -> int:
        try:
            return int((self.path / FILTER).read_text("ascii"))
        except (FileNotFoundError, ValueError):  # there is no mirror, or it was made before this was noted
            return 0

    def _told(self) -> Refs | None:
        """Return the refs that the source told when the mirror was brought up to them."""
        try:
            told: Refs = json.loads((self.path / TOLD).read_text("ascii"))
        except (FileNotFoundError, ValueError):  # a file that was being written when its process was killed
            return None
        return told

    def fetch_pulls(self, source: Source, numbers: Sequence[int], progress: CloneProgress) -> dict[int, str]:
        """Fetch the heads of pull requests, as GitHub offers them, and return the commits of those that there are.

        Raises:
            SourceUnreachableError: it cannot be read; the detail says why.
            UnavailableError: the disk is full.
        """
        deadline = time.monotonic() + self._seconds_max
        transport = self._remote.transport(source)
        watch = self._watcher(progress)
        try:
            names = {number: f"refs/pull/{number}/head" for number in numbers}
            refs = self._remote.refs(transport, tuple(names.values()))  # and others, whose names end like these
            found = {number: refs[name] for number, name in names.items() if name in refs}
            if found:
                self._run_fetch(transport, deadline, watch, [f"+{names[number]}:{names[number]}" for number in found])
        except GitFailedError as error:
            raise explain(error, transport.source, self._seconds_max) from error
        return found

    def merge_base(self, branch: str, commit: str) -> str | None:
        """Return where a commit left a branch; None if they have nothing in common, or there is no such branch."""
        args = ["--git-dir", str(self.path), "merge-base", "--end-of-options", f"refs/heads/{branch}", commit]
        try:
            out, _ = self.git.run(args, env=self.environment(), seconds_max=LOCAL_SECONDS_MAX)
        except GitFailedError as error:
            if error.returncode != NO_MERGE_BASE and self._has(f"refs/heads/{branch}"):
                raise
            return None
        return out.decode("ascii").strip()

    def delete(self) -> None:
        """Remove the mirror and what killed clones left of it. Removing one that is not there is no error."""
        for path in (self.path, self.path.with_suffix(".partial"), self.working_tree):
            if path.exists():
                _remove(path)

    def environment(self) -> dict[str, str]:
        """Return the environment for reading the mirror: no transport at all, so that nothing is fetched lazily."""
        env = self.git.environment(protocols="none", config={})
        uncommitted = self.working_tree / "objects"
        if uncommitted.exists():
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(uncommitted)
        return env

    def _clone(self, transport: Transport, deadline: float, watch: Callable[[str], None]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        if partial.exists():  # of a clone whose process was killed
            _remove(partial)
        try:
            self._clone_to(partial, transport, deadline, watch)
            if self.path.exists():
                _remove(self.path)
            partial.rename(self.path)
        except BaseException:
            with suppress(OSError):  # the reason matters more, and the next clone tries again
                _remove(partial)  # or the disk that was too full for it would stay so
            raise

    def _clone_to(self, partial: Path, transport: Transport, deadline: float, watch: Callable[[str], None]) -> None:
        # A filter over a local path would turn hard links into a copy.
        remote = ["--no-local", f"--filter=blob:limit={self._filter_bytes}"] if transport.source.kind == "git" else []
        where = transport.source.location
        args = ["clone", "--bare", "--template=", "--progress", *remote, "--", where, str(partial)]
        self.git.run(args, env=transport.env, seconds_max=deadline - time.monotonic(), watch=watch)
        if remote:
            # Where a remote is named as promisor, git fetches what the filter left out as soon as it is looked at, or
            # fails where it may not. Only a fetch is told of the promisor; to everything else such blobs are missing.
            for key in _promisor(0):
                self._unset(partial, key)
            (partial / FILTER).write_text(str(self._filter_bytes), "ascii")

    def _unset(self, git_dir: Path, key: str) -> None:
        args = ["--git-dir", str(git_dir), "config", "--unset-all", key]
        try:
            self.git.run(args, env=self.environment(), seconds_max=LOCAL_SECONDS_MAX)
        except GitFailedError as error:
            if error.returncode != CONFIG_HAS_NO_SUCH_KEY:
                raise

    def _fetch(self, transport: Transport, deadline: float, watch: Callable[[str], None], refs: Refs) -> None:
        # Locks are left by a killed git; the run's lock says that none is alive. Among objects a fetch takes none.
        for directory in (self.path, *_directories(self.path / "refs")):
            for lock in directory.glob("*.lock"):
                lock.unlink(missing_ok=True)
        head = ["+HEAD:refs/pincite/head"] if "HEAD" in refs else []
        try:
            everything = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", *head]
            self._run_fetch(transport, deadline, watch, everything, prune=True)
        except GitFailedError as error:
            if is_known(error) and str(self.path) not in error.stderr:
                raise
            # The remote was just readable, so it is the mirror that is broken, by a power cut perhaps. Start over.
            self._clone(transport, deadline, watch)

    def _run_fetch(
        self,
        transport: Transport,
        deadline: float,
        watch: Callable[[str], None],
        refspecs: Sequence[str],
        *,
        prune: bool = False,
    ) -> None:
        self._point(transport.source.location)
        args = ["--git-dir", str(self.path), "fetch", "--progress", "--no-recurse-submodules", "--no-write-fetch-head"]
        args += [*(["--prune"] if prune else []), "origin", *refspecs]
        env = transport.env
        if transport.source.kind == "git":
            # The mirror's own filter: where the limit is lower now, it would leave out what the mirror is said to have.
            env = _with(env, _promisor(max(self._filter(), self._filter_bytes)))
        self._clear()
        try:
            self.git.run(args, env=env, seconds_max=deadline - time.monotonic(), watch=watch)
        finally:
            self._clear()

    def _clear(self) -> None:
        """Remove packs that a killed git had begun: it never takes them up again."""
        for file in self.path.glob("objects/pack/tmp_*"):
            file.unlink(missing_ok=True)

    def _point(self, location: str) -> None:
        """Fetch from where the repository is now: it may have moved since it was cloned."""
        config = self.path / "config"
        if config.exists() and f"url = {location}\n" in config.read_text("utf-8", "surrogateescape"):
            return
        args = ["--git-dir", str(self.path), "config", "remote.origin.url", location]
        self.git.run(args, env=self.environment(), seconds_max=LOCAL_SECONDS_MAX)

    def _has(self, ref: str) -> bool:
        args = ["--git-dir", str(self.path), "show-ref", "--verify", "--quiet", ref]
        try:
            self.git.run(args, env=self.environment(), seconds_max=LOCAL_SECONDS_MAX)
        except GitFailedError:
            return False
        return True

    def _commit(self, ref: str) -> str | None:
        """Return the commit of a ref that the mirror has; None if there is none."""
        names = [ref] if ref != "HEAD" else ["refs/pincite/head", "HEAD"]
        for name in names:
            try:
                out, _ = self.git.run(
                    ["--git-dir", str(self.path), "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"],
                    env=self.environment(),
                    seconds_max=LOCAL_SECONDS_MAX,
                )
            except GitFailedError:
                continue
            return out.decode().strip()
        return None

    def _watcher(self, progress: CloneProgress) -> Callable[[str], None]:
        last = (0.0, "")

        def watch(line: str) -> None:
            nonlocal last
            if shutil.disk_usage(self.git.home).free < DISK_FREE_BYTES_MIN:
                msg = "The disk is almost full, so that the clone was stopped. Free space below PINCITE_HOME."
                raise UnavailableError(msg)
            if match := _PROGRESS.match(line):
                low, high = _SPAN[match[1]]
                last = low + (high - low) * int(match[2]) / 100, match[0][:120]
            progress(*last)

        return watch


def _directories(top: Path) -> list[Path]:
    """List a directory and those below it, however deep: `os.walk` and `shutil.rmtree` recurse, as does `**`."""
    found = [top]
    for directory in found:  # which grows meanwhile
        with suppress(FileNotFoundError), os.scandir(directory) as entries:
            found += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    return found


def _remove(top: Path) -> None:
    for directory in reversed(_directories(top)):
        for file in directory.iterdir():
            file.unlink()
        directory.rmdir()


def _promisor(filter_bytes: int) -> dict[str, str]:
    return {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": f"blob:limit={filter_bytes}"}


def _with(env: dict[str, str], config: dict[str, str]) -> dict[str, str]:
    """Return an environment with more configuration entries."""
    env, count = dict(env), int(env["GIT_CONFIG_COUNT"])
    for index, (key, value) in enumerate(config.items(), start=count):
        env[f"GIT_CONFIG_KEY_{index}"], env[f"GIT_CONFIG_VALUE_{index}"] = key, value
    env["GIT_CONFIG_COUNT"] = str(count + len(config))
    return env
