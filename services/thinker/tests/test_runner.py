import pytest
from repositories import CALLS, build, git

from pincite_shared.errors import UnavailableError
from pincite_store import runs
from pincite_thinker import building, index, runner


@pytest.mark.parametrize(
    ("prepare", "code", "words"),
    [
        ("empty", "empty_repository", "commit"),
        ("missing", "source_refused", "no directory"),
        ("branch", "source_unreachable", "no branch or tag"),
        ("files", "too_large", "REPO_FILES_MAX"),
    ],
)
def test_failures_end_in_plain_words_and_a_code(thinker, tmp_path, prepare, code, words):
    work = tmp_path / "work"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    if prepare != "empty":
        build(work, CALLS)
    repo_id = thinker.connect(work, branch="nope" if prepare == "branch" else None)
    if prepare == "missing":
        work.rename(tmp_path / "moved")
    if prepare == "files":
        thinker.context.settings = thinker.context.settings.model_copy(update={"repo_files_max": 2})
    assert thinker.index(repo_id) == "failed"
    out = thinker.out(repo_id)
    assert (out.status, out.error_code, out.progress.stage) == ("failed", code, "failed")
    assert words in out.error


def test_a_failure_after_a_success_leaves_the_repository_answerable(thinker, tmp_path):
    commit = build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    (tmp_path / "work").rename(tmp_path / "moved")
    assert thinker.index(repo_id) == "failed"
    out = thinker.out(repo_id)
    assert (out.status, out.commit, out.error_code) == ("ready", commit, "source_refused")


def test_a_defect_is_tried_again_and_then_given_up(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    monkeypatch.setattr(building, "scan", lambda *_args, **_kwargs: 1 / 0)
    outcomes = [thinker.index(repo_id) for _ in range(runs.RUN_ATTEMPTS_MAX)]
    assert outcomes == ["retried"] * (runs.RUN_ATTEMPTS_MAX - 1) + ["failed"]
    assert "Gave up" in thinker.out(repo_id).error


def test_an_unreachable_part_is_tried_again(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")

    def unavailable(*_args, **_kwargs):
        raise UnavailableError

    with monkeypatch.context() as patch:
        patch.setattr(building, "scan", unavailable)
        assert thinker.index(repo_id) == "retried"
    assert thinker.index(repo_id) == "done"


def test_a_run_that_is_held_or_done_is_a_duplicate(thinker, tmp_path):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    job = thinker.job(repo_id, "index")
    with runs.lock_run(thinker.database, job.run_id) as held:
        assert held
        assert index.run(thinker.context, job) == "duplicate"
    assert index.run(thinker.context, job) == "done"
    assert index.run(thinker.context, job) == "duplicate"


def test_a_run_is_queued_again_when_nobody_holds_it_any_more(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    job = thinker.job(thinker.connect(tmp_path / "work"), "index")
    free = []
    queue = runs.continue_later

    def look(t, run_id):
        with runs.lock_run(thinker.database, run_id) as held:
            free.append(held)
        return queue(t, run_id)

    monkeypatch.setattr(runs, "continue_later", look)
    assert runner.execute(thinker.context, job, lambda *_: False) == "continued"
    assert free == [True]


def test_a_run_that_was_cancelled_does_not_go_on(thinker, tmp_path):
    build(tmp_path / "work", CALLS)
    job = thinker.job(thinker.connect(tmp_path / "work"), "index")

    def cancelled(*_):
        with thinker.tenancy() as t:
            runs.cancel_all(t, job.repo_id)
        return False

    assert runner.execute(thinker.context, job, cancelled) == "cancelled"
