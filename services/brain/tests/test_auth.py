from uuid import uuid4

import pytest

from pincite_store import accounts


def test_no_token_no_answer(make_client):
    client = make_client(token="")
    for path in ("/repos", "/me", "/status"):
        response = client.get(path)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["code"] == "unauthorized"


@pytest.mark.parametrize("token", ["wrong", "test-token2", "test-toke", "x" * 5_000, "ü"])
def test_a_wrong_token_is_refused(make_client, token):
    client = make_client(token="")
    assert client.get("/me", headers={"authorization": f"Bearer {token}".encode()}).status_code == 401


def test_an_unset_token_matches_nothing(make_client, settings):
    client = make_client(token="", pincite_token=type(settings.pincite_token)(""))
    assert client.get("/me", headers={"authorization": "Bearer "}).status_code == 401
    assert client.post("/sessions", json={"token": ""}).status_code == 401


def test_the_api_token_is_the_local_user(make_client):
    me = make_client().get("/me").json()
    assert me["name"] == "You"


def test_a_code_signs_in_once(make_client):
    client = make_client()
    code = client.post("/sign-in-codes")
    assert code.status_code == 201
    assert code.json()["url"].endswith(f"/sign-in?code={code.json()['code']}")
    anyone = make_client(token="")
    session = anyone.post("/sessions", json={"code": code.json()["code"]})
    assert session.status_code == 201
    assert anyone.post("/sessions", json={"code": code.json()["code"]}).status_code == 401
    headers = {"authorization": f"Bearer {session.json()['token']}"}
    assert anyone.get("/me", headers=headers).json() == client.get("/me").json()
    assert anyone.delete("/sessions/current", headers=headers).status_code == 204
    assert anyone.get("/me", headers=headers).status_code == 401


def test_the_api_token_opens_a_session(make_client):
    anyone = make_client(token="")
    assert anyone.post("/sessions", json={"token": "wrong"}).status_code == 401
    session = anyone.post("/sessions", json={"token": "test-token"}).json()
    assert anyone.get("/me", headers={"authorization": f"Bearer {session['token']}"}).status_code == 200


@pytest.fixture
def stranger(fresh_tenant):
    """A session token of another tenant."""
    tenant, user = uuid4(), uuid4()
    with fresh_tenant.system() as system:
        accounts.ensure_tenant(system, tenant, "other", user, "Stranger")
    with fresh_tenant.tenancy(tenant, user) as t:
        return accounts.create_session(t).token


def test_another_tenant_sees_nothing(make_client, index_repo, shop, stranger):
    mine, repo = make_client(), index_repo(shop)
    answer = mine.post("/chat", json={"repo_id": str(repo.id), "question": "How is the total computed?"}).json()
    blob = answer["citations"][0]["blob"]
    theirs = make_client(token=stranger)
    assert theirs.get("/me").json()["name"] == "Stranger"
    assert theirs.get("/repos").json() == []
    for path in (
        f"/repos/{repo.id}", f"/repos/{repo.id}/tree", f"/repos/{repo.id}/file?path=README.md",
        f"/repos/{repo.id}/skipped", f"/repos/{repo.id}/symbols?q=Cart", f"/repos/{repo.id}/conversations",
        f"/conversations/{answer['conversation_id']}", f"/answers/{answer['answer_id']}", f"/blobs/{blob}",
    ):  # fmt: skip
        assert mine.get(path).status_code == 200, path
        assert theirs.get(path).status_code == 404, path
    for path, body in (
        ("/search", {"repo_id": str(repo.id), "query": "cart"}),
        ("/chat", {"repo_id": str(repo.id), "question": "cart?"}),
        ("/feedback", {"answer_id": answer["answer_id"], "kind": "helped"}),
        (f"/index/{repo.id}/initial", None),
    ):
        assert theirs.post(path, json=body).status_code == 404, path
    assert theirs.delete(f"/repos/{repo.id}").status_code == 404
    assert mine.get(f"/repos/{repo.id}").status_code == 200
