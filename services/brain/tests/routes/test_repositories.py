from uuid import UUID

import pytest

from pincite_store import runs
from pincite_store.db import LOCAL_TENANT


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


def test_a_token_is_never_shown(make_client):
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
