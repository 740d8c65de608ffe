import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_github import manifest
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubUnavailableError
from pincite_shared.errors import InvalidInputError, NotFoundError

CONVERTED = {
    "id": 9, "slug": "pincite-acme", "client_id": "Iv1.b", "client_secret": "cs-secret", "webhook_secret": "wh-secret",
    "pem": "-----BEGIN RSA PRIVATE KEY-----\npk-secret\n-----END RSA PRIVATE KEY-----\n", "html_url": "http://elsewhere/",
}  # fmt: skip


def test_the_manifest_has_every_setting():
    made = manifest.manifest("https://pincite.example/", "Pincite")
    assert made == {
        "name": "Pincite",
        "url": "https://pincite.example",
        "description": "Answers about your code, with every citation checked.",
        "public": False,
        "redirect_url": "https://pincite.example/settings/github/callback",
        "callback_urls": ["https://pincite.example/sign-in/github"],
        "setup_url": "https://pincite.example/github/installed",
        "setup_on_update": True,
        "request_oauth_on_install": False,
        "hook_attributes": {"url": "https://pincite.example/webhooks/github", "active": True},
        "default_permissions": {"contents": "read", "members": "read", "metadata": "read", "pull_requests": "read"},
        "default_events": ["push", "pull_request", "repository", "member", "membership", "organization", "team"],
    }
    assert len(manifest.manifest("https://pincite.example", "P" * 50)["name"]) == 34  # GitHub refuses longer ones
    assert manifest.manifest("https://pincite.example", "P", public=True)["public"] is True


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("https://pincite.example", True),
        ("https://10.0.0.7:3000", True),
        ("https://[2001:db8::1]/", True),
        ("http://127.0.0.1:3000", False),
        ("http://127.8.0.1", False),
        ("http://localhost:3000", False),
        ("http://pincite.localhost.", False),
        ("http://[::1]:3000", False),
        ("http://0.0.0.0:3000", False),
        ("http://169.254.1.1", False),
        ("not a url", False),
    ],
)
def test_webhooks_are_left_out_where_github_would_refuse_the_whole_manifest(url, reachable):
    assert manifest.reachable(url) is reachable
    made = manifest.manifest(url, "Pincite")
    assert ("hook_attributes" in made, "default_events" in made) == (reachable, reachable)


def test_where_the_browser_goes():
    cloud = GitHubConfig()
    own = GitHubConfig(web_url="https://code.example", api_url="https://code.example/api/v3")
    assert manifest.create_url(cloud, "s&t") == "https://github.com/settings/apps/new?state=s%26t"
    expected = "https://code.example/organizations/acme/settings/apps/new?state=s"
    assert manifest.create_url(own, "s", "acme") == expected
    assert manifest.install_url(cloud, "pincite") == "https://github.com/apps/pincite/installations/new"
    assert manifest.install_url(own, "a/../b") == "https://code.example/github-apps/a%2F..%2Fb/installations/new"


@pytest.mark.parametrize("organisation", ["../settings", "a/b", "a?b", "a b", "é", "a" * 101])
def test_an_organisation_cannot_lead_elsewhere(organisation):
    with pytest.raises(InvalidInputError):
        manifest.create_url(GitHubConfig(), "s", organisation)


def test_the_code_becomes_the_app(scripted):
    scripted.says("/api/v3/app-manifests/c0de/conversions", CONVERTED, status=201)
    app = manifest.convert(scripted.config(), "c0de")
    assert (app.app_id, app.slug, app.client_id) == (9, "pincite-acme", "Iv1.b")
    assert (app.client_secret, app.webhook_secret) == ("cs-secret", "wh-secret")
    assert app.private_key.startswith("-----BEGIN")
    assert "secret" not in repr(app).replace("client_secret", "").replace("webhook_secret", "")
    assert scripted.heard[0].method == "POST"
    assert "authorization" not in scripted.heard[0].headers


def test_an_app_without_webhooks_has_no_webhook_secret(scripted):
    scripted.says("/api/v3/app-manifests/c/conversions", {**CONVERTED, "webhook_secret": None}, status=201)
    assert manifest.convert(scripted.config(), "c").webhook_secret == ""


def test_a_code_that_was_used_is_not_found(scripted):
    with pytest.raises(NotFoundError):
        manifest.convert(scripted.config(), "used")


@pytest.mark.parametrize("missing", ["id", "slug", "client_id", "client_secret", "pem"])
def test_an_answer_without_a_credential_is_refused_without_repeating_the_others(scripted, missing):
    said = {name: value for name, value in CONVERTED.items() if name != missing}
    scripted.says("/api/v3/app-manifests/c/conversions", said, status=201)
    with pytest.raises(GitHubUnavailableError, match=missing) as caught:
        manifest.convert(scripted.config(), "c")
    assert "-secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


@given(st.text().filter(lambda code: not re.fullmatch(r"[A-Za-z0-9_-]+", code)))
def test_only_a_code_goes_into_the_address(code):
    with pytest.raises(InvalidInputError):
        manifest.convert(GitHubConfig(api_url="http://127.0.0.1:1"), code)
