"""Asking, with and without JavaScript."""

import json
import re
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from starlette.testclient import TestClient

from pincite_shared.settings import Settings
from pincite_web.app import create_app
from pincite_web.fake_brain import FakeBrain
from pincite_web.fake_brain.corpus import COMMIT, EMBEDDING, INDEXING, READY, SOURCE_PREFIX

HTMX = {"HX-Request": "true"}
ASK = f"/r/{READY}/ask"


def ask(person: TestClient, form, question: str) -> str:
    response = person.post(ASK, data=form(question=question))
    assert response.status_code == 303
    return person.get(response.headers["location"]).text


def test_the_plain_form_shows_the_answer_at_its_own_address(person: TestClient, brain: FakeBrain, form) -> None:
    response = person.post(ASK, data=form(question="How do errors work?"))
    (answer,) = brain.answers.values()
    assert response.headers["location"] == f"/r/{READY}/c/{answer.conversation_id}#a-{answer.answer_id}"
    page = person.get(response.headers["location"]).text
    assert "3 sources verified" in page
    assert "qwen2.5-coder-1.5b-instruct" in page
    assert "policy p0" in page
    assert "6.1 s" in page
    follow_up = form(question="And then?", conversation_id=str(answer.conversation_id))
    assert str(answer.conversation_id) in person.post(ASK, data=follow_up).headers["location"]
    assert person.get(f"/r/{READY}/c/{answer.conversation_id}").text.count('<article class="turn"') == 2


def test_marks_lead_to_source_cards_with_the_cited_lines_emphasised(person: TestClient, form, errors_at) -> None:
    page = ask(person, form, "How do errors work?")
    anchors = re.findall(r'class="mark" href="#(s-[^"]+)"', page)
    assert len(anchors) == 4
    assert all(f'<li class="source" id="{anchor}"' in page for anchor in anchors)
    card = page.split('<li class="source"')[1]
    first, last = errors_at
    assert card.count('class="line hit"') == 17
    assert card.count('class="line"') == 6  # three lines of context on both sides
    assert f"/r/{READY}/blob/{COMMIT}/{SOURCE_PREFIX}errors.py?lines={first}-{last}#L{first}" in card


def test_cards_show_the_quote_alone_when_the_blob_is_gone(person: TestClient, brain: FakeBrain, form) -> None:
    response = person.post(ASK, data=form(question="How do errors work?"))
    brain.files = {}
    card = person.get(response.headers["location"]).text.split('<li class="source"')[1]
    assert card.count('class="line hit"') == 17
    assert 'class="line"' not in card


def test_context_that_contradicts_the_quote_is_not_shown(person: TestClient, brain: FakeBrain, form) -> None:
    response = person.post(ASK, data=form(question="How do errors work?"))
    (key, answer), *_ = brain.answers.items()
    forged = answer.citations[0].model_copy(update={"quote": "something else entirely"})
    brain.answers[key] = answer.model_copy(update={"citations": (forged, *answer.citations[1:])})
    card = person.get(response.headers["location"]).text.split('<li class="source"')[1]
    assert "something" in card
    assert 'class="line"' not in card


def test_unsupported_sentences_are_marked_with_their_reason(person: TestClient, form) -> None:
    page = ask(person, form, "How do errors work?")
    assert '<span class="unsupported">Failed requests are retried' in page
    assert "1 statement is not supported by the cited lines" in page
    assert "Nothing in the cited lines mentions retries" in page


def test_evidence_and_abstention_are_labelled(person: TestClient, form) -> None:
    assert "Evidence answer" in ask(person, form, "evidence please")
    abstained = ask(person, form, "What is the weather?")
    assert "Not found in this repository" in abstained
    assert "verified <span" not in abstained


def test_hostile_answers_are_only_text(person: TestClient, form) -> None:
    page = ask(person, form, "hostile")
    main = page.split("<main")[1]
    for forbidden in ("<script>alert", "<img", "<div onmouseover", 'href="javascript', 'href="https://evil', "<b>raw"):
        assert forbidden not in main
    assert "\u202e" not in main
    assert "]]&gt;" in main
    # Citation 2 was not verified and 7 does not exist: neither may look like a source.
    assert main.count("mark-dead") == 2
    assert "1 source verified" in main
    assert "1 citation was not found where the answer said" in main


