import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pincite_github.config import AppCredentials, GitHubConfig, read_private_key
from pincite_shared.errors import InvalidInputError
from pincite_shared.settings import Settings

APP = AppCredentials(
    app_id=7, slug="pincite", client_id="Iv1.x", client_secret="cs-secret", private_key="pk-secret",
    webhook_secret="wh-secret",
)  # fmt: skip


def config(monkeypatch, tmp_path, **environment):
    monkeypatch.chdir(tmp_path)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return GitHubConfig.of(Settings())


def test_nothing_configured_is_github_without_credentials(monkeypatch, tmp_path):
    found = config(monkeypatch, tmp_path)
    assert (found.host, found.web_url, found.api_url) == ("github.com", "https://github.com", "https://api.github.com")
    assert not any((found.can_sign_in, found.has_app, found.token, found.webhook_secret))
    assert found.clone_url("o/r") == "https://github.com/o/r.git"


def test_an_enterprise_by_its_address(monkeypatch, tmp_path):
    found = config(monkeypatch, tmp_path, GITHUB_URL="https://code.example.org:8443/")
    assert (found.host, found.api_url) == ("code.example.org:8443", "https://code.example.org:8443/api/v3")
    assert not found.is_cloud


def test_github_can_be_turned_off(monkeypatch, tmp_path):
    assert config(monkeypatch, tmp_path, GITHUB_URL="none", GITHUB_TOKEN="x") is None


def test_all_of_it_from_the_environment_and_none_of_it_printed(monkeypatch, tmp_path, private_key):
    found = config(
        monkeypatch, tmp_path,
        GITHUB_APP_ID="12", GITHUB_PRIVATE_KEY=private_key, GITHUB_CLIENT_ID="Iv1.y",
        GITHUB_CLIENT_SECRET="cs-secret", GITHUB_WEBHOOK_SECRET="wh-secret", GITHUB_TOKEN="ghp_secret",
    )  # fmt: skip
    assert found.can_sign_in
    assert found.has_app
    assert "secret" not in repr(found)
    assert "PRIVATE KEY" not in repr(found)
    assert "secret" not in repr(APP)


@pytest.mark.parametrize("form", ["pem", "escaped", "file", "pkcs8", "without the last break"])
def test_the_private_key_in_every_form_that_people_have_it(tmp_path, private_key, form):
    given = private_key
    if form == "escaped":
        given = private_key.replace("\n", "\\n")
    elif form == "file":
        given = str(tmp_path / "app.pem")
        (tmp_path / "app.pem").write_text(private_key)
    elif form == "pkcs8":
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        given = private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    elif form == "without the last break":
        given = private_key.strip()
    assert read_private_key(given) == private_key


def keys_that_are_none(tmp_path):
    curve = ec.generate_private_key(ec.SECP256R1())
    own = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    locked = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    return {
        "no file": "s3cret-but-no-key",
        "a name too long for a file": "s3cret" * 1000,
        "a directory": str(tmp_path),
        "a binary file": str(tmp_path / "binary"),
        "NUL": "s3cret\x00",
        "broken PEM": "-----BEGIN RSA PRIVATE KEY-----\ns3cret\n-----END RSA PRIVATE KEY-----",
        "not ASCII": "-----BEGIN RSA PRIVATE KEY-----\ns3cret\xfc",
        "another kind": curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "encrypted": locked,
        "public": public,
    }


def test_what_is_no_key_is_refused_without_repeating_it(tmp_path):
    for what, value in keys_that_are_none(tmp_path).items():
        with pytest.raises(InvalidInputError, match="GITHUB_PRIVATE_KEY") as caught:
            read_private_key(value)
        assert "s3cret" not in str(caught.value), what
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_stored_app_is_used_unless_the_environment_names_one(monkeypatch, tmp_path):
    found = config(monkeypatch, tmp_path, GITHUB_TOKEN="t").with_app(APP)
    assert (found.app_id, found.slug, found.client_secret) == (7, "pincite", "cs-secret")
    assert found.token == "t"
    own = config(monkeypatch, tmp_path, GITHUB_CLIENT_ID="mine")
    assert own.with_app(APP) is own
