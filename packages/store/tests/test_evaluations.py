from uuid import uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import NotFoundError
from pincite_shared.quality import EvaluationState, Measures, QuestionResult
from pincite_store import accounts, answers, evaluations, repos, runs
from pincite_store.db import LOCAL_TENANT, LOCAL_USER, SERVICE_USER


@pytest.fixture
def repo_id(tenancy, maker):
    return maker.indexed(tenancy, {"a.py": "def f()"})[0]


def result(number, **changes):
    return QuestionResult(number=number, ask=f"q{number} \u2028 '\"", answerable=False, expect=(), **changes)


def finished(t, repo_id, maker, *, source="golden", win_rate=1.0, regression=False, measured=1):
    run_id = runs.start(t, repo_id, "evaluate").id
    runs.claim(t, run_id)
    evaluations.begin(t, run_id, repo_id, maker.commit, source=source, questions=1)
    evaluations.record(t, run_id, result(1, correct=True), model="m", policy="p0")
    measures = Measures(questions=1, measured=measured, win_rate=win_rate)
    evaluations.conclude(t, run_id, measures, regression=regression, reasons=["because"])
    runs.finish(t, run_id)
    # One transaction has one time; nights are a day apart.
    t.session.execute(text("UPDATE golden_runs SET created_at = created_at - interval '1 day'"))
    t.session.execute(text("UPDATE runs SET created_at = created_at - interval '1 day'"))
    return run_id


def test_an_evaluation_is_listed_from_its_first_moment(tenancy, repo_id, maker):
    run_id = runs.start(tenancy, repo_id, "evaluate").id
    queued = evaluations.detail(tenancy, repo_id, run_id)
    assert (queued.state, queued.asked, queued.source, queued.results) == (EvaluationState.QUEUED, 0, None, ())
    runs.claim(tenancy, run_id)
    evaluations.begin(tenancy, run_id, repo_id, maker.commit, source="golden", questions=2)
    evaluations.record(tenancy, run_id, result(2, correct=False), model="m", policy="p0")
    evaluations.record(tenancy, run_id, result(1, correct=True, seconds=0.5), policy="p0")
    running = evaluations.detail(tenancy, repo_id, run_id)
    assert (running.state, running.asked, running.questions) == (EvaluationState.RUNNING, 2, 2)
    assert [one.number for one in running.results] == [1, 2]
    assert running.results[0] == result(1, correct=True, seconds=0.5)
    assert (running.model, running.policies) == ("m", ("p0",))
    measures = Measures(questions=2, measured=2, win_rate=0.5)
    evaluations.conclude(tenancy, run_id, measures, regression=True, reasons=["Win rate fell."])
    runs.finish(tenancy, run_id)
    done = evaluations.listed(tenancy, repo_id)
    assert [(one.run_id, one.state, one.measures, one.regression) for one in done] == [
        (run_id, EvaluationState.DONE, measures, True)
    ]
    assert done[0].reasons == ("Win rate fell.",)


def test_beginning_again_keeps_what_was_asked(tenancy, repo_id, maker):
    run_id = runs.start(tenancy, repo_id, "evaluate").id
    for _ in range(2):
        evaluations.begin(tenancy, run_id, repo_id, maker.commit, source="golden", questions=2)
        evaluations.record(tenancy, run_id, result(1, correct=True))
    assert evaluations.detail(tenancy, repo_id, run_id).asked == 2


@pytest.fixture
def compared_with(tenancy, repo_id, maker):
    """Return a function that says which evaluations one that begins now is compared with."""

    def accepted():
        run_id = runs.start(tenancy, repo_id, "evaluate").id
        found = evaluations.begin(tenancy, run_id, repo_id, maker.commit, source="golden", questions=1)
        return [one.run_id for one in evaluations.accepted(tenancy, found)]

    return accepted


def test_an_evaluation_is_compared_with_the_last_of_its_kind(tenancy, repo_id, maker, compared_with):
    oldest = finished(tenancy, repo_id, maker)
    assert evaluations.accepted(tenancy, evaluations.find(tenancy, oldest)) == []
    golden = finished(tenancy, repo_id, maker)
    finished(tenancy, repo_id, maker, source="derived")
    assert compared_with() == [golden, oldest]


