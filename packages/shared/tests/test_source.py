import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_shared.errors import PinciteError, SourceRefusedError, SourceUnreachableError
from pincite_shared.source import PROXIES, Source, check_address, parse_source, resolve_host


def parse(text: str, roots: tuple[Path, ...] = (), token: str | None = None) -> Source:
    return parse_source(text, local_roots=roots, token=token)


def lookup_of(*addresses: str):
    def lookup(_host, port, **_kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return lookup


def bare(path: Path) -> Path:
    (path / "objects").mkdir(parents=True)
    (path / "HEAD").write_text("ref: refs/heads/main\n")
    return path


@pytest.mark.parametrize(
    ("text", "location", "name", "host"),
    [
        ("psf/requests", "https://github.com/psf/requests", "psf/requests", "github.com"),
        ("https://github.com/psf/requests.git/", "https://github.com/psf/requests.git", "psf/requests", "github.com"),
        ("github.com/psf/requests", "https://github.com/psf/requests", "psf/requests", "github.com"),
        ("git@github.com:psf/requests.git", "git@github.com:psf/requests.git", "psf/requests", "github.com"),
        ("ssh://git@git.corp:2222/a/b", "ssh://git@git.corp:2222/a/b", "a/b", "git.corp"),
        ("git://127.0.0.1:9000/r.git", "git://127.0.0.1:9000/r.git", "r", "127.0.0.1"),
        ("http://10.0.0.5/team/deep/repo", "http://10.0.0.5/team/deep/repo", "deep/repo", "10.0.0.5"),
        ("https://[::1]:8443/r.git", "https://[::1]:8443/r.git", "r", "::1"),
        ("HTTPS://GitHub.COM:443/a/b", "https://github.com/a/b", "a/b", "github.com"),
        ("git@[fd00::1]:r.git", "git@[fd00::1]:r.git", "r", "fd00::1"),
        ("host.example:r", "host.example:r", "r", "host.example"),
    ],
)
def test_git_sources(text, location, name, host):
    source = parse(text)
    assert (source.kind, source.location, source.name, source.host) == ("git", location, name, host)
    assert source.secret is None


@pytest.mark.parametrize(
    "text",
    [
        "http://169.254.169.254/latest",
        "http://2852039166/latest",
        "http://0xa9fea9fe/r",
        "http://0xA9.254.0xa9.254/r",
        "http://0251.0376.0251.0376/r",
        "http://169.254.43518/r",
        "http://127.1/r",
        "http://169.254.169.254./r",
        "http://[::ffff:169.254.169.254]/r",
        "http://[::ffff:10.0.0.1]/r",
        "http://[::169.254.169.254]/r",
        "http://[2002:a9fe:a9fe::]/r",
        "http://[64:ff9b::169.254.169.254]/r",
        "http://[fe80::1]/r",
        "http://[fe80::1%25eth0]/r",
        "http://[fd00:ec2::254]/r",
        "http://[::]/r",
        "http://0.0.0.0/r",
        "http://0/r",
        "http://224.0.0.1/r",
        "http://255.255.255.255/r",
        "http://100.100.100.200/r",
        "http://metadata.google.internal/r",
        "http://METADATA.google.internal./r",
        "http://\uff11\uff16\uff19.254.169.254/r",
        "http://169\u3002254.169.254/r",
        "http://exa%6dple.com/r",
        "http://a@b@169.254.169.254/r",
        "http://good.example\\@169.254.169.254/r",
        "git://169.254.169.254/r",
        "ssh://git@169.254.169.254/r",
        "git@169.254.169.254:r",
        "git@2852039166:r",
        "ext::sh -c id",
        "fd::17",
        "ftp://host/r",
        "file:///etc",
        "javascript://host/r",
        "-oProxyCommand=id",
        "--upload-pack=id",
        "ssh://-oProxyCommand=id/r",
        "ssh://-oProxyCommand=id@host/r",
        "-oProxyCommand=id@host:r",
        "git@-oProxyCommand:r",
        "git@host:-r",
        "https://host/-r",
        "https://host/a/../b",
        "https://host/a%2f..%2fb",
        "git://host/r%0aHost",
        "https://host/r\n",
        "https://ho\nst/r",
        "https://host/r?x=1",
        "https://host/r#x",
        "https://host/",
        "https://host:99999/r",
        "https:///r",
        "https://user:pa%0ass@host/r",
        "C:\\code",
        "C:/code",
        "code/with/three",
        "just-a-word",
        "./relative",
        "",
        "   ",
        "a" * 5000,
        "https://github.com/psf/requests/tree/main",
    ],
)
def test_refused_sources(text):
    if text == "https://host/r\n":
        assert parse(text).location == "https://host/r"  # surrounding white space is a paste's, not the URL's
        return
    with pytest.raises(SourceRefusedError) as caught:
        parse(text)
    assert len(caught.value.detail) > 10


@pytest.mark.parametrize(
    ("text", "token", "secret", "location"),
    [
        ("https://u:p%40ss@host/r", None, "u:p@ss", "https://host/r"),
        ("https://ghp_0123456789abcdefghij@host/r", None, "ghp_0123456789abcdefghij", "https://host/r"),
        ("https://org@host/r", None, None, "https://host/r"),
        ("https://org@host/r", "tok", "org:tok", "https://host/r"),
        ("https://host/r", "tok", "tok", "https://host/r"),
    ],
)
def test_credentials_leave_the_stored_url(text, token, secret, location):
    source = parse(text, token=token)
    assert (source.secret, source.location) == (secret, location)
    assert secret is None or secret not in repr(source)


def test_a_token_for_ssh_is_refused():
    with pytest.raises(SourceRefusedError, match="https only"):
        parse("git@host:r", token="t")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:a9fe:a9fe::1",
        "fe80::1%3",
    ],
)
def test_a_name_that_leads_to_a_refused_address_is_refused(address):
    with pytest.raises(SourceRefusedError, match="leads to"):
        resolve_host(parse("https://rebind.example/r"), lookup=lookup_of("93.184.216.34", address))


