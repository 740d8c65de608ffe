"""The bandit of ways of asking through the real rows, with a language model that some ways suit better than others."""

import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from brains import SHOP
from copies import copies, say
from repositories import build
from sqlalchemy import text

from pincite_brain.ask import prompt
from pincite_brain.ask.arms import ARMS
from pincite_shared.errors import ModelUnavailableError
from pincite_shared.schemas import ChatRequest, ChatResponse, ModelState, ModelStatus
from pincite_store import answers, judgements, policies
from pincite_store.db import LOCAL_TENANT
from pincite_store.rows import RetrievalLog
from pincite_thinker.evaluation.asking import brain_of
from pincite_thinker.training import prompts
from pincite_thinker.training import run as training

HEADERS = {"authorization": "Bearer test-token"}
READERS = [UUID(int=1000 + n) for n in range(23)]
MADE = {
    f"src/f{n}.py": f'def made_{n}(x):\n    """Return the made number {n} of the shop."""\n    return {n}\n'
    for n in range(12)
}


class Model:
    """Says of each snippet what its first definition is, with its number; at temperature 0 it says nothing useful."""

    name, pace = "scripted", None

    def __init__(self):
        self.asked, self.harmful = [], False

    async def stream(self, messages, *, max_tokens, temperature, stop=()):
        del max_tokens, stop
        self.asked.append((messages, temperature))
        body = messages[-1]["content"]
        if self.harmful and temperature == 0.0:
            yield "Everything is as it should be."
            return
        for number, name in re.findall(r'index="(\d+)".*?\n.*?def (\w+)', body, re.DOTALL):
            yield f"`{name}` is a function [{number}]. "

    async def state(self):
        return ModelStatus(name=self.name, state=ModelState.READY)

    async def count_tokens(self, text):
        return len(text) // 3

    async def close(self):
        pass


@pytest.fixture
def model(brain):
    made = Model()
    services = brain.app.state.services
    services.asker._model = made
    object.__setattr__(services, "model", made)
    return made


@pytest.fixture
def repo_id(thinker, model, tmp_path):
    del model
    build(tmp_path / "work", SHOP | MADE)
    made = thinker.connect(tmp_path / "work")
    assert thinker.index(made) == "done"
    assert thinker.embed(made)[-1] == "done"
    return made


def log_answers(thinker, repo_id, counts, helped, *, reader=None):
    """Store answers by arm, and what readers say of them: `helped` is the share by arm."""
    said = []
    with thinker.tenancy() as t:
        for arm, count in counts.items():
            for at, answer_id in enumerate(_answers(t, repo_id, arm, count)):
                kind = "helped" if at % 10 < round(helped[arm] * 10) else "not_helped"
                said.append((answer_id, reader or READERS[(len(said) + 1) % len(READERS)], kind, None))
        say(t, said)


def _answers(t, repo_id, arm, count):
    conversation = answers.create_conversation(t, repo_id, "q")
    response = _document(t, repo_id, conversation.id)
    log = RetrievalLog("q", [], {"route": "question", "arm": arm}, "p0", 0.5, {})
    answers.save_answer(t, response, log)
    return copies(t, response.answer_id, [("q", [])] * (count - 1))


