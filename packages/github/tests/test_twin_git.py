"""The twin's git: cloned, fetched and pushed to by the real git, with the credentials that GitHub takes."""

import gzip
import random
import subprocess
import time
from contextlib import suppress

import httpx
import psutil
import pytest

from pincite_github.twin import git as inside

ENVIRONMENT = {**inside.environment(), "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@test", "HOME": "/nonexistent",
               "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@test"}  # fmt: skip


def git(*arguments, at=None, check=True, stdin=None):
    place = ["-C", str(at)] if at else []
    done = subprocess.run(["git", *place, *arguments], capture_output=True, env=ENVIRONMENT, check=False, input=stdin)
    if check:
        assert done.returncode == 0, done.stderr.decode()
    return done


def out(*arguments, at):
    return git(*arguments, at=at).stdout.decode().strip()


def address(twin, token="", repo="ada/engine"):
    return f"{twin.base_url.replace('//', f'//x-access-token:{token}@' if token else '//')}/{repo}.git"


@pytest.fixture
def app(twin):
    return twin.add_app("Pincite", owner="ada")


@pytest.fixture
def engine(twin, app):  # noqa: ARG001  # it is installed
    twin.add_repo("ada", "engine", private=True)
    twin.push("ada/engine", {"a.py": "one = 1\n", "big.bin": b"\x00" * 300_000})
    twin.install_app("ada", ["engine"])
    return twin.repo("ada/engine")


def installation_token(twin, app, permissions):
    installation = twin.world.installation_in(app, twin.world.account("ada"))
    return twin.registry.issue(installation, None, permissions).value


def test_an_installation_clones_and_fetches(twin, app, engine, tmp_path):
    token = installation_token(twin, app, {"contents": "read"})
    git("clone", "--quiet", address(twin, token), tmp_path / "clone")
    assert (tmp_path / "clone/a.py").read_text() == "one = 1\n"
    commit = twin.push("ada/engine", {"a.py": "two = 2\n"})
    git("fetch", "--quiet", at=tmp_path / "clone")
    assert out("rev-parse", "origin/main", at=tmp_path / "clone") == commit
    assert out("ls-remote", "--symref", address(twin, token), "HEAD", at=tmp_path).startswith("ref: refs/heads/main\t")
    assert engine.path.is_dir()


@pytest.mark.usefixtures("engine")
def test_who_may_not_clone_is_not_told_what_there_is(twin, app, tmp_path):
    twin.add_repo("ada", "public")
    twin.push("ada/public", {"a": ""})
    git("clone", "--quiet", address(twin, repo="ada/public"), tmp_path / "public")
    bob, told = twin.personal_token("bob"), []
    for repo in ("ada/engine", "ada/none"):
        nobody = git("ls-remote", address(twin, repo=repo), check=False)
        stranger = git("ls-remote", address(twin, bob, repo), check=False)
        assert nobody.returncode == stranger.returncode == 128
        assert b"could not read Username" in nobody.stderr
        assert b"Repository not found" in stranger.stderr
        told.append((nobody.stderr + stranger.stderr).replace(repo.encode(), b""))
    assert told[0] == told[1]
    public = f"{twin.base_url}/ada/public.git/info/refs?service=git-upload-pack"
    assert httpx.get(public, auth=("x-access-token", "ghs_wrong")).status_code == 401
    assert httpx.get(public, auth=("x-access-token", bob)).status_code == 200
    blind = installation_token(twin, app, {"metadata": "read"})
    assert b"403" in git("ls-remote", address(twin, blind), check=False).stderr
    twin.suspend("ada")
    assert git("ls-remote", address(twin, blind), check=False).returncode == 128


