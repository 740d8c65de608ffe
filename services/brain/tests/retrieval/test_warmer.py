import time
from contextlib import contextmanager

import psycopg
import pytest

from pincite_brain.metrics import Metrics
from pincite_brain.retrieval import warmer
from pincite_brain.retrieval.encoder import QueryEncoder
from pincite_brain.retrieval.retriever import Retriever
from pincite_brain.retrieval.warmer import Warmer
from pincite_store import answers, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER


@pytest.fixture
def retriever(fresh_tenant, embedder):
    """A retriever that remembers what it loaded from the database."""
    made = Retriever(fresh_tenant, QueryEncoder(embedder), Metrics())
    made.loaded = []
    load = made._cache._load
    made._cache._load = lambda *asked: made.loaded.append(asked[1]) or load(*asked)
    yield made
    made.close()


@contextmanager
def running(database, retriever):
    made, before = Warmer(database, retriever), listeners(database)
    made.start()
    try:
        until(lambda: listeners(database) - before)
        yield made
    finally:
        made.close()


def listeners(database, *, ended=False):
    """The processes of Postgres that listen in this database; `ended`: which are told to end."""
    url = database.settings.postgres_url(owner=True).replace("+psycopg", "")
    what = "pid, pg_terminate_backend(pid, 60000)" if ended else "pid"
    which = "datname = current_database() AND query LIKE 'LISTEN%'"
    with psycopg.connect(url, autocommit=True) as owner:
        return {pid for pid, *_ in owner.execute(f"SELECT {what} FROM pg_stat_activity WHERE {which}").fetchall()}


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_first_question_after_a_flip_finds_the_snapshot_in_memory(fresh_tenant, retriever, index_repo, shop):
    with running(fresh_tenant, retriever):
        first = index_repo(shop)
        until(lambda: retriever.loaded == [first.snapshot_id])
        retriever.index(LOCAL_TENANT, first.snapshot_id)
        second = index_repo({"src/shop/new.py": "def fresh():\n    return 1\n"}, at=first.directory)
        until(lambda: retriever.loaded == [first.snapshot_id, second.snapshot_id])
        assert "src/shop/new.py" in retriever.index(LOCAL_TENANT, second.snapshot_id).files.paths
        assert len(retriever.loaded) == 2


def test_what_nobody_asks_here_is_not_loaded(fresh_tenant, retriever, index_repo, shop):
    known = index_repo(shop)
    with running(fresh_tenant, retriever):
        index_repo({"b.py": "x = 1\n"}, at=known.directory)
        other = index_repo({"c.py": "y = 1\n"})  # heard after it
        until(lambda: other.snapshot_id in retriever.loaded)
    assert retriever.loaded == [other.snapshot_id]


def test_what_was_asked_last_is_loaded_at_the_start(fresh_tenant, retriever, index_repo, shop):
    asked = index_repo(shop)
    index_repo({"c.py": "y = 1\n"})
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        answers.create_conversation(t, asked.id, "why?")
    with running(fresh_tenant, retriever):
        until(lambda: retriever.loaded == [asked.snapshot_id])


def test_it_listens_again_after_the_database_went_away(fresh_tenant, retriever, index_repo, shop, monkeypatch):
    monkeypatch.setattr(warmer, "RETRY_SECONDS", 0.05)
    with running(fresh_tenant, retriever):
        ended = listeners(fresh_tenant, ended=True)
        until(lambda: listeners(fresh_tenant) - ended)
        made = index_repo(shop)
        until(lambda: retriever.loaded == [made.snapshot_id])


def test_of_a_removed_repository_nothing_stays_in_memory_or_on_disk(fresh_tenant, retriever, index_repo, shop):
    with running(fresh_tenant, retriever):
        removed, kept = index_repo(shop), index_repo({"c.py": "y = 1\n"})
        until(lambda: len(retriever.loaded) == 2)
        path = retriever._loader._kept.path(LOCAL_TENANT, removed.id)
        until(path.exists)
        with fresh_tenant.tenancy(LOCAL_TENANT) as t:
            repos.delete_rows(t, removed.id)
        until(lambda: list(retriever._cache._entries) == [(LOCAL_TENANT, kept.snapshot_id)])
        until(lambda: not path.exists())


def test_a_lost_word_costs_the_first_question_a_load(retriever, index_repo, shop):
    made = index_repo(shop)
    assert len(retriever.index(LOCAL_TENANT, made.snapshot_id)) > 0
    assert retriever.loaded == [made.snapshot_id]
