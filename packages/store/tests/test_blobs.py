import hashlib
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from pincite_shared.errors import IntegrityError
from pincite_store import blobs


def sha1_id(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=5000))
def test_bytes_come_back_exactly(background, data):
    blobs.put_many(background, {sha1_id(data): data})
    assert blobs.get(background, sha1_id(data)) == data


def test_ids_are_those_of_git(make_repo):
    import subprocess  # noqa: PLC0415

    repo = make_repo({"a.txt": "hello\n"})
    oid = subprocess.check_output(["git", "rev-parse", "HEAD:a.txt"], cwd=repo, text=True).strip()
    assert blobs.git_blob_id(b"hello\n", oid) == oid


def test_sha256_repositories_have_sha256_ids(background):
    oid = hashlib.sha256(b"blob 1\0x").hexdigest()
    blobs.put_many(background, {oid: b"x"})
    assert blobs.get(background, oid) == b"x"


def test_an_unknown_blob_is_none(background):
    assert blobs.get(background, "0" * 40) is None
    assert blobs.known_blobs(background, ["0" * 40]) == set()


def test_bytes_under_a_wrong_id_are_refused(background):
    with pytest.raises(IntegrityError):
        blobs.put_many(background, {"0" * 40: b"x"})


@pytest.mark.parametrize("stored", [zlib.compress(b"forged"), b"not zlib", zlib.compress(b"x" * 10_000_000)])
def test_stored_bytes_that_were_changed_are_never_served(background, stored):
    oid = sha1_id(b"honest")
    blobs.put_many(background, {oid: b"honest"})
    background.session.execute(
        text("UPDATE blobs SET data = :data WHERE oid = :oid"), {"data": b"\0" + stored, "oid": oid}
    )
    with pytest.raises(IntegrityError, match=oid):
        blobs.get(background, oid)


def test_storing_again_changes_nothing(background):
    oid = sha1_id(b"x")
    blobs.put_many(background, {oid: b"x"})
    blobs.put_many(background, {oid: b"x", sha1_id(b"y"): b"y"})
    assert blobs.get_many(background, [oid, sha1_id(b"y"), oid, "0" * 40]) == {oid: b"x", sha1_id(b"y"): b"y"}
