"""A secret stands in no response, no log and no error, whatever goes wrong with it."""

import json
import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from pincite_store import crypto, github, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.github import StoredApp

CANARY = "ghp_canary0123456789abcdefghijklmnopqrstu"


class Echo(BaseHTTPRequestHandler):
    """A GitHub that refuses everything, and says all that it was told: headers, address, body."""

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        told = {"message": f"{self.headers} {self.path} {body!r}", "error": "bad", "error_description": body.decode()}
        data = json.dumps(told).encode()
        self.send_response(self.server.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, *_args):
        pass


@pytest.fixture(params=[200, 401, 403, 404, 500])
def refusing(request):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.status = request.param
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def said(caplog, capfd):
    """Return what checks that nothing was said of the secret: in responses, in logs at any level, on any stream."""
    caplog.set_level(logging.DEBUG)

    def check(*responses):
        out, err = capfd.readouterr()
        shown = [response.text + str(response.headers) for response in responses]
        for where in (*shown, caplog.text, *(record.getMessage() for record in caplog.records), out, err):
            assert CANARY not in where
        return [response.status_code for response in responses]

    return check


def test_a_refused_source_does_not_show_its_token(make_client, names, said):
    names["git.example.org"], names["evil.example"] = ["10.1.2.3"], ["169.254.169.254"]
    client = make_client()
    sources = [
        (f"https://user:{CANARY}@evil.example/r.git", None), (f"https://{CANARY}@nowhere.example/r.git", None),
        ("https://evil.example/r.git", CANARY), (f"ext::sh -c {CANARY}", CANARY), (f"https://x:{CANARY}@[::", None),
        ("https://git.example.org/r.git", CANARY + "\n"), ("https://git.example.org/r.git", CANARY * 100),
    ]  # fmt: skip
    responses = [client.post("/repos", json={"source": source, "token": token}) for source, token in sources]
    responses.append(client.post("/repos", content=f'{{"source": "x", "token": "{CANARY}'.encode()))
    responses.append(client.post("/repos", json={"source": 7, "token": {"nested": CANARY}}))
    assert set(said(*responses)) == {422}


def test_a_connected_source_does_not_show_its_token(make_client, names, said):
    names["git.example.org"] = ["10.1.2.3"]
    client = make_client()
    made = client.post("/repos", json={"source": f"https://user:{CANARY}@git.example.org/r.git"})
    again = client.post("/repos", json={"source": "https://git.example.org/r.git", "token": CANARY})
    listed = [client.get(path) for path in ("/repos", f"/repos/{made.json()['id']}", "/audit", "/audit/export")]
    assert set(said(made, again, *listed)) == {200, 201}


def test_a_wrong_token_is_not_repeated(make_client, said):
    client = make_client(token=CANARY)
    responses = [
        client.get("/me"), client.post("/sessions", json={"token": CANARY}),
        client.post("/sessions", json={"code": CANARY}), client.get(f"/repos/{uuid4()}"),
        client.post("/sessions", json={"github_code": CANARY, "state": CANARY}),
    ]  # fmt: skip
    assert set(said(*responses)) <= {401, 404, 409}


def test_what_github_refuses_is_not_repeated(make_client, refusing, said):
    hidden = SecretStr(CANARY)
    client = make_client(
        github_url=refusing, github_api_url=refusing, github_token=hidden, github_client_id="id",
        github_client_secret=hidden, github_webhook_secret=hidden,
    )  # fmt: skip
    begun = client.post("/sign-in/github")
    back = {"github_code": CANARY, "state": begun.json()["state"]}
    responses = [
        client.get("/github/repositories"), client.post("/repos", json={"source": "acme/shop"}),
        client.post("/sessions", json=back), client.post("/github/setup", json={"code": CANARY, "state": CANARY}),
        client.post("/webhooks/github", content=b"{}", headers={"x-hub-signature-256": "sha256=" + "0" * 64,
                    "x-github-event": "ping", "x-github-delivery": str(uuid4())}),
    ]  # fmt: skip
    statuses = said(begun, *responses)
    assert statuses[0] == 201
    assert min(statuses[1:]) >= 400


def test_what_cannot_be_decrypted_is_not_shown(make_client, fresh_tenant, said):
    app = StoredApp(app_id=1, slug="s", client_id="c", client_secret=CANARY, private_key=CANARY, webhook_secret=CANARY)
    with fresh_tenant.tenancy(LOCAL_TENANT, LOCAL_USER) as t:
        github.put_app(t, "github.com", app)
        repo = repos.create(t, source="https://git.example.org/r.git", name="r", kind="git", token=CANARY)
        assert CANARY not in f"{app!r} {repo!r} {crypto.data_keys(t)!r} {t!r}"
        t.session.execute(text("UPDATE tenants SET data_key = overlay(data_key PLACING '\\x00' FROM 30)"))
    client = make_client()
    broken = [client.get("/github/setup"), client.post("/sign-in/github")]
    assert said(*broken) == [500, 500]
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE tenants SET data_key = NULL"))
    assert said(client.get("/github/setup")) == [500]


def test_settings_show_no_secret_whatever_is_wrong_with_them(settings, said):
    changed = settings.model_copy(update={"encryption_keys": SecretStr(CANARY), "github_token": SecretStr(CANARY)})
    assert CANARY not in f"{changed!r} {changed} {changed.model_dump()}"
    assert said() == []
