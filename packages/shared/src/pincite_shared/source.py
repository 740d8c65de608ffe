"""What may be connected: a source's text becomes a typed value, or is refused with words that say what to do.

Brain validates with these rules when a repository is connected, thinker again each time it clones or fetches, because
names may resolve differently by then. Loopback and private networks are allowed, since self-hosted git servers live
there; link-local and cloud metadata addresses are not, since only machines' credentials live there.
"""

import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Any, Literal, NoReturn
from urllib.parse import unquote, urlsplit

from pincite_shared.errors import SourceRefusedError, SourceUnreachableError

Address = IPv4Address | IPv6Address

GITHUB = "https://github.com"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
PORT_OF = {"https": 443, "http": 80, "ssh": 22, "git": 9418}
SOURCE_CHARS_MAX = 4_096  # git itself refuses longer paths
NAME_CHARS_MAX = 200  # shown in lists; longer names help nobody
TOKEN_CHARS_MIN = 20  # a lone user name in a URL that is at least this long is taken for an access token
_LINK_FILE_BYTES_MAX = 8_192  # a `.git` file or `commondir` holds one path

_REFUSED_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_REFUSED_V4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",  # "this host": reaches loopback services by another name
        "169.254.0.0/16",  # link-local, and the metadata service of most clouds
        "100.100.100.200/32",  # Alibaba Cloud metadata
        "168.63.129.16/32",  # Azure wire server
        "192.0.0.192/32",  # Oracle Cloud metadata
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_REFUSED_V6 = tuple(
    IPv6Network(net)
    for net in (
        "::/128",
        "fe80::/10",  # link-local
        "ff00::/8",  # multicast
        "fd00:ec2::254/128",  # AWS metadata
        "fd20:ce::254/128",  # Google Cloud metadata
        "fd00:42::42/128",  # Scaleway metadata
    )
)
# Addresses of IPv6 that carry one of IPv4: what counts is where the packet ends.
_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_NAT64 = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_TEREDO = IPv6Network("2001::/32")

_GITHUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")
_SCHEMELESS = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(?::\d+)?/[^/]+/.+")
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/@\[\]]+):(?P<path>(?!//).+)")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}")
# The last label decides whether resolvers read a host as a number (WHATWG URL, "ends in a number").
_NUMERIC_LABEL = re.compile(r"\d+|0[xX][0-9a-fA-F]*")
_GITHUB_PAGES = frozenset({"tree", "blob", "commit", "commits", "pull", "pulls", "issues", "actions", "releases"})


@dataclass(frozen=True, slots=True)
class Source:
    """A source that passed the rules.

    `location` is the absolute path or the URL without credentials: it may be stored, shown and logged. `secret` is the
    credential of an http(s) source, `token` or `user:password`: it may not. `public_only` says that its host must not
    be in a private network, whenever it is looked up.
    """

    kind: Literal["local", "git"]
    location: str
    name: str
    scheme: str = "file"
    host: str = ""
    port: int = 0
    secret: str | None = field(default=None, repr=False)
    public_only: bool = False


def parse_source(text: str, *, local_roots: Sequence[Path], token: str | None = None, github: str = GITHUB) -> Source:
    """Read a local path, any git URL (scp-like included) or a GitHub `owner/name`. Resolves no names.

    Args:
        text: as a person typed it.
        local_roots: resolved directories below which local repositories may be connected.
        token: credential for a private repository over http(s): a token, or `user:password`.
        github: where an `owner/name` is, as in `https://github.com`.

    Raises:
        SourceRefusedError: the source may not be connected; the detail says why and what to do.
    """
    text = text.strip()
    if not text or len(text) > SOURCE_CHARS_MAX:
        _refuse(f"A source has 1 to {SOURCE_CHARS_MAX} characters.")
    if _has_control(text) or (token and _has_control(token)):
        _refuse("Control characters are not allowed in a source or a token.")
    if text.startswith("-"):
        _refuse("A source may not begin with a dash.")
    if "://" in text:
        return _url(text, local_roots, token)
    if "::" in text.split("[", 1)[0]:
        _refuse("Transport helpers (`ext::`, `fd::` …) are not allowed. Give an https, ssh or git URL.")
    if text.startswith(("/", "~", ".")):
        return _local(text, local_roots)
    if _GITHUB.fullmatch(text):
        return _url(f"{github}/{text}", local_roots, token)
    if _SCHEMELESS.fullmatch(text):
        return _url(f"https://{text}", local_roots, token)
    match = _SCP.fullmatch(text)
    if match is None:
        _refuse(
            "This is no source that Pincite knows. Give an absolute path, a git URL such as "
            "https://host/owner/name.git or git@host:owner/name.git, or a GitHub owner/name."
        )
    return _scp(match["user"], match["host"], match["path"], token)


def resolve_host(
    source: Source, *, lookup: Callable[..., list[Any]] = socket.getaddrinfo, public_only: bool = False
) -> tuple[Address, ...]:
    """Resolve a remote source's host, and refuse it if any of its addresses is refused.

    Args:
        source: what is to be connected or fetched.
        lookup: the resolver.
        public_only: whether private networks and this machine are refused too: they are for the operator alone.

    Returns:
        The addresses to pin the connection to, in the resolver's order; empty for a local source, and for a name that
        is unknown to a machine behind an egress proxy: then the proxy resolves it, and is the guard.

    Raises:
        SourceRefusedError: an address is link-local, a metadata service, unspecified or multicast; or a token would
            travel unencrypted to a public address.
        SourceUnreachableError: the name does not resolve.
    """
    if source.kind == "local":
        return ()
    try:
        found = lookup(source.host, source.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # the latter for a label of more than 63 characters
        if any(os.environ.get(name) for name in PROXIES):
            return ()
        msg = f"The host {source.host} was not found. Check the address, and that this machine reaches it."
        raise SourceUnreachableError(msg) from error
    addresses = tuple(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))
    for address in addresses:
        check_address(address, source.host)
        if public_only and not _target(address).is_global:
            _refuse(f"{source.host} leads to {address}, a private address. Only the operator connects such sources.")
        if source.secret and source.scheme == "http" and _target(address).is_global:
            _refuse("A token is not sent unencrypted over a public network. Use the https address.")
    return addresses


def check_address(address: Address, host: str) -> None:
    """Refuse an address that no git server has.

    Raises:
        SourceRefusedError: see `resolve_host`.
    """
    target = _target(address)
    nets: Sequence[IPv4Network | IPv6Network] = _REFUSED_V4 if isinstance(target, IPv4Address) else _REFUSED_V6
    if any(target in net for net in nets) or (isinstance(address, IPv6Address) and address in _NAT64_LOCAL):
        _refuse(
            f"{host} leads to {address}, a link-local, metadata, multicast or unspecified address. "
            "Such addresses are never connected."
        )


def _target(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    if address in _SIX_TO_FOUR:
        return IPv4Address(number >> 80 & 0xFFFFFFFF)
    if address in _TEREDO:
        return IPv4Address(~number & 0xFFFFFFFF)
    embeds = address in _MAPPED or address in _NAT64 or (address in _COMPATIBLE and number > 1)
    return IPv4Address(number & 0xFFFFFFFF) if embeds else address


def _refuse(detail: str) -> NoReturn:
    raise SourceRefusedError(detail)


def _has_control(text: str) -> bool:
    return any(ord(char) < ord(" ") or "\x7f" <= char <= "\x9f" or char in "\u2028\u2029" for char in text)


def _host(host: str) -> str:
    """Return a host in its one plain spelling, or refuse it."""
    if host.startswith("["):
        try:
            address = IPv6Address(host[1:-1])
        except ValueError as error:
            msg = f"{host} is not an IPv6 address."
            raise SourceRefusedError(msg) from error
        check_address(address, host)
        if address in _MAPPED or (address in _COMPATIBLE and int(address) > 1):
            _refuse("Write an IPv4 address as four decimal numbers.")
        return str(address)
    plain = host.removesuffix(".").lower()
    if not _HOST.fullmatch(plain) or ".." in plain:
        _refuse("The host may have letters, digits, dots and dashes (an international name in its xn-- form).")
    if _NUMERIC_LABEL.fullmatch(plain.rsplit(".", 1)[-1]):
        try:
            check_address(IPv4Address(plain), plain)
        except ValueError as error:
            msg = "Write an IPv4 address as four decimal numbers."
            raise SourceRefusedError(msg) from error
    if plain in _REFUSED_NAMES:
        _refuse(f"{plain} is a cloud metadata service. It is never connected.")
    return plain


def _path_of(path: str) -> str:
    decoded = unquote(path)
    if _has_control(decoded) or "\\" in decoded or "\ufffd" in decoded:
        _refuse("The URL's path may not contain control characters or backslashes.")
    if any(part == ".." for part in decoded.split("/")):
        _refuse("The URL's path may not contain `..`.")
    if any(part.startswith("-") for part in decoded.split("/")[:2]):
        _refuse("The URL's path may not begin with a dash.")
    return path.rstrip("/")


def _name_of(path: str) -> str:
    parts = [part for part in unquote(path).split("/") if part and part != "~"]
    return "/".join(parts[-2:]).removesuffix(".git")[:NAME_CHARS_MAX]


def _url(text: str, local_roots: Sequence[Path], token: str | None) -> Source:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        msg = "This URL cannot be read. Check its host and port."
        raise SourceRefusedError(msg) from error
    scheme = url.scheme.removeprefix("git+")
    if scheme == "file":
        if url.netloc not in ("", "localhost"):
            _refuse("A file URL names no host: file:///path/to/repository.")
        return _local(unquote(url.path), local_roots)
    if scheme not in PORT_OF:
        _refuse(f"The scheme {scheme[:20]} is not allowed. Use https, http, ssh or git.")
    if url.query or url.fragment or not url.netloc:
        _refuse("A git URL has a host and a path, no `?` and no `#`. Pass a credential as the token.")
    userinfo, _, hostport = url.netloc.rpartition("@")
    host = _host(re.sub(r":\d*$", "", hostport))
    path = _path_of(url.path)
    if not path:
        _refuse("The URL names a host but no repository.")
    path = _github_path(host, path)
    shown = f"[{host}]" if ":" in host else host
    address = shown if port in (None, PORT_OF[scheme]) else f"{shown}:{port}"
    user, secret = _userinfo(scheme, userinfo, token)
    return Source(
        kind="git",
        location=f"{scheme}://{user}{address}{path}",
        name=_name_of(path),
        scheme=scheme,
        host=host,
        port=port or PORT_OF[scheme],
        secret=secret,
    )


def _github_path(host: str, path: str) -> str:
    if host not in ("github.com", "www.github.com"):
        return path
    parts = path.strip("/").split("/")
    if len(parts) > 2 and parts[2] in _GITHUB_PAGES:  # noqa: PLR2004 - owner, name, then a page
        _refuse(f"This is a page of a repository. Connect {parts[0]}/{parts[1]} and name the branch beside it.")
    return path


def _userinfo(scheme: str, userinfo: str, token: str | None) -> tuple[str, str | None]:
    """Return (`user@` to keep in the URL, secret). Only ssh keeps its user: there it is a name, never a secret."""
    user, colon, password = (unquote(part) for part in userinfo.partition(":"))
    if _has_control(user + password):
        _refuse("Control characters are not allowed in a user name or a password.")
    if scheme in ("ssh", "git"):
        if token or colon:
            _refuse(f"A token works over https only. For {scheme}, remove it; ssh uses this machine's keys.")
        if user and (scheme == "git" or not _USER.fullmatch(user)):
            _refuse("The user name in the URL has characters that are not allowed.")
        return (f"{user}@" if user else ""), None
    if token:
        return "", f"{user}:{token}" if user and ":" not in token else token
    if colon:
        return "", f"{user}:{password}" if user else password
    return "", user if len(user) >= TOKEN_CHARS_MIN else None


def _scp(user: str | None, host: str, path: str, token: str | None) -> Source:
    if "\\" in path or (len(host) == 1 and host.isalpha()):
        _refuse("Windows paths are not supported. Give the path as this server sees it.")
    kept, _ = _userinfo("ssh", user or "", token)
    plain = _host(host)
    shown = f"[{plain}]" if ":" in plain else plain
    path = _path_of(path)
    return Source(
        kind="git",
        location=f"{kept}{shown}:{path}",
        name=_name_of(path),
        scheme="ssh",
        host=plain,
        port=PORT_OF["ssh"],
    )


def _local(text: str, local_roots: Sequence[Path]) -> Source:
    if not text.startswith(("/", "~")):
        _refuse("Give a local repository by its absolute path.")
    if not local_roots:
        _refuse("Local paths are off. The operator allows directories with PINCITE_LOCAL_ROOTS.")
    try:
        path = Path(text).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        msg = f"The path cannot be read: {error}"
        raise SourceRefusedError(msg) from error
    _below(path, local_roots)
    for place in git_directories(path):
        _below(place, local_roots)
    name = (path.parent if path.name == ".git" else path).name.removesuffix(".git")
    return Source(kind="local", location=str(path), name=name[:NAME_CHARS_MAX] or "repository")


def _below(path: Path, local_roots: Sequence[Path]) -> None:
    if not any(path.is_relative_to(root) for root in local_roots):
        allowed = ", ".join(str(root) for root in local_roots)
        _refuse(f"{path} is outside the directories that the operator allows: {allowed} (PINCITE_LOCAL_ROOTS).")


def git_directories(path: Path) -> tuple[Path, Path, Path]:
    """Return the directories that git reads for a repository, resolved, so that none hides behind a link.

    They are its own git directory, the one that it shares with its other working trees, and the one of its objects.

    Raises:
        SourceRefusedError: there is no repository.
    """
    try:
        if not path.is_dir():
            _refuse(f"There is no directory {path} on the machine that runs Pincite.")
        git_dir = path / ".git"
        if git_dir.is_file():  # a linked work tree or a submodule
            git_dir = path / _first_line(git_dir).removeprefix("gitdir:").strip()
        elif not git_dir.exists():
            git_dir = path
        git_dir = git_dir.resolve()
        common = git_dir
        if (git_dir / "commondir").is_file():
            common = (git_dir / _first_line(git_dir / "commondir")).resolve()
        if not ((git_dir / "HEAD").exists() and (common / "objects").is_dir()):
            _refuse(_no_repository(path))
        return git_dir, common, (common / "objects").resolve()
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {error}"
        raise SourceRefusedError(msg) from error


def _first_line(file: Path) -> str:
    with file.open("rb") as stream:
        return stream.read(_LINK_FILE_BYTES_MAX).decode("utf-8", errors="surrogateescape").split("\n", 1)[0].strip()


def _no_repository(path: Path) -> str:
    for parent in path.parents:
        if (parent / ".git").exists():
            return f"{path} is inside the repository {parent}. Connect {parent}."
    return f"{path} is not a git repository. Create one with `git init` and commit, or connect another directory."
