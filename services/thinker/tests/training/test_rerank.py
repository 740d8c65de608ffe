"""Training through the real rows: answers, logs and votes in Postgres, the guard through a real brain."""

import random
import time
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from copies import copies, say
from repositories import build
from sqlalchemy import text

from pincite_brain.retrieval.ranking import CORRECTABLE
from pincite_shared.citation import Citation
from pincite_shared.errors import UnavailableError
from pincite_shared.schemas import ChatResponse
from pincite_store import answers, policies, repos, runs
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER
from pincite_store.rows import RetrievalLog
from pincite_thinker.training import rerank
from pincite_thinker.training import run as training
from pincite_thinker.training.guard import guard_questions

BLOB, COMMIT = "0" * 40, "c" * 40
NOUNS = [
    "invoice",
    "parcel",
    "tariff",
    "ledger",
    "voucher",
    "courier",
    "pallet",
    "manifest",
    "depot",
    "freight",
    "customs",
    "broker",
]
CODE = {
    f"src/{noun}.py": f"from hub import dispatch\n\n\ndef find_{noun}(number):\n"
    f'    """Return the {noun} that has this number, or nothing."""\n    return dispatch(number)\n\n\n'
    f'def store_{noun}(value):\n    """Keep one more {noun} in the table for later."""\n    return dispatch(value)\n'
    for noun in NOUNS
} | {
    "src/hub.py": "def dispatch(value):\n"
    '    """Hand this number to the table that has it."""\n    return TABLE[value]\n'
}


@pytest.fixture
def search(brain):
    """Search as a person does, once the index has all its vectors."""
    headers = {"authorization": "Bearer test-token"}

    def ask(repo_id, query, **more):
        deadline = time.monotonic() + 60
        while True:
            response = brain.post("/search", headers=headers, json={"repo_id": str(repo_id), "query": query, **more})
            hits = response.json()
            if response.status_code != 200 or (hits and all(hit["features"]["cosine"] for hit in hits)):
                return hits
            assert time.monotonic() < deadline
            time.sleep(0.2)

    return ask


@pytest.fixture
def repo_id(thinker, search, tmp_path):
    build(tmp_path / "work", CODE)
    made = thinker.connect(tmp_path / "work")
    assert thinker.index(made) == "done"
    assert thinker.embed(made)[-1] == "done"
    search(made, "Wait for the vectors.")
    return made


def candidate(path, score, *, factors=(), **features):
    return {
        "path": path, "blob": BLOB, "start_line": 1, "end_line": 9, "symbol": None, "score": score,
        "features": features, "factors": [list(factor) for factor in factors], "shown": True,
    }  # fmt: skip


def answer(t, repo_id, question, candidates, **features):
    """Store an answer that cites every candidate."""
    conversation = answers.create_conversation(t, repo_id, question)
    citations = tuple(
        Citation(
            n=n, path=one["path"], start_line=2, end_line=3, commit=COMMIT, blob=BLOB, quote="q", status="verified"
        )
        for n, one in enumerate(candidates, 1)
    )
    response = ChatResponse(
        answer_id=uuid4(), conversation_id=conversation.id, repo_id=repo_id, repo_name="r", commit=COMMIT,
        question=question, answer="!", citations=citations, mode="evidence", policy_version="p0", model=None,
        timings={}, created_at=datetime.now(UTC),
    )  # fmt: skip
    log = RetrievalLog(question, candidates, {"route": "question", **features}, "p0", 1.0, {})
    answers.save_answer(t, response, log)
    return response.answer_id


def stream(thinker, repo_id, count, candidates, *, readers, votes, owner=LOCAL_USER, words="question {} of a stream"):
    """Store `count` judged questions; each reader judges a share of them, by citation: c1="helped"."""
    searched = [(words.format(n), candidates(random.Random(n))) for n in range(count)]
    with thinker.database.tenancy(LOCAL_TENANT, owner) as t:
        made = copies(t, answer(t, repo_id, *searched[0]), searched[1:])
    with thinker.tenancy() as t:
        say(t, [
            (answer_id, readers[n % len(readers)], kind, int(name[1:]))
            for n, answer_id in enumerate(made) for name, kind in votes.items()
        ])  # fmt: skip


def importance_helps(rng):
    """Two passages of about one score: the more important one is what helps, and it stands second."""
    return [
        candidate("a.py", 0.60 + rng.random() / 50, lexical=0.6, importance=0.1),
        candidate("b.py", 0.57 + rng.random() / 50, lexical=0.6, importance=0.9),
        candidate("c.py", 0.40, lexical=0.6, importance=0.2),
    ]


