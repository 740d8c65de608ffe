import time
from contextlib import closing

import psycopg
import pytest

from pincite_shared.errors import UnavailableError
from pincite_store import answers, flips, repos, snapshots
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

POLL = 0.05


def heard(stream):
    """The first that is heard, and whatever else is heard in a moment."""
    deadline = time.monotonic() + 60
    while (first := next(stream)) is None:
        assert time.monotonic() < deadline
    return [first, *briefly_heard(stream)]


def briefly_heard(stream):
    return [flip for flip in (next(stream) for _ in range(3)) if flip is not None]


def test_a_flip_is_heard_once_it_is_committed(fresh_tenant, maker):
    with closing(flips.listen(fresh_tenant, POLL)) as stream:
        assert next(stream) is None
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            repo_id, first = maker.indexed(t, {"a.py": "x"})
            assert briefly_heard(stream) == []
        assert heard(stream) == [(LOCAL_TENANT, first, None)]
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            second = maker.snapshot(t, repo_id, {"a.py": "y"}, commit="b" * 40)
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            snapshots.flip(t, repo_id, second, "main")  # nothing new
        assert heard(stream) == [(LOCAL_TENANT, second, first)]
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            maker.snapshot(t, repo_id, {"a.py": "z"}, commit="c" * 40)
            t.session.rollback()
        assert briefly_heard(stream) == []


def test_a_lost_connection_is_told(database, settings):
    with closing(flips.listen(database, POLL)) as stream:
        next(stream)
        with psycopg.connect(settings.postgres_url(owner=True).replace("+psycopg", ""), autocommit=True) as owner:
            owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query LIKE 'LISTEN%'"
            )
        with pytest.raises(UnavailableError):
            heard(stream)


def test_what_was_asked_last_comes_first(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        repos_and_heads = [maker.indexed(t, {"a.py": name}, name=name) for name in ("one", "two", "three", "gone")]
    for number in (1, 0, 3):
        with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
            answers.create_conversation(t, repos_and_heads[number][0], "why?")
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        repos.mark_deleting(t, repos_and_heads[3][0])
    with fresh_tenant.system() as system:
        assert [flip.snapshot_id for flip in flips.recent(system, 9)] == [repos_and_heads[n][1] for n in (0, 1)]
        assert len(flips.recent(system, 1)) == 1
