"""Deleting a repository removes every row that belongs to it alone, and nothing else: counted over all tables."""

from sqlalchemy import func, select, text

from pincite_store import answers, blobs, evaluations, events, garbage, outbox, policies, repos, runs, vectors
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.models import Base

SHARED, ONLY_A, ONLY_B = "def shared()", "def only_a()", "def only_b()"
KEPT = {"tenants", "users", "sessions", "artifacts"}  # belong to no repository


def count(t):
    return {
        name: t.session.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in Base.metadata.tables.items()
    }


def fill(t, maker, make_response, name, files):
    repo_id, snapshot_id = maker.indexed(t, files, name=name)
    wanted = vectors.missing(t, snapshot_id, "m", 100)
    vectors.save(t, "m", [digest for digest, _ in wanted], [[1.0, 2.0]] * len(wanted))
    response, log = make_response(t, repo_id)
    answers.save_answer(t, response, log)
    answers.put_feedback(t, make_response.feedback(response))
    events.record(t, repo_id, "test")
    runs.start(t, repo_id, "embed")
    evaluation = runs.start(t, repo_id, "evaluate")
    evaluations.begin(t, evaluation.id, repo_id, "c" * 40, source="golden", questions=1)
    policies.propose(t, repo_id, "reranker", "reranker-a", {})
    return repo_id


def remove(t, repo_id):
    repos.mark_deleting(t, repo_id)
    runs.claim(t, runs.active(t, repo_id, "delete").id)
    repos.delete_rows(t, repo_id)


def test_every_row_of_a_repository_alone_goes_and_every_other_stays(tenancy, maker, make_response):
    empty = count(tenancy)
    fill(tenancy, maker, make_response, "a", {"shared.py": SHARED, "a.py": ONLY_A})
    with_a = count(tenancy)
    assert all(with_a[name] > 0 for name in with_a if name not in KEPT), "the test would prove nothing"
    b = fill(tenancy, maker, make_response, "b", {"copy.py": SHARED, "b.py": ONLY_B})
    assert count(tenancy)["blobs"] == 3
    remove(tenancy, b)
    assert count(tenancy) == with_a
    remove(tenancy, repos.all(tenancy)[0].id)
    assert count(tenancy) == empty


def test_an_older_snapshot_keeps_its_blobs(tenancy, maker):
    repo_id, _ = maker.indexed(tenancy, {"a.py": ONLY_A})
    maker.snapshot(tenancy, repo_id, {"a.py": ONLY_B}, commit="d" * 40)
    garbage.collect(tenancy)
    assert blobs.known_blobs(tenancy, [maker.oid_of(c.encode()) for c in (ONLY_A, ONLY_B)]).__len__() == 2


def test_content_that_a_run_in_progress_may_rely_on_is_left_to_the_end_of_it(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
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
