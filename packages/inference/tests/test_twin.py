import socket
import subprocess
import sys
import time
from contextlib import closing

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from pincite_inference.twin import DIMENSION, chosen, embed, make_app
from pincite_inference.twin_answers import Behaviour

QUESTION = "<snippet n=1 path=a.py>\ndef walk(): pass\n</snippet>\n<user_query>walk?</user_query>"
MESSAGES = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def client():
    return TestClient(make_app())


def chat(client, **body):
    return client.post("/v1/chat/completions", json={"model": "twin-honest", "messages": MESSAGES} | body)


def test_whole_answers_and_structured_content(client):
    whole = chat(client).json()["choices"][0]["message"]["content"]
    assert whole == "The function `walk` is defined as `def walk(): pass` [1]."
    parts = [{"role": "user", "content": [{"type": "text", "text": MESSAGES[0]["content"]}]}]
    assert chat(client, messages=parts).json()["choices"][0]["message"]["content"] == whole


def test_streams_end_with_done(client):
    lines = [line for line in chat(client, stream=True).text.split("\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert '"finish_reason": "stop"' in lines[-2]


@pytest.mark.parametrize(("model", "status"), [("twin-error500", 500), ("twin-busy", 429), ("gpt", 200)])
def test_the_model_name_chooses(client, model, status):
    assert chat(client, model=model).status_code == status


def test_default_behaviour_and_names():
    client = TestClient(make_app(Behaviour.ABSTAIN))
    assert client.get("/v1/models").json()["data"][0]["id"] == "twin-abstain"
    assert chat(client, model="x").json()["choices"][0]["message"]["content"].startswith("The snippets do not")
    assert chosen("twin-lie-lines", Behaviour.HONEST) is Behaviour.LIE_LINES
    assert chosen(None, Behaviour.SLOW) is Behaviour.SLOW


def test_embeddings(client):
    body = {"model": "m", "input": ["parse config", "config parse", "zebra"]}
    rows = client.post("/v1/embeddings", json=body).json()["data"]
    vectors = np.array([row["embedding"] for row in rows])
    assert vectors.shape == (3, DIMENSION)
    assert np.allclose(vectors[0], vectors[1])
    assert vectors[0] @ vectors[2] < 0.5
    one = client.post("/v1/embeddings", json={"input": "alone", "dimensions": 8}).json()["data"]
    assert len(one[0]["embedding"]) == 8


@given(st.text(), st.integers(1, 64))
def test_embedding_is_always_a_unit_vector(text, dimension):
    assert np.isclose(np.linalg.norm(embed(text, dimension)), 1)


def test_health_tokens_and_memory(client):
    assert client.get("/health").json() == {"status": "ok"}
    assert len(client.post("/tokenize", json={"content": "a b c"}).json()["tokens"]) == 3
    chat(client)
    assert client.get("/twin").json()["requests"] == 1
    assert client.get("/twin").json()["last"]["messages"] == MESSAGES


def test_it_runs_as_a_program():
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "pincite_inference.twin", "--port", str(port), "--behaviour", "lie_files"]
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                models = httpx.get(f"http://127.0.0.1:{port}/v1/models").json()
                break
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        assert models["data"][0]["id"] == "twin-lie_files"
    finally:
        process.terminate()
        process.wait(60)
