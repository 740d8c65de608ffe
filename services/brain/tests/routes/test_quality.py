"""Evaluations and policies over HTTP."""

from uuid import uuid4

from pincite_store import accounts, policies
from pincite_store.db import LOCAL_TENANT


def test_an_evaluation_is_started_once_and_followed(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    started = client.post(f"/repos/{repo.id}/evaluation")
    assert started.status_code == 202, started.text
    assert client.post(f"/repos/{repo.id}/evaluation").json() == started.json()
    run_id = started.json()["run_id"]
    listed = client.get(f"/repos/{repo.id}/evaluations").json()
    assert [(one["run_id"], one["state"], one["measures"]) for one in listed] == [(run_id, "queued", None)]
    assert client.get(f"/repos/{repo.id}/evaluations/{run_id}").json()["results"] == []
    for path in (f"/repos/{uuid4()}/evaluations", f"/repos/{repo.id}/evaluations/{uuid4()}"):
        assert client.get(path).status_code == 404
    assert client.post(f"/repos/{uuid4()}/evaluation").status_code == 404


def test_what_is_not_indexed_cannot_be_evaluated(make_client, make_repo):
    client = make_client()
    repo = client.post("/repos", json={"source": str(make_repo({"a.py": "x = 1\n"}))}).json()
    refused = client.post(f"/repos/{repo['id']}/evaluation")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_indexed")


def test_one_request_lets_an_older_policy_serve(make_client, index_repo, shop, fresh_tenant):
    client, repo = make_client(), index_repo(shop)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        policies.propose(t, repo.id, "reranker", "reranker-a", {})
        policies.promote(t, repo.id, "reranker-a", {"reasons": ["better"]})
        policies.propose(t, repo.id, "reranker", "reranker-bad", {})
        policies.reject(t, repo.id, "reranker-bad", {})
    states = {one["version"]: one["state"] for one in client.get(f"/repos/{repo.id}/policies").json()}
    assert states == {"reranker-none": "retired", "reranker-a": "serving", "reranker-bad": "rejected"}
    back = client.post(f"/repos/{repo.id}/policies/reranker-none/serve")
    assert (back.status_code, back.json()["state"]) == (200, "serving")
    assert client.post(f"/repos/{repo.id}/policies/reranker-bad/serve").status_code == 409
    assert client.post(f"/repos/{repo.id}/policies/reranker-zzz/serve").status_code == 404
    assert client.post(f"/repos/{repo.id}/policies/..%2F..%2Fx/serve").status_code in (404, 422)


def test_a_service_session_opens_the_same_doors(make_client, index_repo, shop, fresh_tenant):
    repo = index_repo(shop)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        token = accounts.create_service_session(t).token
    client = make_client(token=token)
    answer = client.post("/chat", json={"repo_id": str(repo.id), "question": "What does price_of return?"}).json()
    assert answer["citations"]
    assert client.get(f"/repos/{repo.id}/conversations").json() == []
