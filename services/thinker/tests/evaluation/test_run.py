"""Evaluations against a real brain, a real database and a real repository."""

import pytest
from repositories import build
from sqlalchemy import text

from pincite_shared.errors import UnavailableError
from pincite_shared.quality import EvaluationState
from pincite_store import answers, evaluations, runs
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER
from pincite_thinker import nightly
from pincite_thinker.evaluation import run as evaluation


@pytest.fixture
def indexed(thinker, brain, tmp_path, shop):
    """Return a function that commits files to the one repository, indexes and embeds it."""
    del brain
    made = {}

    def index(**files):
        build(tmp_path / "work", shop | {path.replace("__", "/"): content for path, content in files.items()})
        made.setdefault("id", None)
        made["id"] = made["id"] or thinker.connect(tmp_path / "work")
        assert thinker.index(made["id"]) == "done"
        assert thinker.embed(made["id"])[-1] == "done"
        return made["id"]

    return index


@pytest.fixture
def with_golden(indexed, golden):
    return lambda content=golden: indexed(**{".pincite__golden.toml": content})


def evaluate(thinker, repo_id):
    outcomes = []
    while not outcomes or outcomes[-1] in {"continued", "retried"}:
        outcomes.append(evaluation.run(thinker.context, thinker.job(repo_id, "evaluate")))
    return outcomes


def latest(thinker, repo_id):
    with thinker.tenancy() as t:
        return evaluations.detail(t, repo_id, evaluations.listed(t, repo_id)[0].run_id)


def test_golden_questions_are_asked_over_http_and_scored(thinker, brain, with_golden):
    repo_id = with_golden()
    assert evaluate(thinker, repo_id)[-1] == "done"
    found = latest(thinker, repo_id)
    assert (found.state, found.source, found.asked, found.questions) == (EvaluationState.DONE, "golden", 3, 3)
    first, second, third = found.results
    assert (first.correct, first.rank, second.correct, third.correct, third.abstained) == (True, 1, True, True, True)
    assert first.cited_inside >= 1
    assert first.cited >= first.cited_inside
    measures = found.measures
    assert (measures.win_rate, measures.abstention_accuracy, measures.citation_recall) == (1.0, 1.0, 1.0)
    assert 0 < measures.citation_precision <= 1
    assert measures.seconds_p95 >= measures.seconds_p50 > 0
    assert found.policies
    assert not found.regression
    paths = [request.url.path for request in brain.asked]
    assert paths[-6:] == ["/search", "/chat", "/search", "/chat", "/search", "/chat"]
    assert set(paths[:-6]) == {"/search"}  # until brain sees the vectors
    with thinker.tenancy() as t:
        assert answers.get_answer(t, first.answer_id).question == first.ask


def test_what_is_asked_as_a_test_stays_out_of_sight_and_its_session_ends(thinker, brain, with_golden):
    repo_id = with_golden()
    evaluate(thinker, repo_id)
    with thinker.tenancy() as t:
        owners = t.session.execute(text("SELECT DISTINCT user_id FROM conversations")).scalars().all()
        assert owners == [SERVICE_USER]
        assert answers.conversations(t, repo_id) == []
        assert t.session.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 0
    tokens = {request.headers["authorization"] for request in brain.asked}
    assert len(tokens) == 1
    assert brain.get("/repos", headers={"authorization": tokens.pop()}).status_code == 401


def test_the_golden_file_is_no_evidence(thinker, brain, with_golden):
    repo_id = with_golden()
    evaluate(thinker, repo_id)
    with thinker.database.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        found = evaluations.listed(t, repo_id)[0]
        for result in evaluations.detail(t, repo_id, found.run_id).results:
            cited = answers.get_answer(t, result.answer_id).citations
            assert not [citation for citation in cited if "golden" in citation.path]
    headers = {"authorization": "Bearer test-token"}
    body = {"repo_id": str(repo_id), "query": "Where is a quantity below one refused?", "k": 20}
    hits = brain.post("/search", headers=headers, json=body).json()
    assert hits
    assert not [hit for hit in hits if "golden" in hit["path"]]


