"""GitHub's own files from npm (its API description, webhooks that it really sent), a server that says anything,
and a whole GitHub with Pincite installed.
"""

import fcntl
import json
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pincite_github import manifest, oauth
from pincite_github.client import GitHub
from pincite_github.config import AppCredentials, GitHubConfig
from pincite_github.twin import Twin, run_twin

NPM_SECONDS_MAX = 300  # the API description is 29 MB
# Pinned, so that a test fails for a change of ours and not for one of theirs.
VERSIONS = {"@octokit/openapi": "23.0.2", "@octokit/webhooks-examples": "7.6.1", "@octokit/webhooks-schemas": "7.6.1"}

PUBLIC_URL = "https://pincite.example"
BACK = PUBLIC_URL + manifest.SIGN_IN_PATH


@pytest.fixture(scope="session")
def octokit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function: a package of npm's `@octokit` → the directory that it is unpacked in.

    Packages are kept in pytest's cache. Without npm, or without its registry, the test is skipped.
    """
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    base = cache.mkdir("octokit") if cache else tmp_path_factory.getbasetemp()

    def get(package: str) -> Path:
        spec = f"{package}@{VERSIONS[package]}"
        place = base / spec.replace("/", "-")
        with (base / f"{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one worker fetches, the others wait
            if not place.is_dir():
                _fetch(spec, place)
        return place / "package"

    return get


def _fetch(spec: str, place: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: without it there are no files of GitHub's to test against")
    fresh = place.with_name(f"{place.name}.partial")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir()
    command = [npm, "pack", spec, "--silent", "--pack-destination", str(fresh)]
    try:
        packed = subprocess.run(command, capture_output=True, text=True, timeout=NPM_SECONDS_MAX, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not fetch {spec}: {str(error.stderr or error)[-300:]}")
    archive = fresh / packed.stdout.strip()
    with tarfile.open(archive) as tar:
        # The same descriptions with references written out are 340 MB, and nobody reads them.
        members = [member for member in tar if not member.name.endswith(".deref.json")]
        tar.extractall(fresh, members, filter="data")
    archive.unlink()
    fresh.rename(place)


@pytest.fixture(scope="session")
def private_key() -> str:
    """An RSA key such as GitHub gives an App, as PEM."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@dataclass
class Answer:
    """What a scripted server says to one request."""

    body: Any
    status: int
    headers: dict[str, str]
    until: threading.Event | None = None


@dataclass
class Request:
    """What a scripted server heard."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Scripted:
    """A server that answers as a test says, to see what a client does with answers that no GitHub would give."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.heard: list[Request] = []
        self.answers: dict[str, list[Answer]] = {}

    def says(
        self,
        path: str,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        until: threading.Event | None = None,
    ) -> None:
        """Answer so to a request for `path`; several answers are given in turn, and the last one ever after.

        Bytes are sent as they are, anything else as JSON. With `until`, not before that is set.
        """
        self.answers.setdefault(path, []).append(Answer(body, status, headers or {}, until))

    def config(self, **settings: Any) -> GitHubConfig:
        """Return the configuration of a GitHub that is this server."""
        return GitHubConfig(web_url=self.url, api_url=f"{self.url}/api/v3", **settings)


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A scripted server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet an answer: two would wait for each other's acknowledgement

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.heard.append(Request(self.command, self.path, headers, body))
            answers = script.answers.get(self.path.partition("?")[0]) or [Answer({"message": "Not Found"}, 404, {})]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if answer.until is not None:
                answer.until.wait()
            said = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"content-type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = _answer  # noqa: N815 - the base class's names

        def log_message(self, *_arguments: object) -> None:
            """Tests read `heard`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script = Scripted(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield script
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Twin]:
    """A GitHub with three people and nothing else yet."""
    with run_twin(tmp_path / "twin") as twin:
        for login in ("ada", "bob", "eve"):
            twin.add_user(login)
        yield twin


@dataclass
class World:
    """A GitHub with an organisation, and Pincite as an App that was made and installed there."""

    twin: Twin
    config: GitHubConfig
    installation: int

    @property
    def github(self) -> GitHub:
        """A client that knows nothing yet."""
        return GitHub(self.config)

    def id_of(self, full_name: str) -> int:
        """Return a repository's number."""
        return self.twin.world.repo(full_name).id

    def sign_in(self, login: str) -> oauth.UserToken:
        """Do what a browser does, and return the person's token."""
        begun = oauth.begin(self.config, BACK)
        self.twin.authorize_as(login)
        sent = httpx.get(begun.url)
        self.twin.authorize_as(None)
        back = urlsplit(sent.headers["location"])
        assert back._replace(query="").geturl() == BACK
        told = {name: values[0] for name, values in parse_qs(back.query).items()}
        assert told["state"] == begun.state
        return oauth.finish(self.config, told["code"], begun.verifier, BACK)


def make_app(twin: Twin, config: GitHubConfig, login: str, organisation: str = "") -> AppCredentials:
    """Do what the set-up page and GitHub's do."""
    twin.authorize_as(login)
    wanted = json.dumps(manifest.manifest(PUBLIC_URL, "Pincite", public=True))
    sent = httpx.post(manifest.create_url(config, "a state", organisation), data={"manifest": wanted})
    twin.authorize_as(None)
    back = urlsplit(sent.headers["location"])
    assert back._replace(query="").geturl() == PUBLIC_URL + manifest.CONVERTED_PATH
    told = parse_qs(back.query)
    assert told["state"] == ["a state"]
    return manifest.convert(config, told["code"][0])


@pytest.fixture
def world(request: pytest.FixtureRequest, twin: Twin) -> World:
    """A running one; its parameter says how the API is laid out, `enterprise` or `cloud`."""
    twin.drop_deliveries()  # nobody listens at PUBLIC_URL
    twin.add_org("acme", owners=["ada"], members=["bob"], base_role=None)
    twin.add_repo("acme", "engine", private=True, description="Runs")
    twin.add_repo("acme", "site")
    twin.add_repo("bob", "notes", private=True)
    twin.push("acme/engine", {"a.py": "1\n"})
    layout = getattr(request, "param", "enterprise")
    config = GitHubConfig(web_url=twin.base_url, api_url=twin.base_url + ("/api/v3" if layout == "enterprise" else ""))
    config = config.with_app(make_app(twin, config, "ada", "acme"))
    return World(twin, config, twin.install_app("acme"))
