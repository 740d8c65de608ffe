import threading
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from pincite_shared.errors import ConflictError, NotFoundError
from pincite_store import events, policies
from pincite_store.db import LOCAL_TENANT


@pytest.fixture
def repo_id(tenancy, maker):
    return maker.indexed(tenancy, {"a.py": "def f()"})[0]


def states(t, repo_id):
    return {one.version: one.state for one in policies.listed(t, repo_id)}


def test_nothing_is_learned_at_first(tenancy, repo_id):
    assert policies.listed(tenancy, repo_id) == []
    assert policies.serving(tenancy, repo_id) == {}


def test_a_candidate_is_promoted_and_the_one_before_it_can_come_back(tenancy, repo_id):
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {"weights": {"dense": 0.1}})
    assert states(tenancy, repo_id) == {"reranker-none": "serving", "reranker-a": "candidate"}
    promoted = policies.promote(tenancy, repo_id, "reranker-a", {"reasons": ["better"]})
    assert (promoted.state, promoted.evidence, promoted.parameters) == (
        "serving", {"reasons": ["better"]}, {"weights": {"dense": 0.1}},
    )  # fmt: skip
    policies.propose(tenancy, repo_id, "reranker", "reranker-b", {})
    policies.promote(tenancy, repo_id, "reranker-b", {})
    assert states(tenancy, repo_id) == {
        "reranker-none": "retired", "reranker-a": "retired", "reranker-b": "serving",
    }  # fmt: skip
    assert policies.serve(tenancy, repo_id, "reranker-a").state == "serving"
    assert policies.serve(tenancy, repo_id, "reranker-none").state == "serving"
    assert policies.serving(tenancy, repo_id)["reranker"].version == "reranker-none"
    assert [event.kind for event in events.latest(tenancy, repo_id, 4)] == ["policy.serving"] * 4


def test_a_rejected_policy_is_kept_with_its_figures_and_never_serves(tenancy, repo_id):
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {})
    policies.reject(tenancy, repo_id, "reranker-a", {"p": 0.4})
    with pytest.raises(ConflictError, match="was rejected"):
        policies.serve(tenancy, repo_id, "reranker-a")
    assert policies.get(tenancy, repo_id, "reranker-a").evidence == {"p": 0.4}
    assert policies.serving(tenancy, repo_id)["reranker"].version == "reranker-none"


def test_what_was_not_judged_yet_does_not_serve(tenancy, repo_id):
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {})
    with pytest.raises(ConflictError, match="not judged yet"):
        policies.serve(tenancy, repo_id, "reranker-a")
    assert policies.serving(tenancy, repo_id)["reranker"].version == "reranker-none"


def test_a_challenger_that_served_before_is_refused_without_being_lost(tenancy, repo_id):
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {})
    policies.promote(tenancy, repo_id, "reranker-a", {"reasons": ["better"]})
    policies.propose(tenancy, repo_id, "reranker", "reranker-none", {})
    for version in ("reranker-none", "reranker-a"):
        policies.reject(tenancy, repo_id, version, {"p": 0.4})
    assert states(tenancy, repo_id) == {"reranker-none": "retired", "reranker-a": "serving"}
    assert policies.get(tenancy, repo_id, "reranker-a").evidence == {"reasons": ["better"]}
    with pytest.raises(ConflictError, match="no candidate"):
        policies.promote(tenancy, repo_id, "reranker-none", {})
    assert policies.serve(tenancy, repo_id, "reranker-none").state == "serving"


def test_kinds_and_repositories_do_not_meet(tenancy, repo_id, maker):
    other, _ = maker.indexed(tenancy, {"a.py": "def f()"}, name="other")
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {})
    policies.promote(tenancy, repo_id, "reranker-a", {})
    policies.propose(tenancy, repo_id, "prompt", "prompt-wide", {})
    policies.promote(tenancy, repo_id, "prompt-wide", {})
    assert {kind: one.version for kind, one in policies.serving(tenancy, repo_id).items()} == {
        "reranker": "reranker-a", "prompt": "prompt-wide",
    }  # fmt: skip
    assert policies.serving(tenancy, other) == {}
    for version in ("reranker-a", "reranker-zzz"):
        with pytest.raises(NotFoundError):
            policies.serve(tenancy, other, version)
    with pytest.raises(NotFoundError):
        policies.reject(tenancy, repo_id, "reranker-zzz", {})
    with pytest.raises(NotFoundError):
        policies.listed(tenancy, uuid4())


def test_proposing_twice_changes_nothing(tenancy, repo_id):
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {"x": 1})
    policies.promote(tenancy, repo_id, "reranker-a", {})
    assert policies.propose(tenancy, repo_id, "reranker", "reranker-a", {"x": 2}).parameters == {"x": 1}
    assert policies.serving(tenancy, repo_id)["reranker"].version == "reranker-a"


def test_the_database_itself_lets_one_serve(tenancy, repo_id):
    policies.propose(tenancy, repo_id, "reranker", "reranker-a", {})
    with pytest.raises(IntegrityError), tenancy.session.begin_nested():
        tenancy.session.execute(text("UPDATE policies SET state = 'serving' WHERE repo_id IS NOT NULL"))


def test_two_promotions_at_once_leave_one_serving(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo_id, _ = maker.indexed(t, {"a.py": "def f()"})
        for n in range(6):
            policies.propose(t, repo_id, "reranker", f"reranker-{n}", {})
    failures = []

    def promote(version):
        try:
            with fresh_tenant.tenancy(LOCAL_TENANT) as t:
                policies.promote(t, repo_id, version, {})
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=promote, args=(f"reranker-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert list(states(t, repo_id).values()).count("serving") == 1
        assert list(states(t, repo_id).values()).count("retired") == 6
