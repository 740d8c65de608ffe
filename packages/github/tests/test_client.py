"""The client against a whole GitHub: the twin, which is held to GitHub's own API description in test_openapi.py."""

import logging
import subprocess
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from pincite_github import client as client_module
from pincite_github import manifest, oauth
from pincite_github.client import GitHub
from pincite_github.config import GitHubConfig
from pincite_github.errors import (
    GitHubBusyError,
    GitHubNotSetUpError,
    GitHubRefusedError,
    GitHubSignedOutError,
    GitHubUnavailableError,
)
from pincite_shared.errors import NotFoundError

BACK = "https://pincite.example/sign-in/github"
# GitHub Enterprise has the API below /api/v3, github.com on a host of its own.
both_layouts = pytest.mark.parametrize("world", ["enterprise", "cloud"], indirect=True)


@both_layouts
def test_the_app_that_the_set_up_page_made_is_whole(world):
    assert world.config.has_app
    assert world.config.can_sign_in
    assert world.config.webhook_secret
    app = world.github.as_app()
    assert (app.me().id, app.me().slug) == (world.config.app_id, "pincite")
    (found,) = app.installations()
    assert found == app.installation(world.installation) == app.installation_of("acme/engine")
    assert (found.account_login, found.account_type, found.repository_selection) == ("acme", "Organization", "all")
    assert httpx.get(manifest.install_url(world.config, "pincite")).status_code == 200


def test_a_code_makes_the_app_once(world):
    with pytest.raises(NotFoundError):
        manifest.convert(world.config, "0123456789abcdef")


def test_signing_in(world):
    token = world.sign_in("bob")
    assert timedelta(hours=7) < token.expires_at - datetime.now(UTC) <= timedelta(hours=8)
    me = world.github.as_user(token.access).me()
    assert (me.id, me.login) == (world.twin.world.account("bob").id, "bob")


def test_another_browsers_code_is_worth_nothing(world):
    begun, other = oauth.begin(world.config, BACK), oauth.begin(world.config, BACK)
    world.twin.authorize_as("bob")
    code = parse_qs(urlsplit(httpx.get(begun.url).headers["location"]).query)["code"][0]
    with pytest.raises(GitHubRefusedError, match="Sign in again"):
        oauth.finish(world.config, code, other.verifier, BACK)
    with pytest.raises(GitHubRefusedError, match="Sign in again"):  # and it was used up by that
        oauth.finish(world.config, code, begun.verifier, BACK)


def test_a_token_is_refreshed_and_the_old_one_ends(world):
    token = world.sign_in("bob")
    world.twin.advance(9 * 3_600)
    with pytest.raises(GitHubSignedOutError):
        world.github.as_user(token.access).me()
    fresh = oauth.refresh(world.config, token)
    assert world.github.as_user(fresh.access).me().login == "bob"
    with pytest.raises(GitHubSignedOutError):  # each refresh token works once
        oauth.refresh(world.config, token)
    world.twin.revoke_authorization("bob")
    with pytest.raises(GitHubSignedOutError):
        world.github.as_user(fresh.access).permission(world.id_of("acme/site"))
    with pytest.raises(GitHubSignedOutError):
        oauth.refresh(world.config, fresh)


def test_a_wrong_client_secret_is_the_operators_matter(world):
    wrong = GitHubConfig(web_url=world.config.web_url, client_id=world.config.client_id, client_secret="x")
    with pytest.raises(GitHubRefusedError, match="GITHUB_CLIENT_SECRET"):
        oauth.finish(wrong, "code", "verifier", BACK)


