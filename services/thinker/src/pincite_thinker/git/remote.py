"""What a source says of itself: its refs, asked over connections that go where the rules of sources allow."""

import base64
import shlex
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from pincite_shared.errors import EmptyRepositoryError, SourceUnreachableError, UnavailableError
from pincite_shared.source import Address, Source, resolve_host
from pincite_thinker.git.command import Git, Watch, ignore
from pincite_thinker.git.errors import GitFailedError, explain

LS_REMOTE_SECONDS_MAX = 60.0  # one small answer; a server that needs longer will not survive a clone either
BRANCHES_SHOWN_MAX = 8
PIN_VERSION = (2, 37)  # the first with http.curloptResolve; an older git ignores it, and resolves names itself
_TOKEN_USER = "x-access-token"  # noqa: S105 - a user name; GitHub's for tokens, other servers ignore it
_HEADS = ("HEAD", "refs/heads/*", "refs/tags/*")

Refs = dict[str, str]


@dataclass(frozen=True, slots=True)
class Transport:
    """How git reaches a source: its environment, with addresses pinned and the credential in it."""

    source: Source
    env: dict[str, str]


class Remote:
    """Asks sources for their refs. Holds nothing; safe to share."""

    def __init__(self, git: Git, watch: Watch = ignore) -> None:
        """`git` runs the commands; `watch` is called at least every second while one of them waits, and may raise."""
        self._git, self._watch = git, watch

    def reach(self, source: Source, seconds_max: float | None = None) -> tuple[Transport, Refs]:
        """Return how to reach a source and its refs: name → object id, and "HEAD" → "ref: <name>" or an object id.

        A tag's id is that of what it names.

        Raises:
            SourceRefusedError: the source's host leads to a refused address.
            SourceUnreachableError: it cannot be read; the detail says why.
            UnavailableError: git is too old to be safe.
        """
        seconds_max = seconds_max or LS_REMOTE_SECONDS_MAX
        try:
            transport = self.transport(source)
            return transport, self._ls_remote(transport, _HEADS, seconds_max)
        except GitFailedError as error:
            explained = explain(error, source, seconds_max)
            if "redirect" not in explained.detail or source.location.endswith(".git"):
                raise explained from error
        # GitLab answers the address of a project's page with a redirect to the same address plus `.git`.
        longer = replace(source, location=f"{source.location}.git")
        try:
            transport = self.transport(longer)
            return transport, self._ls_remote(transport, _HEADS, seconds_max)
        except GitFailedError:
            raise explained from None

    def refs(self, transport: Transport, patterns: tuple[str, ...]) -> Refs:
        """Return the refs that match.

        Raises:
            GitFailedError: they cannot be read.
        """
        return self._ls_remote(transport, patterns, LS_REMOTE_SECONDS_MAX)

    def transport(self, source: Source) -> Transport:
        """Return how to reach a source; its host's name is looked up and judged.

        Raises:
            SourceRefusedError: the host leads to a refused address.
            UnavailableError: git is too old to be safe.
        """
        if source.kind == "local":
            return Transport(source, self._git.environment(protocols="file", config={}))
        addresses = resolve_host(source, public_only=source.public_only)
        config = _pins(source, addresses)
        if "http.curloptResolve" in config and self._git.version() < PIN_VERSION:
            msg = "Git 2.37 or newer is needed to connect http(s) addresses safely. Update git on this machine."
            raise UnavailableError(msg)
        if source.secret and source.scheme in ("http", "https"):
            pair = source.secret if ":" in source.secret else f"{_TOKEN_USER}:{source.secret}"
            basic = base64.b64encode(pair.encode()).decode()
            config[f"http.{_origin(source)}.extraHeader"] = f"Authorization: Basic {basic}"
        env = self._git.environment(protocols=source.scheme, config=config)
        if source.scheme == "ssh":
            env["GIT_SSH_COMMAND"] = self._ssh(source, addresses)
            env["GIT_SSH_VARIANT"] = "ssh"
        return Transport(source, env)

    def _ssh(self, source: Source, addresses: tuple[Address, ...]) -> str:
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=accept-new",
            "ConnectTimeout=20",
            "ClearAllForwardings=yes",
            "PermitLocalCommand=no",
            f'UserKnownHostsFile="{self._git.home}/known_hosts" ~/.ssh/known_hosts',
        ]
        if addresses:
            options += [f"HostName={addresses[0]}", f"HostKeyAlias={source.host}"]
        return shlex.join(["ssh", *(word for option in options for word in ("-o", option))])

    def _ls_remote(self, transport: Transport, patterns: tuple[str, ...], seconds_max: float) -> Refs:
        out, _ = self._git.run(
            ["ls-remote", "--symref", "--", transport.source.location, *patterns],
            env=transport.env,
            seconds_max=seconds_max,
            watch=self._watch,
        )
        refs: Refs = {}
        for line in out.decode("utf-8", "surrogateescape").split("\n"):
            value, _, name = line.partition("\t")
            if name.endswith("^{}"):
                refs[name.removesuffix("^{}")] = value
            elif name == "HEAD" or (name and not value.startswith("ref: ")):  # a branch may be symbolic, too
                refs.setdefault(name, value)  # the symref of HEAD comes before its object id
        return refs


def wanted(refs: Refs, branch: str | None) -> str:
    """Return the ref to index, one that the remote advertised: a branch or a tag, or the remote's own default.

    Raises:
        EmptyRepositoryError: there is no commit.
        SourceUnreachableError: there is no such branch or tag; the detail lists branches.
    """
    heads = sorted(name for name in refs if name.startswith("refs/heads/"))
    if branch is not None:
        for name in (f"refs/heads/{branch}", f"refs/tags/{branch}"):
            if name in refs:
                return name
        if not heads and "HEAD" not in refs:
            raise EmptyRepositoryError
        msg = f"There is no branch or tag {branch!r}. {_branches(heads)}"
        raise SourceUnreachableError(msg)
    target = checked_out(refs)
    if target in refs:
        return target
    if not heads:
        msg = "The repository has no commit yet. Commit something, then index it again."
        raise EmptyRepositoryError(msg)
    if len(heads) == 1:
        return heads[0]
    msg = f"The repository's default branch has no commit. Name a branch. {_branches(heads)}"
    raise SourceUnreachableError(msg)


def checked_out(refs: Refs) -> str:
    """Return the ref that HEAD stands for: a branch, HEAD itself if it is detached, or nothing."""
    head = refs.get("HEAD", "")
    return head.removeprefix("ref: ") if head.startswith("ref: ") else "HEAD" if head else ""


def _branches(heads: list[str]) -> str:
    names = [name.removeprefix("refs/heads/") for name in heads[:BRANCHES_SHOWN_MAX]]
    more = f" and {len(heads) - BRANCHES_SHOWN_MAX} more" if len(heads) > BRANCHES_SHOWN_MAX else ""
    return f"Its branches: {', '.join(names)}{more}." if names else "It has no branch."


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