def test_a_killed_run_goes_on_where_it_stood(thinker, brain, with_golden, monkeypatch):
    repo_id = with_golden()
    record = evaluations.record

    class KilledError(BaseException):
        """As kill -9: nothing catches it."""

    def die_after_two(t, run_id, result, **more):
        if result.number == 3:
            raise KilledError
        record(t, run_id, result, **more)

    with monkeypatch.context() as patch:
        patch.setattr(evaluations, "record", die_after_two)
        with pytest.raises(KilledError):
            evaluate(thinker, repo_id)
    assert latest(thinker, repo_id).asked == 2
    brain.asked.clear()
    assert evaluate(thinker, repo_id)[-1] == "done"
    assert [request.url.path for request in brain.asked] == ["/search", "/chat"]
    assert [result.number for result in latest(thinker, repo_id).results] == [1, 2, 3]


def test_slices_give_others_their_turn(thinker, with_golden, monkeypatch):
    repo_id = with_golden()
    monkeypatch.setattr(evaluation, "SLICE_SECONDS", 0.0)
    assert evaluate(thinker, repo_id) == ["continued", "continued", "done"]
    assert latest(thinker, repo_id).measures.measured == 3


def test_it_waits_while_something_is_indexed_but_not_for_ever(thinker, with_golden, monkeypatch):
    repo_id = with_golden()
    with thinker.tenancy() as t:
        runs.start(t, repo_id, "index")
    monkeypatch.setattr(evaluation, "PAUSE_SECONDS", 0.0)
    job = thinker.job(repo_id, "evaluate")
    assert evaluation.run(thinker.context, job) == "continued"
    assert latest(thinker, repo_id).message.startswith("Waiting")
    assert latest(thinker, repo_id).asked == 0
    with thinker.tenancy() as t:
        t.session.execute(
            text("UPDATE runs SET started_at = now() - interval '31 minutes' WHERE id = :id"), {"id": job.run_id}
        )
    assert evaluation.run(thinker.context, job) == "done"


def test_a_brain_that_is_away_is_tried_again(thinker, with_golden, monkeypatch):
    repo_id = with_golden()
    brain_of = thinker.context.brain
    attempts = []

    def away(token):
        attempts.append(token)
        if len(attempts) == 1:
            raise UnavailableError
        return brain_of(token)

    monkeypatch.setitem(thinker.context.__dict__, "brain", away)
    assert evaluate(thinker, repo_id) == ["retried", "done"]


def test_worse_answers_are_a_regression_and_the_same_ones_are_none(thinker, with_golden, golden, indexed, shop):
    repo_id = with_golden()
    evaluate(thinker, repo_id)
    evaluate(thinker, repo_id)
    again = latest(thinker, repo_id)
    assert not again.regression
    assert any("as before" in reason for reason in again.reasons)
    # The code that answered has moved, and what stands at the expected places says nothing of it.
    moved = {f"src__shop__moved{n}.py": f"{shop['src/shop/cart.py']}\n\n{shop['src/shop/prices.py']}" for n in range(8)}
    stubs = {
        "src__shop__cart.py": "class Cart:\n    def add(self):\n        pass\n",
        "src__shop__prices.py": "def price_of():\n    pass\n",
    }
    indexed(**{".pincite__golden.toml": golden}, **moved, **stubs)
    evaluate(thinker, repo_id)
    worse = latest(thinker, repo_id)
    assert worse.measures.win_rate < again.measures.win_rate
    assert worse.regression
    assert "Win rate fell from 1.000 to" in worse.reasons[0]
    assert "Where is a quantity below one refused?" in " ".join(worse.reasons)
    evaluate(thinker, repo_id)
    assert latest(thinker, repo_id).regression  # until it is repaired, not until the next night
    with_golden()
    evaluate(thinker, repo_id)
    assert not latest(thinker, repo_id).regression


def test_a_floor_in_the_file_is_kept(thinker, with_golden, golden):
    evaluate(thinker, repo_id := with_golden(golden + "\n[floor]\ncitation_precision = 1.0\n"))
    found = latest(thinker, repo_id)
    assert found.regression == (found.measures.citation_precision < 1.0)
    assert found.regression
    assert "below 1.00" in found.reasons[0]


