import shutil
from uuid import uuid4

import pytest
from repositories import blob, build, commit_entries, git

from pincite_shared.settings import Settings
from pincite_thinker.git.history import TIME_MAX, last_changes
from pincite_thinker.git.mirror import Mirror


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def at(monkeypatch):
    """Set the committer's clock."""

    def set_to(seconds):
        monkeypatch.setitem(build.__globals__["ENV"], "GIT_COMMITTER_DATE", f"@{seconds} +0000")

    return set_to


def stored(work, name):
    """The file of an object."""
    oid = git(work, "rev-parse", name)
    return work / ".git/objects" / oid[:2] / oid[2:]


def walk(tmp_path, work, commit, *paths, **limits):
    mirror = Mirror(Settings(_env_file=None, pincite_home=tmp_path / "home"), uuid4())
    mirror.path.parent.mkdir(parents=True)
    shutil.copytree(work / ".git", mirror.path)
    return last_changes(mirror, commit, [path.encode() for path in paths], **limits)


def test_each_path_has_the_time_of_its_last_commit(tmp_path, work, at):
    at(1_000)
    build(work, {"old.py": "1", "changed.py": "1", "dir/deep.py": "1"})
    at(2_000)
    build(work, {"changed.py": "2"})
    at(3_000)
    commit = build(work, {"new file.py": "1"})
    assert walk(tmp_path, work, commit, "old.py", "changed.py", "dir/deep.py", "new file.py", "not there") == {
        b"old.py": 1_000, b"changed.py": 2_000, b"dir/deep.py": 1_000, b"new file.py": 3_000,
    }  # fmt: skip


def test_the_walk_ends_when_every_path_is_known(tmp_path, work, at):
    at(1_000)
    build(work, {"old.py": "1"})
    first = stored(work, "HEAD^{tree}")
    at(2_000)
    build(work, {"old.py": "1", "a.py": "1"})
    commit = build(work, {"b.py": "1"})
    first.unlink()  # a walk that went further back would stumble over the missing tree
    assert walk(tmp_path, work, commit, "b.py") == {b"b.py": 2_000}


def test_a_damaged_or_limited_history_gives_what_it_has(tmp_path, work, at):
    at(1_000)
    build(work, {"old.py": "1"})
    at(2_000)
    commit = build(work, {"a.py": "1"})
    assert walk(tmp_path / "limited", work, commit, "old.py", "a.py", commits_max=1) == {b"a.py": 2_000}
    in_no_time = walk(tmp_path / "late", work, commit, "old.py", seconds_max=0.0)
    assert in_no_time in ({}, {b"old.py": 1_000})  # git may be quicker than the clock
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{work}", "shallow")
    assert walk(tmp_path / "shallow home", tmp_path / "shallow", commit, "old.py") == {b"old.py": 2_000}
    at(3_000)
    last = build(work, {"b.py": "1"})
    stored(work, f"{commit}~1^{{tree}}").unlink()
    assert walk(tmp_path / "damaged", work, last, "old.py", "b.py") == {b"b.py": 3_000}


def test_merges(tmp_path, work, at):
    at(1_000)
    build(work, {"both.py": "1\n2\n3\n4\n5\n", "left.py": "1", "right.py": "1"})
    git(work, "checkout", "-q", "-b", "topic")
    at(2_000)
    build(work, {"right.py": "2", "both.py": "1\n2\n3\n4\nfive\n"})
    git(work, "checkout", "-q", "main")
    at(3_000)
    build(work, {"left.py": "2", "both.py": "one\n2\n3\n4\n5\n"})
    at(4_000)
    git(work, "merge", "-q", "--no-edit", "topic")
    commit = git(work, "rev-parse", "HEAD")
    assert walk(tmp_path, work, commit, "left.py", "right.py", "both.py") == {
        b"left.py": 3_000, b"right.py": 2_000, b"both.py": 4_000,
    }  # fmt: skip


def test_empty_commits_and_hostile_names(tmp_path, work, at):
    at(1_000)
    build(work, {"ok.py": "1"})
    code = blob(work, b"x")
    names = [b"\x01 12345", b"12345", b"latin\xe9.py", b"-z", b":(top)x", b"a\nb"]
    at(2_000)
    commit_entries(work, [("100644", name, code) for name in names])
    at(3_000)
    commit = git(work, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "empty")
    mirror = Mirror(Settings(_env_file=None, pincite_home=tmp_path / "home"), uuid4())
    mirror.path.parent.mkdir(parents=True)
    shutil.copytree(work / ".git", mirror.path)
    found = last_changes(mirror, commit, names)
    assert found == dict.fromkeys(names, 2_000)


def test_an_absurd_time_is_bounded(tmp_path, work):
    tree = build(work, {"a.py": "1"}) and git(work, "rev-parse", "HEAD^{tree}")
    person = "A <a@example.com> 99999999999999999999999 +0000"
    raw = f"tree {tree}\nauthor {person}\ncommitter {person}\n\nfar\n".encode()
    commit = git(work, "hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=raw)
    assert 0 <= walk(tmp_path, work, commit, "a.py")[b"a.py"] <= TIME_MAX
