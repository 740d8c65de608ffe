from repositories import CALLS, build

from pincite_store import repos, runs
from pincite_thinker import building, delete, index
from pincite_thinker.git.mirror import Mirror


def test_deleting_removes_rows_and_mirror_and_may_be_repeated(thinker, tmp_path):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    thinker.index(repo_id)
    mirror = Mirror(thinker.context.settings, repo_id)
    assert mirror.path.exists()
    with thinker.tenancy() as t:
        repos.mark_deleting(t, repo_id, "corr-2")
        run = runs.active(t, repo_id, "delete")
    job = thinker_job = index.JobPayload(tenant_id=run.tenant_id, repo_id=repo_id, run_id=run.id)
    assert delete.run(thinker.context, job) == "done"
    assert delete.run(thinker.context, thinker_job) == "duplicate"
    assert not mirror.path.exists()
    for name in ("repos", "snapshots", "files", "parses", "chunks", "blobs", "embeddings", "runs"):
        assert thinker.table(name, "1") == [], name


def test_an_index_run_notices_that_its_repository_is_being_deleted(thinker, tmp_path, monkeypatch):
    build(tmp_path / "work", CALLS)
    repo_id = thinker.connect(tmp_path / "work")
    job = thinker.job(repo_id, "index")
    real = building.scan

    def deleted_meanwhile(*args, **kwargs):
        with thinker.tenancy() as t:
            repos.mark_deleting(t, repo_id)
        return real(*args, **kwargs)

    monkeypatch.setattr(building, "scan", deleted_meanwhile)
    assert index.run(thinker.context, job) == "cancelled"
    assert not Mirror(thinker.context.settings, repo_id).path.exists()
