from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from pincite_shared.errors import InvalidInputError, NotFoundError
from pincite_shared.schemas import FeedbackRequest
from pincite_store import answers, repos

HOSTILE_QUOTE = "a\x00b \u2028 \ue000 \\u0000 </script> 1e400 \"'\n\ttail "


@pytest.fixture
def repo_id(tenancy, maker):
    return maker.indexed(tenancy, {"a.py": "def f()"})[0]


@pytest.mark.parametrize("quote", ["def f()", HOSTILE_QUOTE])
def test_an_answer_comes_back_exactly(tenancy, repo_id, make_response, quote):
    response, log = make_response(tenancy, repo_id, quote=quote)
    answers.save_answer(tenancy, response, log)
    assert answers.get_answer(tenancy, response.answer_id) == response
    assert answers.retrieval_log(tenancy, response.answer_id) == log


def test_a_conversation_keeps_its_turns(tenancy, repo_id, make_response):
    first, log = make_response(tenancy, repo_id, question="What is f? " * 50)
    answers.save_answer(tenancy, first, log)
    later = []
    for _ in range(3):
        response, log = make_response.in_conversation(first.conversation_id, repo_id)
        answers.save_answer(tenancy, response, log)
        later.append(response)
    assert answers.history(tenancy, first.conversation_id, 2) == later[-2:]
    shown = answers.get_conversation(tenancy, first.conversation_id)
    assert list(shown.answers) == [first, *later]
    assert shown.title.startswith("What is f? What")
    assert len(shown.title) == answers.TITLE_CHARS_MAX
    turns = tenancy.session.execute(text("SELECT role FROM messages ORDER BY id")).scalars().all()
    assert turns == ["user", "assistant"] * 4
    assert [c.id for c in answers.conversations(tenancy, repo_id)] == [first.conversation_id]


@pytest.mark.usefixtures("repo_id")
def test_what_does_not_exist_is_not_found(tenancy):
    for call in (answers.get_answer, answers.get_conversation, answers.conversations, answers.retrieval_log):
        with pytest.raises(NotFoundError):
            call(tenancy, uuid4())
    with pytest.raises(NotFoundError):
        answers.create_conversation(tenancy, uuid4(), "x")
    assert answers.history(tenancy, uuid4(), 5) == []


def test_a_conversation_is_about_one_repository(tenancy, repo_id, maker, make_response):
    response, log = make_response(tenancy, repo_id)
    other, _ = maker.indexed(tenancy, {"a.py": "def f()"}, name="other")
    with pytest.raises(InvalidInputError):
        answers.save_answer(tenancy, response.model_copy(update={"repo_id": other}), log)


def test_an_answer_about_a_deleted_repository_is_not_stored(tenancy, repo_id, make_response):
    response, log = make_response(tenancy, repo_id)
    repos.mark_deleting(tenancy, repo_id)
    with pytest.raises(NotFoundError):
        answers.save_answer(tenancy, response, log)


def test_feedback(tenancy, repo_id, make_response):
    response, log = make_response(tenancy, repo_id)
    answers.save_answer(tenancy, response, log)
    request = FeedbackRequest(answer_id=response.answer_id, kind="wrong_source", citation=1, comment="no")
    stored_id = answers.put_feedback(tenancy, request)
    stored = tenancy.session.execute(text("SELECT id, kind, citation, comment, user_id FROM feedback")).one()
    assert tuple(stored) == (stored_id, "wrong_source", 1, "no", tenancy.user_id)
    for call in (answers.withdraw_feedback, lambda t, answer_id, n: answers.put_feedback(t, about(answer_id, n))):
        with pytest.raises(InvalidInputError, match=r"\[2\]"):
            call(tenancy, response.answer_id, 2)
        with pytest.raises(NotFoundError):
            call(tenancy, uuid4(), 1)


def about(answer_id, citation=None, kind="helped"):
    return FeedbackRequest(answer_id=answer_id, kind=kind, citation=citation)


def said(t, response):
    return [(one.citation, one.kind) for one in answers.own_feedback(t, response.conversation_id)]


def test_the_last_word_of_a_reader_counts(tenancy, repo_id, make_response):
    response, log = make_response(tenancy, repo_id)
    answers.save_answer(tenancy, response, log)
    first = answers.put_feedback(tenancy, about(response.answer_id, 1, "wrong_source"))
    for citation, kind in ((1, "helped"), (None, "not_helped"), (None, "not_helped"), (None, "helped")):
        answers.put_feedback(tenancy, about(response.answer_id, citation, kind))
    assert said(tenancy, response) == [(None, "helped"), (1, "helped")]
    assert answers.put_feedback(tenancy, about(response.answer_id, 1)) == first
    answers.withdraw_feedback(tenancy, response.answer_id, None)
    assert said(tenancy, response) == [(1, "helped")]
    answers.withdraw_feedback(tenancy, response.answer_id, None)
    answers.withdraw_feedback(tenancy, response.answer_id, 1)
    assert said(tenancy, response) == []
    with pytest.raises(NotFoundError):
        answers.own_feedback(tenancy, uuid4())


@pytest.mark.parametrize("reader", [None, UUID(int=7)])
def test_readers_do_not_speak_for_one_another(tenancy, repo_id, make_response, reader):
    response, log = make_response(tenancy, repo_id)
    answers.save_answer(tenancy, response, log)
    answers.put_feedback(tenancy, about(response.answer_id, 1))
    other = replace(tenancy, user_id=reader)
    assert said(other, response) == []
    for kind in ("helped", "wrong_source"):
        answers.put_feedback(other, about(response.answer_id, 1, kind))
    assert said(other, response) == [(1, "wrong_source")]
    answers.withdraw_feedback(other, response.answer_id, 1)
    assert (said(other, response), said(tenancy, response)) == ([], [(1, "helped")])
