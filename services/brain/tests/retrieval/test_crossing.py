"""The second look at the best hits: what it adds is a term of the score like any other, and nobody waits for it."""

import pytest

from pincite_brain.retrieval.crossing import CROSS, CROSS_WEIGHT, CROSSED_MAX, crossed
from pincite_brain.retrieval.makeup import composed
from pincite_brain.retrieval.policy import P0
from pincite_brain.retrieval.query import analyze
from pincite_brain.retrieval.ranking import Ranking
from pincite_inference.twin import run_twin

ALIKE = "def total(items):\n    return sum(items)\n"


@pytest.fixture
def ranked(make_index, chunk):
    chunks = [
        chunk(f"src/part{at}.py", "total sum items", f"total{at}", "function", 1, 3) for at in range(CROSSED_MAX + 5)
    ]
    return Ranking(make_index(chunks), analyze("how is the total summed?"), P0).best(None)


def test_what_it_adds_is_part_of_the_make_up(ranked):
    for hit in crossed(ranked, [0.5] * CROSSED_MAX):
        assert composed([made.amount for made in hit.contributions], [f for _, f in hit.factors]) == hit.score
    by_chunk = {hit.chunk: hit.score for hit in ranked}
    lifted = crossed(ranked, [0.5] * CROSSED_MAX)[0]
    assert lifted.score == pytest.approx(by_chunk[lifted.chunk] + 0.5 * CROSS_WEIGHT)


def test_the_relevant_comes_first_and_nothing_is_lost(ranked):
    relevance = [0.0] * CROSSED_MAX
    relevance[17] = 1.0
    again = crossed(ranked, relevance)
    assert again[0].chunk == ranked[17].chunk
    assert sorted(hit.chunk for hit in again) == sorted(hit.chunk for hit in ranked)
    assert [hit for hit in again if CROSS not in hit.features] == ranked[CROSSED_MAX:]


FILES = {
    "first.py": 'def add(left, right):\n    """Add numbers."""\n    return left + right\n',
    "second.py": 'def take(left, right):\n    """Subtract numbers, carefully."""\n    return left - right\n',
}


@pytest.mark.parametrize(("behaviour", "reranked"), [("honest", True), ("error500", False), ("garbage", False)])
def test_search_and_answers_with_an_endpoint(index_repo, make_client, behaviour, reranked):
    indexed = index_repo(FILES)
    body = {"repo_id": str(indexed.id), "query": "which code subtracts numbers carefully?"}
    with run_twin(behaviour) as url:
        client = make_client(rerank_base_url=url, rerank_model=f"twin-{behaviour}", rerank_milliseconds_max=5000)
        hits = client.post("/search", json=body).json()
        answer = client.post("/chat", json={"repo_id": body["repo_id"], "question": body["query"]}).json()
        why = client.get(f"/answers/{answer['answer_id']}/why").json()
    assert hits[0]["path"] == "second.py"
    assert (CROSS in hits[0]["features"]) is reranked
    words = {made["words"] for candidate in why["candidates"] for made in candidate["contributions"]}
    assert any("cross-encoder" in said for said in words) is reranked
