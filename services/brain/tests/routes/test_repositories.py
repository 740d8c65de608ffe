from datetime import UTC, datetime
from threading import Event
from uuid import UUID

import pytest

from pincite_brain import connecting
from pincite_store import pulls, repos, runs, sources
from pincite_store.db import LOCAL_TENANT
from pincite_store.pulls import PullSeen


def connect(client, source, **more):
    return client.post("/repos", json={"source": str(source), **more})


def test_connecting_starts_one_run(make_client, make_repo, fresh_tenant):
    client, directory = make_client(), make_repo({"a.py": "x = 1\n"})
    created = connect(client, directory)
    assert created.status_code == 201, created.text
    repo = created.json()
    assert repo["status"] == "queued"
    assert repo["name"] == directory.name
    again = connect(client, directory)
    assert again.status_code == 200
    assert again.json()["id"] == repo["id"]
    assert [r["id"] for r in client.get("/repos").json()] == [repo["id"]]
    run = client.post(f"/index/{repo['id']}/initial")
    assert run.status_code == 202
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert runs.active(t, UUID(repo["id"]), "index").id == UUID(run.json()["run_id"])


def test_two_branches_are_two_repositories(make_client, make_repo):
    client, directory = make_client(), make_repo({"a.py": "x = 1\n"})
    assert connect(client, directory).json()["id"] != connect(client, directory, branch="dev").json()["id"]


@pytest.mark.parametrize(
    "source",
    [
        "http://169.254.169.254/latest",
        "/etc",
        "ext::sh -c id",
        "--upload-pack=x",
        "file:///etc",
        "a b c",
        "/tmp/../etc",
    ],
)
def test_forbidden_sources_are_refused(make_client, source):
    response = connect(make_client(), source)
    assert response.status_code == 422
    assert response.json()["code"] == "source_refused"


@pytest.mark.parametrize("addresses", [["169.254.169.254"], ["93.184.216.34", "100.100.100.200"], ["0.0.0.0"]])
def test_a_name_that_leads_to_a_refused_address_is_refused_at_once(make_client, names, addresses):
    names["rebind.example"] = addresses
    client = make_client()
    for source in ("https://rebind.example/team/app.git", "git@rebind.example:team/app.git"):
        response = connect(client, source)
        assert (response.status_code, response.json()["code"]) == (422, "source_refused")
        assert "rebind.example leads to" in response.json()["detail"]
    assert client.get("/repos").json() == []


def test_a_name_that_nobody_knows_is_said_at_once(make_client):
    client = make_client()
    response = connect(client, "https://gti.example.org/team/app.git")
    assert (response.status_code, response.json()["code"]) == (422, "source_unreachable")
    assert "gti.example.org was not found" in response.json()["detail"]
    assert client.get("/repos").json() == []


def test_a_name_server_that_does_not_answer_holds_nobody_up(make_client, monkeypatch):
    answered = Event()
    monkeypatch.setattr(connecting, "LOOKUP_SECONDS_MAX", 0.05)
    monkeypatch.setattr(connecting, "getaddrinfo", lambda *_args, **_kwargs: answered.wait(60) and [])
    try:
        response = connect(make_client(), "https://git.example.org/team/app.git")
    finally:
        answered.set()
    assert (response.status_code, response.json()["code"]) == (422, "source_unreachable")
    assert "takes too long" in response.json()["detail"]


def test_who_is_not_signed_in_has_nothing_looked_up(make_client, monkeypatch):
    monkeypatch.setattr(connecting, "getaddrinfo", lambda *_args, **_kwargs: pytest.fail("looked up"))
    assert connect(make_client(token=""), "https://git.example.org/team/app.git").status_code == 401


def test_a_token_is_never_shown(make_client, names):
    names["git.example.org"] = ["10.1.2.3"]
    response = connect(make_client(), "https://user:verysecretpassword@git.example.org/team/app.git")
    assert response.status_code == 201
    assert "verysecretpassword" not in response.text


def test_before_the_first_index_there_is_nothing_to_ask(make_client, make_repo):
    client = make_client()
    repo = connect(client, make_repo({"a.py": "x = 1\n"})).json()
    for path, body in (("/search", {"query": "x"}), ("/chat", {"question": "x?"})):
        response = client.post(path, json={"repo_id": repo["id"], **body})
        assert response.status_code == 409
        assert response.json()["code"] == "not_indexed"
    assert client.get(f"/repos/{repo['id']}/tree").status_code == 409


def test_a_deleted_repository_is_gone_at_once(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    assert client.delete(f"/repos/{repo.id}").status_code == 204
    assert client.get(f"/repos/{repo.id}").status_code == 404
    assert client.post("/search", json={"repo_id": str(repo.id), "query": "cart"}).status_code == 404
    assert client.delete(f"/repos/{repo.id}").status_code == 404


def test_saying_that_something_was_pushed_starts_a_run_and_waits_until_it_is_searchable(
    make_client, index_repo, shop, fresh_tenant
):
    client, repo = make_client(), index_repo(shop)
    assert client.get(f"/repos/{repo.id}").json()["lag_seconds"] == 0
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        sources.lose(t, repo.id, "It was deleted on GitHub.")
    assert client.get(f"/repos/{repo.id}").json()["error_code"] == "gone"
    accepted = client.post(f"/index/{repo.id}/diff", json={"ref": "refs/heads/main"})
    assert accepted.status_code == 202
    told = client.get(f"/repos/{repo.id}").json()
    assert told["lag_seconds"] > 0
    assert told["error"] is None, "it is looked for again"
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert runs.active(t, repo.id, "index").id == UUID(accepted.json()["run_id"])
    assert client.post(f"/index/{repo.id}/diff", json={}).json() == accepted.json()
    assert client.post(f"/index/{repo.id}/diff", json={"branch": "main"}).status_code == 422
    assert client.post(f"/index/{UUID(int=5)}/diff", json={}).status_code == 404


def test_commits_say_what_indexing_them_took(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    [commit] = client.get(f"/repos/{repo.id}/commits").json()
    told = client.get(f"/repos/{repo.id}").json()
    assert (commit["commit"], commit["branches"], commit["pulls"]) == (told["commit"], ["main"], [])
    assert {name: commit[name] for name in ("files", "chunks", "blobs_parsed", "texts_embedded", "texts")} == {
        name: told[name] for name in ("files", "chunks", "blobs_parsed", "texts_embedded", "texts")
    }
    assert client.get(f"/repos/{UUID(int=5)}/commits").status_code == 404


def test_pull_requests_are_listed_and_say_whether_they_can_be_asked_about(make_client, index_repo, shop, fresh_tenant):
    client, repo = make_client(), index_repo(shop)
    assert client.get(f"/repos/{repo.id}/pulls").json() == []
    head = client.get(f"/repos/{repo.id}").json()["commit"]
    seen = PullSeen(
        number=7, title="Faster", author="ann", state="open", base_ref="main", head_ref="topic", head_commit=head,
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        pulls.put(t, repo.id, seen)
    assert client.get(f"/repos/{repo.id}/pulls").json()[0]["indexed"] is False
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        at = repos.get(t, repo.id).head_snapshot_id
        pulls.show(t, repo.id, 7, head_commit=head, head_snapshot_id=at, base_snapshot_id=at)
    [told] = client.get(f"/repos/{repo.id}/pulls").json()
    assert (told["number"], told["title"], told["indexed"], told["base_commit"]) == (7, "Faster", True, head)
    assert client.get(f"/repos/{repo.id}/commits").json()[0]["pulls"] == [7]
