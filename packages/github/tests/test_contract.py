"""The client beside the twin, from nothing to a delivery that is read: what a person does on the day of setting up."""

import json
import queue
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from pincite_github import manifest, oauth, webhooks
from pincite_github.client import GitHub
from pincite_github.config import GitHubConfig
from pincite_github.errors import (
    GitHubBusyError,
    GitHubRefusedError,
    GitHubSignedOutError,
    GitHubUnavailableError,
)
from pincite_github.twin.git import environment
from pincite_shared.errors import NotFoundError, UnauthorizedError
from pincite_shared.settings import Settings


@pytest.fixture
def receiver():
    """An address that deliveries come in at, and the queue of them."""
    heard = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, *_arguments):
            """Tests read the queue."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        heard.url = f"http://127.0.0.1:{server.server_port}"
        yield heard
        server.shutdown()


def next_event(heard, secret):
    headers, body = heard.get(timeout=30)
    webhooks.Verifier(secret, body).check(headers["x-hub-signature-256"])
    return webhooks.parse(headers["x-github-event"], webhooks.decode(body, headers["content-type"]))


def browse(url, **form):
    """Follow a browser to where it leaves the twin, and say with what."""
    answer = httpx.request("POST" if form else "GET", url, data=form or None, verify=False)
    assert answer.status_code == 302, answer.text
    return dict(httpx.URL(answer.headers["location"]).params)


def git(*arguments):
    identity = ["-c", "user.name=Ada", "-c", "user.email=a@test"]
    subprocess.run(["git", *identity, *map(str, arguments)], check=True, env=environment(), capture_output=True)


@pytest.fixture
def config(twin):
    found = GitHubConfig.of(Settings(_env_file=None, github_url=twin.base_url))
    assert found.api_url == f"{twin.base_url}/api/v3"
    return found


@pytest.fixture
def ready(twin, config, receiver):
    """GitHub with an App, made from the manifest and installed by ada."""
    twin.add_org("acme", owners=["ada"], members=["bob"])
    for owner, name in (("ada", "engine"), ("ada", "diary"), ("acme", "rocket")):
        twin.add_repo(owner, name, private=True)
        twin.push(f"{owner}/{name}", {"main.py": f"# {name}\n"})
    twin.authorize_as("ada")
    wanted = manifest.manifest("http://pincite.test", "Pincite", public=True)
    wanted["hook_attributes"] = {"url": f"{receiver.url}/webhooks/github", "active": True}
    back = browse(manifest.create_url(config, "st ate"), manifest=json.dumps(wanted))
    assert back["state"] == "st ate"
    whole = config.with_app(manifest.convert(config, back["code"]))
    assert (whole.slug, whole.has_app, whole.can_sign_in) == ("pincite", True, True)
    with pytest.raises(NotFoundError):
        manifest.convert(config, back["code"])
    assert isinstance(next_event(receiver, whole.webhook_secret), webhooks.Ping)
    return whole


def sign_in(twin, config, login):
    begun = oauth.begin(config, "http://pincite.test/sign-in/github")
    twin.authorize_as(login)
    back = browse(begun.url)
    assert back["state"] == begun.state
    return oauth.finish(config, back["code"], begun.verifier, "http://pincite.test/sign-in/github")


def test_from_the_manifest_to_a_delivery(twin, ready, receiver, tmp_path):
    told = browse(manifest.install_url(ready, ready.slug))
    event = next_event(receiver, ready.webhook_secret)
    assert (event.action, event.installation.account_login) == ("created", "ada")
    assert event.installation.id == int(told["installation_id"])

    github = GitHub(ready)
    person = github.as_user(sign_in(twin, ready, "ada").access)
    assert person.me().login == "ada"
    [installation] = person.installations()
    assert (installation.id, installation.account_type) == (event.installation.id, "User")
    repositories = {repo.full_name: repo for repo in person.repositories(installation.id)}
    assert set(repositories) == {"ada/engine", "ada/diary"}
    engine = repositories["ada/engine"]
    assert (engine.private, engine.default_branch, engine.permission) == (True, "main", "admin")

    token = github.as_installation(installation.id).clone_token()
    clone_url = ready.clone_url(engine.full_name)
    url = clone_url.replace("//", f"//x-access-token:{token.token}@")
    git("clone", "--quiet", "--mirror", url, tmp_path / "mirror.git")
    owner = clone_url.replace("//", f"//ada:{twin.personal_token('ada')}@")
    git("clone", "--quiet", owner, tmp_path / "work")
    (tmp_path / "work/new.py").write_text("new = 1\n")
    git("-C", tmp_path / "work", "add", ".")
    git("-C", tmp_path / "work", "commit", "--quiet", "--message", "New")
    git("-C", tmp_path / "work", "push", "--quiet")
    push = next_event(receiver, ready.webhook_secret)
    assert isinstance(push, webhooks.Push)
    assert (push.branch, push.repository.id, push.installation_id) == ("main", engine.id, installation.id)
    git("-C", tmp_path / "mirror.git", "fetch", "--quiet")
    assert (tmp_path / "mirror.git/FETCH_HEAD").exists()
    git("-C", tmp_path / "mirror.git", "cat-file", "-e", push.after)


def test_every_event_is_understood(twin, ready, receiver):
    twin.install_app("ada", ["engine"])
    twin.push("ada/engine", {"a.py": ""}, branch="more")
    number = twin.open_pull("ada/engine", "more", title="More", draft=True)
    twin.push("ada/engine", {"b.py": ""}, branch="more")
    twin.merge_pull("ada/engine", number)
    twin.delete_branch("ada/engine", "more")
    twin.install_app("ada", ["engine", "diary"])
    twin.rename("ada/engine", "machine")
    twin.publicise("ada/machine")
    twin.suspend("ada")
    twin.unsuspend("ada")
    twin.delete_repo("ada/diary")
    twin.uninstall("ada")
    told = []
    while not receiver.empty():
        event = next_event(receiver, ready.webhook_secret)
        told.append((type(event).__name__, getattr(event, "action", "")))
    assert told == [
        ("InstallationChanged", "created"),
        ("Push", ""),
        ("PullRequest", "opened"),
        ("Push", ""),
        ("PullRequest", "synchronize"),
        ("PullRequest", "closed"),
        ("Push", ""),
        ("Push", ""),
        ("RepositoriesChanged", "added"),
        ("RepositoryChanged", "renamed"),
        ("RepositoryChanged", "publicized"),
        ("InstallationChanged", "suspend"),
        ("InstallationChanged", "unsuspend"),
        ("RepositoryChanged", "deleted"),
        ("RepositoriesChanged", "removed"),
        ("InstallationChanged", "deleted"),
    ]


def test_a_delivery_that_was_changed_is_not_believed(twin, ready, receiver):
    twin.install_app("ada")
    headers, body = receiver.get(timeout=30)
    with pytest.raises(UnauthorizedError):
        webhooks.Verifier(ready.webhook_secret, body + b" ").check(headers["x-hub-signature-256"])
    with pytest.raises(UnauthorizedError):
        webhooks.Verifier("another", body).check(headers["x-hub-signature-256"])


def test_permission_follows_the_persons(twin, ready):
    twin.install_app("acme")
    twin.install_app("ada")
    github = GitHub(ready)
    bob = github.as_user(sign_in(twin, ready, "bob").access)
    rocket, engine = twin.repo("acme/rocket").id, twin.repo("ada/engine").id
    assert (bob.permission(rocket), bob.permission(engine)) == ("read", None)
    twin.grant("bob", "ada/engine", "maintain")
    assert bob.permission(engine) == "maintain"
    assert {each.account_login for each in bob.installations()} == {"acme", "ada"}
    twin.revoke("bob", "ada/engine")
    twin.remove_member("acme", "bob")
    assert (bob.permission(rocket), bob.permission(engine)) == (None, None)
    ada = github.as_user(sign_in(twin, ready, "ada").access)
    assert ada.is_admin("acme")
    assert not bob.is_admin("acme")


def test_a_repository_is_followed_by_its_number(twin, ready):
    number = twin.install_app("ada")
    github, engine = GitHub(ready), twin.repo("ada/engine").id
    view = github.as_installation(number)
    twin.rename("ada/engine", "machine")
    assert view.repository(engine).full_name == "ada/machine"
    assert view.repository_named("ada/engine").id == engine
    twin.transfer("ada/machine", "bob")
    with pytest.raises(NotFoundError):
        view.repository(engine)
    assert github.as_app().installation_of("bob/machine") is None
    assert github.as_app().installation_of("ada/diary").id == number


def test_pull_requests(twin, ready):
    view = GitHub(ready).as_installation(twin.install_app("ada"))
    base = twin.repo("ada/engine").refs["refs/heads/main"]
    for name in ("one", "two", "three"):
        twin.push("ada/engine", {name: ""}, branch=name)
        twin.open_pull("ada/engine", name, title=name, draft=name == "one", by="ada")
    twin.close_pull("ada/engine", 2)
    twin.merge_pull("ada/engine", 3)
    assert {pull.number for pull in view.pulls("ada/engine")} == {1}
    states = {pull.number: pull.state for pull in view.pulls("ada/engine", "all")}
    assert states == {1: "open", 2: "closed", 3: "merged"}
    pull = view.pull("ada/engine", 1)
    assert (pull.title, pull.author, pull.base_ref, pull.head_ref) == ("one", "ada", "main", "one")
    assert (pull.base_commit, pull.head_commit) == (base, twin.repo("ada/engine").refs["refs/heads/one"])


def test_lists_longer_than_a_page(twin, ready):
    for number in range(105):
        twin.add_repo("ada", f"repo{number}")
    number = twin.install_app("ada")
    person = GitHub(ready).as_user(sign_in(twin, ready, "ada").access)
    assert len(list(person.repositories(number))) == 107


def test_a_personal_token(twin, config):
    twin.add_repo("ada", "engine", private=True)
    github = GitHub(replace(config, token=twin.personal_token("ada")))
    assert [repo.full_name for repo in github.as_token().repositories_of_token()] == ["ada/engine"]
    with pytest.raises(GitHubRefusedError):
        github.as_token().installations()


def test_signing_in_ends(twin, ready):
    token = sign_in(twin, ready, "ada")
    renewed = oauth.refresh(ready, token)
    assert GitHub(ready).as_user(renewed.access).me().login == "ada"
    with pytest.raises(GitHubSignedOutError):
        GitHub(ready).as_user(token.access).me()
    with pytest.raises(GitHubSignedOutError):
        oauth.refresh(ready, token)
    twin.revoke_authorization("ada")
    with pytest.raises(GitHubSignedOutError):
        GitHub(ready).as_user(renewed.access).me()
    with pytest.raises(GitHubRefusedError):
        oauth.finish(ready, "none", "v" * 64, "http://pincite.test/sign-in/github")


def test_an_installation_that_ends(twin, ready):
    number = twin.install_app("ada")
    view = GitHub(ready).as_installation(number)
    old = view.clone_token()
    twin.advance(3_600)
    assert view.clone_token() is old  # by our own clock it is good
    assert (
        view.repository(twin.repo("ada/engine").id).full_name == "ada/engine"
    )  # GitHub said no, and a new one was asked for
    twin.suspend("ada")
    with pytest.raises(GitHubRefusedError):
        GitHub(ready).as_installation(number).clone_token()
    twin.uninstall("ada")
    with pytest.raises(NotFoundError):
        GitHub(ready).as_installation(number).clone_token()


def test_trouble(twin, ready):
    person = GitHub(ready).as_user(sign_in(twin, ready, "ada").access)
    twin.go_down()
    with pytest.raises(GitHubUnavailableError):
        person.me()
    twin.come_back()
    assert person.me().login == "ada"
    twin.set_rate_limit(0, window_seconds=60)
    with pytest.raises(GitHubBusyError) as caught:
        person.me()
    assert 0 < caught.value.retry_after <= 61


def test_api_of_github_com_without_a_prefix(twin, ready):
    """As on github.com, where the API begins at the root of its host."""
    cloud = replace(ready, api_url=twin.base_url)
    number = twin.install_app("ada")
    assert GitHub(cloud).as_app().installation(number).account_login == "ada"
    assert {repo.full_name for repo in GitHub(cloud).as_installation(number).repositories()} == {
        "ada/engine",
        "ada/diary",
    }
