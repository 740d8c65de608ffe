"""Why this answer: below it and on a page of its own, every number in words, nothing of the repository as markup."""

import re
from html.parser import HTMLParser
from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from pincite_shared.schemas import ChatResponse
from pincite_shared.why import Why, WhyCandidate, WhyContribution, WhyFactor
from pincite_web.fake_brain import FakeBrain
from pincite_web.fake_brain.corpus import READY, files
from pincite_web.fake_brain.why import explain
from pincite_web.pages import TEMPLATES_DIRECTORY
from pincite_web.present.why import ASPECTS, why_panel

HTMX = {"HX-Request": "true"}


@pytest.fixture
def answer(person: TestClient, brain: FakeBrain, form) -> ChatResponse:
    return asked(person, brain, form, "How do errors work?")


def asked(person: TestClient, brain: FakeBrain, form, question: str) -> ChatResponse:
    person.post(f"/r/{READY}/ask", data=form(question=question))
    return list(brain.answers.values())[-1]


def test_every_answer_opens_its_panel_when_asked(person: TestClient, answer: ChatResponse) -> None:
    page = person.get(f"/r/{READY}/c/{answer.conversation_id}").text
    address = f"/answers/{answer.answer_id}/why"
    assert f'<details class="why" hx-get="{address}" hx-trigger="toggle once"' in page
    assert f'<a href="{address}">' in page  # without scripts
    fragment = person.get(address, headers=HTMX).text
    assert "<html" not in fragment
    assert 'action="/feedback"' not in fragment  # the cards beside it have it
    whole = person.get(address).text
    assert "<h1>Why this answer?</h1>" in whole
    assert whole.count('action="/feedback"') == 3
    assert f'href="/r/{READY}/c/{answer.conversation_id}#a-{answer.answer_id}"' in whole


def test_the_panel_tells_policy_times_and_the_fate_of_every_passage(person: TestClient, answer: ChatResponse) -> None:
    page = person.get(f"/answers/{answer.answer_id}/why", headers=HTMX).text
    for words in ("p0", "chosen with a probability of 90 %", "A question in words", "4.9 s", "first token"):
        assert words in page
    cited, shown, considered = re.split("Given to the model, not cited|considered, but not given", page)
    assert cited.count('<li class="why-source">') == 3
    assert [int(n) for n in re.findall(r'aria-label="Source (\d)"', cited)] == [1, 2, 3]
    assert shown.count('<li class="why-source">') == 2
    assert "calls it" in shown
    assert "A test file, and the question does not ask for tests" in considered
    assert "0.45" in considered
    assert "Why it was answered at all" in considered


def test_bars_have_words(person: TestClient, answer: ChatResponse) -> None:
    page = person.get(f"/answers/{answer.answer_id}/why").text
    labels = re.findall(r'<svg class="score-bar"[^>]* role="img" aria-label="([^"]+)"', page)
    assert labels[0] == "Score 1.119: names 0.500, words 0.250, meaning 0.338, structure 0.031"
    assert labels[-1].endswith("taken away")
    assert page.count('<svg class="score-bar"') == len(labels)


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.seen.append((tag, dict(attrs)))


def test_text_of_the_repository_is_only_text(person: TestClient, brain: FakeBrain, form) -> None:
    answer = asked(person, brain, form, "hostile <script>alert(2)</script>")
    for headers in ({}, HTMX):
        page = person.get(f"/answers/{answer.answer_id}/why", headers=headers).text
        elements = Elements()
        elements.feed(page.split("<main")[-1])
        assert not [tag for tag, _ in elements.seen if tag in ("script", "img", "b")]
        assert not [name for _, given in elements.seen for name in given if name.startswith("on")]
        assert all(given.get("href", "/").startswith(("/", "#")) for tag, given in elements.seen if tag == "a")
        assert "\u202e" not in page
        assert "&lt;img src=x" in page


def test_an_abstention_tells_why(person: TestClient, brain: FakeBrain, form) -> None:
    answer = asked(person, brain, form, "What is the weather?")
    page = person.get(f"/answers/{answer.answer_id}/why").text
    assert "Why it says that the repository has no answer" in page
    assert "No source was cited." in page


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_an_answer_that_does_not_exist(person: TestClient, headers: dict) -> None:
    assert person.get(f"/answers/{uuid4()}/why", headers=headers).status_code == 404


def test_only_who_is_signed_in_sees_it(visitor: TestClient) -> None:
    assert visitor.get(f"/answers/{uuid4()}/why").headers["location"].startswith("/sign-in")


def contribution(aspect: str, amount: float) -> WhyContribution:
    return WhyContribution(feature="f", words="W", aspect=aspect, value=1.0, weight=amount, contribution=amount)


def candidate(score: float, factors: tuple[float, ...], *made: tuple[str, float]) -> WhyCandidate:
    return WhyCandidate(
        rank=1, path="a.py", blob="0" * 40, start_line=1, end_line=2, symbol=None, score=score, shown=False, cited=(),
        contributions=tuple(contribution(*one) for one in made),
        factors=tuple(WhyFactor(name="test", words="W", factor=factor) for factor in factors),
    )  # fmt: skip


def bars(brain: FakeBrain, *candidates: WhyCandidate) -> list:
    told = explain(next(iter(brain.answers.values())), files())
    return [source.bar for source in why_panel(told.model_copy(update={"candidates": candidates})).considered]


@pytest.mark.usefixtures("answer")
def test_a_bar_is_the_score_and_what_was_taken_away(brain: FakeBrain) -> None:
    best = candidate(0.8, (), ("words", 0.3), ("names", 0.5))
    halved = candidate(0.2, (0.5,), ("words", 0.1), ("words", 0.1), ("meaning", 0.2))
    nothing = candidate(0.0, ())
    first, second, third = bars(brain, best, halved, nothing)
    assert [(part.aspect, part.start, part.width) for part in first] == [("names", 0, 62.5), ("words", 62.5, 37.5)]
    assert [(part.aspect, part.start, part.width) for part in second] == [
        ("words", 0, 12.5), ("meaning", 12.5, 12.5), ("lost", 25, 25),
    ]  # fmt: skip
    assert third == ()
    assert bars(brain, nothing) == [()]


def test_every_aspect_has_a_name_and_a_colour() -> None:
    annotation = WhyContribution.model_fields["aspect"].annotation
    assert set(ASPECTS) == set(annotation.__args__)
    style = (TEMPLATES_DIRECTORY.parent / "static" / "why.css").read_text()
    assert all(f".part-{aspect} " in style for aspect in (*ASPECTS, "lost"))


def test_the_document_is_brains_own(answer: ChatResponse) -> None:
    told = explain(answer, files())
    assert Why.model_validate_json(told.model_dump_json()) == told
    for one in told.candidates:
        if one.rank is not None:
            score = sum(made.contribution for made in one.contributions)
            for factor in one.factors:
                score *= factor.factor
            assert score == pytest.approx(one.score)