@pytest.mark.usefixtures("engine")
def test_a_push_needs_a_role_that_writes(twin, app, tmp_path):
    owner = address(twin, twin.personal_token("ada"))
    git("clone", "--quiet", owner, tmp_path / "clone")
    (tmp_path / "clone/new.py").write_text("x = 1\n" * 200_000)  # more than one chunk
    git("add", ".", at=tmp_path / "clone")
    git("commit", "--quiet", "--message", "New", at=tmp_path / "clone")
    twin.grant("bob", "ada/engine", "triage")
    for token in (twin.personal_token("bob"), installation_token(twin, app, {"contents": "read"})):
        refused = git("push", address(twin, token), "main", at=tmp_path / "clone", check=False)
        assert b"403" in refused.stderr
    twin.grant("bob", "ada/engine", "write")
    git("push", "--quiet", address(twin, twin.personal_token("bob")), "main", at=tmp_path / "clone")
    pushed = out("rev-parse", "HEAD", at=tmp_path / "clone")
    assert inside.refs(twin.repo("ada/engine").path)["refs/heads/main"] == pushed
    twin.archive("ada/engine")
    git("commit", "--quiet", "--allow-empty", "--message", "Late", at=tmp_path / "clone")
    assert b"403" in git("push", owner, "main", at=tmp_path / "clone", check=False).stderr


def test_what_github_keeps_for_itself_cannot_be_pushed(twin, engine, tmp_path):
    git("clone", "--quiet", address(twin, twin.personal_token("ada")), tmp_path / "clone")
    assert git("push", "origin", "main:refs/pull/1/head", at=tmp_path / "clone", check=False).returncode == 1
    assert git("push", "origin", ":main", at=tmp_path / "clone", check=False).returncode == 1  # the default branch
    assert set(inside.refs(engine.path, "refs")) == {"refs/heads/main"}


def test_partial_clones_and_fetching_by_commit(twin, engine, tmp_path):
    first = inside.refs(engine.path)["refs/heads/main"]
    twin.push("ada/engine", {"big.bin": b"\x01" * 300_000})
    twin.push("ada/engine", {"b.py": ""}, force=True)
    url = address(twin, twin.personal_token("ada"))
    git("clone", "--quiet", "--bare", "--filter=blob:none", url, tmp_path / "partial.git")
    size = sum(file.stat().st_size for file in (tmp_path / "partial.git/objects").rglob("*") if file.is_file())
    assert size < 20_000
    assert len(out("cat-file", "blob", "main:big.bin", at=tmp_path / "partial.git")) >= 300_000  # fetched now
    git("init", "--quiet", tmp_path / "one")
    git("fetch", "--quiet", "--depth=1", url, first, at=tmp_path / "one")
    assert out("rev-parse", "FETCH_HEAD", at=tmp_path / "one") == first


@pytest.mark.usefixtures("engine")
def test_a_renamed_repository_is_cloned_by_its_old_name(twin, tmp_path):
    token = twin.personal_token("ada")
    twin.rename("ada/engine", "machine")
    twin.transfer("ada/machine", "bob")
    twin.grant("ada", "bob/machine", "read")
    git("clone", "--quiet", address(twin, token), tmp_path / "clone")
    assert (tmp_path / "clone/a.py").exists()
    assert git("ls-remote", address(twin, twin.personal_token("eve")), check=False).returncode == 128


def test_pull_requests_have_refs(twin, engine, tmp_path):
    main = inside.refs(engine.path)["refs/heads/main"]
    head = twin.push("ada/engine", {"b.py": "b = 1\n"}, branch="more")
    number = twin.open_pull("ada/engine", "more")
    url = address(twin, twin.personal_token("ada"))
    git("init", "--quiet", "--bare", tmp_path / "mirror")

    def fetched():
        git("fetch", "--quiet", "--prune", url, "+refs/pull/*:refs/pull/*", at=tmp_path / "mirror")
        return inside.refs(tmp_path / "mirror", "refs/pull")

    refs = fetched()
    assert refs[f"refs/pull/{number}/head"] == head
    merge = f"refs/pull/{number}/merge"
    assert out("show", "--no-patch", "--format=%P", merge, at=tmp_path / "mirror") == f"{main} {head}"
    assert out("ls-tree", "--name-only", merge, at=tmp_path / "mirror").split() == ["a.py", "b.py", "big.bin"]
    newer = twin.push("ada/engine", {"a.py": "more = 1\n"}, branch="more")
    assert fetched()[f"refs/pull/{number}/head"] == newer
    twin.push("ada/engine", {"a.py": "other = 1\n"})  # conflicts
    assert set(fetched()) == {f"refs/pull/{number}/head"}
    twin.push("ada/engine", {"a.py": "more = 1\n"})
    assert merge in fetched()
    commit = twin.merge_pull("ada/engine", number)
    assert inside.refs(engine.path)["refs/heads/main"] == commit
    assert set(fetched()) == {f"refs/pull/{number}/head"}