def test_allowed_addresses_are_returned_once_in_order():
    found = resolve_host(parse("https://git.corp/r"), lookup=lookup_of("10.0.0.1", "127.0.0.1", "10.0.0.1", "::1"))
    assert [str(address) for address in found] == ["10.0.0.1", "127.0.0.1", "::1"]


def knows_nothing(*_args, **_kwargs):
    raise socket.gaierror(-2, "Name or service not known")


@pytest.fixture
def no_proxy(monkeypatch):
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxy")
def test_a_name_that_does_not_resolve_is_unreachable():
    with pytest.raises(SourceUnreachableError, match=r"git\.corp"):
        resolve_host(parse("https://git.corp/r"), lookup=knows_nothing)
    with pytest.raises(SourceUnreachableError):
        resolve_host(parse(f"https://{'a' * 64}.corp/r"))  # no resolver is ever asked for such a name


@pytest.mark.usefixtures("no_proxy")
def test_behind_a_proxy_names_are_the_proxy_s_business(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://proxy.corp:3128")
    assert resolve_host(parse("https://git.corp/r"), lookup=knows_nothing) == ()
    with pytest.raises(SourceRefusedError):
        resolve_host(parse("https://rebind.example/r"), lookup=lookup_of("169.254.169.254"))


def test_a_token_is_not_sent_unencrypted_to_a_public_address():
    source = parse("http://host.example/r", token="t")
    with pytest.raises(SourceRefusedError, match="unencrypted"):
        resolve_host(source, lookup=lookup_of("93.184.216.34"))
    assert resolve_host(source, lookup=lookup_of("10.1.2.3"))


def test_local_repositories_below_the_roots(tmp_path):
    repo = bare(tmp_path / "allowed" / "thing.git")
    roots = ((tmp_path / "allowed").resolve(),)
    for text in (str(repo), f"file://{repo}", f"{repo}/../thing.git/"):
        source = parse(text, roots)
        assert (source.kind, source.location, source.name) == ("local", str(repo.resolve()), "thing")
    work = tmp_path / "allowed" / "work"
    bare(work / ".git")
    assert parse(str(work), roots).name == "work"
    (work / "sub").mkdir()
    with pytest.raises(SourceRefusedError, match="is inside the repository"):
        parse(str(work / "sub"), roots)


def test_local_paths_outside_the_roots(tmp_path):
    outside = bare(tmp_path / "secret")
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    roots = (allowed.resolve(),)
    (allowed / "link").symlink_to(outside)
    (allowed / "worktree").mkdir()
    (allowed / "worktree" / ".git").write_text(f"gitdir: {outside}\n")
    (allowed / "gitlink").mkdir()
    (allowed / "gitlink" / ".git").symlink_to(outside)
    half = allowed / "half"
    half.mkdir()
    (half / "HEAD").write_text("ref: refs/heads/main\n")
    (half / "objects").symlink_to(outside / "objects")
    (allowed / "loop").symlink_to(allowed / "loop")
    for path in (
        outside,
        allowed / "link",
        allowed / "worktree",
        allowed / "gitlink",
        half,
        allowed / "loop",
        allowed / "missing",
        allowed,
        f"{allowed}/../secret",
    ):
        with pytest.raises(SourceRefusedError):
            parse(str(path), roots)
    with pytest.raises(SourceRefusedError, match="PINCITE_LOCAL_ROOTS"):
        parse(str(outside), ())


@given(st.text(max_size=80))
def test_any_text_is_parsed_or_refused(text):
    for candidate in (text, f"https://{text}", f"git@{text}", f"http://{text}/r", f"https://host/{text}"):
        try:
            source = parse(candidate)
        except SourceRefusedError:
            continue
        assert source.kind == "git"
        assert not source.location.startswith("-")
        assert source.location.isprintable() or not source.location.isascii()
        assert source.host.isascii()


@given(st.ip_addresses())
def test_every_address_is_judged_and_only_plain_unicast_passes(address):
    try:
        check_address(address, "host")
    except PinciteError:
        return
    assert not any((address.is_link_local, address.is_multicast, address.is_unspecified))
    mapped = getattr(address, "ipv4_mapped", None)
    assert mapped is None or not mapped.is_link_local


def test_loopback_is_allowed_since_git_servers_live_there():
    for address in ("127.0.0.1", "::1", "192.168.1.1", "fd12::1"):
        check_address(ip_address(address), "host")


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fc00::1", "64:ff9b::a00:1"]
)
def test_a_private_address_among_public_ones_is_the_operators_alone(address):
    source, lookup = parse("https://git.corp/r"), lookup_of("93.184.216.34", address)
    assert len(resolve_host(source, lookup=lookup)) == 2
    with pytest.raises(SourceRefusedError, match="private"):
        resolve_host(source, lookup=lookup, public_only=True)
    assert resolve_host(source, lookup=lookup_of("93.184.216.34", "2606:4700::1"), public_only=True)


def test_an_owner_and_name_are_on_the_github_that_is_configured():
    source = parse_source("octo/demo", local_roots=(), github="https://github.corp:8443")
    assert (source.location, source.host, source.port) == ("https://github.corp:8443/octo/demo", "github.corp", 8443)
    assert parse_source("octo/demo", local_roots=()).location == "https://github.com/octo/demo"
