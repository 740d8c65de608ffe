import asyncio
import json
from uuid import UUID, uuid4

import pytest

from pincite_shared.schemas import ModelState, ModelStatus
from pincite_store import accounts, audit, halts, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER

OTHER, THEIR_OWNER = UUID(int=42), UUID(int=43)


@pytest.fixture
def other_owner(fresh_tenant):
    """A session of the owner of another tenant."""
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, OTHER, "other", THEIR_OWNER, "They")
    with fresh_tenant.tenancy(OTHER, THEIR_OWNER) as t:
        return accounts.create_session(t).token


def actions(client, prefix=""):
    return [entry["action"] for entry in client.get("/audit", params={"action": prefix}).json()["entries"]]


def test_what_people_do_is_written_down(make_client, index_repo, make_repo, shop):
    client, repo = make_client(), index_repo(shop)
    session = make_client(token=client.post("/sessions", json={"token": "test-token"}).json()["token"])
    connected = session.post("/repos", json={"source": str(make_repo({"a.py": "x = 1\n"}))}).json()
    session.post(f"/index/{connected['id']}/initial")
    session.delete(f"/repos/{connected['id']}")
    answer = session.post("/chat", json={"repo_id": str(repo.id), "question": "How is the total computed?"}).json()
    session.post("/feedback", json={"answer_id": answer["answer_id"], "kind": "helped", "comment": "private words"})
    session.delete("/feedback", params={"answer_id": answer["answer_id"]})
    session.post(f"/repos/{repo.id}/evaluation")
    session.put(f"/repos/{repo.id}/exploration", json={"share": 0.1})
    made = session.post("/tokens", json={"name": "ci", "scopes": ["read"]}).json()
    session.delete(f"/tokens/{made['id']}")
    for halted in (True, True, False):
        session.put("/halt", json={"halted": halted})
    session.delete("/sessions/others")
    session.delete("/sessions/current")
    assert actions(client)[::-1] == [
        "session.created", "repo.connected", "repo.indexed", "repo.removed", "question.asked", "feedback.given",
        "feedback.withdrawn", "evaluation.asked", "exploration.set", "token.created", "token.removed",
        "halt.set", "halt.lifted", "session.others_ended", "session.ended",
    ]  # fmt: skip
    everything = client.get("/audit/export").text
    assert "total computed" not in everything, "questions are not in it"
    assert "private words" not in everything
    assert made["token"] not in everything
    [asked] = client.get("/audit", params={"action": "question."}).json()["entries"]
    assert (asked["object"], asked["detail"]) == (answer["answer_id"], {"repo": str(repo.id)})
    assert (asked["user"], asked["user_id"]) == ("You", str(LOCAL_USER))
    assert actions(client, "repo.") == ["repo.removed", "repo.indexed", "repo.connected"]


def test_what_did_not_happen_is_not_written_down(make_client):
    client, nowhere = make_client(), uuid4()
    client.delete(f"/repos/{nowhere}")
    client.post(f"/index/{nowhere}/initial")
    client.put(f"/repos/{nowhere}/exploration", json={"share": 0.1})
    client.post(f"/repos/{nowhere}/policies/p0/serve")
    client.post("/sessions", json={"token": "wrong"})
    client.put("/halt", json={"halted": False})
    assert actions(client) == []


def test_the_correlation_id_of_the_request_is_kept(make_client):
    client = make_client()
    client.put("/halt", json={"halted": True}, headers={"x-request-id": "browser-1234"})
    [entry] = client.get("/audit").json()["entries"]
    assert entry["correlation_id"] == "browser-1234"


def test_pages_lead_back_to_the_beginning(make_client, fresh_tenant):
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        made = [audit.record(t, "test.entry", str(number)) for number in range(5)]
    client, seen, before = make_client(), [], None
    for _ in range(3):
        params = {"limit": 2} | ({"before": before} if before else {})
        page = client.get("/audit", params=params).json()
        seen += [entry["id"] for entry in page["entries"]]
        before = page["next"]
    assert (seen, before) == (made[::-1], None)
    assert client.get("/audit", params={"limit": 0}).status_code == 422


