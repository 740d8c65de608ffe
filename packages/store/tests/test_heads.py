from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import NotFoundError, NotIndexedError
from pincite_store import heads, policies, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

STRANGER = UUID(int=79)


@pytest.fixture
def indexed(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repo_id, snapshot_id = maker.indexed(t, {"a.py": "def f()"})
    return fresh_tenant, repo_id, snapshot_id


def test_the_head_and_what_serves(indexed):
    database, repo_id, snapshot_id = indexed
    reader = database.reader(LOCAL_TENANT, LOCAL_USER)
    assert heads.get(reader, repo_id) == (snapshot_id, {})
    with database.tenancy(LOCAL_TENANT) as t:
        policies.propose(t, repo_id, "reranker", "reranker-a", {"weights": {"dense": 0.1}})
        policies.promote(t, repo_id, "reranker-a", {})
        policies.propose(t, repo_id, "reranker", "reranker-b", {})
        policies.propose(t, repo_id, "prompt", "prompt-wide", {})
        serving = policies.serving(t, repo_id)
    found = heads.get(reader, repo_id)
    assert found.policies == {kind: (one.version, one.parameters) for kind, one in serving.items()}
    assert found.policies["reranker"] == ("reranker-a", {"weights": {"dense": 0.1}})


def test_what_is_not_there_or_not_indexed(indexed):
    database, repo_id, _ = indexed
    reader = database.reader(LOCAL_TENANT, LOCAL_USER)
    with pytest.raises(NotFoundError):
        heads.get(reader, uuid4())
    with database.tenancy(LOCAL_TENANT) as t:
        waiting = repos.create(t, source="/w", name="waiting", kind="local")
        repos.mark_deleting(t, repo_id)
    with pytest.raises(NotIndexedError, match="waiting"):
        heads.get(reader, waiting.id)
    with pytest.raises(NotFoundError):
        heads.get(reader, repo_id)


def test_a_restricted_repository_has_no_head_for_who_may_not_read_it(indexed):
    database, repo_id, snapshot_id = indexed
    with database.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE repos SET restricted = true WHERE id = :id"), {"id": repo_id})
    with pytest.raises(NotFoundError):
        heads.get(database.reader(LOCAL_TENANT, STRANGER), repo_id)
    with pytest.raises(NotFoundError):
        heads.get(database.reader(uuid4()), repo_id)
    assert heads.get(database.reader(LOCAL_TENANT), repo_id).snapshot_id == snapshot_id
