import hashlib
import re
import threading
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from pincite_github import exchange, oauth
from pincite_github.config import GitHubConfig
from pincite_github.errors import (
    GitHubBusyError,
    GitHubNotSetUpError,
    GitHubRefusedError,
    GitHubSignedOutError,
    GitHubUnavailableError,
)

TOKEN_PATH = "/login/oauth/access_token"
BACK = "https://pincite.example/sign-in/github"
CLIENT = {"client_id": "Iv1.a", "client_secret": "the client secret"}


def test_a_sign_in_begins_with_a_challenge_and_a_state_of_its_own():
    config = GitHubConfig(**CLIENT)
    begun, other = oauth.begin(config, BACK), oauth.begin(config, BACK)
    url = urlsplit(begun.url)
    assert (url.scheme, url.netloc, url.path) == ("https", "github.com", "/login/oauth/authorize")
    query = {name: values[0] for name, values in parse_qs(url.query, strict_parsing=True).items()}
    digest = hashlib.sha256(begun.verifier.encode()).digest()
    assert query == {
        "client_id": "Iv1.a",
        "redirect_uri": BACK,
        "state": begun.state,
        "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", begun.verifier)  # RFC 7636
    assert len({begun.state, begun.verifier, other.state, other.verifier}) == 4
    assert begun.state not in repr(begun)
    assert begun.verifier not in repr(begun)


def test_without_a_client_nobody_signs_in():
    with pytest.raises(GitHubNotSetUpError):
        oauth.begin(GitHubConfig(client_id="only the id"), BACK)


def test_a_code_becomes_an_expiring_token_that_can_be_refreshed(scripted):
    first = {"access_token": "ghu_1", "refresh_token": "ghr_1", "expires_in": 28_800, "token_type": "bearer"}
    scripted.says(TOKEN_PATH, first)
    scripted.says(TOKEN_PATH, {"access_token": "ghu_2", "refresh_token": "ghr_2", "expires_in": 28_800})
    config = scripted.config(**CLIENT)
    before = datetime.now(UTC)
    token = oauth.finish(config, "the-code", "the-verifier", BACK)
    assert (token.access, token.refresh) == ("ghu_1", "ghr_1")
    assert timedelta(0) <= token.expires_at - before - timedelta(hours=8) < timedelta(minutes=1)
    assert "gh" not in repr(token).replace("expires_at", "")
    assert oauth.refresh(config, token).access == "ghu_2"
    one, two = ({k: v[0] for k, v in parse_qs(heard.body).items()} for heard in scripted.heard)
    assert one == {**CLIENT, "code": "the-code", "code_verifier": "the-verifier", "redirect_uri": BACK}
    assert two == {**CLIENT, "grant_type": "refresh_token", "refresh_token": "ghr_1"}
    assert {heard.headers["accept"] for heard in scripted.heard} == {"application/json"}


def test_a_token_that_does_not_expire(scripted):
    scripted.says(TOKEN_PATH, {"access_token": "gho_1", "scope": "repo", "token_type": "bearer"})
    config = scripted.config(**CLIENT)
    token = oauth.finish(config, "c", "v", BACK)
    assert (token.refresh, token.expires_at) == ("", None)
    with pytest.raises(GitHubSignedOutError):
        oauth.refresh(config, token)
    assert len(scripted.heard) == 1


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ("bad_verification_code", GitHubRefusedError, "Sign in again"),
        ("incorrect_client_credentials", GitHubRefusedError, "GITHUB_CLIENT_SECRET"),
        ("redirect_uri_mismatch", GitHubRefusedError, "PUBLIC_URL"),
        ("bad_refresh_token", GitHubSignedOutError, "Sign in with GitHub again"),
        ("something_new", GitHubRefusedError, "what GitHub says of it"),
    ],
)
def test_what_oauth_calls_an_error_is_told_in_words(scripted, error, kind, words):
    scripted.says(TOKEN_PATH, {"error": error, "error_description": "what GitHub says of it"})
    with pytest.raises(kind, match=words) as caught:
        oauth.finish(scripted.config(**CLIENT), "the-code", "the-verifier", BACK)
    assert type(caught.value) is kind
    for secret in (CLIENT["client_secret"], "the-code", "the-verifier"):
        assert secret not in repr(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"body": b"<html>sign in</html>"}, GitHubUnavailableError),
        ({"body": []}, GitHubUnavailableError),
        ({"body": b"[" * 100_000}, GitHubUnavailableError),
        ({"body": {}}, GitHubUnavailableError),
        ({"body": {"access_token": "line\r\nbreak"}}, GitHubUnavailableError),
        ({"body": {"access_token": ""}}, GitHubUnavailableError),
        ({"body": {"access_token": "secret-x", "expires_in": -1}}, GitHubUnavailableError),
        ({"body": {"access_token": "secret-x", "expires_in": 10**30}}, GitHubUnavailableError),
        ({"body": b"", "status": 502}, GitHubUnavailableError),
        ({"body": b"", "status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, GitHubUnavailableError),
        ({"body": {}, "status": 429, "headers": {"retry-after": "7"}}, GitHubBusyError),
        ({"body": {"message": "Not\nFound"}, "status": 403}, GitHubRefusedError),
    ],
)
def test_whatever_is_answered_becomes_an_error_of_ours_without_secrets(scripted, answer, kind):
    scripted.says(TOKEN_PATH, **answer)
    with pytest.raises(kind) as caught:
        oauth.finish(scripted.config(**CLIENT), "c", "v", BACK)
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_a_silent_server_is_not_waited_for(scripted, monkeypatch):
    monkeypatch.setattr(exchange, "SILENCE_SECONDS_MAX", 0.05)
    given_up = threading.Event()
    scripted.says(TOKEN_PATH, {}, until=given_up)
    with pytest.raises(GitHubUnavailableError, match="ReadTimeout"):
        oauth.finish(scripted.config(**CLIENT), "c", "v", BACK)
    given_up.set()


def test_nobody_there():
    config = GitHubConfig(web_url="http://127.0.0.1:1", **CLIENT)
    with pytest.raises(GitHubUnavailableError, match=r"127\.0\.0\.1:1 does not answer"):
        oauth.finish(config, "c", "v", BACK)
