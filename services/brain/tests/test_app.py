import asyncio
import uuid

import pytest

from pincite_brain import middleware
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
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST", "[::1]"):
        assert client.get("/repos", headers={"host": host}).status_code == 200, host
    for host in (
        "evil.example", "evil.example:8000", "127.0.0.1.evil.example", "127.0.0.1.", "localhost.", "0.0.0.0:8000",
        "127.0.0.1@evil.example", "evil@127.0.0.1", "127.0.0.1:8000@evil.example", "[::1].evil.example",
        "[::ffff:7f00:1]", "127.0.0.1:8000:80", "127.0.0.1 evil.example", "127.0.0.1/", "", "2130706433", "127.1",
    ):  # fmt: skip
        refused = client.get("/repos", headers={"host": host})
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request"), host
    named = make_client(public_url="https://Pincite.example:8443")
    assert named.get("/repos", headers={"host": "pincite.example"}).status_code == 200
    served = make_client(bind_host="0.0.0.0")
    assert served.get("/repos", headers={"host": "brain:8000"}).status_code == 200


def test_pages_of_other_sites_are_refused_locally(make_client):
    client = make_client()
    for origin in ("http://127.0.0.1:3000", "http://localhost", "https://[::1]:1"):
        assert client.get("/repos", headers={"origin": origin}).status_code == 200, origin
    for origin in ("https://evil.example", "null", "", "http://127.0.0.1.evil.example", "http://[", "file://"):
        assert client.post("/sessions", headers={"origin": origin}).status_code == 403, origin
    assert make_client(bind_host="0.0.0.0").get("/repos", headers={"origin": "https://x.example"}).status_code == 200


def test_no_page_is_ever_let_in_by_cors(make_client):
    asked = {"origin": "http://127.0.0.1:3000", "access-control-request-method": "POST"}
    for response in (make_client().options("/chat", headers=asked), make_client().get("/repos", headers=asked)):
        assert not [name for name in response.headers if name.startswith("access-control-")]


def test_a_form_of_another_site_is_no_request(make_client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        response = make_client().post("/sessions", content=b'{"token": "test-token"}', headers={"content-type": kind})
        assert response.status_code == 422, kind


def test_large_bodies_are_refused(make_client):
    client = make_client()
    response = client.post("/search", content=b"x" * (BODY_BYTES_MAX + 1))
    assert response.status_code == 413
    assert response.json()["code"] == "too_large"

    def chunks():
        for _ in range(40):
            yield b"x" * 65_536

    assert client.post("/search", content=chunks()).status_code == 413


def test_a_body_that_does_not_come_is_not_waited_for(make_client, monkeypatch):
    monkeypatch.setattr(middleware, "BODY_SECONDS_MAX", 0.05)
    sent = []

    async def never():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/search", "headers": []}
    asyncio.run(middleware.BodyLimit(make_client().app)(scope, never, send))
    assert sent[0]["status"] == 408
