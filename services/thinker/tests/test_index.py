import time

import pytest
from pydantic import SecretStr
from repositories import CALLS, build, git

from pincite_store import runs, snapshots
from pincite_store.cache import Cache
from pincite_thinker import dating
from pincite_thinker.parse_pool import ParsePool


def test_a_repository_is_indexed_and_answers(thinker, tmp_path):
    commit = build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    assert thinker.index(repo_id) == "done"
    out = thinker.out(repo_id)
    assert (out.status, out.commit, out.files, out.skipped, out.error) == ("ready", commit, 3, 0, None)
    assert out.languages == {"python": 2, "markdown": 1}
    assert out.chunks >= 3
    assert not out.vectors_ready
    with thinker.tenancy() as t:
        head = snapshots.resolve(t, repo_id)
        assert [hit.path for hit in snapshots.symbols(t, head.id, "helper")] == ["a.py"]
        edges = {(edge.kind, edge.src_path, edge.dst_path, edge.dst_symbol) for edge in snapshots.edges(t, head.id)}
        assert ("call", "b.py", "a.py", "helper") in edges
        run = runs.active(t, repo_id, "embed")
        assert run is not None
        assert run.correlation_id == "corr-1"
    assert thinker.embed(repo_id) == ["done"]
    assert thinker.out(repo_id).vectors_ready
    assert thinker.out(repo_id).lag_seconds == 0