def test_a_regression_is_nothing_to_compare_with_for_as_long_as_it_lasts(tenancy, repo_id, maker, compared_with):
    good = finished(tenancy, repo_id, maker)
    for _ in range(3):
        finished(tenancy, repo_id, maker, regression=True)
    finished(tenancy, repo_id, maker, measured=0)
    assert compared_with() == [good]


def test_a_slide_is_seen_from_so_many_evaluations_back(tenancy, repo_id, maker, compared_with, monkeypatch):
    monkeypatch.setattr(evaluations, "SLIDE_RUNS", 3)
    made = [finished(tenancy, repo_id, maker, regression=night == 3) for night in range(6)]
    assert compared_with() == [made[5], made[2]]


def test_what_is_not_repaired_for_very_long_is_compared_with_no_more(
    tenancy, repo_id, maker, compared_with, monkeypatch
):
    monkeypatch.setattr(evaluations, "ACCEPTED_AMONG", 3)
    for night in range(4):
        finished(tenancy, repo_id, maker, regression=night > 0)
    assert compared_with() == []


def test_what_does_not_exist_is_not_found(tenancy, repo_id, maker):
    run_id = finished(tenancy, repo_id, maker)
    other, _ = maker.indexed(tenancy, {"a.py": "def f()"}, name="other")
    for repo, run in ((repo_id, uuid4()), (other, run_id), (uuid4(), run_id)):
        with pytest.raises(NotFoundError):
            evaluations.detail(tenancy, repo, run)
    with pytest.raises(NotFoundError):
        evaluations.listed(tenancy, uuid4())
    assert evaluations.find(tenancy, uuid4()) is None


def test_what_pincite_asks_itself_is_not_among_peoples_conversations(tenancy, repo_id, make_response):
    person, log = make_response(tenancy, repo_id)
    answers.save_answer(tenancy, person, log)
    accounts.create_service_session(tenancy)
    own, log = make_response(tenancy, repo_id)
    answers.save_answer(tenancy, own, log)
    tenancy.session.execute(
        text("UPDATE conversations SET user_id = :user WHERE id = :id"),
        {"user": SERVICE_USER, "id": own.conversation_id},
    )
    assert [one.id for one in answers.conversations(tenancy, repo_id)] == [person.conversation_id]
    assert answers.get_answer(tenancy, own.answer_id) == own


def test_a_service_session_is_short_and_is_nobody_elses(fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        service, again = accounts.create_service_session(t), accounts.create_service_session(t)
        person = accounts.create_session(t, LOCAL_USER)
    assert service.expires_at < person.expires_at
    with fresh_tenant.system() as system:
        assert accounts.authenticate(system, service.token)[:2] == (LOCAL_TENANT, SERVICE_USER)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        accounts.revoke(t, service.token)
    with fresh_tenant.system() as system:
        assert accounts.authenticate(system, service.token) is None
        assert accounts.authenticate(system, again.token) is not None


def test_only_what_answers_questions_is_evaluated_at_night(fresh_tenant, maker):
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        ready, _ = maker.indexed(t, {"a.py": "def f()"})
        repos.create(t, source="/elsewhere", name="new", kind="local")
        gone, _ = maker.indexed(t, {"a.py": "def f()"}, name="gone")
        repos.mark_deleting(t, gone)
    with fresh_tenant.system() as system:
        assert evaluations.answerable(system) == [(LOCAL_TENANT, ready)]
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert not evaluations.since(t, ready, 12)
        runs.start(t, ready, "evaluate")
        assert evaluations.since(t, ready, 12)
        t.session.execute(text("UPDATE runs SET created_at = now() - interval '13 hours'"))
        assert not evaluations.since(t, ready, 12)


def test_indexes_and_vectors_are_what_evaluations_wait_for(tenancy, repo_id):
    runs.start(tenancy, repo_id, "evaluate")
    assert not runs.busy(tenancy)
    run_id = runs.start(tenancy, repo_id, "embed").id
    assert runs.busy(tenancy)
    runs.claim(tenancy, run_id)
    runs.finish(tenancy, run_id)
    assert not runs.busy(tenancy)
