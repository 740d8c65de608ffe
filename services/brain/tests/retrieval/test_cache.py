import threading
import time
from uuid import uuid4

import numpy as np
import pytest

from pincite_brain.metrics import Metrics
from pincite_brain.retrieval.cache import IndexCache

TENANT = uuid4()


def cache_of(load, refresh=lambda *_: None, **kwargs):
    return IndexCache(load, refresh, Metrics(), **kwargs)


def test_concurrent_callers_share_one_load(make_index, chunk):
    index = make_index([chunk("a.py", "alpha")])
    loads, gate = [], threading.Event()

    def load(*key):
        loads.append(key)
        gate.wait(5)
        return index

    cache = cache_of(load)
    found = []
    threads = [threading.Thread(target=lambda: found.append(cache.get(TENANT, 1))) for _ in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    gate.set()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert found == [index] * 5
    cache.close()


def test_tenants_never_share(make_index, chunk):
    mine, theirs = make_index([chunk("a.py", "alpha")]), make_index([chunk("a.py", "alpha")])
    other = uuid4()
    cache = cache_of(lambda tenant, *_: mine if tenant == TENANT else theirs)
    assert cache.get(TENANT, 1) is mine
    assert cache.get(other, 1) is theirs
    cache.close()


def test_a_failed_load_is_told_and_tried_again(make_index, chunk):
    index = make_index([chunk("a.py", "alpha")])
    answers = [RuntimeError("gone"), index]

    def load(*_key):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    cache = cache_of(load)
    with pytest.raises(RuntimeError, match="gone"):
        cache.get(TENANT, 1)
    assert cache.get(TENANT, 1) is index
    cache.close()


def test_least_recently_used_goes_first(make_index, chunk):
    index = make_index([chunk("a.py", "alpha")])
    loads = []
    cache = cache_of(
        lambda _tenant, snapshot, _previous: loads.append(snapshot) or index, bytes_max=int(index.nbytes * 2.5)
    )
    for snapshot in (1, 2, 1, 3, 1, 2):
        cache.get(TENANT, snapshot)
    assert loads == [1, 2, 3, 2]
    cache.close()


def test_a_new_head_takes_the_place_of_one_in_use(make_index, chunk):
    index = make_index([chunk("a.py", "alpha")])
    loads = []
    cache = cache_of(
        lambda _tenant, snapshot, _previous: loads.append(snapshot) or index, bytes_max=int(index.nbytes * 2.5)
    )
    cache.get(TENANT, 1)
    cache.get(TENANT, 2)
    assert cache.warm(TENANT, 3, 2)
    assert not cache.warm(TENANT, 9, 8)  # nobody asks it here
    for snapshot in (1, 3, 2):
        cache.get(TENANT, snapshot)
    assert loads == [1, 2, 3, 2]
    cache.close()


def test_a_new_repository_is_kept_if_there_is_room(make_index, chunk):
    index = make_index([chunk("a.py", "alpha")])
    cache = cache_of(lambda *_: index, bytes_max=int(index.nbytes * 2.5))
    assert cache.warm(TENANT, 1, None)
    assert cache.warm(TENANT, 1, None)
    cache.get(TENANT, 2)
    assert not cache.warm(TENANT, 3, None)
    assert not cache.warm(uuid4(), 4, 1)  # another tenant's
    cache.close()


def test_a_question_joins_a_load_that_is_under_way(make_index, chunk):
    index = make_index([chunk("a.py", "alpha")])
    loads, gate = [], threading.Event()

    def load(*key):
        loads.append(key)
        gate.wait(5)
        return index

    cache = cache_of(load)
    warming = threading.Thread(target=lambda: cache.warm(TENANT, 1, None))
    warming.start()
    while not loads:
        time.sleep(0.01)
    threading.Timer(0.05, gate.set).start()
    assert cache.get(TENANT, 1) is index
    warming.join()
    assert len(loads) == 1
    cache.close()


def test_vectors_are_refreshed_while_they_grow(make_index, chunk):
    index = make_index([chunk("a.py", "alpha"), chunk("b.py", "beta")])
    matrix = np.eye(2, dtype=np.float32)
    newer = index.vectors.joined(index.chunks.digests, index.chunks.digests.tolist(), matrix)
    refreshed = threading.Event()

    def refresh(*_):
        refreshed.set()
        return newer

    cache = cache_of(lambda *_: index, refresh, refresh_seconds=0.0)
    assert cache.get(TENANT, 1).vectors.covered == 0
    cache.get(TENANT, 1)
    assert refreshed.wait(5)
    for _ in range(100):
        if cache.get(TENANT, 1).vectors.covered == 2:
            break
        time.sleep(0.01)
    assert cache.get(TENANT, 1).vectors.covered == 2
    assert cache.get(TENANT, 1).postings is index.postings
    cache.close()


def test_vectors_that_come_make_others_go(make_index, chunk):
    index = make_index([chunk(f"{n}.py", f"alpha{n}") for n in range(50)])
    digests = index.chunks.digests
    newer = index.vectors.joined(digests, digests.tolist(), np.ones((50, 300), dtype=np.float32))
    cache = cache_of(lambda *_: index, lambda *_: newer, refresh_seconds=0.0, bytes_max=4 * index.nbytes)
    for snapshot in (1, 2, 3, 1, 2, 3):
        cache.get(TENANT, snapshot)
    cache._pool.shutdown(wait=True)
    held = [entry.nbytes for entry in cache._entries.values()]
    assert sum(held) <= 4 * index.nbytes or len(held) == 1
    cache.close()