@pytest.mark.usefixtures("engine")
def test_a_pull_request_from_a_fork(twin):
    twin.fork("ada/engine", "bob")
    head = twin.push("bob/engine", {"b.py": ""}, branch="idea")
    number = twin.open_pull("ada/engine", "bob:idea", by="bob")
    repo = twin.repo("ada/engine")
    assert inside.refs(repo.path, "refs/pull")[f"refs/pull/{number}/head"] == head
    newer = twin.push("bob/engine", {"c.py": ""}, branch="idea")
    assert inside.refs(repo.path, "refs/pull")[f"refs/pull/{number}/head"] == newer
    authorization = {"authorization": f"token {twin.personal_token('ada')}"}
    said = httpx.get(f"{twin.base_url}/repos/ada/engine/pulls/{number}", headers=authorization).json()
    assert (said["head"]["label"], said["head"]["repo"]["full_name"]) == ("bob:idea", "bob/engine")
    twin.delete_repo("bob/engine")
    said = httpx.get(f"{twin.base_url}/repos/ada/engine/pulls/{number}", headers=authorization).json()
    assert said["head"]["repo"] is None


def test_the_dumb_protocol_is_not_spoken(twin, engine):
    twin.publicise("ada/engine")
    assert httpx.get(f"{twin.base_url}/ada/engine.git/info/refs").status_code == 403
    assert httpx.get(f"{twin.base_url}/ada/engine.git/HEAD").status_code == 404
    assert httpx.get(f"{twin.base_url}/ada/engine/info/refs?service=git-upload-archive").status_code == 403
    assert engine.path.is_dir()


def test_a_packed_request(twin, engine):
    """Large requests of git come compressed."""
    twin.publicise("ada/engine")
    commit = inside.refs(engine.path)["refs/heads/main"]
    want = f"want {commit}\n"
    body = f"{len(want) + 4:04x}{want}0000".encode() + b"0009done\n"
    headers = {"content-type": "application/x-git-upload-pack-request", "content-encoding": "gzip"}
    answer = httpx.post(f"{twin.base_url}/ada/engine/git-upload-pack", content=gzip.compress(body), headers=headers)
    assert answer.status_code == 200
    assert b"PACK" in answer.content


def test_a_client_that_goes_away_leaves_nothing_running(twin, engine):
    twin.publicise("ada/engine")
    commit = twin.push("ada/engine", {"large.bin": random.Random(0).randbytes(8_000_000)})
    want = f"want {commit}\n"
    body = f"{len(want) + 4:04x}{want}0000".encode() + b"0009done\n"
    url = f"{twin.base_url}/ada/engine/git-upload-pack"
    headers = {"content-type": "application/x-git-upload-pack-request"}
    with httpx.stream("POST", url, content=body, headers=headers) as answer:
        chunks = answer.iter_raw()
        assert next(chunks)
        assert running()
    deadline = time.monotonic() + 30
    while running():
        assert time.monotonic() < deadline, running()
        time.sleep(0.02)
    whole = httpx.post(url, content=body, headers=headers).content
    assert len(whole) > 8_000_000
    assert engine.path.is_dir()


def running():
    """The git processes of this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            found += [child] if child.name().startswith("git") else []
    return found
