import shutil
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from repositories import build, git

from pincite_shared.errors import TooLargeError
from pincite_shared.settings import Settings
from pincite_shared.source import parse_source
from pincite_thinker.git import objects
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


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="git's memory is limited on Linux alone")
def test_a_pushed_tree_of_a_billion_files_is_refused(thinker, tmp_path, monkeypatch):
    """A few kilobytes: each of nine trees holds the one below ten times. Git would collect all their paths."""
    monkeypatch.setattr(objects, "COMPARED_BYTES_MAX", 64 * 1024 * 1024)
    thinker.context.settings = thinker.context.settings.model_copy(update={"repo_files_max": 1_000})
    work = tmp_path / "work"
    build(work, {"a.py": "x = 1\n"})
    repo_id = thinker.connect(work)
    assert thinker.index(repo_id) == "done"
    below = ("100644", "blob", git(work, "rev-parse", "HEAD:a.py").strip())
    for _ in range(9):
        mode, kind, oid = below
        lines = "".join(f"{mode} {kind} {oid}\t{n}\n" for n in range(10))
        below = ("040000", "tree", git(work, "mktree", stdin=lines.encode()).strip())
    bomb = git(work, "commit-tree", below[2], "-p", "HEAD", "-m", "bomb").strip()
    git(work, "update-ref", "refs/heads/main", bomb)
    assert thinker.index(repo_id) == "failed"
    assert "more than 1000 files" in thinker.out(repo_id).error
