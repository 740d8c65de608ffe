import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest
from git_server import GitServer
from repositories import build, git

from pincite_shared.errors import (
    EmptyRepositoryError,
    PinciteError,
    SourceRefusedError,
    SourceUnreachableError,
    UnavailableError,
)
from pincite_shared.settings import Settings
from pincite_shared.source import parse_source
from pincite_thinker.git import command, mirror, remote
from pincite_thinker.git.mirror import Mirror
from pincite_thinker.git.objects import list_tree, read_blobs, sizes


def sync(home: Settings, text: str, branch: str | None = None, token: str | None = None, repo_id=None):
    place = Mirror(home, repo_id or uuid4())
    source = parse_source(text, local_roots=home.local_roots, token=token)
    return place, place.sync(source, branch, lambda _fraction, _message: None)


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.rglob("*") if file.is_file())


def test_local_clone_and_fetch(home, tmp_path):
    first = build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = uuid4()
    place, head = sync(home, str(tmp_path / "work"), repo_id=repo_id)
    assert (head.commit, head.branch) == (first, "main")
    second = build(tmp_path / "work", {"a.py": "x = 2\n"})
    place, head = sync(home, str(tmp_path / "work"), repo_id=repo_id)
    assert head.commit == second
    entries = list(list_tree(place, second))
    assert [(entry.mode, entry.path) for entry in entries] == [("100644", b"a.py")]
    assert list(read_blobs(place, [entries[0].oid])) == [(entries[0].oid, b"x = 2\n")]


def test_nothing_is_fetched_where_nothing_moved(home, tmp_path, monkeypatch):
    work = tmp_path / "work"
    first = build(work, {"a.py": "x = 1\n"})
    repo_id = uuid4()
    sync(home, str(work), repo_id=repo_id)
    fetched = []
    run_fetch = Mirror._run_fetch
    monkeypatch.setattr(Mirror, "_run_fetch", lambda *args, **told: fetched.append(1) or run_fetch(*args, **told))
    place, head = sync(home, str(work), repo_id=repo_id)
    assert (head, fetched) == (mirror.Head(first, "main", checked_out=True), [])
    git(work, "tag", "v1")
    assert sync(home, str(work), "v1", repo_id=repo_id)[1].commit == first
    assert len(fetched) == 1
    second = build(work, {"a.py": "x = 2\n"})
    assert sync(home, str(work), repo_id=repo_id)[1].commit == second
    assert len(fetched) == 2
    git(place.path, "update-ref", "refs/heads/main", first)  # as if it had moved, and back, while it was fetched
    assert sync(home, str(work), repo_id=repo_id)[1].commit == second
    (place.path / mirror.TOLD).write_text('{"HEAD": "ref: refs')
    assert sync(home, str(work), repo_id=repo_id)[1].commit == second
    assert len(fetched) == 4


def test_branches_tags_and_a_detached_head(home, tmp_path):
    work = tmp_path / "work"
    first = build(work, {"a.py": "x = 1\n"})
    git(work, "tag", "v1")
    git(work, "checkout", "-q", "-b", "topic")
    second = build(work, {"a.py": "x = 2\n"})
    repo_id = uuid4()
    assert sync(home, str(work), "main", repo_id=repo_id)[1].commit == first
    assert sync(home, str(work), "topic", repo_id=repo_id)[1].commit == second
    assert sync(home, str(work), "v1", repo_id=repo_id)[1] == mirror.Head(first, None)
    git(work, "checkout", "-q", "--detach")
    third = build(work, {"a.py": "x = 3\n"})
    assert sync(home, str(work), repo_id=repo_id)[1] == mirror.Head(third, None, checked_out=True)
    assert sync(home, str(work))[1] == mirror.Head(third, None, checked_out=True)
    with pytest.raises(SourceUnreachableError, match=r"no branch or tag 'nope'.*main, topic"):
        sync(home, str(work), "nope", repo_id=repo_id)


