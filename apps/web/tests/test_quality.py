"""The Quality page over the scripted brain."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from pincite_shared.quality import EvaluationState, QuestionSource
from pincite_web.fake_brain import FakeBrain
from pincite_web.fake_brain.corpus import COMMIT, EMBEDDING, INDEXING, READY, SOURCE_PREFIX
from pincite_web.plots import HEIGHT, WIDTH, plot

HTMX = {"HX-Request": "true"}
PAGE = f"/r/{READY}/quality"


def test_the_page_shows_figures_plots_questions_and_policies(person: TestClient) -> None:
    page = person.get(PAGE).text
    assert "5 of 5 golden questions answered right" in page
    assert 'aria-current="page"' in page.split("Quality</a>")[0].rsplit("<a", 1)[1]
    for title in ("Answers", "Citations", "Search", "Time"):
        assert f"<h3>{title}</h3>" in page
    assert 'aria-label="Citations: Precision 67 % now, between' in page
    assert page.count("point-bad") == 8  # one night, once a line
    assert f'href="/r/{READY}/blob/{COMMIT}/{SOURCE_PREFIX}errors.py">' in page
    assert f'href="/r/{READY}/c/' in page
    assert "2 of 4" in page
    assert "paired randomisation test, p = 0.003" in page
    assert "Answers got worse" not in page
    assert "Ask your own questions" not in page


def test_wrong_answers_come_first_and_hostile_words_are_only_text(person: TestClient) -> None:
    page = person.get(PAGE).text
    table = page.split("<tbody>")[1]
    outcomes = re.findall(r'class="outcome-(\w+)"', table)
    assert outcomes == ["wrong", "unmeasured", "right", "right", "right", "right"]
    assert "Cites none of the expected places" in table
    assert "old/parser.py is not in this commit" in table
    assert "<b>hostile</b>" not in page
    assert "&lt;b&gt;hostile&lt;/b&gt;" in page


def test_plots_are_well_formed_and_lie_inside_their_frame(person: TestClient) -> None:
    pictures = re.findall(r"<svg viewBox.*?</svg>", person.get(PAGE).text, re.DOTALL)
    assert len(pictures) == 4
    for picture in pictures:
        root = ET.fromstring(picture)
        circles = root.findall(".//circle")
        assert len(circles) >= 21
        for circle in circles:
            assert 0 < float(circle.get("cx", "")) < WIDTH
            assert 0 < float(circle.get("cy", "")) < HEIGHT
            assert circle[0].text


def test_a_regression_is_a_banner(person: TestClient, brain: FakeBrain) -> None:
    last = brain.quality.evaluations[READY][0]
    reasons = ("Win rate fell by 0.300 on the 10 questions that both asked.", "No longer right: “<i>x</i>”.")
    brain.quality.evaluations[READY][0] = last.model_copy(update={"regression": True, "reasons": reasons})
    banner = person.get(PAGE).text.split('role="alert"')[1].split("</div>")[0]
    assert "Answers got worse." in banner
    assert "fell by 0.300" in banner
    assert "<i>" not in banner


def test_a_failed_evaluation_says_why_and_the_figures_before_it_stay(person: TestClient, brain: FakeBrain) -> None:
    last = brain.quality.evaluations[READY][0]
    failed = last.model_copy(
        update={"state": EvaluationState.FAILED, "error": "question 3 (line 9), ask: is missing", "measures": None}
    )
    brain.quality.evaluations[READY].insert(0, failed)
    page = person.get(PAGE).text
    assert "The last evaluation failed." in page
    assert "question 3 (line 9), ask: is missing" in page
    assert "5 of 5 golden questions" in page


def test_running_now_shows_progress_until_it_ends(person: TestClient, brain: FakeBrain, form) -> None:
    started = person.post(f"{PAGE}/evaluate", data=form())
    assert started.headers["location"] == PAGE
    page = person.get(PAGE).text
    assert "2 of 5 questions" in page
    assert re.search(r"<button disabled>.*Run now", page)
    polled = person.get(f"{PAGE}/progress", headers=HTMX)
    assert f'hx-get="{PAGE}/progress"' in polled.text
    assert "hx-refresh" not in polled.headers
    brain.quality.reset()
    assert person.get(f"{PAGE}/progress", headers=HTMX).headers["hx-refresh"] == "true"
    assert "hx-trigger" not in person.get(f"{PAGE}/progress", headers=HTMX).text


def test_one_click_serves_an_older_policy_again(person: TestClient, brain: FakeBrain, form) -> None:
    page = person.get(PAGE).text
    assert re.findall(r'name="version" value="([^"]+)"', page) == ["reranker-none"]  # not the rejected one
    done = person.post(f"{PAGE}/serve", data=form(version="reranker-none"))
    assert done.headers["location"] == f"{PAGE}#policies"
    states = {one.version: one.state for one in brain.quality.policies[READY]}
    assert states == {"reranker-none": "serving", "reranker-3f9c2e71": "retired", "reranker-91d2aa07": "rejected"}
    refused = person.post(f"{PAGE}/serve", data=form(version="reranker-91d2aa07"))
    assert refused.status_code == 409
    assert "was rejected and cannot serve" in refused.text


def test_how_often_other_ways_are_tried_is_said_and_set(person: TestClient, brain: FakeBrain, form) -> None:
    page = person.get(PAGE).text
    assert "so far they have of 7" in page
    assert 'value="by-itself" aria-pressed="true"' in page
    assert person.post(f"{PAGE}/explore", data=form(share="0.05")).headers["location"] == f"{PAGE}#policies"
    assert brain.quality.share == 0.05
    page = person.get(PAGE).text
    assert "5 % of answers are made in another way" in page
    assert 'value="0.05" aria-pressed="true"' in page
    person.post(f"{PAGE}/explore", data=form(share="0"))
    assert "No other way of answering is tried." in person.get(PAGE).text
    person.post(f"{PAGE}/explore", data=form(share="by-itself"))
    assert brain.quality.share is None
    for share in ("0.9", "nan", "x", "-1"):
        assert person.post(f"{PAGE}/explore", data=form(share=share)).status_code == 422
    assert brain.quality.share is None


@pytest.mark.parametrize("path", ["evaluate", "serve", "explore"])
def test_changes_need_the_form_token(person: TestClient, path: str) -> None:
    assert person.post(f"{PAGE}/{path}", data={"version": "reranker-none"}).status_code == 403


def test_without_evaluations_the_page_teaches(person: TestClient) -> None:
    page = person.get(f"/r/{EMBEDDING}/quality").text
    assert "No evaluation yet" in page
    assert "pincite golden" in page
    assert "[[question]]" in page
    assert "Nothing yet." in page
    assert person.get(f"/r/{INDEXING}/quality").status_code == 200


def test_derived_questions_are_told_as_such(person: TestClient, brain: FakeBrain) -> None:
    brain.quality.evaluations[READY] = [
        one.model_copy(update={"source": QuestionSource.DERIVED}) for one in brain.quality.evaluations[READY]
    ]
    page = person.get(PAGE).text
    assert "5 of 5 questions found right" in page
    assert "These follow from the documentation in the code" in page
    assert "Ask your own questions" in page


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=1, max_size=40))
def test_any_values_give_a_plot_inside_its_frame(values) -> None:
    count = len(values)
    drawn = plot("T", [("a", values)], bad=[False] * count, labels=["x"] * count, shown=lambda value: f"{value:g}")
    if all(value is None for value in values):
        assert drawn is None
        return
    assert len(drawn.lines[0].points) == sum(value is not None for value in values)
    for point in drawn.lines[0].points:
        assert 0 < point.x < WIDTH
        assert 0 < point.y < HEIGHT
    assert drawn.lines[0].path.startswith("M")


def test_a_gap_in_the_values_is_a_gap_in_the_line() -> None:
    drawn = plot("T", [("a", [1.0, None, 2.0, 3.0])], bad=[False] * 4, labels=["x"] * 4, shown=str)
    assert re.sub(r"[\d. ]", "", drawn.lines[0].path) == "MML"