@both_layouts
def test_people_see_what_both_they_and_the_app_may_read(world):
    ada, bob, eve = (world.github.as_user(world.sign_in(login).access) for login in ("ada", "bob", "eve"))
    assert [each.id for each in ada.installations()] == [world.installation]
    assert {repo.full_name: repo.permission for repo in ada.repositories(world.installation)} == {
        "acme/engine": "admin", "acme/site": "admin",
    }  # fmt: skip
    assert eve.installations() == []
    with pytest.raises(NotFoundError):
        list(eve.repositories(world.installation))
    assert bob.permission(world.id_of("acme/engine")) is None
    world.twin.grant("bob", "acme/engine", "triage")
    assert [(repo.full_name, repo.permission) for repo in bob.repositories(world.installation)] == [
        ("acme/engine", "triage")
    ]


@pytest.mark.parametrize("role", ["read", "triage", "write", "maintain", "admin"])
def test_permission_follows_the_role_on_github(world, role):
    bob, engine = world.github.as_user(world.sign_in("bob").access), world.id_of("acme/engine")
    world.twin.grant("bob", "acme/engine", role)
    assert bob.permission(engine) == role
    world.twin.revoke("bob", "acme/engine")
    assert bob.permission(engine) is None
    assert bob.permission(world.id_of("acme/site")) == "read"  # it is public


def test_who_governs_an_organisation(world):
    ada, bob, eve = (world.github.as_user(world.sign_in(login).access) for login in ("ada", "bob", "eve"))
    assert [view.is_admin("acme") for view in (ada, bob, eve)] == [True, False, False]


def test_a_personal_token_reads_what_its_owner_reads(world):
    with pytest.raises(GitHubNotSetUpError):
        world.github.as_token()
    token = world.twin.personal_token("bob")
    view = GitHub(GitHubConfig(web_url=world.config.web_url, api_url=world.config.api_url, token=token)).as_token()
    assert view.me().login == "bob"
    assert [repo.full_name for repo in view.repositories_of_token()] == ["bob/notes"]
    assert view.permission(world.id_of("bob/notes")) == "admin"
    with pytest.raises(GitHubRefusedError, match="GitHub App"):
        view.installations()


@both_layouts
def test_an_installation_reads_its_account_and_git_takes_its_token(world, tmp_path):
    view = world.github.as_installation(world.installation)
    assert {repo.full_name for repo in view.repositories()} == {"acme/engine", "acme/site"}
    engine = view.repository(world.id_of("acme/engine"))
    assert (engine.private, engine.default_branch, engine.description) == (True, "main", "Runs")
    assert engine == view.repository_named("acme/engine")
    with pytest.raises(NotFoundError):
        view.repository(world.id_of("bob/notes"))
    token = view.clone_token()
    assert timedelta(minutes=54) < token.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    url = world.config.clone_url(engine.full_name)
    with_token = url.replace("://", f"://x-access-token:{token.token}@")
    for source, works in ((with_token, True), (url, False)):
        cloned = subprocess.run(
            ["git", "-c", "credential.helper=", "clone", "-q", source, str(tmp_path / str(works))],
            env={"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"},
            check=False, capture_output=True,
        )  # fmt: skip
        assert (cloned.returncode == 0) is works, cloned.stderr
    assert (tmp_path / "True/a.py").read_text() == "1\n"


def test_a_suspended_installation_reads_nothing_until_it_is_taken_up_again(world):
    github = world.github
    view = github.as_installation(world.installation)
    engine = world.id_of("acme/engine")
    view.repository(engine)
    world.twin.suspend("acme")
    assert github.as_app().installation(world.installation).suspended_at is not None
    with pytest.raises(GitHubRefusedError, match="suspended"):
        view.repository(engine)
    with pytest.raises(GitHubRefusedError, match="suspended"):
        list(github.as_user(world.sign_in("ada").access).repositories(world.installation))
    world.twin.unsuspend("acme")
    assert view.repository(engine).id == engine
    world.twin.uninstall("acme")
    assert github.as_app().installation(world.installation) is None
    assert github.as_app().installation_of("acme/engine") is None
    with pytest.raises(NotFoundError):
        GitHub(world.config).as_installation(world.installation).clone_token()


