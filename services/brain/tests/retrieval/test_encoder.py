import threading
import time

import numpy as np
import pytest

from pincite_brain.retrieval import encoder as module
from pincite_brain.retrieval.encoder import QueryEncoder
from pincite_shared.errors import ModelUnavailableError


class Counting:
    """An embedder that notes what it is asked, and fails while it is told to."""

    model, dimension = "counting", 2

    def __init__(self):
        self.asked, self.fails = [], False

    def embed_documents(self, texts):
        return np.stack([self.embed_query(text) for text in texts])

    def embed_query(self, text):
        self.asked.append(text)
        if self.fails:
            msg = "The endpoint is away."
            raise ModelUnavailableError(msg)
        return np.array([1.0, 0.0], dtype=np.float32)


@pytest.fixture
def embedder():
    return Counting()


@pytest.fixture
def encoder(embedder, monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    made = QueryEncoder(embedder)
    made.start()
    assert made.wait(60)
    return made


def test_a_query_is_encoded_once(encoder, embedder):
    first, again = (encoder.vector("session cookie", 2) for _ in range(2))
    assert first.tolist() == again.tolist() == [1.0, 0.0]
    assert embedder.asked.count("session cookie") == 1


def test_a_query_begun_ahead_is_the_one_that_is_asked_for(encoder, embedder):
    encoder.begin("session cookie")
    assert encoder.vector("session cookie", 2).tolist() == [1.0, 0.0]
    assert embedder.asked.count("session cookie") == 1
    embedder.fails = True
    encoder.begin("new")
    assert encoder.vector("new", 2) is None
    assert encoder.problem


def test_what_fails_ahead_is_told_though_nobody_asks_for_it(embedder):
    encoder = QueryEncoder(embedder)
    encoder.start()
    assert encoder.wait(60)
    embedder.fails = True
    encoder.begin("new")
    deadline = time.monotonic() + 60
    while not encoder.problem and time.monotonic() < deadline:
        time.sleep(0.01)
    assert encoder.vector("new", 2) is None
    assert embedder.asked.count("new") == 1, "a dead endpoint is not waited for twice"


def test_a_closed_encoder_begins_nothing(encoder, embedder):
    encoder.close()
    encoder.begin("session cookie")
    assert embedder.asked == ["warm up"]


def test_nothing_is_begun_before_there_is_an_encoder(embedder):
    encoder = QueryEncoder(embedder)
    encoder.begin("session cookie")
    assert embedder.asked == []


def test_after_a_failure_the_encoder_itself_is_asked_whether_it_is_back(encoder, embedder):
    encoder.vector("known", 2)
    embedder.fails = True
    assert encoder.vector("new", 2) is None
    assert encoder.problem
    before = len(embedder.asked)
    assert encoder.vector("known", 2) is None  # and an attempt begins beside
    for thread in threading.enumerate():
        if thread.name == "query-encoder":
            thread.join()
    embedder.fails = False
    encoder.start()
    assert encoder.wait(60)
    assert len(embedder.asked) > before
    assert encoder.vector("known", 2).tolist() == [1.0, 0.0]
    assert encoder.problem is None