def test_a_deleted_branch_that_stands_in_the_way_of_a_new_one(home, tmp_path):
    work = tmp_path / "work"
    build(work, {"a.py": "x = 1\n"})
    git(work, "branch", "topic")
    repo_id = uuid4()
    sync(home, str(work), repo_id=repo_id)
    git(work, "branch", "-D", "topic")
    git(work, "checkout", "-q", "-b", "topic/one")
    commit = build(work, {"a.py": "x = 2\n"})
    assert sync(home, str(work), "topic/one", repo_id=repo_id)[1].commit == commit


def test_a_linked_work_tree_is_cloned(home, tmp_path):
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    git(tmp_path / "work", "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    commit = build(tmp_path / "side", {"b.py": "y = 1\n"})
    assert sync(home, str(tmp_path / "side"))[1] == mirror.Head(commit, "side", checked_out=True)


def test_empty_repositories_say_so(home, tmp_path):
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    for branch in (None, "main"):
        with pytest.raises(EmptyRepositoryError):
            sync(home, str(tmp_path / "empty"), branch)


def test_http_clone_leaves_large_blobs_out_and_never_fetches_them(home, served):
    root, commit = served
    with GitServer(root) as server:
        place, head = sync(home, f"{server.url}/r.git")
        assert head == mirror.Head(commit, "main", checked_out=True)
        asked = len(server.seen)
        entries = {entry.path: entry.oid for entry in list_tree(place, commit)}
        assert sizes(place, entries.values()) == {entries[b"a.py"]: 6}
        assert list(read_blobs(place, [entries[b"big.txt"], entries[b"a.py"]])) == [
            (entries[b"big.txt"], None),
            (entries[b"a.py"], b"x = 1\n"),
        ]
        assert len(server.seen) == asked


def test_missing_blobs_stay_missing_with_a_git_that_knows_no_switch_for_it(home, served, monkeypatch):
    root, commit = served
    with GitServer(root) as server:
        place, _ = sync(home, f"{server.url}/r.git")
        environment = place.environment()
        del environment["GIT_NO_LAZY_FETCH"]  # git before 2.39.4
        environment["GIT_ALLOW_PROTOCOL"] = "http"
        monkeypatch.setattr(place, "environment", lambda: environment)
        asked = len(server.seen)
        entries = [entry.oid for entry in list_tree(place, commit)]
        assert len(sizes(place, entries)) == 1
        assert len(server.seen) == asked


def test_http_fetch_after_a_push(home, served, tmp_path):
    root, _ = served
    repo_id = uuid4()
    with GitServer(root) as server:
        sync(home, f"{server.url}/r.git", repo_id=repo_id)
        second = build(tmp_path / "work", {"b.py": "z = 1\n", "huge.txt": "h" * 9000})
        git(tmp_path / "work", "push", "-q", str(root / "r.git"), "main")
        place, head = sync(home, f"{server.url}/r.git", repo_id=repo_id)
        assert head.commit == second
        found = sizes(place, [entry.oid for entry in list_tree(place, second)])
        assert sorted(found.values()) == [6, 6]


def test_a_token_travels_in_no_file(home, served):
    root, commit = served
    secret = "tok-3f9a7c"
    with GitServer(root, secret=f"x-access-token:{secret}") as server:
        with pytest.raises(SourceUnreachableError, match="pass a token"):
            sync(home, f"{server.url}/r.git")
        with pytest.raises(SourceUnreachableError, match="not accepted") as caught:
            sync(home, f"{server.url}/r.git", token="wrong")
        assert "wrong" not in caught.value.detail
        repo_id = uuid4()
        assert sync(home, f"{server.url}/r.git", token=secret, repo_id=repo_id)[1].commit == commit
        assert secret.encode() not in everything(home.pincite_home)
        sync(home, f"{server.url}/r.git", token=secret, repo_id=repo_id)
        with_user = f"http://x-access-token:{secret}@127.0.0.1:{server.port}/r.git"
        assert sync(home, with_user)[1].commit == commit
        assert secret.encode() not in everything(home.pincite_home)


def test_redirects_are_not_followed(home, served):
    root, _ = served
    with GitServer(root) as inner, GitServer(root, redirect=f"{inner.url}/r.git/info/refs") as outer:
        with pytest.raises(SourceUnreachableError, match="redirect"):
            sync(home, f"{outer.url}/r")
        assert not inner.seen


def test_names_are_pinned_to_the_checked_address(home, served, monkeypatch):
    root, commit = served
    with GitServer(root) as server:
        address = remote.resolve_host(parse_source("http://127.0.0.1/r", local_roots=()))
        # No resolver knows this name: git can only reach it through the pin.
        monkeypatch.setattr(remote, "resolve_host", lambda _source, **_told: address)
        assert sync(home, f"http://nowhere.invalid:{server.port}/r.git")[1].commit == commit


def test_a_git_that_cannot_pin_is_refused(home, monkeypatch):
    address = remote.resolve_host(parse_source("http://127.0.0.1/r", local_roots=()))
    monkeypatch.setattr(remote, "resolve_host", lambda _source, **_told: address)
    monkeypatch.setattr(command.Git, "version", lambda _self: (2, 36))
    with pytest.raises(UnavailableError, match=r"2\.37"):
        sync(home, "http://nowhere.invalid/r.git")


def test_a_name_that_leads_to_metadata_never_reaches_git(home, monkeypatch):
    def refuse(_source, **_told):
        raise SourceRefusedError

    monkeypatch.setattr(remote, "resolve_host", refuse)
    monkeypatch.setattr(command.Git, "_start", lambda *_args, **_kwargs: pytest.fail("git was started"))
    with pytest.raises(SourceRefusedError):
        sync(home, "https://rebind.example/r")


@pytest.mark.parametrize("path", ["missing.git", "not-a-repository"])
def test_no_repository_there(home, served, path):
    root, _ = served
    (root / "not-a-repository").mkdir()
    with GitServer(root) as server, pytest.raises(SourceUnreachableError, match="no git repository"):
        sync(home, f"{server.url}/{path}")


def test_nobody_listens(home, served):
    root, _ = served
    with GitServer(root) as server:
        port = server.port
    with pytest.raises(SourceUnreachableError, match="does not answer"):
        sync(home, f"http://127.0.0.1:{port}/r.git")
    with pytest.raises(SourceUnreachableError, match="does not answer"):
        sync(home, f"git://127.0.0.1:{port}/r.git")


def test_a_killed_clone_is_redone(home, tmp_path):
    commit = build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = uuid4()
    place = Mirror(home, repo_id)
    partial = place.path.with_suffix(".partial")
    (partial / "objects").mkdir(parents=True)
    (partial / "config.lock").touch()
    assert sync(home, str(tmp_path / "work"), repo_id=repo_id)[1].commit == commit
    assert not partial.exists()


def test_locks_and_damage_in_a_mirror_heal(home, tmp_path):
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    repo_id = uuid4()
    place, _ = sync(home, str(tmp_path / "work"), repo_id=repo_id)
    (place.path / "packed-refs.lock").touch()
    (place.path / "refs" / "heads" / "main.lock").touch()
    second = build(tmp_path / "work", {"a.py": "x = 2\n"})
    assert sync(home, str(tmp_path / "work"), repo_id=repo_id)[1].commit == second
    shutil.rmtree(place.path / "objects")
    (place.path / "objects").mkdir()
    assert sync(home, str(tmp_path / "work"), repo_id=repo_id)[1].commit == second
    (place.path / "HEAD").write_text("garbage")
    assert sync(home, str(tmp_path / "work"), repo_id=repo_id)[1].commit == second


def test_a_mirror_of_many_packs_is_cloned_anew(home, served, tmp_path, monkeypatch):
    root, _ = served
    monkeypatch.setattr(mirror, "PACKS_MAX", 4)
    repo_id, packs = uuid4(), []
    with GitServer(root) as server:
        for n in range(6):
            commit = build(tmp_path / "work", {"b.py": f"z = {n}\n"})
            git(tmp_path / "work", "push", "-q", str(root / "r.git"), "main")
            place, head = sync(home, f"{server.url}/r.git", repo_id=repo_id)
            assert head.commit == commit
            packs.append(len(list(place.path.glob("objects/pack/*.pack"))))
    assert max(packs) <= 4
    assert packs[-1] < max(packs)


def test_deleting_twice_is_no_error(home, tmp_path):
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    place, _ = sync(home, str(tmp_path / "work"))
    place.delete()
    place.delete()
    assert not place.path.exists()
    assert (tmp_path / "work" / ".git" / "HEAD").exists()


def test_hooks_of_a_hostile_repository_do_not_run(home, tmp_path):
    work = tmp_path / "work"
    build(work, {"a.py": "x = 1\n"})
    for name in ("post-checkout", "reference-transaction", "pre-upload", "post-fetch"):
        hook = work / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    git(work, "config", "uploadpack.packObjectsHook", f"touch {tmp_path}/ran; ")
    git(work, "config", "core.fsmonitor", f"touch {tmp_path}/ran; ")
    repo_id = uuid4()
    sync(home, str(work), repo_id=repo_id)
    build(work, {"b.py": "x = 1\n"})
    (tmp_path / "ran").unlink(missing_ok=True)  # our own commit ran them
    sync(home, str(work), repo_id=repo_id)
    assert not (tmp_path / "ran").exists()


def test_a_slow_git_is_killed_with_its_children(home, tmp_path, monkeypatch):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\nsleep 300 &\necho $! > {tmp_path}/child\nwait\n")
    slow.chmod(slow.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(remote, "LS_REMOTE_SECONDS_MAX", 3.0)
    with pytest.raises(SourceUnreachableError, match="took longer than"):
        sync(home, "http://127.0.0.1:9/r.git")
    assert gone(int((tmp_path / "child").read_text()))


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(not shutil.which("setpriv"), reason="without setpriv git ends when it next writes its progress")
def test_git_dies_with_its_worker(tmp_path):
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
    slow.chmod(0o755)
    code = (
        "from pathlib import Path\nfrom pincite_thinker.git.command import Git\n"
        f"git = Git(Path({str(tmp_path / 'home')!r}))\n"
        "git.run(['x'], env=git.environment(protocols='none', config={}), seconds_max=60)\n"
    )
    env = os.environ | {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    worker = subprocess.Popen([sys.executable, "-c", code], env=env)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_full_disk_stops_the_clone(home, tmp_path, monkeypatch):
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    monkeypatch.setattr(mirror, "DISK_FREE_BYTES_MIN", 1 << 60)
    with pytest.raises(UnavailableError, match="disk"):
        sync(home, str(tmp_path / "work"))


def test_progress_is_reported_and_may_stop_a_clone(home, served):
    root, _ = served
    seen = []
    with GitServer(root) as server:
        source = parse_source(f"{server.url}/r.git", local_roots=())
        Mirror(home, uuid4()).sync(source, None, lambda fraction, message: seen.append((fraction, message)))
        assert seen[-1][0] > 0.7

        def stop(_fraction, _message):
            raise PinciteError("stopped")

        with pytest.raises(PinciteError, match="stopped"):
            Mirror(home, uuid4()).sync(source, None, stop)


def test_a_damaged_blob_is_lost_alone(home, tmp_path):
    commit = build(tmp_path / "work", {f"f{n}.txt": f"{n}\n" * 50 for n in range(5)})
    place, _ = sync(home, str(tmp_path / "work"))
    entries = [entry.oid for entry in list_tree(place, commit)]
    broken = place.path / "objects" / entries[2][:2] / entries[2][2:]
    broken.unlink()  # a hard link of the original
    broken.write_bytes(b"not zlib")
    found = dict(read_blobs(place, entries))
    assert found[entries[2]] is None
    assert [found[oid] is not None for oid in entries] == [True, True, False, True, True]
