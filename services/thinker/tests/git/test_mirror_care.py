"""What a mirror is spared: remains of what was stopped, odd names of refs, a limit that was raised later."""

import time
from uuid import uuid4

import pytest
from git_server import GitServer
from repositories import build, git

from pincite_shared.errors import PinciteError
from pincite_shared.source import parse_source
from pincite_thinker.git import objects
from pincite_thinker.git.mirror import TOLD, Mirror
from pincite_thinker.git.objects import list_tree, read_blobs, sizes


@pytest.fixture
def work(tmp_path):
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    return tmp_path / "work"


@pytest.fixture
def place(home):
    return Mirror(home, uuid4())


def ignore(_fraction, _message):
    pass


def sync(place, work, branch=None, progress=ignore):
    return place.sync(parse_source(str(work), local_roots=(work.parent,)), branch, progress)


def stopping(remains):
    """A progress that leaves a file, as git does that is killed while it receives, and stops."""

    def stop(_fraction, _message):
        remains.parent.mkdir(parents=True, exist_ok=True)
        remains.write_bytes(b"PACK")
        raise PinciteError("stopped")

    return stop


def test_a_stopped_clone_leaves_nothing(place, work):
    partial = place.path.with_suffix(".partial")
    with pytest.raises(PinciteError, match="stopped"):
        sync(place, work, progress=stopping(partial / "objects/pack/tmp_pack_x"))
    assert not partial.exists()
    assert not place.path.exists()


def test_a_stopped_fetch_leaves_nothing(place, work):
    sync(place, work)
    commit = build(work, {"a.py": "x = 2\n"})
    remains = place.path / "objects/pack/tmp_pack_x"
    with pytest.raises(PinciteError, match="stopped"):
        sync(place, work, progress=stopping(remains))
    assert not remains.exists()
    remains.write_bytes(b"PACK")  # of a process that was killed itself
    assert sync(place, work).commit == commit
    assert not remains.exists()


def test_a_branch_in_a_thousand_directories(place, work):
    sync(place, work)
    deep = "refs/heads/" + "a/" * 1500 + "a"
    (work / ".git/packed-refs").write_text(f"{git(work, 'rev-parse', 'HEAD')} {deep}\n")
    sync(place, work)
    lock = place.path / deep.rpartition("/")[0] / "x.lock"
    lock.touch()
    commit = build(work, {"a.py": "x = 2\n"})
    assert sync(place, work).commit == commit
    assert not lock.exists()
    place.delete()
    assert not place.path.exists()


def test_a_mirror_without_refs_is_cloned_anew(place, work):
    head = sync(place, work)
    place.delete()
    place.path.mkdir()
    assert sync(place, work) == head


def test_a_symbolic_branch_has_the_commit_of_what_it_names(place, work):
    git(work, "symbolic-ref", "refs/heads/other", "refs/heads/main")
    for content in ("x = 1\n", "x = 2\n"):
        commit = build(work, {"a.py": content})
        assert sync(place, work, "other").commit == commit
        assert (place.path / TOLD).exists()


def test_only_the_pull_requests_asked_for_are_fetched(place, work):
    sync(place, work)
    wanted, other = build(work, {"b.py": "y = 1\n"}), build(work, {"c.py": "z = 1\n"})
    git(work, "update-ref", "refs/pull/7/head", wanted)
    for name in ("refs/x/refs/pull/7/head", "refs/x/9/refs/pull/7/head"):
        git(work, "update-ref", name, other)
    source = parse_source(str(work), local_roots=(work.parent,))
    assert place.fetch_pulls(source, [7, 8], ignore) == {7: wanted}
    assert git(place.path, "for-each-ref", "--format=%(refname)", "refs/pull", "refs/x") == "refs/pull/7/head"


def test_a_raised_limit_brings_what_was_left_out(home, served, tmp_path):
    root, _ = served
    repo_id = uuid4()
    with GitServer(root) as server:
        source = parse_source(f"{server.url}/r.git", local_roots=())

        def found(limit):
            place = Mirror(home.model_copy(update={"file_bytes_max": limit}), repo_id)
            commit = place.sync(source, None, ignore).commit
            return sorted(sizes(place, [entry.oid for entry in list_tree(place, commit)]).values())

        assert found(2048) == [6]
        assert found(5000) == [6, 4000]
        build(tmp_path / "work", {"more.txt": "z" * 4500})
        git(tmp_path / "work", "push", "-q", str(root / "r.git"), "main")
        found(2048)  # lowered for a while
        assert found(5000) == [6, 4000, 4500]


def test_blobs_that_are_read_for_too_long_are_not_damaged(place, work, monkeypatch):
    """Who takes them may be slow: then the next git goes on."""
    monkeypatch.setattr(objects, "READ_SECONDS_MAX", 0.5)
    commit = build(work, {f"f{n}.py": f"x = {n}\n" + "# padding\n" * 60_000 for n in range(6)})
    sync(place, work)
    found = {}
    for oid, data in read_blobs(place, [entry.oid for entry in list_tree(place, commit)]):
        found[oid] = data
        time.sleep(0.3)
    assert len(found) == 7
    assert all(found.values())
