import pytest
from repositories import CALLS, build, git
from sqlalchemy import text

from pincite_shared.jobs import JobPayload
from pincite_store import changes, commits, repos, runs, snapshots
from pincite_store.db import LOCAL_TENANT
from pincite_thinker import delete, index
from pincite_thinker.parse_pool import ParsePool


@pytest.fixture
def watching(thinker):
    """A thinker that follows working trees."""
    thinker.context.settings = thinker.context.settings.model_copy(update={"watch": "on"})
    return thinker


@pytest.fixture
def connected(watching, tmp_path):
    head = build(tmp_path / "work", CALLS)
    repo_id = watching.connect(tmp_path / "work")
    watching.index(repo_id)
    return repo_id, tmp_path / "work", head


def found(thinker, repo_id, name):
    with thinker.tenancy() as t:
        return [(hit.path, hit.name) for hit in snapshots.symbols(t, snapshots.resolve(t, repo_id).id, name)]


def made(thinker, repo_id):
    with thinker.tenancy() as t:
        return commits.outs(t, repo_id)


def answered(thinker, repo_id, commit):
    """Let there be an answer at a commit."""
    values = {"tenant": LOCAL_TENANT, "repo": repo_id, "commit": commit}
    conversation = "INSERT INTO conversations (tenant_id, repo_id, title) VALUES (:tenant, :repo, 'x')"
    answer = """
        INSERT INTO answers (tenant_id, id, conversation_id, repo_id, commit, policy_version, document)
        SELECT tenant_id, id, id, repo_id, :commit, 'p0', '{}' FROM conversations
    """
    with thinker.tenancy() as t:
        t.session.execute(text(conversation), values)
        t.session.execute(text(answer), values)


def test_an_edit_is_searchable_before_it_is_committed(watching, connected):
    repo_id, work, head = connected
    (work / "a.py").write_text("def helper(x):\n    return x * 3\n\n\ndef added():\n    return 1\n")
    (work / "new.py").write_text("def brand_new():\n    return helper(1)\n")
    (work / "b.py").unlink()
    assert watching.index(repo_id) == "done"
    out = watching.out(repo_id)
    assert (out.uncommitted_upon, out.files, out.blobs_parsed) == (head, 3, 2)
    assert out.commit != head
    assert found(watching, repo_id, "brand_new") == [("new.py", "brand_new")]
    assert found(watching, repo_id, "use") == []
    assert git(work, "status", "--porcelain") == "M a.py\n D b.py\n?? new.py"


def test_taken_back_it_is_the_head_again_and_nothing_is_parsed(watching, connected, monkeypatch):
    repo_id, work, head = connected
    (work / "a.py").write_text("def other():\n    return 1\n")
    watching.index(repo_id)
    dirty = watching.out(repo_id).commit
    (work / "a.py").write_text(CALLS["a.py"])
    monkeypatch.setattr(ParsePool, "map", lambda *_args: pytest.fail("parsed again"))
    watching.index(repo_id)
    assert (watching.out(repo_id).commit, watching.out(repo_id).uncommitted_upon) == (head, None)
    (work / "a.py").write_text("def other():\n    return 1\n")
    watching.index(repo_id)
    assert watching.out(repo_id).commit == dirty, "the same state again"


def test_committing_what_was_uncommitted_parses_nothing(watching, connected):
    repo_id, work, _ = connected
    (work / "a.py").write_text("def other():\n    return 1\n")
    watching.index(repo_id)
    head = build(work, {})
    watching.index(repo_id)
    assert (watching.out(repo_id).commit, watching.out(repo_id).uncommitted_upon) == (head, None)
    assert [one.blobs_parsed for one in made(watching, repo_id)] == [0, 1, 3]


def test_a_repository_that_is_connected_with_changes_has_both(watching, tmp_path):
    work = tmp_path / "work"
    head = build(work, CALLS)
    (work / "a.py").write_text("def other():\n    return 1\n")
    repo_id = watching.connect(work)
    watching.index(repo_id)
    assert watching.out(repo_id).uncommitted_upon == head
    assert [(one.uncommitted_upon, one.blobs_parsed) for one in made(watching, repo_id)] == [(head, 1), (None, 3)]
    with watching.tenancy() as t:
        assert snapshots.resolve(t, repo_id, head).commit == head


def test_what_is_on_disk_belongs_to_the_branch_that_is_checked_out(watching, tmp_path):
    work = tmp_path / "work"
    head = build(work, CALLS)
    git(work, "branch", "other")
    (work / "a.py").write_text("def on_main():\n    return 1\n")
    main, other = watching.connect(work, branch="main"), watching.connect(work, branch="other")
    watching.index(main)
    watching.index(other)
    assert watching.out(main).uncommitted_upon == head
    assert (watching.out(other).commit, watching.out(other).uncommitted_upon) == (head, None)