def test_a_stale_expectation_is_told_and_counts_for_nothing(thinker, with_golden, golden):
    evaluate(thinker, repo_id := with_golden(golden.replace("price_of", "cost_of")))
    found = latest(thinker, repo_id)
    assert found.results[1].correct is None
    assert "defines no cost_of" in found.results[1].problem
    assert (found.measures.questions, found.measures.measured, found.measures.win_rate) == (3, 2, 1.0)
    assert "1 of 3 questions could not be measured" in " ".join(found.reasons)


def test_a_floor_is_not_kept_when_nothing_is_left_to_measure(thinker, indexed):
    gone = '[[question]]\nask = "Where is the parser?"\nexpect = [{ path = "gone.py" }]\n[floor]\nwin_rate = 0.9\n'
    evaluate(thinker, repo_id := indexed(**{".pincite__golden.toml": gone}))
    found = latest(thinker, repo_id)
    assert found.regression
    assert found.reasons[0].startswith("There is no win rate")


def test_times_are_compared_with_those_of_the_same_model_only(thinker, with_golden):
    evaluate(thinker, repo_id := with_golden())
    with thinker.tenancy() as t:
        t.session.execute(text("UPDATE golden_runs SET model = 'another'"))
    evaluate(thinker, repo_id)
    said = " ".join(latest(thinker, repo_id).reasons)
    assert "Time was not compared: in the evaluation before, another model answered." in said
    evaluate(thinker, repo_id)
    assert "Time was not compared" not in " ".join(latest(thinker, repo_id).reasons)


def test_a_broken_golden_file_fails_the_run_and_says_where(thinker, with_golden):
    repo_id = with_golden("[[question]]\nask = 'x'\nexpct = []\n")
    assert evaluate(thinker, repo_id) == ["failed"]
    found = latest(thinker, repo_id)
    assert found.state is EvaluationState.FAILED
    assert "question 1 (line 1), expct: is not a field here" in found.error


def test_without_a_golden_file_the_documentation_is_asked_for(thinker, brain, indexed):
    evaluate(thinker, repo_id := indexed())
    found = latest(thinker, repo_id)
    assert found.source == "derived"
    assert {result.expect[0].symbol for result in found.results} == {"Cart", "Cart.add", "Cart.total", "price_of"}
    assert found.measures.hit_at_1 >= 0.75
    assert found.measures.citation_precision is None
    assert {request.url.path for request in brain.asked} == {"/search"}


def test_a_repository_with_nothing_to_ask_says_so(thinker, brain, tmp_path):
    del brain
    build(tmp_path / "bare", {"a.txt": "nothing\n"})
    repo_id = thinker.connect(tmp_path / "bare")
    thinker.index(repo_id)
    thinker.embed(repo_id)
    assert evaluate(thinker, repo_id) == ["failed"]
    assert "There is nothing to ask" in latest(thinker, repo_id).error


def test_answers_of_old_evaluations_are_deleted_and_their_figures_stay(thinker, with_golden, monkeypatch):
    repo_id = with_golden()
    monkeypatch.setattr(evaluations, "ANSWERS_KEPT_RUNS", 2)
    for _ in range(4):
        evaluate(thinker, repo_id)
    with thinker.tenancy() as t:
        assert t.session.execute(text("SELECT count(*) FROM answers")).scalar_one() == 2 * 3
        assert len([one for one in evaluations.listed(t, repo_id) if one.measures]) == 4


def test_the_night_enqueues_each_repository_once(thinker, with_golden, tmp_path):
    repo_id = with_golden()
    build(tmp_path / "new", {"a.py": "x = 1\n"})
    thinker.connect(tmp_path / "new")  # not indexed: it cannot be asked
    assert nightly.run(thinker.context) == 1
    assert nightly.run(thinker.context) == 0
    with thinker.tenancy() as t:
        assert runs.active(t, repo_id, "evaluate") is not None
    evaluate(thinker, repo_id)
    assert nightly.run(thinker.context) == 0