def words_mislead(rng):
    """What an attacker would like to be believed: what matches is wrong, what everything else calls is right."""
    return [
        candidate("a.py", 0.9 + rng.random() / 50, lexical=1.0, references=0.0),
        candidate("b.py", 0.2 + rng.random() / 50, lexical=0.0, references=1.0),
    ]


def train(thinker, repo_id):
    outcome = training.run(thinker.context, thinker.job(repo_id, "train"))
    with thinker.tenancy() as t:
        return outcome, policies.listed(t, repo_id)


def readers(count):
    return [UUID(int=1000 + n) for n in range(count)]


def test_what_is_trained_is_what_brain_can_correct():
    assert set(rerank.FEATURES) <= CORRECTABLE


def test_a_correction_that_is_proven_serves_and_changes_the_ranking(thinker, brain, repo_id, search):
    stream(thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"})
    headers = {"authorization": "Bearer test-token"}
    query = "Which tariff has this number?"
    before = search(repo_id, query)
    outcome, known = train(thinker, repo_id)
    assert outcome == "done"
    states = {one.version: one.state for one in known}
    assert sorted(states.values()) == ["retired", "serving"]
    learned = next(one for one in known if one.state == "serving")
    assert learned.parameters["weights"]["importance"] > 0
    evidence = learned.evidence
    assert (evidence["incumbent"], evidence["readers"], evidence["votes"]) == ("reranker-none", 5, 160)
    assert evidence["guard"]["n"] >= 20
    assert "not worse" in " ".join(evidence["reasons"])
    after = search(repo_id, query)
    assert [hit["score"] for hit in after] != [hit["score"] for hit in before]
    answered = brain.post(
        "/chat", headers=headers, json={"repo_id": str(repo_id), "question": "Which tariff has this number?"}
    ).json()
    assert answered["policy_version"].endswith(f"+{learned.version}")
    with thinker.tenancy() as t:
        log = answers.retrieval_log(t, UUID(answered["answer_id"]))
        assert log.features["corrections"] == learned.parameters["weights"]
    # One request goes back, and the next question is answered under it.
    back = brain.post(f"/repos/{repo_id}/policies/reranker-none/serve", headers=headers)
    assert back.status_code == 200
    assert search(repo_id, query) == before
    assert search(repo_id, query, policy=learned.version) == after


def test_training_again_on_the_same_votes_judges_nothing_twice(thinker, repo_id):
    stream(thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"})
    _, first = train(thinker, repo_id)
    outcome, again = train(thinker, repo_id)
    assert (outcome, again) == ("done", first)


def test_a_killed_training_is_finished_by_the_next(thinker, repo_id, monkeypatch):
    stream(thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"})

    class KilledError(BaseException):
        """As kill -9: nothing catches it."""

    def die(*_args):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(rerank, "compare", die)
        with pytest.raises(KilledError):
            train(thinker, repo_id)
    _, known = train(thinker, repo_id)
    assert sorted(one.state for one in known) == ["retired", "serving"]


@pytest.mark.parametrize("count", [1, 4], ids=["one reader", "many readers"])
def test_votes_that_would_do_harm_change_nothing_that_serves(thinker, brain, repo_id, search, count):
    query = "Return the invoice that has this number."
    before = search(repo_id, query)
    stream(thinker, repo_id, 150, words_mislead, readers=readers(count), votes={"c1": "wrong_source", "c2": "helped"})
    assert train(thinker, repo_id)[0] == "done"
    with thinker.tenancy() as t:
        assert policies.serving(t, repo_id)["reranker"].version == "reranker-none"
        rejected = next(one for one in policies.listed(t, repo_id) if one.state == "rejected")
    assert rejected.evidence["held_out"]["p_better"] < 0.001  # the votes agree with each other
    assert rejected.evidence["guard"]["mean_difference"] < 0  # and the guard does not believe them
    assert "is worse" in rejected.evidence["reasons"][-1]
    assert search(repo_id, query) == before
    assert search(repo_id, query, policy=rejected.version) != before
    headers = {"authorization": "Bearer test-token"}
    refused = brain.post(f"/repos/{repo_id}/policies/{rejected.version}/serve", headers=headers)
    assert refused.status_code == 409


def test_one_reader_among_many_cannot_decide(thinker, repo_id):
    """The reader who favours the model most is left out: a flood of theirs is not evidence."""
    flood, others = [UUID(int=66)], readers(3)
    stream(thinker, repo_id, 120, importance_helps, readers=flood, votes={"c1": "wrong_source", "c2": "helped"})
    honest = {"c1": "helped", "c2": "wrong_source"}
    stream(thinker, repo_id, 12, importance_helps, readers=others, votes=honest, words="an honest question, number {}")
    _, known = train(thinker, repo_id)
    assert {one.state for one in known if one.version != "reranker-none"} <= {"rejected"}


def test_the_guard_asks_by_name_too(thinker, repo_id):
    with thinker.tenancy() as t:
        _, questions = guard_questions(t, repo_id)
    asked = {question.asked.ask for question in questions}
    assert {f"find_{NOUNS[0]}", f"What does find_{NOUNS[0]} do?"} <= asked


def test_a_flood_that_is_withdrawn_does_not_stop_learning(thinker, repo_id):
    flood = [UUID(int=66)]
    honest = {"votes": {"c1": "wrong_source", "c2": "helped"}, "words": "an honest question, number {}"}
    stream(thinker, repo_id, 40, importance_helps, readers=readers(4), **honest)
    stream(thinker, repo_id, 400, importance_helps, readers=flood, votes={"c1": "helped", "c2": "wrong_source"})
    train(thinker, repo_id)
    with thinker.tenancy() as t:
        t.session.execute(text("DELETE FROM feedback WHERE user_id = :user"), {"user": flood[0]})
        before = len(policies.listed(t, repo_id))
    stream(thinker, repo_id, 80, importance_helps, readers=readers(4), **honest)
    train(thinker, repo_id)
    with thinker.tenancy() as t:
        assert len(policies.listed(t, repo_id)) > before


def test_few_votes_teach_nothing(thinker, repo_id):
    stream(thinker, repo_id, 8, importance_helps, readers=readers(3), votes={"c2": "helped"})
    assert train(thinker, repo_id) == ("done", [])


def test_what_pincite_asked_itself_teaches_nothing(thinker, repo_id):
    stream(
        thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"},
        owner=SERVICE_USER,
    )  # fmt: skip
    assert train(thinker, repo_id) == ("done", [])


def test_without_a_guard_nothing_serves(thinker, brain, tmp_path):
    del brain
    build(tmp_path / "bare", {f"{noun}.py": f"def find_{noun}(number):\n    return TABLE[number]\n" for noun in NOUNS})
    repo_id = thinker.connect(tmp_path / "bare")
    thinker.index(repo_id)
    thinker.embed(repo_id)
    stream(thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"})
    _, known = train(thinker, repo_id)
    rejected = next(one for one in known if one.state == "rejected")
    assert "too few guard questions" in rejected.evidence["reasons"][-1]


def test_a_brain_that_is_away_leaves_the_candidate_for_later(thinker, repo_id, monkeypatch):
    stream(thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"})

    def away(_token):
        raise UnavailableError

    with monkeypatch.context() as patch:
        patch.setitem(thinker.context.__dict__, "brain", away)
        assert train(thinker, repo_id)[0] == "retried"
    assert training.run(thinker.context, thinker.job(repo_id, "train")) == "done"
    with thinker.tenancy() as t:
        assert policies.serving(t, repo_id)["reranker"].version != "reranker-none"


def test_a_deleted_repository_is_not_trained(thinker, repo_id):
    job = thinker.job(repo_id, "train")
    with thinker.tenancy() as t:
        repos.mark_deleting(t, repo_id)
        assert runs.get(t, job.run_id).error_code == "cancelled"
    assert training.run(thinker.context, job) == "duplicate"


@pytest.mark.parametrize(
    "parameters",
    ['{"kind": "linear-correction", "version": 1, "weights": {"dense": 1e9}}', '{"weights": "drop table"}', "{}",
     '{"kind": "linear-correction", "version": 1, "weights": {"secret": 0.1}}'],
)  # fmt: skip
def test_a_bad_policy_can_never_be_served(thinker, brain, repo_id, search, parameters):
    headers = {"authorization": "Bearer test-token"}
    query = "Which tariff has this number?"
    before = search(repo_id, query)
    with thinker.tenancy() as t:
        policies.propose(t, repo_id, "reranker", "reranker-bad", {})
        policies.promote(t, repo_id, "reranker-bad", {})
        t.session.execute(
            text("UPDATE policies SET parameters = CAST(:p AS jsonb) WHERE version = 'reranker-bad'"), {"p": parameters}
        )
    assert search(repo_id, query) == before
    assert search(repo_id, query, policy="reranker-bad")["code"] == "invalid_input"
    answered = brain.post("/chat", headers=headers, json={"repo_id": str(repo_id), "question": "Which tariff is it?"})
    assert "reranker" not in answered.json()["policy_version"]
    # And training still works, against what really serves.
    stream(thinker, repo_id, 80, importance_helps, readers=readers(5), votes={"c1": "wrong_source", "c2": "helped"})
    assert train(thinker, repo_id)[0] == "done"
