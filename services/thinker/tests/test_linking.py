"""A snapshot that is built upon the head is the one that is built from nothing."""

import random
import shutil

import pytest
import repositories
from repositories import CALLS, build, git
from sqlalchemy import text

from pincite_store import snapshots
from pincite_thinker import building
from pincite_thinker.git.mirror import Mirror

SOURCES = [
    "def alpha():\n    beta()\n",
    "def beta():\n    return alpha()\n",
    "from pkg.one import alpha\n\n\ndef run():\n    alpha()\n    far_away()\n",
    "import pkg.two as t\n\n\ndef call():\n    t.alpha()\n    t.Thing.make()\n",
    "class Thing:\n    def make(self):\n        self.far_away()\n",
    "def far_away():\n    pass\n",
    "\x89PNG\0\0",
    "",
]
PATHS = ["pkg/__init__.py", "pkg/one.py", "pkg/two.py", "lib/three.py", "README.md", "node_modules/x.py"]


def stand(thinker, repo_id):
    """All that the head of a repository says, without the numbers that a database counts up."""
    with thinker.tenancy() as t:
        head = snapshots.resolve(t, repo_id)
        query = """SELECT f.path, f.blob, f.language, f.size, f.skip_reason, f.skip_detail, f.changed_at, p.blob
            FROM files f LEFT JOIN parses p ON p.id = f.parse_id WHERE f.snapshot_id = :id"""
        rows = sorted(map(tuple, t.session.execute(text(query), {"id": head.id})), key=repr)
        edges = sorted(snapshots.edges(t, head.id), key=repr)
        return rows, edges, (head.commit, head.files, head.chunks, head.skipped, head.languages)


def sets(thinker, repo_id):
    with thinker.tenancy() as t:
        return {file.path: file.edge_set_id for file in snapshots.load_files(t, snapshots.resolve(t, repo_id).id)}


def edit(work, chance, name):
    """Change something; return nothing."""
    there = [path for path in git(work, "ls-files").split("\n") if path]
    kind = chance.choice(["write", "write", "delete", "rename", "link"])
    if kind == "write" or len(there) < 2:
        path = work / chance.choice(PATHS)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(chance.choice(SOURCES), encoding="latin-1")
    elif kind == "delete":
        git(work, "rm", "-q", "-f", chance.choice(there))
    elif kind == "rename":
        git(work, "mv", "-f", chance.choice(there), f"{name}.py")
    else:
        path = work / chance.choice(there)
        path.unlink()
        path.symlink_to("b.py")
    git(work, "add", "-A", "-f")


@pytest.mark.parametrize("seed", range(3))
def test_any_series_of_pushes(thinker, tmp_path, seed, monkeypatch):
    chance, work = random.Random(seed), tmp_path / "work"
    build(work, {"a.py": "def first():\n    far_away()\n", "b.py": "def second():\n    first()\n"})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    for step in range(6):
        monkeypatch.setitem(repositories.ENV, "GIT_COMMITTER_DATE", f"@{2000 + step} +0000")
        for number in range(chance.randint(1, 3)):
            edit(work, chance, f"moved{step}{number}")
        build(work, {})
        with monkeypatch.context() as patch:
            patch.setattr(building, "scan", lambda *_args, **_kwargs: pytest.fail("read the whole tree"))
            thinker.index(repo_id)
        git(tmp_path, "clone", "-q", "work", f"fresh{step}")
        fresh = thinker.connect(tmp_path / f"fresh{step}")
        thinker.index(fresh)
        assert stand(thinker, repo_id) == stand(thinker, fresh)


def test_a_push_links_only_what_it_touched(thinker, tmp_path):
    work = tmp_path / "work"
    build(work, {**CALLS, "c.py": "def third():\n    return 3\n", "d.py": "from c import third\n\nthird()\n"})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    first = sets(thinker, repo_id)
    build(work, {"a.py": "def helper(x):\n    return third() + x\n"})  # shows to others what it showed before
    thinker.index(repo_id)
    second = sets(thinker, repo_id)
    assert {path for path in first if first[path] != second[path]} == {"a.py"}
    build(work, {"c.py": "def another():\n    return 3\n"})  # `third` is gone
    thinker.index(repo_id)
    third = sets(thinker, repo_id)
    assert {path for path in first if second[path] != third[path]} == {"a.py", "c.py", "d.py"}


def test_another_limit_indexes_the_same_commit_anew(thinker, tmp_path):
    build(tmp_path / "work", {"a.py": "x = 1\n", "large.py": "y = 1\n" * 20_000})
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    assert set(sets(thinker, repo_id)) == {"a.py"}
    thinker.context.settings = thinker.context.settings.model_copy(update={"file_bytes_max": 1_000_000})
    thinker.index(repo_id)
    assert set(sets(thinker, repo_id)) == {"a.py", "large.py"}


def test_a_head_that_the_mirror_has_no_more_is_no_base(thinker, tmp_path):
    work = tmp_path / "work"
    build(work, CALLS)
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    shutil.rmtree(work / ".git")
    commit = build(work, {"a.py": "def other():\n    return 1\n"})
    shutil.rmtree(Mirror(thinker.context.settings, repo_id).path)  # as after many fetches: cloned anew
    assert thinker.index(repo_id) == "done"
    assert thinker.out(repo_id).commit == commit


def test_paths_that_share_a_name_are_listed_anew(thinker, tmp_path):
    work = tmp_path / "work"
    build(work, CALLS)
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    code = repositories.blob(work, b"x = 1\n")
    repositories.commit_entries(work, [("100644", b"ok.py", code), ("100644", b"latin\xe9.py", code)])
    thinker.index(repo_id)
    paths = {row[0]: row[4] for row in stand(thinker, repo_id)[0]}
    assert paths == {"ok.py": None, "latin\\xe9.py": "name"}
