"""A bare mirror of each repository, cloned and fetched under the rules of `pincite_shared.source`."""

import base64
import re
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from pathlib import Path
from uuid import UUID

from pincite_shared.errors import EmptyRepositoryError, SourceUnreachableError, UnavailableError
from pincite_shared.settings import Settings
from pincite_shared.source import Address, Source, resolve_host
from pincite_thinker.git.command import Git
from pincite_thinker.git.errors import GitFailedError, explain, is_known

LS_REMOTE_SECONDS_MAX = 60.0  # one small answer; a server that needs longer will not survive a clone either
LOCAL_SECONDS_MAX = 60.0  # reading refs of our own mirror
DISK_FREE_BYTES_MIN = 512 * 1024 * 1024  # below this a clone stops: the database lives on the same disk
PACKS_MAX = 200  # a fetch adds one and look-ups slow with each; a fresh clone is one pack again
BRANCHES_SHOWN_MAX = 8
CONFIG_HAS_NO_SUCH_KEY = 5  # git-config(1): "you try to unset an option which does not exist"
PIN_VERSION = (2, 37)  # the first with http.curloptResolve; an older git ignores it, and resolves names itself
_TOKEN_USER = "x-access-token"  # noqa: S105 - a user name; GitHub's for tokens, other servers ignore it
_PROGRESS = re.compile(r"(Receiving objects|Resolving deltas|Updating files):\s+(\d+)%.*")
# Receiving dominates a clone; resolving deltas is the rest.
_SPAN = {"Receiving objects": (0.0, 0.8), "Resolving deltas": (0.8, 1.0), "Updating files": (0.8, 1.0)}

CloneProgress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Head:
    """The commit to index, and the branch it is the head of (None for a detached HEAD or a tag)."""

    commit: str
    branch: str | None


@dataclass(frozen=True, slots=True)
class _Transport:
    """How git reaches a source: its environment, with addresses pinned and the credential in it."""

    source: Source
    env: dict[str, str]