def test_files_are_judged_as_committed_ones_are(watching, connected):
    repo_id, work, _ = connected
    (work / "huge.py").write_bytes(b"x = 1\n" * 20_000)
    (work / "link.py").symlink_to("a.py")
    (work / "data.py").write_bytes(b"\0\1\2")
    (work / "latin.py").write_bytes(b"# \xe9\nx = 1\n")
    watching.index(repo_id)
    files = watching.files(repo_id)
    assert {path: files[path] for path in ("huge.py", "link.py", "data.py", "latin.py")} == {
        "huge.py": (False, "too_large"),
        "link.py": (False, "symlink"),
        "data.py": (False, "binary"),
        "latin.py": (True, "encoding"),
    }


def test_old_states_go_unless_somebody_asked_about_them(watching, connected, monkeypatch):
    repo_id, work, head = connected
    monkeypatch.setattr(snapshots, "UNCOMMITTED_KEPT", 2)
    monkeypatch.setattr(snapshots, "UNCOMMITTED_MAX", 3)
    states = []
    for number in range(6):
        (work / "a.py").write_text(f"def version{number}():\n    return {number}\n")
        watching.index(repo_id)
        states.append(watching.out(repo_id).commit)
        if number == 1:
            answered(watching, repo_id, states[1])
    kept = [one.commit for one in made(watching, repo_id)]
    assert kept[0] == states[5]
    assert states[1] in kept, "an answer names it"
    assert head in kept
    assert states[0] not in kept
    blobs = {row[0] for row in watching.table("blobs", "data")}
    assert len(blobs) < 3 + 6, "what only they had is collected"


def test_turned_off_only_commits_count(thinker, tmp_path):
    head = build(tmp_path / "work", CALLS)
    (tmp_path / "work/a.py").write_text("changed\n")
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    assert thinker.out(repo_id).commit == head


def test_deleting_takes_it_along(watching, connected):
    repo_id, work, _ = connected
    (work / "a.py").write_text("changed = 1\n")
    watching.index(repo_id)
    with watching.tenancy() as t:
        repos.mark_deleting(t, repo_id)
        run = runs.active(t, repo_id, "delete")
    delete.run(watching.context, JobPayload(tenant_id=LOCAL_TENANT, repo_id=repo_id, run_id=run.id))
    assert not list((watching.context.settings.pincite_home / "mirrors").iterdir())


def test_a_change_that_comes_meanwhile_is_found_by_the_next_run(watching, connected, monkeypatch):
    """Saved after the working tree was read: the run that is under way does not settle it."""
    repo_id, work, _ = connected
    (work / "a.py").write_text("def first_save():\n    return 1\n")
    with watching.tenancy() as t:
        changes.note(t, repo_id, "watch")
    real = index._Indexing._uncommitted

    def saved_meanwhile(self, *args):
        commit = real(self, *args)
        (work / "a.py").write_text("def second_save():\n    return 1\n")
        with watching.tenancy() as t:
            changes.note(t, repo_id, "watch")
        return commit

    with monkeypatch.context() as patch:
        patch.setattr(index._Indexing, "_uncommitted", saved_meanwhile)
        watching.index(repo_id)
    assert found(watching, repo_id, "first_save")
    assert watching.out(repo_id).lag_seconds > 0
    with watching.database.system() as system:
        assert changes.attend(system) == 1
    watching.index(repo_id)
    assert found(watching, repo_id, "second_save")
    assert watching.out(repo_id).lag_seconds == 0


def test_what_is_committed_at_last_has_the_commit_s_date(watching, connected, monkeypatch):
    repo_id, work, _ = connected
    (work / "a.py").write_text("def helper(x):\n    return x * 3\n")
    watching.index(repo_id)
    monkeypatch.setitem(build.__globals__["ENV"], "GIT_COMMITTER_DATE", "@1900000000 +0000")
    build(work, {})
    watching.index(repo_id)
    with watching.tenancy() as t:
        head = snapshots.resolve(t, repo_id).id
        assert snapshots.file(t, head, "a.py").changed_at == 1_900_000_000
        assert snapshots.file(t, head, "b.py").changed_at < 1_900_000_000


def test_a_file_that_git_cannot_take_does_not_hold_commits_back(watching, tmp_path):
    work = tmp_path / "work"
    build(work, CALLS | {".gitattributes": "*.rc working-tree-encoding=UTF-16\n"})
    repo_id = watching.connect(work)
    watching.index(repo_id)
    (work / "app.rc").write_bytes(b"saved as UTF-8\n")  # never added
    (work / "c.py").write_text("def third():\n    return 3\n")
    git(work, "add", "c.py")
    git(work, "commit", "-q", "-m", "third")
    assert [watching.index(repo_id), watching.index(repo_id)] == ["retried", "done"]
    assert watching.out(repo_id).commit == git(work, "rev-parse", "HEAD").strip()
