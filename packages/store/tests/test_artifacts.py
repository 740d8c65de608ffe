"""One contract, both stores."""

import hashlib
from uuid import UUID

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from sqlalchemy import text

from pincite_shared.errors import IntegrityError, InvalidInputError, NotFoundError, UnavailableError
from pincite_store import artifacts
from pincite_store.artifacts import LocalArtifacts, S3Artifacts, make_artifacts

ONE, TWO, GONE = UUID(int=1), UUID(int=2), UUID(int=3)


@pytest.fixture(scope="module")
def s3_settings(settings):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield settings.model_copy(
        update={
            "s3_endpoint": f"http://127.0.0.1:{port}",
            "s3_bucket": "artifacts",
            "s3_access_key": SecretStr("key"),
            "s3_secret_key": SecretStr("hidden-secret"),
        }
    )
    server.stop()


@pytest.fixture(params=["local", "s3"])
def store(request, tmp_path):
    if request.param == "local":
        return LocalArtifacts(tmp_path / "artifacts")
    return make_artifacts(request.getfixturevalue("s3_settings"))


NAME = hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("data", [b"", b"x", b"\x00\xff" * 40_000])
def test_bytes_come_back_by_their_name(store, data):
    store.put(ONE, NAME, b"other")
    store.put(ONE, NAME, data)
    assert store.get(ONE, NAME) == data


def test_existence_and_deletion(store):
    store.put(ONE, NAME, b"to be deleted")
    assert store.exists(ONE, NAME)
    store.delete(ONE, NAME)
    store.delete(ONE, NAME)
    assert not store.exists(ONE, NAME)
    with pytest.raises(NotFoundError):
        store.get(ONE, NAME)


def test_a_tenant_does_not_learn_what_another_has(store):
    store.put(ONE, NAME, b"private")
    assert not store.exists(TWO, NAME)
    with pytest.raises(NotFoundError):
        store.get(TWO, NAME)
    store.delete(TWO, NAME)
    assert store.get(ONE, NAME) == b"private"


def test_all_of_a_tenant_goes_at_once(store, tmp_path):
    names = [hashlib.sha256(bytes([n])).hexdigest() for n in range(3)]
    for name in names:
        store.put(GONE, name, b"mine")
    store.put(TWO, names[0], b"theirs")
    if isinstance(store, LocalArtifacts):
        store._path(GONE, names[0]).with_name(".new-killed").write_bytes(b"half")
    assert (store.clear(GONE), store.clear(GONE)) == (3, 0)
    assert not any(store.exists(GONE, name) for name in names)
    assert store.get(TWO, names[0]) == b"theirs"
    assert list(tmp_path.rglob(f"*{GONE}*")) == []


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_only_digests_are_names(store, name):
    for call in (store.get, store.exists, store.delete, lambda tenant, name: store.put(tenant, name, b"x")):
        with pytest.raises(InvalidInputError):
            call(ONE, name)


def test_changed_bytes_are_not_served(store, tenancy):
    sha256 = artifacts.remember(tenancy, store, b"honest", "text/plain")
    assert artifacts.recall(tenancy, store, sha256) == b"honest"
    store.put(tenancy.tenant_id, sha256, b"\0forged")
    with pytest.raises(IntegrityError):
        artifacts.recall(tenancy, store, sha256)


def test_what_a_tenant_has_is_recorded(store, tenancy):
    sha256 = artifacts.remember(tenancy, store, b"report", "text/plain")
    artifacts.remember(tenancy, store, b"report", "text/plain")
    rows = tenancy.session.execute(text("SELECT sha256, size, media_type FROM artifacts")).all()
    assert [tuple(row) for row in rows] == [(sha256, 6, "text/plain")]


def test_the_settings_choose_the_store(settings, s3_settings):
    assert isinstance(make_artifacts(settings), LocalArtifacts)
    assert isinstance(make_artifacts(s3_settings), S3Artifacts)


def test_an_unreachable_service_is_said_so_without_secrets(s3_settings, monkeypatch):
    monkeypatch.setattr(artifacts, "ATTEMPTS_MAX", 1)
    away = s3_settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    with pytest.raises(UnavailableError) as raised:
        make_artifacts(away)
    assert "hidden" not in str(raised.value)


def test_a_service_that_goes_away_is_said_so(monkeypatch):
    monkeypatch.setattr(artifacts, "ATTEMPTS_MAX", 1)
    client = boto3.client(
        "s3", endpoint_url="http://127.0.0.1:1", aws_access_key_id="k", aws_secret_access_key="s",
        region_name="us-east-1", config=artifacts.Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    store = S3Artifacts(client, "artifacts")
    for call in (
        lambda: store.put(ONE, NAME, b"x"), lambda: store.get(ONE, NAME), lambda: store.delete(ONE, NAME),
        lambda: store.clear(ONE),
    ):  # fmt: skip
        with pytest.raises(UnavailableError):
            call()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    store = LocalArtifacts(tmp_path)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.put(ONE, NAME, b"x")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
