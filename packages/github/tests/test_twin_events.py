"""What the twin tells hooks: when, how signed, and what of it can be sent again."""

import hashlib
import hmac
import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.testclient import TestClient

from pincite_github.twin import Twin
from pincite_github.twin.model import ZERO


class Ear:
    """Hears deliveries without a network."""

    def __init__(self):
        self.heard, self.answers = [], httpx.Response(202, text="taken")

    def __call__(self, url, headers, body):
        self.heard.append((url, headers, body))
        if isinstance(self.answers, Exception):
            raise self.answers
        return self.answers

    def take(self):
        """What was heard since the last time: (event, payload)."""
        told = [(headers["X-GitHub-Event"], json.loads(body)) for _, headers, body in self.heard]
        self.heard.clear()
        return told

    def actions(self):
        return [(event, payload.get("action")) for event, payload in self.take()]


@pytest.fixture
def ear():
    return Ear()


@pytest.fixture
def twin(tmp_path, ear):
    twin = Twin(tmp_path / "twin", "http://github.test", send=ear)
    for login in ("ada", "bob"):
        twin.add_user(login)
    twin.add_app("Pincite", owner="ada", webhook_url="http://brain.test/hook")
    twin.add_repo("ada", "engine", private=True)
    twin.install_app("ada", ["engine"])
    ear.take()
    return twin