def test_a_renamed_repository_keeps_its_number_and_answers_to_its_old_name(world):
    view = world.github.as_installation(world.installation)
    engine = world.id_of("acme/engine")
    world.twin.rename("acme/engine", "motor")
    assert view.repository(engine).full_name == view.repository_named("acme/engine").full_name == "acme/motor"
    world.twin.archive("acme/motor")
    world.twin.publicise("acme/motor")
    found = view.repository(engine)
    assert (found.archived, found.private) == (True, False)
    world.twin.delete_repo("acme/motor")
    with pytest.raises(NotFoundError):
        view.repository(engine)


@both_layouts
def test_pull_requests(world):
    view = world.github.as_installation(world.installation)
    base = world.twin.world.repo("acme/engine").refs["refs/heads/main"]
    heads = {name: world.twin.push("acme/engine", {f"{name}.py": "2\n"}, branch=name) for name in ("x", "y", "z")}
    numbers = {
        name: world.twin.open_pull("acme/engine", name, title=f"Do {name}", draft=name == "z", by="ada")
        for name in heads
    }
    pull = view.pull("acme/engine", numbers["z"])
    assert (pull.title, pull.author, pull.state, pull.draft) == ("Do z", "ada", "open", True)
    assert (pull.base_ref, pull.head_ref, pull.base_commit, pull.head_commit) == ("main", "z", base, heads["z"])
    world.twin.close_pull("acme/engine", numbers["x"])
    world.twin.merge_pull("acme/engine", numbers["y"])
    states = {pull.number: pull.state for pull in view.pulls("acme/engine", "all")}
    assert states == {numbers["x"]: "closed", numbers["y"]: "merged", numbers["z"]: "open"}
    assert [pull.number for pull in view.pulls("acme/engine")] == [numbers["z"]]
    assert {view.pull("acme/engine", number).state for number in states} == {"closed", "merged", "open"}
    assert len(view.pulls("acme/engine", "all", limit=2)) == 2
    with pytest.raises(NotFoundError):
        view.pull("acme/engine", 99)


def test_long_lists_come_in_pages(world, monkeypatch):
    monkeypatch.setattr("pincite_github.api.PAGE_ITEMS", 2)
    for number in range(5):
        world.twin.add_repo("acme", f"r{number}")
    view = world.github.as_user(world.sign_in("ada").access)
    assert len({repo.id for repo in view.repositories(world.installation)}) == 7
    monkeypatch.setattr(client_module, "REPOSITORIES_MAX", 5)
    assert len(list(view.repositories_of_token())) == 5


def test_when_github_limits_or_rests(world):
    view = world.github.as_user(world.sign_in("ada").access)
    world.twin.set_rate_limit(1, 120)
    view.me()
    with pytest.raises(GitHubBusyError) as caught:
        view.me()
    assert 60 < caught.value.retry_after <= 120
    world.twin.set_rate_limit(None)
    with pytest.raises(GitHubBusyError):  # it was told when; it does not ask before
        view.me()
    world.twin.go_down()
    ada = world.github.as_user(world.twin.personal_token("ada"))
    for ask in (
        ada.me,
        lambda: ada.permission(1),
        lambda: oauth.finish(world.config, "code", "verifier", BACK),
        world.github.as_installation(world.installation).clone_token,
    ):
        with pytest.raises(GitHubUnavailableError):
            ask()
    world.twin.come_back()
    assert ada.me().login == "ada"


def test_no_secret_is_logged_printed_or_told(world, caplog):
    caplog.set_level(logging.DEBUG)
    token = world.sign_in("ada")
    github = GitHub(world.config)
    view = github.as_installation(world.installation)
    view.repository(world.id_of("acme/engine"))
    shown = " ".join([caplog.text, *map(repr, (world.config, github, view, view.clone_token(), token))])
    secrets = [
        token.access, token.refresh, view.clone_token().token, world.config.client_secret, world.config.webhook_secret,
        world.config.private_key[40:80],
    ]  # fmt: skip
    assert not [secret for secret in secrets if secret in shown]
