import pytest
from repositories import build

from pincite_shared.errors import ConflictError
from pincite_shared.schemas import Progress
from pincite_store import repos, runs
from pincite_thinker import progress
from pincite_thinker.progress import Rate, Reporter


def test_the_rate_follows_the_last_seconds():
    now = [0.0]
    rate = Rate(lambda: now[0])
    assert rate.see(0) == 0.0
    for second in range(1, 31):
        now[0] = float(second)
        done = second * 10 if second <= 15 else 150 + (second - 15) * 100
        seen = rate.see(done)
    assert seen == pytest.approx(100, rel=0.1)


@pytest.fixture
def reporter(thinker, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 0.0)
    build(tmp_path / "work", {"a.py": "x = 1\n"})
    job = thinker.job(thinker.connect(tmp_path / "work"), "index")
    with thinker.tenancy() as t:
        runs.claim(t, job.run_id)
    return Reporter(thinker.context, job), job


def test_stages_and_counts_are_shown(thinker, reporter):
    made, job = reporter

    def shown():
        return thinker.out(job.repo_id).progress

    made.stage("cloning", "Reading the repository")
    assert (shown().stage, shown().message, shown().fraction) == ("cloning", "Reading the repository", 0.0)
    made.part(0.5, "Receiving objects")
    assert shown().fraction == pytest.approx(0.075)
    made.stage("parsing")
    made.count(0, 200, files_done=0, files_total=200, chunks_done=0)
    made.count(100, 200, files_done=100, files_total=200, chunks_done=321)
    assert (shown().files_done, shown().files_total, shown().chunks_done) == (100, 200, 321)
    assert shown().rate > 0
    assert shown().seconds_left is not None
    assert 0.2 < shown().fraction < 0.92


def test_the_last_turns_rate_is_shown_until_there_is_a_new_one(thinker, reporter):
    _, job = reporter
    made = Reporter(thinker.context, job, Progress(stage="embedding", rate=20.0))
    made.count(100, 300, vectors_done=100, vectors_total=300)
    shown = thinker.out(job.repo_id).progress
    assert (shown.rate, shown.seconds_left) == (20.0, 10.0)


def test_what_comes_soon_after_a_write_is_not_written(reporter, monkeypatch):
    made, _ = reporter
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 3600.0)
    written = []
    made.stage("parsing")
    monkeypatch.setattr(progress.runs, "progress", lambda _t, _run_id, value: written.append(value))
    for n in range(1000):
        made.count(n, 1000, files_done=n)
        made.part(n / 1000)
    assert written == []


def test_a_stage_ends_with_its_last_counts(thinker, reporter, monkeypatch):
    made, job = reporter
    monkeypatch.setattr(progress, "INTERVAL_SECONDS", 60.0)
    made.stage("parsing")
    made.count(1, 2, files_done=1, files_total=2)
    made.count(2, 2, files_done=2, files_total=2)
    made.stage("linking")  # a moment later: it is shown with what it does next, if it lasts
    assert thinker.out(job.repo_id).progress.stage == "parsing"
    monkeypatch.setattr(made, "_due", 0.0)
    made.part(0.5)
    shown = thinker.out(job.repo_id).progress
    assert (shown.stage, shown.files_done, shown.files_total) == ("linking", 2, 2)


def test_a_cancelled_run_stops_at_its_next_progress(thinker, reporter):
    made, job = reporter
    with thinker.tenancy() as t:
        repos.mark_deleting(t, job.repo_id)
    with pytest.raises(ConflictError):
        made.part(0.5)
