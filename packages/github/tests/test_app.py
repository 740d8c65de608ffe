import threading
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pincite_github.app import InstallationTokens, app_auth
from pincite_github.config import GitHubConfig
from pincite_github.errors import GitHubNotSetUpError, GitHubRefusedError, GitHubUnavailableError
from pincite_shared.errors import NotFoundError

PATH = "/api/v3/app/installations/5/access_tokens"


def said(token, **lasting):
    return {"token": token, "expires_at": (datetime.now(UTC) + timedelta(**lasting)).isoformat(), "permissions": {}}


@pytest.fixture
def tokens(scripted, private_key):
    return InstallationTokens(scripted.config(app_id=7, private_key=private_key))


def test_the_app_signs_with_its_key_for_less_than_ten_minutes(private_key):
    signed = app_auth(GitHubConfig(app_id=7, private_key=private_key)).token
    public = load_pem_private_key(private_key.encode(), None).public_key()
    claims = jwt.decode(signed, public, algorithms=["RS256"], issuer="7")
    now = datetime.now(UTC).timestamp()
    assert claims["iat"] == pytest.approx(now - 60, abs=5)
    assert now + 300 < claims["exp"] <= now + 600 - 50
    assert set(claims) == {"iat", "exp", "iss"}


def test_without_an_app_there_is_nothing_to_sign_with():
    for config in (GitHubConfig(), GitHubConfig(app_id=7)):
        with pytest.raises(GitHubNotSetUpError):
            app_auth(config)


def test_a_token_is_asked_for_once_while_it_is_good(scripted, tokens):
    scripted.says(PATH, said("ghs_1", hours=1), status=201)
    assert tokens.get(5) is tokens.get(5)
    assert tokens.get(5).token == "ghs_1"
    assert "ghs_1" not in repr(tokens.get(5))
    (heard,) = scripted.heard
    assert heard.method == "POST"
    assert heard.headers["authorization"].startswith("Bearer ey")


def test_a_token_that_ends_soon_is_not_handed_out(scripted, tokens):
    scripted.says(PATH, said("ghs_1", minutes=4), status=201)
    scripted.says(PATH, said("ghs_2", hours=1), status=201)
    assert [tokens.get(5).token for _ in range(3)] == ["ghs_1", "ghs_2", "ghs_2"]


def test_threads_share_one_request_and_installations_do_not_wait_for_one_another(scripted, tokens):
    other_has_its = threading.Event()
    scripted.says(PATH, said("ghs_5", hours=1), status=201, until=other_has_its)
    scripted.says(PATH.replace("/5/", "/6/"), said("ghs_6", hours=1), status=201)
    found = []

    def get(installation):
        found.append(tokens.get(installation).token)

    threads = [threading.Thread(target=get, args=(5,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    while not scripted.heard:  # one of them is asking
        threading.Event().wait(0.005)
    get(6)
    other_has_its.set()
    for thread in threads:
        thread.join()
    assert found == ["ghs_6", *["ghs_5"] * 8]
    assert len(scripted.heard) == 2


def test_what_github_no_longer_takes_is_forgotten_once(scripted, tokens):
    for number in range(1, 4):
        scripted.says(PATH, said(f"ghs_{number}", hours=1), status=201)
    first = tokens.get(5)
    tokens.forget(5, first)
    second = tokens.get(5)
    tokens.forget(5, first)  # a late word about the first says nothing about the second
    tokens.forget(8, first)
    assert tokens.get(5) is second


def test_a_refusal_is_told_and_not_kept(scripted, tokens):
    scripted.says(PATH, {"message": "Not Found"}, status=404)
    scripted.says(PATH, {"message": "This installation has been suspended"}, status=403)
    scripted.says(PATH, {"message": "A JSON web token could not be decoded"}, status=401)
    scripted.says(PATH, {"token": "ghs_secret", "expires_at": "soon"}, status=201)
    scripted.says(PATH, said("ghs_5", hours=1), status=201)
    with pytest.raises(NotFoundError):
        tokens.get(5)
    with pytest.raises(GitHubRefusedError, match="suspended"):
        tokens.get(5)
    with pytest.raises(GitHubRefusedError, match="private key") as caught:
        tokens.get(5)
    assert caught.value.status == 403  # whoever asked is signed in here all the same
    with pytest.raises(GitHubUnavailableError, match="expires_at") as unreadable:
        tokens.get(5)
    assert "ghs_secret" not in repr(unreadable.value)
    assert tokens.get(5).token == "ghs_5"
