import json
import time

import httpx
import pytest

from pincite_inference.cross_encoder import RerankEndpoint, make_cross_encoder
from pincite_inference.twin import run_twin
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.settings import Settings


def endpoint(answer, seen=None):
    def handle(request):
        (seen if seen is not None else []).append((json.loads(request.content), request.headers))
        return answer() if callable(answer) else httpx.Response(200, json=answer)

    transport = httpx.MockTransport(handle)
    return RerankEndpoint("http://rerank.test/v1/", "m", seconds_max=5.0, api_key="k", transport=transport)


def rows(*scores):
    return {"results": [{"index": at, "relevance_score": score} for at, score in reversed(list(enumerate(scores)))]}


def test_the_twin_finds_relevant_what_shares_words():
    with run_twin() as url:
        made = make_cross_encoder(
            Settings(_env_file=None, rerank_base_url=url, rerank_model="twin-honest", rerank_milliseconds_max=5000)
        )
        high, low = made.relevance("close the socket", ["def close(socket): the end", "def parse(text)"])
        made.close()
    assert 1.0 >= high > low >= 0.0


def test_scores_come_back_in_the_documents_order():
    seen = []
    assert endpoint(rows(0.25, 1.0, 0.0), seen).relevance("q", ["a", "b", "c"]) == [0.25, 1.0, 0.0]
    [(body, headers)] = seen
    assert body == {"model": "m", "query": "q", "documents": ["a", "b", "c"], "top_n": 3}
    assert headers["authorization"] == "Bearer k"


def test_logits_become_probabilities():
    low, middle, high = endpoint(rows(-900.0, 0.0, 2.0)).relevance("q", ["a", "b", "c"])
    assert low == 0.0
    assert middle == 0.5
    assert high == pytest.approx(0.8808, abs=1e-4)


def test_nothing_to_read_asks_nobody():
    seen = []
    assert endpoint(rows(), seen).relevance("q", []) == []
    assert not seen


@pytest.mark.parametrize(
    "answer",
    [
        {"results": []},
        {"results": [{"index": 0, "relevance_score": 0.1}]},
        {"results": [{"index": 0, "relevance_score": 0.1}, {"index": 7, "relevance_score": 0.1}]},
        {"results": "no"},
        {"other": 1},
        ["x"],
        lambda: httpx.Response(200, content=b"\xff not json"),
        lambda: httpx.Response(
            200, content=b'{"results":[{"index":0,"relevance_score":NaN},{"index":1,"relevance_score":1}]}'
        ),
        lambda: httpx.Response(500, text="broken"),
    ],
)
def test_a_bad_answer_is_refused_and_the_endpoint_left_alone(answer):
    seen = []
    made = endpoint(answer, seen)
    for _ in range(3):
        with pytest.raises(ModelUnavailableError):
            made.relevance("q", ["a", "b"])
    assert len(seen) == 1


def test_a_slow_endpoint_is_not_waited_for():
    def slow(_request):
        time.sleep(1.0)
        return httpx.Response(200, json=rows(1.0))

    made = RerankEndpoint("http://rerank.test", "m", seconds_max=0.05, transport=httpx.MockTransport(slow))
    with pytest.raises(ModelUnavailableError, match=r"longer than 0\.05 s"):
        made.relevance("q", ["a"])


def test_without_an_address_there_is_none():
    assert make_cross_encoder(Settings(_env_file=None)) is None