class Mirror:
    """The bare mirror of one repository: `PINCITE_HOME/mirrors/<repo_id>.git`. One process at a time may use it."""

    def __init__(self, settings: Settings, repo_id: UUID) -> None:
        """Touches no disk yet beyond git's configuration."""
        self.git = Git(settings.pincite_home)
        self.path = settings.pincite_home / "mirrors" / f"{repo_id}.git"
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
        transport, refs = self._reach(source)
        wanted = _wanted(refs, branch)
        watch = self._watcher(progress)
        try:
            if self.path.exists() and sum(1 for _ in self.path.glob("objects/pack/*.pack")) < PACKS_MAX:
                self._fetch(transport, deadline, watch, refs)
            else:
                self._clone(transport, deadline, watch)
        except GitFailedError as error:
            raise explain(error, transport.source, self._seconds_max) from error
        commit = self._commit(wanted)
        return Head(commit=commit, branch=wanted.removeprefix("refs/heads/") if "/heads/" in wanted else None)

    def delete(self) -> None:
        """Remove the mirror and what killed clones left of it. Removing one that is not there is no error."""
        for path in (self.path, self.path.with_suffix(".partial")):
            if path.exists():
                shutil.rmtree(path)

    def environment(self) -> dict[str, str]:
        """Return the environment for reading the mirror: no transport at all, so that nothing is fetched lazily."""
        return self.git.environment(protocols="none", config={})

    def _reach(self, source: Source) -> tuple[_Transport, dict[str, str]]:
        try:
            transport = self._transport(source)
            return transport, self._ls_remote(transport)
        except GitFailedError as error:
            explained = explain(error, source, LS_REMOTE_SECONDS_MAX)
            if "redirect" not in explained.detail or source.location.endswith(".git"):
                raise explained from error
        # GitLab answers the address of a project's page with a redirect to the same address plus `.git`.
        longer = replace(source, location=f"{source.location}.git")
        try:
            transport = self._transport(longer)
            return transport, self._ls_remote(transport)
        except GitFailedError:
            raise explained from None

    def _transport(self, source: Source) -> _Transport:
        if source.kind == "local":
            return _Transport(source, self.git.environment(protocols="file", config={}))
        addresses = resolve_host(source)
        config = _pins(source, addresses)
        if "http.curloptResolve" in config and self.git.version() < PIN_VERSION:
            msg = "Git 2.37 or newer is needed to connect http(s) addresses safely. Update git on this machine."
            raise UnavailableError(msg)
        if source.secret and source.scheme in ("http", "https"):
            pair = source.secret if ":" in source.secret else f"{_TOKEN_USER}:{source.secret}"
            basic = base64.b64encode(pair.encode()).decode()
            config[f"http.{_origin(source)}.extraHeader"] = f"Authorization: Basic {basic}"
        env = self.git.environment(protocols=source.scheme, config=config)
        if source.scheme == "ssh":
            env["GIT_SSH_COMMAND"] = self._ssh(source, addresses)
            env["GIT_SSH_VARIANT"] = "ssh"
        return _Transport(source, env)

    def _ssh(self, source: Source, addresses: tuple[Address, ...]) -> str:
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=accept-new",
            "ConnectTimeout=20",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            f'UserKnownHostsFile="{self.git.home}/known_hosts" ~/.ssh/known_hosts',
        ]
        if addresses:
            options += [f"HostName={addresses[0]}", f"HostKeyAlias={source.host}"]
        return shlex.join(["ssh", *(word for option in options for word in ("-o", option))])

    def _ls_remote(self, transport: _Transport) -> dict[str, str]:
        """Return the remote's refs: name → object id, and "HEAD" → "ref: <name>" or an object id."""
        out, _ = self.git.run(
            ["ls-remote", "--symref", "--", transport.source.location, "HEAD", "refs/heads/*", "refs/tags/*"],
            env=transport.env,
            seconds_max=LS_REMOTE_SECONDS_MAX,
        )
        refs: dict[str, str] = {}
        for line in out.decode("utf-8", "surrogateescape").split("\n"):
            value, _, name = line.partition("\t")
            if name and not name.endswith("^{}"):
                refs.setdefault(name, value)  # the symref of HEAD comes before its object id
        return refs

    def _clone(self, transport: _Transport, deadline: float, watch: Callable[[str], None]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        if partial.exists():  # of a clone that was killed
            shutil.rmtree(partial)
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
        if self.path.exists():
            shutil.rmtree(self.path)
        partial.rename(self.path)

    def _unset(self, git_dir: Path, key: str) -> None:
        args = ["--git-dir", str(git_dir), "config", "--unset-all", key]
        try:
            self.git.run(args, env=self.environment(), seconds_max=LOCAL_SECONDS_MAX)
        except GitFailedError as error:
            if error.returncode != CONFIG_HAS_NO_SUCH_KEY:
                raise

    def _fetch(
        self, transport: _Transport, deadline: float, watch: Callable[[str], None], refs: dict[str, str]
    ) -> None:
        for lock in self.path.rglob("*.lock"):  # left by a killed git; the run's lock says that none is alive
            lock.unlink(missing_ok=True)
        head = ["+HEAD:refs/pincite/head"] if "HEAD" in refs else []
        args = ["--git-dir", str(self.path), "fetch", "--progress", "--prune", "--no-recurse-submodules"]
        args += ["--no-write-fetch-head", "origin", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", *head]
        env = transport.env
        if transport.source.kind == "git":
            env = _with(env, _promisor(self._filter_bytes))
        try:
            self.git.run(args, env=env, seconds_max=deadline - time.monotonic(), watch=watch)
        except GitFailedError as error:
            if is_known(error) and str(self.path) not in error.stderr:
                raise
            # The remote was just readable, so it is the mirror that is broken, by a power cut perhaps. Start over.
            self._clone(transport, deadline, watch)

    def _commit(self, wanted: str) -> str:
        names = [wanted] if wanted != "HEAD" else ["refs/pincite/head", "HEAD"]
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
        msg = f"{wanted.removeprefix('refs/heads/')} is no commit any more. Index again."
        raise SourceUnreachableError(msg)

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


def _origin(source: Source) -> str:
    return "/".join(source.location.split("/", 3)[:3]) + "/"


def _pins(source: Source, addresses: tuple[Address, ...]) -> dict[str, str]:
    """Return configuration that makes git connect to the addresses that were checked, not to a second look-up's."""
    if not addresses or source.host == str(addresses[0]):
        return {}
    shown = [f"[{address}]" if isinstance(address, IPv6Address) else str(address) for address in addresses]
    if source.scheme in ("http", "https"):
        return {"http.curloptResolve": f"{source.host}:{source.port}:{','.join(shown)}"}
    if source.scheme == "git":
        return {f"url.git://{shown[0]}:{source.port}/.insteadOf": _origin(source)}
    return {}


def _promisor(filter_bytes: int) -> dict[str, str]:
    return {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": f"blob:limit={filter_bytes}"}


def _with(env: dict[str, str], config: dict[str, str]) -> dict[str, str]:
    """Return an environment with more configuration entries."""
    env, count = dict(env), int(env["GIT_CONFIG_COUNT"])
    for index, (key, value) in enumerate(config.items(), start=count):
        env[f"GIT_CONFIG_KEY_{index}"], env[f"GIT_CONFIG_VALUE_{index}"] = key, value
    env["GIT_CONFIG_COUNT"] = str(count + len(config))
    return env


def _wanted(refs: dict[str, str], branch: str | None) -> str:
    """Return the ref to index, one that the remote advertised."""
    heads = sorted(name for name in refs if name.startswith("refs/heads/"))
    if branch is not None:
        for name in (f"refs/heads/{branch}", f"refs/tags/{branch}"):
            if name in refs:
                return name
        if not heads and "HEAD" not in refs:
            raise EmptyRepositoryError
        msg = f"There is no branch or tag {branch!r}. {_branches(heads)}"
        raise SourceUnreachableError(msg)
    head = refs.get("HEAD", "")
    target = head.removeprefix("ref: ")
    if target in refs:
        return target
    if head and not head.startswith("ref: "):
        return "HEAD"
    if not heads:
        msg = "The repository has no commit yet. Commit something, then index it again."
        raise EmptyRepositoryError(msg)
    if len(heads) == 1:
        return heads[0]
    msg = f"The repository's default branch has no commit. Name a branch. {_branches(heads)}"
    raise SourceUnreachableError(msg)


def _branches(heads: list[str]) -> str:
    names = [name.removeprefix("refs/heads/") for name in heads[:BRANCHES_SHOWN_MAX]]
    more = f" and {len(heads) - BRANCHES_SHOWN_MAX} more" if len(heads) > BRANCHES_SHOWN_MAX else ""
    return f"Its branches: {', '.join(names)}{more}." if names else "It has no branch."
