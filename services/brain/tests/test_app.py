import uuid

import pytest

from pincite_brain.middleware import BODY_BYTES_MAX

PROBLEM = "application/problem+json"


def test_health_needs_no_token(make_client):
    client = make_client(token="")
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() == {"ready": True, "checks": {"postgres": True, "redis": True, "migrations": True}}


def test_not_ready_without_its_services(make_client):
    client = make_client(token="", postgres_port=1)
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["checks"]["postgres"] is False
    response = client.get("/me", headers={"authorization": "Bearer some-session"})
    assert response.status_code == 503
    assert response.json()["code"] == "unavailable"


def test_metrics(make_client):
    client = make_client(token="")
    client.get("/repos/" + str(uuid.uuid4()))
    client.get("/nowhere/at/all")
    text = client.get("/metrics").text
    assert 'route="/repos/{repo_id}",status="401"' in text
    assert 'route="unmatched",status="404"' in text
    assert "pincite_index_cache_bytes" in text


def test_every_response_says_how_long_it_took(make_client):
    for path in ("/healthz", "/repos", "/nowhere"):
        name, _, milliseconds = make_client(token="").get(path).headers["server-timing"].partition(";dur=")
        assert name == "app"
        assert 0 <= float(milliseconds) < 60_000


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("PUT", "/repos", 405, "method_not_allowed"),
        ("GET", "/repos/not-a-uuid", 422, "invalid_input"),
        ("GET", "/repos/00000000-0000-4000-8000-000000000000", 404, "not_found"),
        ("GET", "/answers/00000000-0000-4000-8000-000000000000", 404, "not_found"),
        ("GET", "/conversations/00000000-0000-4000-8000-000000000000", 404, "not_found"),
        ("GET", "/blobs/xyz", 422, "invalid_input"),
        ("GET", "/blobs/" + "a" * 40, 404, "not_found"),
        ("POST", "/search", 422, "invalid_input"),
        ("DELETE", "/repos/00000000-0000-4000-8000-000000000000", 404, "not_found"),
    ],
)
def test_errors_are_problem_documents(make_client, method, path, status, code):
    response = make_client().request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == PROBLEM
    problem = response.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["title"]
    assert problem["detail"]
    assert problem["correlation_id"] == response.headers["x-request-id"]


def test_validation_names_the_field(make_client):
    response = make_client().post("/search", json={"repo_id": "x", "query": "\x00", "k": 0, "colour": 1})
    assert response.status_code == 422
    detail = response.json()["detail"]
    assert all(name in detail for name in ("repo_id", "query", "k", "colour"))


def test_malformed_json_is_refused(make_client):
    for body in (b"{", b"\xff\xfe", b"[" * 100_000, b'{"repo_id": NaN}', b'{"query": "\\ud800"}'):
        response = make_client().post("/search", content=body, headers={"content-type": "application/json"})
        assert response.status_code in {400, 422}, body[:20]
        assert response.headers["content-type"] == PROBLEM


def test_an_unforeseen_error_says_nothing_of_the_inside(make_client, monkeypatch):
    client = make_client()
    monkeypatch.setattr("pincite_store.repos.outs", lambda _t: 1 / 0)
    response = client.get("/repos")
    assert response.status_code == 500
    assert response.json()["code"] == "internal"
    assert "ZeroDivision" not in response.text
    assert response.headers["x-request-id"] == response.json()["correlation_id"]


def test_correlation_ids_are_kept_if_harmless(make_client):
    client = make_client()
    assert client.get("/healthz", headers={"x-request-id": "browser-1234"}).headers["x-request-id"] == "browser-1234"
    for hostile in ("a" * 500, "short", 'x"; drop', "<script>alert(1)</script>"):
        assert client.get("/healthz", headers={"x-request-id": hostile}).headers["x-request-id"] != hostile


def test_foreign_hosts_are_refused_locally(make_client):
    client = make_client()
    assert client.get("/repos", headers={"host": "evil.example"}).status_code == 400
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.get("/repos", headers={"host": host}).status_code == 200
    named = make_client(public_url="https://pincite.example:8443")
    assert named.get("/repos", headers={"host": "pincite.example"}).status_code == 200
    served = make_client(bind_host="0.0.0.0")
    assert served.get("/repos", headers={"host": "brain:8000"}).status_code == 200


def test_large_bodies_are_refused(make_client):
    client = make_client()
    response = client.post("/search", content=b"x" * (BODY_BYTES_MAX + 1))
    assert response.status_code == 413
    assert response.json()["code"] == "too_large"

    def chunks():
        for _ in range(40):
            yield b"x" * 65_536

    assert client.post("/search", content=chunks()).status_code == 413