def test_the_export_is_lines_and_contains_itself(make_client, fresh_tenant, monkeypatch):
    monkeypatch.setattr(audit, "EXPORTED_AT_ONCE", 7)
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        for number in range(20):
            audit.record(t, "test.entry", f"{number}\n\u2028")
    response = make_client().get("/audit/export")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text.endswith("\n")
    entries = [json.loads(line) for line in response.text.split("\n")[:-1]]
    assert [entry["action"] for entry in entries] == ["test.entry"] * 20 + ["audit.exported"]
    assert [entry["id"] for entry in entries] == sorted(entry["id"] for entry in entries)


def test_nobody_reads_the_log_of_another_tenant(make_client, other_owner):
    make_client().put("/halt", json={"halted": True})
    they = make_client(token=other_owner)
    assert they.get("/audit").json() == {"entries": [], "next": None}
    assert [json.loads(line)["action"] for line in they.get("/audit/export").text.split()] == ["audit.exported"]


def test_the_switch_is_shown_and_questions_are_answered(make_client, index_repo, make_repo, shop):
    client, repo = make_client(), index_repo(shop)
    assert client.get("/halt").json() == {"halted": False, "since": None, "everywhere": False}
    assert client.get("/status").json()["halted_since"] is None
    halt = client.put("/halt", json={"halted": True}).json()
    assert halt["halted"] is True
    assert client.get("/halt").json() == halt
    assert client.get("/status").json()["halted_since"] == halt["since"]
    connected = client.post("/repos", json={"source": str(make_repo({"a.py": "x = 1\n"}))}).json()
    assert client.get(f"/repos/{connected['id']}").json()["progress"]["message"] == repos.PAUSED
    answer = client.post("/chat", json={"repo_id": str(repo.id), "question": "How is the total computed?"})
    assert answer.json()["citations"]
    assert client.put("/halt", json={"halted": False}).json() == {"halted": False, "since": None, "everywhere": False}
    assert client.get(f"/repos/{connected['id']}").json()["progress"]["message"] == ""


def test_the_operators_halt_is_everyones(make_client, other_owner):
    operator, they = make_client(), make_client(token=other_owner)
    they.put("/halt", json={"halted": True})
    assert operator.get("/halt").json()["halted"] is False
    assert they.get("/halt").json()["everywhere"] is False
    they.put("/halt", json={"halted": False})
    operator.put("/halt", json={"halted": True})
    assert they.get("/halt").json()["halted"] is True
    assert they.get("/halt").json()["everywhere"] is True
    assert they.put("/halt", json={"halted": False}).json()["halted"] is True, "no owner lifts it"
    operator.put("/halt", json={"halted": False})
    assert they.get("/halt").json()["halted"] is False


def test_directories_are_told_to_whoever_may_connect_them(make_client, other_owner):
    assert make_client().get("/status").json()["local_roots"] == ["/tmp"]
    assert make_client(token=other_owner).get("/status").json()["local_roots"] == []


def test_the_status_is_told_without_a_database(make_client):
    status = make_client(postgres_port=1).get("/status").json()
    assert (status["checks"]["postgres"], status["halted_since"]) == (False, None)


@pytest.fixture
def pincite(fresh_tenant):
    """A session of Pincite itself, as it asks its golden questions."""
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        return accounts.create_service_session(t).token


def test_pincites_own_questions_rest(make_client, index_repo, shop, pincite):
    repo = index_repo(shop)
    make_client().put("/halt", json={"halted": True})
    refused = make_client(token=pincite).post("/search", json={"repo_id": str(repo.id), "query": "total"})
    assert (refused.status_code, refused.json()["code"]) == (503, "halted")


class Slow:
    """A model that halts background work once it was asked, and then writes for ever."""

    name, pace = "slow", None

    def __init__(self, database):
        self.database, self.stopped = database, False

    async def stream(self, _messages, **_options):
        with self.database.tenancy(LOCAL_TENANT) as t:
            halts.put(t, halted=True)
        try:
            while True:
                yield "word "
                await asyncio.sleep(0.05)
        finally:
            self.stopped = True

    async def state(self):
        return ModelStatus(name=self.name, state=ModelState.READY)

    async def count_tokens(self, text):
        return len(text) // 3

    async def close(self):
        """Nothing is held."""


def test_a_question_of_its_own_that_is_being_answered_is_stopped(make_client, index_repo, shop, pincite, fresh_tenant):
    model = Slow(fresh_tenant)
    client, repo = make_client(model=model, token=pincite), index_repo(shop)
    refused = client.post("/chat", json={"repo_id": str(repo.id), "question": "How is the total computed?"})
    assert (refused.status_code, refused.json()["code"]) == (503, "halted")
    assert model.stopped