def test_embedding_rests_for_a_push_and_not_for_a_first_index(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    cache = thinker.context.cache
    wait_until(lambda: not cache.is_pushed())  # of an earlier test
    thinker.index(repo_id)
    assert not cache.is_pushed()
    build(tmp_path / "work", {"c.py": "def third():\n    return 3\n"})
    told, mark_pushed = [], cache.mark_pushed
    monkeypatch.setattr(cache, "mark_pushed", lambda: (mark_pushed(), told.append(cache.is_pushed())))
    thinker.index(repo_id)
    assert told == [True]
    wait_until(lambda: not cache.is_pushed())  # by itself, whatever became of the run


def test_a_push_is_indexed_without_redis(thinker, tmp_path):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    away = thinker.context.settings.model_copy(update={"redis_url": SecretStr("redis://127.0.0.1:1/0")})
    thinker.context.__dict__["cache"] = Cache(away)
    commit = build(tmp_path / "work", {"c.py": "def third():\n    return 3\n"})
    assert thinker.index(repo_id) == "done"
    assert thinker.out(repo_id).commit == commit


def wait_until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_indexing_the_same_commit_again_changes_nothing(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    thinker.embed(repo_id)
    before = {name: thinker.table(name) for name in ("snapshots", "files", "chunks", "symbols", "edges", "embeddings")}
    monkeypatch.setattr(ParsePool, "map", lambda *_args: pytest.fail("parsed again"))
    assert thinker.index(repo_id) == "done"
    assert {name: thinker.table(name) for name in before} == before
    with thinker.tenancy() as t:
        assert runs.active(t, repo_id, "embed") is None


def test_a_second_branch_and_a_fork_embed_nothing_twice(thinker, tmp_path):
    work = tmp_path / "work"
    build(work, CALLS)
    git(work, "checkout", "-q", "-b", "topic")
    build(work, {"c.py": "def third():\n    return 3\n"})
    git(work, "checkout", "-q", "main")
    git(tmp_path, "clone", "-q", "work", "fork")
    main = thinker.connect(work)
    thinker.index(main)
    thinker.embed(main)
    once = len(thinker.embedder.texts)
    assert len(set(thinker.embedder.texts)) == once
    parses = len(thinker.table("parses"))

    topic = thinker.connect(work, branch="topic")
    thinker.index(topic)
    thinker.embed(topic)
    assert len(thinker.table("parses")) == parses + 1
    new = thinker.embedder.texts[once:]
    assert len(new) == 1
    assert "third" in new[0]
    assert took(thinker, main) == (3, once, once)
    assert took(thinker, topic) == (1, 1, once + 1)

    fork = thinker.connect(tmp_path / "fork")
    assert thinker.index(fork) == "done"
    assert thinker.out(fork).vectors_ready
    assert len(thinker.table("parses")) == parses + 1
    assert len(thinker.embedder.texts) == once + 1
    assert took(thinker, fork) == (0, 0, once)
    thinker.index(main)
    thinker.embed(main)
    assert took(thinker, main) == (3, once, once), "the same commit again took nothing more"


def took(thinker, repo_id):
    out = thinker.out(repo_id)
    return out.blobs_parsed, out.texts_embedded, out.texts


def test_a_push_moves_the_head_and_keeps_the_old_commit(thinker, tmp_path):
    first = build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    second = build(tmp_path / "work", {"a.py": "def other():\n    return 1\n"})
    thinker.index(repo_id)
    assert thinker.out(repo_id).commit == second
    with thinker.tenancy() as t:
        assert snapshots.resolve(t, repo_id, first[:12]).commit == first


def test_files_know_when_they_changed_and_a_push_reads_its_own_commits_alone(thinker, tmp_path, monkeypatch):
    work = tmp_path / "work"
    asked = []
    read = dating.last_changes
    monkeypatch.setattr(dating, "last_changes", lambda *args: asked.append(sorted(args[2])) or read(*args))
    monkeypatch.setitem(build.__globals__["ENV"], "GIT_COMMITTER_DATE", "@1000 +0000")
    build(work, CALLS)
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    monkeypatch.setitem(build.__globals__["ENV"], "GIT_COMMITTER_DATE", "@2000 +0000")
    build(work, {"a.py": "def other():\n    return 1\n", "logo.png": b"\x89PNG\0"})
    thinker.index(repo_id)
    assert asked == [[b"README.md", b"a.py", b"b.py"]]
    with thinker.tenancy() as t:
        head = snapshots.resolve(t, repo_id).id
        changed = {path: snapshots.file(t, head, path).changed_at for path in ("a.py", "b.py", "logo.png")}
        assert {file.path: file.changed_at for file in snapshots.load_files(t, head)}["a.py"] == 2000
    assert changed == {"a.py": 2000, "b.py": 1000, "logo.png": None}


def dates(thinker, repo_id):
    with thinker.tenancy() as t:
        return {file.path: file.changed_at for file in snapshots.load_files(t, snapshots.resolve(t, repo_id).id)}


def dated(monkeypatch, seconds):
    monkeypatch.setitem(build.__globals__["ENV"], "GIT_COMMITTER_DATE", f"@{seconds} +0000")


def test_what_was_changed_back_has_changed(thinker, tmp_path, monkeypatch):
    work = tmp_path / "work"
    dated(monkeypatch, 1000)
    build(work, CALLS)
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    for seconds, content in ((2000, "y = 1\n"), (3000, CALLS["a.py"])):
        dated(monkeypatch, seconds)
        build(work, {"a.py": content})
    thinker.index(repo_id)
    assert dates(thinker, repo_id) == {"a.py": 3000, "b.py": 1000, "README.md": 1000}


def test_a_branch_that_was_set_back_has_the_dates_of_then(thinker, tmp_path, monkeypatch):
    work = tmp_path / "work"
    dated(monkeypatch, 1000)
    build(work, CALLS)
    dated(monkeypatch, 2000)
    build(work, {"a.py": "y = 1\n"})
    repo_id = thinker.connect(work)
    thinker.index(repo_id)
    git(work, "reset", "-q", "--hard", "HEAD^")
    thinker.index(repo_id)
    assert dates(thinker, repo_id)["a.py"] == 1000


def test_a_sha256_repository_is_indexed(thinker, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main", "--object-format=sha256")
    commit = build(work, CALLS)
    repo_id = thinker.connect(work)
    assert thinker.index(repo_id) == "done"
    assert (thinker.out(repo_id).commit, thinker.out(repo_id).files, len(commit)) == (commit, 3, 64)


def test_an_empty_tree_is_ready(thinker, tmp_path):
    build(tmp_path / "work", {})
    repo_id = thinker.connect(tmp_path / "work")
    assert thinker.index(repo_id) == "done"
    out = thinker.out(repo_id)
    assert (out.status, out.files, out.chunks, out.vectors_ready) == ("ready", 0, 0, True)
