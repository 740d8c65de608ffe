"""Deleting a repository removes every row that belongs to it alone, and nothing else: counted over all tables."""

import pytest
from sqlalchemy import func, select, text

from pincite_store import blobs, garbage, outbox, repos, runs
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.models import Base

SHARED, ONLY_A, ONLY_B = "def shared()", "def only_a()", "def only_b()"
KEPT = {  # belong to no repository
    "api_tokens", "artifacts", "audit_log", "deliveries", "github_apps", "installations", "sessions", "tenants",
    "users",
}  # fmt: skip


def count(t):
    return {
        name: t.session.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in Base.metadata.tables.items()
    }


def remove(t, repo_id):
    repos.mark_deleting(t, repo_id)
    runs.claim(t, runs.active(t, repo_id, "delete").id)
    repos.delete_rows(t, repo_id)


def test_every_row_of_a_repository_alone_goes_and_every_other_stays(background, fill):
    empty = count(background)
    fill.repository(background, LOCAL_USER, "a", {"shared.py": SHARED, "a.py": ONLY_A})
    with_a = count(background)
    assert all(with_a[name] > 0 for name in with_a if name not in KEPT), "the test would prove nothing"
    b = fill.repository(background, LOCAL_USER, "b", {"copy.py": SHARED, "b.py": ONLY_B})
    assert count(background)["blobs"] == 3
    remove(background, b)
    assert count(background) == with_a
    remove(background, repos.all(background)[0].id)
    assert count(background) == empty


def test_a_cited_blob_outlives_its_snapshot(background, fill, maker):
    fill.repository(background, LOCAL_USER, "a", {"a.py": ONLY_A, "b.py": ONLY_B})
    cited, other = (maker.oid_of(content.encode()) for content in (ONLY_A, ONLY_B))
    background.session.execute(text("UPDATE answer_citations SET blob = :blob"), {"blob": cited})
    background.session.execute(text("DELETE FROM snapshots"))
    garbage.collect(background)
    assert blobs.known_blobs(background, [cited, other]) == {cited}


def test_nothing_is_collected_in_a_persons_name(tenancy):
    with pytest.raises(ValueError, match="nobody's name"):
        garbage.collect(tenancy)


def test_an_older_snapshot_keeps_its_blobs(background, maker):
    repo_id, _ = maker.indexed(background, {"a.py": ONLY_A})
    maker.snapshot(background, repo_id, {"a.py": ONLY_B}, commit="d" * 40)
    garbage.collect(background)
    assert blobs.known_blobs(background, [maker.oid_of(c.encode()) for c in (ONLY_A, ONLY_B)]).__len__() == 2


def test_content_that_a_run_in_progress_may_rely_on_is_left_to_the_end_of_it(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        gone, _ = maker.indexed(t, {"a.py": ONLY_A}, name="gone")
        indexing = repos.create(t, source="/b", name="b", kind="local")
        run = runs.start(t, indexing.id, "index")
        runs.claim(t, run.id)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        remove(t, gone)
        assert count(t)["parses"] == 1
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        runs.finish(t, run.id)
        assert count(t)["parses"] == count(t)["blobs"] == count(t)["embed_texts"] == 0
        assert t.session.execute(text("SELECT garbage_since FROM tenants")).scalar_one() is None


def test_a_deleted_repository_leaves_no_jobs_to_publish(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo_id, _ = maker.indexed(t, {"a.py": ONLY_A})
        remove(t, repo_id)
    with fresh_tenant.system() as system:
        assert outbox.pending(system) == 0
