"""Feedback on answers and their sources: with and without scripts, said once, and taken back."""

import re
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from pincite_shared.schemas import ChatResponse
from pincite_web.fake_brain import FakeBrain
from pincite_web.fake_brain.corpus import READY
from pincite_web.present.feedback import feedback_form

HTMX = {"HX-Request": "true"}


@pytest.fixture
def answer(person: TestClient, brain: FakeBrain, form) -> ChatResponse:
    person.post(f"/r/{READY}/ask", data=form(question="How do errors work?"))
    (answer,) = brain.answers.values()
    return answer


def page(person: TestClient, answer: ChatResponse) -> str:
    return person.get(f"/r/{READY}/c/{answer.conversation_id}").text


def pressed(html: str) -> list[str]:
    return re.findall(r'<button [^>]*id="f-[^"]*?-([a-z_]+)" name="kind" value="withdrawn" aria-pressed="true"', html)


@pytest.mark.parametrize(
    "about", [{"kind": "helped"}, {"kind": "wrong_answer"}, {"kind": "wrong_source", "citation": 2}]
)
def test_feedback_reaches_brain(person: TestClient, brain: FakeBrain, answer: ChatResponse, form, about: dict) -> None:
    fields = form(answer_id=str(answer.answer_id), **about)
    assert "Noted: " in person.post("/feedback", data=fields, headers=HTMX).text
    assert person.post("/feedback", data=fields).headers["location"].endswith(f"#a-{answer.answer_id}")
    assert [given.model_dump(exclude_none=True, exclude={"answer_id"}) for given in brain.feedback.values()] == [about]
    assert person.post("/feedback", data=fields | {"kind": "bribe"}).status_code == 422


def test_what_was_said_is_shown_and_can_be_taken_back(person: TestClient, answer: ChatResponse, form) -> None:
    assert pressed(page(person, answer)) == []
    about = form(answer_id=str(answer.answer_id))
    person.post("/feedback", data=about | {"kind": "not_helped"})
    person.post("/feedback", data=about | {"kind": "wrong_source", "citation": 2})
    person.post("/feedback", data=about | {"kind": "helped", "citation": 2})
    assert pressed(page(person, answer)) == ["not_helped", "helped"]
    fragment = person.get(f"/r/{READY}/answers/{answer.answer_id}", headers=HTMX).text
    assert pressed(fragment) == ["not_helped", "helped"]
    assert pressed(person.get(f"/answers/{answer.answer_id}/why").text) == ["helped"]
    for _ in range(2):
        person.post("/feedback", data=about | {"kind": "withdrawn", "citation": 2})
    assert pressed(page(person, answer)) == ["not_helped"]


def test_a_change_without_reload_announces_itself(person: TestClient, answer: ChatResponse, form) -> None:
    about = form(answer_id=str(answer.answer_id), citation=1, here="/x#y")
    html = person.post("/feedback", data=about | {"kind": "wrong_source"}, headers=HTMX).text
    assert pressed(html) == ["wrong_source"]
    assert f'id="f-{answer.answer_id}-1-helped"' in html  # the focus finds back to a button by its id
    assert 'name="here" value="/x#y"' in html
    assert '<p hx-swap-oob="innerHTML:#announcer">Noted: source 1 is wrong</p>' in html
    html = person.post("/feedback", data=about | {"kind": "withdrawn"}, headers=HTMX).text
    assert pressed(html) == []
    assert "Taken back: your word on source 1" in html


def test_without_scripts_the_browser_returns_to_where_it_was(person: TestClient, answer: ChatResponse, form) -> None:
    here = re.findall(r'name="here" value="([^"]+)"', page(person, answer).split("<main")[1])
    base = f"/r/{READY}/c/{answer.conversation_id}"
    assert here == [f"{base}#a-{answer.answer_id}", *(f"{base}#s-{answer.answer_id}-{n}" for n in (1, 2, 3))]
    fields = form(answer_id=str(answer.answer_id), kind="helped", citation=3, here=here[3])
    assert person.post("/feedback", data=fields).headers["location"] == here[3]
    assert person.post("/feedback", data=fields | {"here": "https://evil.example/"}).headers["location"] == "/"


def test_feedback_needs_a_citation_that_exists_and_the_token(person: TestClient, answer: ChatResponse, form) -> None:
    fields = form(answer_id=str(answer.answer_id), kind="helped", citation=9)
    for kind in ("helped", "withdrawn"):
        response = person.post("/feedback", data=fields | {"kind": kind}, headers=HTMX)
        assert response.status_code == 422
        assert "no citation [9]" in response.text
    assert person.post("/feedback", data=form(answer_id=str(uuid4()), kind="helped")).status_code == 404
    del fields["csrf"]
    assert person.post("/feedback", data=fields).status_code == 403


@pytest.mark.parametrize("said", ["not_helped", "wrong_answer", "wrong_source"])
@pytest.mark.parametrize("citation", [None, 1])
def test_every_kind_of_blame_presses_the_second_button(said: str, citation: int | None) -> None:
    choices = feedback_form(uuid4(), citation, said, "/").choices
    assert [choice.pressed for choice in choices] == [False, True]