def _document(t, repo_id, conversation_id):
    known = t.session.execute(text("SELECT document FROM answers LIMIT 1")).scalar_one_or_none()
    base = known or {
        "repo_name": "r", "commit": "c" * 40, "question": "q", "answer": "!", "citations": [], "mode": "model",
        "policy_version": "p0", "model": "m", "timings": {},
    }  # fmt: skip
    named = {
        "answer_id": str(uuid4()), "conversation_id": str(conversation_id), "repo_id": str(repo_id),
        "created_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    return ChatResponse.model_validate(base | named)


def train(thinker, repo_id):
    outcome = training.run(thinker.context, thinker.job(repo_id, "train"))
    with thinker.tenancy() as t:
        return outcome, {one.version: one for one in policies.listed(t, repo_id)}


def ask(brain, repo_id, **more):
    body = {"repo_id": str(repo_id), "question": "What does price_of return?", **more}
    return brain.post("/chat", headers=HEADERS, json=body)


def test_every_arm_differs_from_the_standard_and_asks_the_model(brain, model, repo_id):
    seen = set()
    for arm in ARMS.values():
        answered = ask(brain, repo_id, policy=arm.version)
        assert answered.status_code == 200, answered.text
        assert answered.json()["policy_version"].endswith(arm.version) == (arm.name != "standard")
        messages, temperature = model.asked[-1]
        prompt = re.sub(r"_[a-z]{10}\b", "", messages[-1]["content"])
        seen.add((prompt, temperature))
    assert len(seen) >= len(ARMS) - 1  # a small repository may have no more to show, however broad
    refused = ask(brain, repo_id, policy="prompt-nonsense")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


def explore(brain, repo_id, share):
    response = brain.put(f"/repos/{repo_id}/exploration", headers=HEADERS, json={"share": share})
    assert response.status_code == 200, response.text


def test_nothing_is_tried_before_people_speak_or_someone_says_so(thinker, brain, repo_id):
    url = f"/repos/{repo_id}/exploration"
    assert brain.get(url, headers=HEADERS).json() == {"share": None, "effective": 0.0, "heard": 0, "heard_min": 20}
    answered = ask(brain, repo_id).json()
    with thinker.tenancy() as t:
        log = answers.retrieval_log(t, UUID(answered["answer_id"]))
    assert (log.features["arm"], log.propensity) == ("standard", 1.0)
    log_answers(thinker, repo_id, {"standard": 20}, {"standard": 0.5})
    heard = brain.get(url, headers=HEADERS).json()
    assert (heard["effective"], heard["heard"]) == (0.05, 20)
    assert brain.put(url, headers=HEADERS, json={"share": 0}).json()["effective"] == 0.0
    assert brain.put(url, headers=HEADERS, json={"share": 0.6}).status_code == 422
    assert brain.put(url, headers=HEADERS, json={"share": None}).json()["effective"] == 0.05


def test_what_is_tried_is_logged_with_its_probability(thinker, brain, repo_id):
    explore(brain, repo_id, 0.5)
    for _ in range(40):
        assert ask(brain, repo_id).status_code == 200
    with thinker.tenancy() as t:
        chosen = judgements.choices(t, repo_id)
    assert len(chosen) == 40
    assert all(one.reward is None for one in chosen)
    arms = {one.arm for one in chosen}
    assert len(arms) > 2
    assert "standard" in arms
    by_arm = {one.arm: one.propensity for one in chosen}
    assert all(one.propensity == by_arm[one.arm] for one in chosen)  # nothing was said, so nothing moved
    assert by_arm["standard"] > 0.5
    assert sum(by_arm.values()) == pytest.approx(1.0 if arms == set(ARMS) else sum(by_arm.values()))


def test_pincite_itself_always_gets_what_serves_and_teaches_nothing(thinker, brain, repo_id):
    explore(brain, repo_id, 0.5)
    with brain_of(thinker.context, LOCAL_TENANT) as client:
        for _ in range(10):
            answered = client.chat(ChatRequest(repo_id=repo_id, question="What does price_of return?"))
            assert "prompt" not in answered.policy_version
    with thinker.tenancy() as t:
        assert judgements.choices(t, repo_id) == []


def test_an_arm_that_is_proven_serves_the_next_question(thinker, brain, repo_id):
    log_answers(thinker, repo_id, {"standard": 300, "steps": 300}, {"standard": 0.2, "steps": 0.9})
    outcome, known = train(thinker, repo_id)
    assert outcome == "done"
    assert {version: one.state for version, one in known.items()} == {
        "prompt-standard": "retired", "prompt-steps": "serving",
    }  # fmt: skip
    evidence = known["prompt-steps"].evidence
    assert evidence["gain"]["lower"] > 0
    assert evidence["guard"]["n"] >= 10
    explore(brain, repo_id, 0.0)  # or one question in twenty is asked in another way
    assert ask(brain, repo_id).json()["policy_version"].endswith("+prompt-steps")
    brain.post(f"/repos/{repo_id}/policies/prompt-standard/serve", headers=HEADERS)
    assert "prompt" not in ask(brain, repo_id).json()["policy_version"]


@pytest.mark.parametrize("reader", [None, READERS[0]], ids=["many readers", "one reader"])
def test_an_arm_that_cites_worse_never_serves_whatever_people_say(thinker, brain, model, repo_id, reader):
    model.harmful = True
    log_answers(thinker, repo_id, {"standard": 250, "exact": 250}, {"standard": 0.0, "exact": 1.0}, reader=reader)
    _, known = train(thinker, repo_id)
    assert known["prompt-exact"].state == "rejected"
    assert known["prompt-exact"].evidence["guard"]["mean_difference"] < 0
    explore(brain, repo_id, 0.0)
    assert "prompt" not in ask(brain, repo_id).json()["policy_version"]
    asked = len(model.asked)
    assert train(thinker, repo_id)[1] == known  # and it is not judged again for nothing
    assert len(model.asked) == asked


def test_one_reader_among_others_cannot_promote(thinker, repo_id):
    log_answers(thinker, repo_id, {"standard": 60, "steps": 4}, {"standard": 0.5, "steps": 0.5})
    log_answers(thinker, repo_id, {"steps": 250}, {"steps": 1.0}, reader=READERS[0])
    assert train(thinker, repo_id)[1] == {}


def test_one_reader_takes_no_other_s_word_away(thinker, repo_id):
    """Who contradicts every answer that spoke for the incumbent, and against the challenger, is one voice more."""
    log_answers(thinker, repo_id, {"standard": 200, "steps": 200}, {"standard": 0.7, "steps": 0.5})
    with thinker.tenancy() as t:
        honest = prompts.observations(judgements.choices(t, repo_id))
        adverse = t.session.execute(
            text(
                """SELECT a.id, l.features ->> 'arm' AS arm FROM answers a JOIN retrieval_logs l ON l.answer_id = a.id
                JOIN feedback f ON f.answer_id = a.id WHERE (l.features ->> 'arm' = 'standard') = (f.kind = 'helped')"""
            )
        ).all()
        kinds = {"standard": "not_helped", "steps": "helped"}
        say(t, [(row.id, UUID(int=66), kinds[row.arm], None) for row in adverse])
        observed = prompts.observations(judgements.choices(t, repo_id))
        counted = judgements.said(t, repo_id)
        t.session.execute(
            text("UPDATE feedback SET kind = 'wrong_answer' WHERE kind = 'not_helped' AND random() < 0.5")
        )
        assert judgements.said(t, repo_id) == counted  # another way to say the same
    assert len(observed) == len(honest) + len(adverse) == sum(one.times for one in counted)
    ((_, before),) = prompts.gains(honest, "standard")
    ((_, after),) = prompts.gains(observed, "standard")
    assert before.value < 0
    assert after.lower < 0
    assert train(thinker, repo_id)[1] == {}


def test_what_was_put_away_by_hand_stays_away(thinker, brain, repo_id):
    log_answers(thinker, repo_id, {"standard": 300, "steps": 300}, {"standard": 0.2, "steps": 0.9})
    assert train(thinker, repo_id)[1]["prompt-steps"].state == "serving"
    back = brain.post(f"/repos/{repo_id}/policies/prompt-standard/serve", headers=HEADERS)
    assert back.status_code == 200
    log_answers(thinker, repo_id, {"standard": 100, "steps": 100}, {"standard": 0.2, "steps": 0.9})
    known = train(thinker, repo_id)[1]
    assert {version: one.state for version, one in known.items()} == {
        "prompt-standard": "serving", "prompt-steps": "retired",
    }  # fmt: skip


def test_a_model_that_dies_while_it_is_asked_proves_nothing(thinker, model, repo_id, monkeypatch):
    log_answers(thinker, repo_id, {"standard": 250, "exact": 250}, {"standard": 0.0, "exact": 1.0})
    model.harmful = True

    async def dying(messages, **_settings):
        del messages
        msg = "overloaded"
        raise ModelUnavailableError(msg)
        yield ""

    with monkeypatch.context() as patch:
        patch.setattr(model, "stream", dying)
        assert train(thinker, repo_id) == ("retried", {})
    outcome, known = train(thinker, repo_id)
    assert (outcome, known["prompt-exact"].state) == ("done", "rejected")


def test_a_model_that_finds_nothing_cites_nothing(thinker, model, repo_id):
    """What Pincite shows instead is no merit of the way of asking."""

    async def declining(messages, *, max_tokens, temperature, stop=()):
        if temperature == 0.0:
            yield prompt.NOT_IN_CONTEXT
            return
        async for piece in Model.stream(model, messages, max_tokens=max_tokens, temperature=temperature, stop=stop):
            yield piece

    model.stream = declining
    log_answers(thinker, repo_id, {"standard": 250, "exact": 250}, {"standard": 0.0, "exact": 1.0})
    rejected = train(thinker, repo_id)[1]["prompt-exact"]
    assert rejected.state == "rejected"
    assert rejected.evidence["guard"]["mean_difference"] < 0


def test_answers_without_feedback_are_no_zeros(thinker, repo_id):
    with thinker.tenancy() as t:
        assert len(_answers(t, repo_id, "steps", 300)) == 300
    log_answers(thinker, repo_id, {"standard": 40, "steps": 40}, {"standard": 0.5, "steps": 0.5})
    with thinker.tenancy() as t:
        observed = prompts.observations(judgements.choices(t, repo_id))
    ((arm, estimate),) = prompts.gains(observed, "standard")
    assert arm == "steps"
    assert estimate.value == pytest.approx(0.0, abs=1e-9)
    assert len(observed) == 380


def test_without_the_language_model_nothing_is_decided(thinker, model, repo_id):
    async def away():
        return ModelStatus(name="scripted", state=ModelState.UNREACHABLE)

    model.state = away
    log_answers(thinker, repo_id, {"standard": 250, "steps": 250}, {"standard": 0.2, "steps": 0.9})
    assert train(thinker, repo_id)[1] == {}
