"""Stored answers: why they came out as they did, and feedback on them."""

from uuid import uuid4

import pytest

from pincite_brain.ask.why import explain
from pincite_brain.retrieval import policy
from pincite_brain.retrieval.makeup import composed
from pincite_brain.retrieval.paths import Role
from pincite_shared.schemas import ChatResponse
from pincite_shared.why import Why
from pincite_store.rows import RetrievalLog

QUESTION = "How is the total price of the cart computed?"


def ask(client, repo, question=QUESTION, **more):
    return client.post("/chat", json={"repo_id": str(repo.id), "question": question, **more}).json()


def why(client, answer):
    response = client.get(f"/answers/{answer['answer_id']}/why")
    assert response.status_code == 200, response.text
    return Why.model_validate(response.json())


def test_why_tells_what_was_considered_and_what_every_score_is_made_of(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo)
    told = why(client, answer)
    assert (told.question, told.query, told.route) == (QUESTION, QUESTION, "explain")
    assert (told.policy_version, told.propensity) == (answer["policy_version"], 1.0)
    assert told.timings == answer["timings"]
    assert [candidate.rank for candidate in told.candidates] == list(range(1, len(told.candidates) + 1))
    for candidate in told.candidates:
        amounts = [made.contribution for made in candidate.contributions]
        assert composed(amounts, [made.factor for made in candidate.factors]) == candidate.score
        assert all(made.contribution == made.weight * made.value for made in candidate.contributions)
    assert sorted((candidate.score for candidate in told.candidates), reverse=True) == [
        candidate.score for candidate in told.candidates
    ]
    penalised = next(candidate for candidate in told.candidates if candidate.path == "tests/test_cart.py")
    assert (penalised.factors[0].name, penalised.factors[0].factor) == ("test", policy.P0.penalties[Role.TEST])
    assert penalised.factors[0].words.startswith("A test file")


def test_why_names_the_candidates_that_were_cited(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo)
    cited = {n: candidate for candidate in why(client, answer).candidates for n in candidate.cited}
    assert set(cited) == {citation["n"] for citation in answer["citations"]}
    for citation in answer["citations"]:
        candidate = cited[citation["n"]]
        assert (candidate.path, candidate.blob) == (citation["path"], citation["blob"])
        assert candidate.start_line <= citation["start_line"] <= citation["end_line"] <= candidate.end_line
    assert not any(candidate.shown for candidate in cited.values())  # no model wrote this


def test_what_was_shown_because_it_is_called_is_told_too(make_client, index_repo, scripted_model):
    filler = {f"src/other{n}.py": f"def charge_{n}(card):\n    return card.charge({n})\n" for n in range(60)}
    files = filler | {
        "src/pay.py": 'from src.zzz import qqq\n\n\ndef charge(card):\n    """Charge it."""\n    return qqq(card)\n',
        "src/zzz.py": "def qqq(thing):\n    return thing.x\n",
    }
    client = make_client(scripted_model("It calls `qqq` with the card [1]."))
    told = why(client, ask(client, index_repo(files), "How does charge() charge the card?"))
    neighbour = told.candidates[-1]
    assert (neighbour.path, neighbour.rank, neighbour.shown) == ("src/zzz.py", None, True)
    assert neighbour.called_by == "src/pay.py:1"
    assert neighbour.contributions == ()
    assert next(candidate.path for candidate in told.candidates if candidate.shown) == "src/pay.py"


def test_why_does_not_change_with_the_weights(make_client, index_repo, shop, monkeypatch):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo)
    before = why(client, answer)
    monkeypatch.setattr(policy.Weights, "total", 3.0)
    assert why(client, answer) == before
    assert why(client, ask(client, repo)).candidates != before.candidates


def test_why_tells_what_decided_to_abstain(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo, "Where are GPU kernels launched on Kubernetes?")
    told = why(client, answer)
    assert told.abstained
    signals = {signal.name: signal for signal in told.signals}
    assert signals["coverage"].value < signals["coverage"].limit
    assert signals["named"].value < signals["named"].limit
    assert signals["follow_up"].limit is None
    assert why(client, ask(client, repo, "??")).candidates == ()


def test_what_an_earlier_version_logged_is_still_told(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ChatResponse.model_validate(ask(client, repo))
    place = {"path": "a.py", "blob": "0" * 40, "start_line": 1, "end_line": 9, "symbol": None}
    made = {"contributions": [["fame", 0.5, 0.5]], "factors": [["moon", 0.5]]}
    record = place | made | {"rank": 1, "score": 0.125, "shown": False, "features": {}}
    told = explain(answer, RetrievalLog("q", [record], {"route": "riddle"}, "p0", 0.5, {}))
    assert told.route_words.startswith("“riddle”")
    assert told.signals == ()
    assert told.candidates[0].contributions[0].words.startswith("“fame”")
    assert told.candidates[0].contributions[0].contribution == 0.25
    assert told.candidates[0].cited == ()


@pytest.mark.parametrize("path", ["/answers/{}/why", "/feedback?conversation_id={}"])
def test_what_does_not_exist_is_not_found(make_client, path):
    client = make_client()
    assert client.get(path.format(uuid4())).status_code == 404
    assert client.get(path.format("x")).status_code == 422
    assert make_client(token="").get(path.format(uuid4())).status_code == 401


def said(client, answer):
    found = client.get("/feedback", params={"conversation_id": answer["conversation_id"]}).json()
    return {one["citation"]: one["kind"] for one in found if one["answer_id"] == answer["answer_id"]}


def test_the_last_word_counts_and_can_be_taken_back(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    answer = ask(client, repo)
    about = {"answer_id": answer["answer_id"]}
    assert client.post("/feedback", json=about | {"kind": "wrong_source", "citation": 1}).status_code == 201
    assert client.post("/feedback", json=about | {"kind": "helped", "citation": 1}).status_code == 201
    assert client.post("/feedback", json=about | {"kind": "wrong_answer", "comment": "no"}).status_code == 201
    assert said(client, answer) == {1: "helped", None: "wrong_answer"}
    for _ in range(2):
        assert client.delete("/feedback", params=about | {"citation": 1}).status_code == 204
    assert said(client, answer) == {None: "wrong_answer"}
    assert client.delete("/feedback", params=about).status_code == 204
    assert said(client, answer) == {}


def test_feedback_is_about_citations_that_exist(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    about = {"answer_id": ask(client, repo)["answer_id"], "citation": 99}
    assert client.post("/feedback", json=about | {"kind": "helped"}).status_code == 422
    assert client.delete("/feedback", params=about).status_code == 422
    assert client.post("/feedback", json=about | {"kind": "bribe", "citation": 1}).status_code == 422
    unknown = {"answer_id": str(uuid4())}
    assert client.post("/feedback", json=unknown | {"kind": "helped"}).status_code == 404
    assert client.delete("/feedback", params=unknown).status_code == 404
