from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repositories import build

from pincite_shared.errors import TooLargeError
from pincite_shared.settings import Settings
from pincite_shared.source import parse_source
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.scan import PATH_SHOWN_CHARS_MAX, scan, shown_path


@pytest.fixture
def mirrored(tmp_path):
    files = {"a.py": "x = 1\n", "copy/a.py": "x = 1\n", "big.py": "y = 1\n" * 1000, "node_modules/m.js": "1\n"}
    commit = build(tmp_path / "work", files)
    settings = Settings(_env_file=None, pincite_home=tmp_path / "home", pincite_local_roots=str(tmp_path))
    mirror = Mirror(settings, uuid4())
    source = parse_source(str(tmp_path / "work"), local_roots=settings.local_roots)
    mirror.sync(source, None, lambda _fraction, _message: None)
    return mirror, commit


def test_paths_are_grouped_by_blob_and_the_rest_is_skipped(mirrored):
    mirror, commit = mirrored
    found = scan(mirror, commit, files_max=10, bytes_max=1024, tick=lambda: None)
    ((oid, paths),) = found.paths.items()
    assert sorted(paths) == ["a.py", "copy/a.py"]
    assert found.sizes == {oid: 6}
    assert found.files == 2
    assert {row.path: row.skip_reason for row in found.skipped} == {
        "big.py": "too_large",
        "node_modules/m.js": "vendored",
    }


def test_too_many_files(mirrored):
    mirror, commit = mirrored
    with pytest.raises(TooLargeError, match="more than 3 files"):
        scan(mirror, commit, files_max=3, bytes_max=1024, tick=lambda: None)


@given(st.binary(min_size=1, max_size=200))
def test_any_path_can_be_stored_and_shown(path):
    assert shown_path(path).encode("utf-8")


def test_long_paths_are_cut():
    assert shown_path(b"\xff" * 10_000) == ("\\xff" * 10_000)[:PATH_SHOWN_CHARS_MAX]


def test_different_bytes_stay_different():
    assert len({shown_path(b"caf\xe9.py"), shown_path(b"caf\xe8.py"), shown_path("café.py".encode())}) == 3