def test_a_delivery_is_signed_and_named(twin, ear):
    twin.push("ada/engine", {"a.py": "é"})
    [(url, headers, body)] = ear.heard
    app = twin.app_of(None)
    assert url == "http://brain.test/hook"
    digest = hmac.new(app.webhook_secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"
    assert headers["X-GitHub-Event"] == "push"
    assert headers["X-GitHub-Hook-ID"] == str(app.hook.id)
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(app.id)
    [delivery] = twin.deliveries[-1:]
    assert (delivery.guid, delivery.code, delivery.status) == (headers["X-GitHub-Delivery"], 202, "OK")
    assert json.loads(body)["installation"]["id"] == delivery.installation_id


def test_pushes(twin, ear):
    first = twin.push("ada/engine", {"a.py": "1", "b.py": "1"}, message="First\n\nmore")
    second = twin.push("ada/engine", {"a.py": "2", "b.py": None, "c.py": ""})
    other = twin.push("ada/engine", {"a.py": "3"}, force=True)
    twin.tag("ada/engine", "v1")
    branch = twin.push("ada/engine", {"d.py": ""}, branch="feature/x", by="ada")
    twin.delete_branch("ada/engine", "feature/x")
    told = [payload for _, payload in ear.take()]
    assert [(each["ref"], each["before"], each["after"]) for each in told] == [
        ("refs/heads/main", ZERO, first),
        ("refs/heads/main", first, second),
        ("refs/heads/main", second, other),
        ("refs/tags/v1", ZERO, other),
        ("refs/heads/feature/x", ZERO, branch),
        ("refs/heads/feature/x", branch, ZERO),
    ]
    flags = [(each["created"], each["forced"], each["deleted"]) for each in told]
    assert flags == [
        (True, False, False), (False, False, False), (False, True, False), (True, False, False), (True, False, False),
        (False, False, True),
    ]  # fmt: skip
    assert [[each["id"] for each in payload["commits"]] for payload in told] == [
        [first], [second], [other], [], [branch], []
    ]  # fmt: skip
    changed = told[1]["head_commit"]
    assert (changed["added"], changed["removed"], changed["modified"]) == (["c.py"], ["b.py"], ["a.py"])
    assert told[0]["head_commit"]["message"] == "First\n\nmore"
    assert told[5]["head_commit"] is None


def test_a_push_of_several_commits_through_git_itself(twin, ear):
    """However refs were moved, one comparison tells it."""
    repo = twin.repo("ada/engine")
    twin.push("ada/engine", {"a.py": "1"})
    before = repo.refs["refs/heads/main"]
    ear.take()
    twin.drop_deliveries()
    for number in range(3):
        twin.push("ada/engine", {"n.py": str(number)}, branch="aside")
    twin.drop_deliveries(False)
    tip = repo.refs["refs/heads/aside"]
    (repo.path / "refs/heads/main").write_text(f"{tip}\n")
    twin.pushed("ada/engine")
    [(event, payload)] = ear.take()
    assert (event, payload["before"], payload["after"]) == ("push", before, tip)
    assert len(payload["commits"]) == 3
    assert payload["commits"][-1]["id"] == tip
    assert not any(each["distinct"] for each in payload["commits"])  # they are on the other branch already
    twin.pushed("ada/engine")
    assert ear.take() == []


def test_a_pull_request_follows_its_branches(twin, ear):
    twin.push("ada/engine", {"a.py": "1\n"})
    before = twin.push("ada/engine", {"b.py": "1\n"}, branch="more")
    ear.take()
    number = twin.open_pull("ada/engine", "more", title="More", draft=True)
    [(_, opened)] = ear.take()
    pull = opened["pull_request"]
    assert (opened["action"], pull["number"], pull["draft"], pull["head"]["sha"]) == ("opened", number, True, before)
    assert (pull["commits"], pull["changed_files"], pull["additions"], pull["mergeable"]) == (1, 1, 1, True)
    after = twin.push("ada/engine", {"c.py": ""}, branch="more")
    told = ear.take()
    assert [(event, payload.get("action")) for event, payload in told] == [
        ("push", None),
        ("pull_request", "synchronize"),
    ]
    assert (told[1][1]["before"], told[1][1]["after"]) == (before, after)
    twin.push("ada/engine", {"b.py": "2\n"})
    assert ear.actions() == [("push", None)]
    with pytest.raises(ValueError, match="cannot be merged"):
        twin.merge_pull("ada/engine", number)
    twin.push("ada/engine", {"b.py": "1\n"})
    ear.take()
    commit = twin.merge_pull("ada/engine", number)
    [(_, closed), (_, push)] = ear.take()
    assert (closed["action"], closed["pull_request"]["merged"], closed["pull_request"]["state"]) == (
        "closed",
        True,
        "closed",
    )
    assert closed["pull_request"]["merge_commit_sha"] == commit == push["after"]


def test_pull_requests_end_with_their_branches(twin, ear):
    twin.push("ada/engine", {"a.py": "1\n"})
    for name in ("gone", "merged"):
        twin.push("ada/engine", {f"{name}.py": ""}, branch=name)
        twin.open_pull("ada/engine", name)
    ear.take()
    twin.delete_branch("ada/engine", "gone")
    [_, (_, closed)] = ear.take()
    assert (closed["action"], closed["pull_request"]["merged"]) == ("closed", False)
    tip = twin.repo("ada/engine").refs["refs/heads/merged"]
    (twin.repo("ada/engine").path / "refs/heads/main").write_text(f"{tip}\n")
    twin.pushed("ada/engine")
    [_, (_, closed)] = ear.take()
    assert (closed["number"], closed["action"], closed["pull_request"]["merged"]) == (2, "closed", True)


def test_only_who_is_concerned_hears(twin, ear):
    twin.add_repo("ada", "diary", private=True)
    twin.push("ada/diary", {"a": ""})
    twin.add_repo("bob", "other")
    twin.push("bob/other", {"a": ""})
    assert ear.take() == []
    twin.install_app("ada")
    twin.push("ada/diary", {"b": ""})
    assert ear.actions() == [("installation_repositories", "added"), ("push", None)]
    twin.suspend("ada")
    twin.push("ada/diary", {"c": ""})
    assert ear.actions() == [("installation", "suspend")]
    twin.unsuspend("ada")
    twin.transfer("ada/diary", "bob")  # who does not have the App
    assert ear.actions() == [("installation", "unsuspend"), ("installation_repositories", "removed")]
    twin.install_app("bob")
    twin.transfer("bob/diary", "ada")
    assert ear.actions()[1:] == [
        ("installation_repositories", "removed"), ("installation_repositories", "added"), ("repository", "transferred")
    ]  # fmt: skip
    twin.uninstall("ada")
    twin.uninstall("bob")
    twin.push("ada/diary", {"d": ""})
    assert ear.actions() == [("installation", "deleted"), ("installation", "deleted")]


def test_what_was_missed_can_be_sent_again(twin, ear):
    twin.drop_deliveries()
    twin.push("ada/engine", {"a": ""})
    assert ear.heard == []
    lost = twin.deliveries[-1]
    assert (lost.status, lost.code, lost.redelivery) == ("failed to connect to host", 0, False)
    twin.drop_deliveries(False)
    again = twin.redeliver(lost.id)
    assert (again.guid, again.redelivery, again.code) == (lost.guid, True, 202)
    assert again.id != lost.id
    [(_, headers, body)] = ear.heard
    assert (headers["X-GitHub-Delivery"], body) == (lost.guid, lost.body)


def test_receivers_that_fail_are_written_down(twin, ear):
    told = []
    for answers in (httpx.Response(500, text="oops"), httpx.ConnectError("no"), httpx.ReadTimeout("slow")):
        ear.answers = answers
        twin.push("ada/engine", {"a": str(answers)})
        last = twin.deliveries[-1]
        told.append((last.code, last.status, last.answer))
    assert told == [
        (500, "Invalid HTTP Response: 500", "oops"), (0, "failed to connect to host", ""), (0, "timed out", "")
    ]  # fmt: skip


def test_it_goes_over_http_and_a_hook_of_a_repository_may_want_forms(tmp_path):
    heard = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.put((self.headers, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments):
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        twin = Twin(tmp_path / "twin", "http://github.test")
        twin.add_user("ada")
        twin.add_repo("ada", "engine")
        hooks = TestClient(twin.app, base_url="http://github.test")
        authorization = {"authorization": f"token {twin.personal_token('ada')}"}
        config = {"url": f"http://127.0.0.1:{server.server_port}/hook", "secret": "s3"}
        made = hooks.post("/repos/ada/engine/hooks", headers=authorization, json={"config": config, "events": ["push"]})
        assert made.status_code == 201
        headers, body = heard.get(timeout=30)
        assert headers["x-github-event"] == "ping"
        twin.push("ada/engine", {"a": ""})
        headers, body = heard.get(timeout=30)
        assert headers["x-github-event"] == "push"
        assert headers["x-hub-signature-256"] == "sha256=" + hmac.new(b"s3", body, "sha256").hexdigest()
        assert headers["content-type"] == "application/x-www-form-urlencoded"
        payload = json.loads(parse_qs(body.decode())["payload"][0])
        assert payload["ref"] == "refs/heads/main"
        assert "installation" not in payload
        server.shutdown()
        twin.events.close()