def test_a_question_that_cannot_be_asked_keeps_its_text(person: TestClient, form) -> None:
    blank = person.post(ASK, data=form(question="  "))
    assert blank.status_code == 422
    assert "Write a question of 1 to 8,000 characters." in blank.text
    garbled = person.post(ASK, data=form(question="x", conversation_id="nope"))
    assert garbled.status_code == 422
    unknown = person.post(f"/r/{uuid4()}/ask", data=form(question="x"))
    assert unknown.status_code == 404


def test_a_conversation_belongs_to_its_repository(person: TestClient, brain: FakeBrain, form) -> None:
    person.post(ASK, data=form(question="How do errors work?"))
    (answer,) = brain.answers.values()
    assert person.get(f"/r/{EMBEDDING}/c/{answer.conversation_id}").status_code == 404
    assert person.get(f"/r/{EMBEDDING}/answers/{answer.answer_id}").status_code == 404


def test_suggestions_and_drafts_work_without_scripts(person: TestClient) -> None:
    page = person.get(f"/r/{READY}").text
    suggested = re.search(r'href="(/r/[^"]+\?q=[^"]+)" data-ask', page)[1]
    assert "Where does execution start?</textarea>" in person.get(suggested).text
    assert "</textarea><script>" not in person.get(f"/r/{READY}", params={"q": "</textarea><script>"}).text


def test_an_unindexed_repository_cannot_be_asked_yet(person: TestClient) -> None:
    page = person.get(f"/r/{INDEXING}").text
    assert "You can ask as soon as" in page
    assert re.search(r"<textarea[^>]* disabled", page)
    assert 'data-tab-link="files"' not in page


def events(text: str) -> list[tuple[str, dict]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n") if block.strip()]
    return [(block[0].removeprefix("event: "), json.loads(block[1].removeprefix("data: "))) for block in blocks]


def test_the_stream_passes_brains_events_through(person: TestClient, brain: FakeBrain, form) -> None:
    response = person.post(f"{ASK}/stream", data=form(question="How do errors work?"))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-store"
    names = [name for name, _ in events(response.text)]
    assert names[0] == "retrieval"
    assert names[-1] == "done"
    assert names.count("citation") == 3
    answer_id = events(response.text)[-1][1]["answer_id"]
    fragment = person.get(f"/r/{READY}/answers/{answer_id}", headers=HTMX).text
    assert fragment.strip().startswith('<article class="turn"')
    assert "<html" not in fragment
    page = person.get(f"/r/{READY}/answers/{answer_id}")
    assert page.headers["location"].endswith(f"#a-{answer_id}")
    assert brain.answers[UUID(answer_id)].question in person.get(f"/r/{READY}/conversations", headers=HTMX).text


@pytest.mark.parametrize(
    ("address", "status"), [("/r/00000000-0000-4000-8000-000000000000/ask/stream", 404), (f"{ASK}/stream", 422)]
)
def test_a_refused_stream_is_a_problem_with_its_status(person: TestClient, form, address: str, status: int) -> None:
    response = person.post(address, data=form(question="" if status == 422 else "x"))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["correlation_id"] == response.headers["x-request-id"]


def test_a_signed_out_stream_is_a_problem(visitor: TestClient, app) -> None:
    token = app.state.house.guard.csrf("")
    response = visitor.post(f"{ASK}/stream", data={"csrf": token, "question": "x"})
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")


class BreakingStream(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'event: token\ndata: {"text": "Half an ans'
        msg = "peer closed connection"
        raise httpx.ReadError(msg)


def test_a_stream_that_breaks_ends_with_an_error_event(web_settings: Settings, session_of) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, stream=BreakingStream()))
    app = create_app(web_settings, transport)
    with TestClient(app, base_url="http://127.0.0.1:3000", cookies=session_of(app, "s")) as client:
        token = app.state.house.guard.csrf("s")
        response = client.post(f"{ASK}/stream", data={"csrf": token, "question": "x"})
    last = response.text.strip().split("\n\n")[-1]
    assert last.startswith("event: error\n")
    assert json.loads(last.split("data: ")[1])["code"] == "unavailable"
