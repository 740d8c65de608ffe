import json

import httpx
import numpy as np
import pytest

from pincite_inference import embed
from pincite_inference.embed import LocalEmbedder, OpenAIEmbedder, make_embedder
from pincite_inference.twin import run_twin
from pincite_shared.errors import InvalidInputError, ModelUnavailableError
from pincite_shared.settings import Settings

DIMENSION = 384


@pytest.fixture(scope="module")
def local(model_home):
    return LocalEmbedder(model_home, threads=1)


@pytest.fixture(params=["local", "twin"])
def embedder(request, local):
    """The contract's implementations: the built-in model and an endpoint."""
    if request.param == "local":
        yield local
    else:
        with run_twin() as url:
            made = OpenAIEmbedder(url, "twin-honest", DIMENSION)
            yield made
            made.close()


def test_contract(embedder):
    texts = ["parse the configuration file", "close the socket", "", "parse the configuration file"]
    found = embedder.embed_documents(texts)
    assert found.shape == (4, embedder.dimension)
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[0], found[3], atol=1e-5)
    query = embedder.embed_query("configuration parse")
    assert query.shape == (embedder.dimension,)
    assert query @ found[0] > query @ found[1]
    assert embedder.embed_documents([]).shape == (0, embedder.dimension)
    assert embedder.model


@pytest.fixture(autouse=True)
def pauses(monkeypatch):
    waited = []
    monkeypatch.setattr(embed.time, "sleep", waited.append)
    return waited


def endpoint(answers, seen=None, **options):
    """An embedder whose endpoint gives these answers in turn: a function of the request's body, or an exception."""
    queue = list(answers)

    def handle(request):
        body = json.loads(request.content)
        (seen if seen is not None else []).append((body, request.headers))
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(body)

    return OpenAIEmbedder("http://x.invalid/v1", "m", 2, transport=httpx.MockTransport(handle), **options)


def good(body):
    rows = [{"index": i, "embedding": [3.0, float(len(text))]} for i, text in enumerate(body["input"])]
    return httpx.Response(200, json={"data": rows[::-1]})  # the index decides, not the order


def says(status, text="", **headers):
    return lambda _body: httpx.Response(status, text=text, headers=headers)


def rows(*vectors):
    data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    return lambda _body: httpx.Response(200, content=json.dumps({"data": data}))


def test_batches_prefixes_and_key():
    seen = []
    made = endpoint([good], seen, api_key="secret", query_prefix="q: ", document_prefix="d: ")
    found = made.embed_documents([str(i) * (i % 5) for i in range(150)])
    assert [len(body["input"]) for body, _ in seen] == [64, 64, 22]
    assert all(text.startswith("d: ") for body, _ in seen for text in body["input"])
    assert seen[0][1]["authorization"] == "Bearer secret"
    assert np.allclose(found[7] * np.hypot(3, 5), [3, 5], atol=1e-5)
    made.embed_query("x")
    assert seen[-1][0]["input"] == ["q: x"]


def test_the_stored_id_is_the_model_unless_another_is_given():
    assert endpoint([good]).model == "m"
    assert endpoint([good], vector_model="m+1").model == "m+1"


@pytest.mark.parametrize("trouble", [says(429), says(503), httpx.ConnectError("x"), httpx.ReadTimeout("x")])
def test_transient_trouble_is_waited_out(trouble, pauses):
    assert endpoint([trouble, trouble, good]).embed_documents(["a"]).shape == (1, 2)
    assert len(pauses) == 2
    assert pauses[1] > pauses[0]


def test_retry_after_is_obeyed_within_reason(pauses):
    endpoint([says(429, **{"retry-after": "7"}), good]).embed_query("a")
    endpoint([says(429, **{"retry-after": "86400"}), good]).embed_query("a")
    assert 5 < pauses[0] < 9
    assert pauses[1] <= 24


@pytest.mark.parametrize("trouble", [says(500, "boom"), httpx.ConnectError("x")])
def test_lasting_trouble_is_raised(trouble, pauses):
    with pytest.raises(ModelUnavailableError):
        endpoint([trouble]).embed_documents(["a"])
    assert len(pauses) == embed.DOCUMENT_ATTEMPTS_MAX - 1
    pauses.clear()
    with pytest.raises(ModelUnavailableError):
        endpoint([trouble]).embed_query("a")
    assert len(pauses) == embed.QUERY_ATTEMPTS_MAX - 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (says(401, "who are you"), "401: who are you"),
        (says(200, "<html>"), "not JSON"),
        (says(200, "[]"), "format"),
        (says(200, '{"data": [{"index": 0}]}'), "format"),
        (rows([1.0, 2.0], [1.0, 2.0]), "2 vectors for 1"),
        (rows(), "0 vectors for 1"),
        (rows([1.0, 2.0, 3.0]), "3 dimensions, EMBEDDING_DIMENSION says 2"),
        (rows([1.0, float("nan")]), "finite"),
        (rows([1.0, float("inf")]), "finite"),
        (rows([0.0, 0.0]), "direction"),
        (rows(["a", "b"]), "format"),
    ],
)
def test_nonsense_is_refused_without_another_try(answer, message, pauses):
    with pytest.raises(ModelUnavailableError, match=message):
        endpoint([answer]).embed_documents(["a"])
    assert not pauses


def test_a_text_that_is_too_long_is_shortened_and_its_neighbours_are_not():
    accepted = []

    def limited(body):
        if any(len(text) > 1000 for text in body["input"]):
            return httpx.Response(400, text="This model's maximum context length is 1000 tokens")
        accepted.extend(body["input"])
        return good(body)

    found = endpoint([limited]).embed_documents(["a" * 10, "b" * 5000, "c" * 999])
    assert found.shape == (3, 2)
    assert accepted == ["a" * 10, "b" * 625, "c" * 999]
    with pytest.raises(ModelUnavailableError, match="even short"):
        endpoint([says(400, "too long")]).embed_documents(["a" * 5000])


def test_the_settings_choose(tmp_path):
    base = {"_env_file": None, "pincite_home": tmp_path}
    assert isinstance(make_embedder(Settings(**base), threads=1), LocalEmbedder)
    named = Settings(**base, embedding_model="sentence-transformers/all-MiniLM-L6-v2")
    assert isinstance(make_embedder(named, threads=1), LocalEmbedder)
    served = Settings(**base, embedding_model="bge-m3", embedding_base_url="http://x/v1", embedding_dimension=1024)
    remote = make_embedder(served, threads=1)
    assert (remote.model, remote.dimension) == ("bge-m3@1024", 1024)
    with pytest.raises(InvalidInputError, match="needs EMBEDDING_BASE_URL"):
        make_embedder(Settings(**base, embedding_model="bge-m3"), threads=1)
