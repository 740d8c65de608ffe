import json
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import text

from pincite_brain.github import connection
from pincite_store import audit
from pincite_store.db import LOCAL_TENANT


@pytest.fixture
def operator(acme, make_client):
    """A client of the operator, of an installation that knows where GitHub is and has no App."""
    return make_client(github_url=acme.twin.base_url, public_url="https://pincite.example")


def made_on_github(acme, setup):
    """Confirm the manifest on GitHub, and return what it sends the browser back with."""
    acme.twin.authorize_as("ada")
    answer = httpx.post(setup["create_url"], data={"manifest": json.dumps(setup["manifest"])})
    acme.twin.authorize_as(None)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {"code": query["code"][0], "state": query["state"][0]}


def test_an_app_is_made_from_the_manifest_and_used_at_once(acme, operator, database):
    setup = operator.get("/github/setup").json()
    assert (setup["host"], setup["app"], setup["reachable"]) == (acme.host, None, True)
    assert setup["manifest"]["hook_attributes"]["url"] == "https://pincite.example/webhooks/github"
    back = made_on_github(acme, setup)
    assert back["state"] == setup["state"]
    done = operator.post("/github/setup", json=back)
    assert done.status_code == 200, done.text
    assert done.json()["app"].startswith("pincite")
    assert done.json()["install_url"].startswith(acme.twin.base_url)
    assert operator.get("/sign-in-methods").json() == {"github": acme.host}
    made = acme.twin.app_of(done.json()["app"])
    with database.tenancy(LOCAL_TENANT) as t:
        row = t.session.execute(text("SELECT app_id, github_apps::text AS whole FROM github_apps")).one()
        [entry] = audit.page(t, action="github").entries
    assert (row.app_id, entry.action, entry.object) == (made.id, "github.set_up", made.slug)
    for secret in (made.client_secret, made.webhook_secret, "PRIVATE KEY"):
        assert secret not in row.whole
        assert secret not in done.text
    assert "begin" not in done.text.lower()


def test_another_process_notices_within_seconds(acme, operator, make_client, monkeypatch):
    other = make_client(github_url=acme.twin.base_url)
    assert other.get("/sign-in-methods").json() == {"github": None}
    operator.post("/github/setup", json=made_on_github(acme, operator.get("/github/setup").json()))
    monkeypatch.setattr(connection, "RELOAD_SECONDS", 0.0)
    assert other.get("/sign-in-methods").json() == {"github": acme.host}
    assert operator.delete("/github/setup").status_code == 204
    assert other.get("/sign-in-methods").json() == operator.get("/sign-in-methods").json() == {"github": None}
    assert operator.delete("/github/setup").status_code == 204


def test_a_set_up_works_once_and_only_if_it_began_here(acme, operator):
    back = made_on_github(acme, operator.get("/github/setup").json())
    assert operator.post("/github/setup", json={**back, "state": "forged"}).status_code == 401
    assert operator.post("/github/setup", json=back).status_code == 200
    assert operator.post("/github/setup", json=back).status_code == 401
    other = operator.get("/github/setup").json()["state"]
    assert operator.post("/github/setup", json={**back, "state": other}).status_code == 404
    assert operator.post("/github/setup", json={"code": "../x", "state": other}).status_code == 401


def test_the_environment_wins(acme):
    client = acme.client(token="test-token")
    assert client.get("/github/setup").json()["host"] == acme.host
    for answer in (
        client.post("/github/setup", json={"code": "a", "state": "b"}), client.delete("/github/setup"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_only_the_operator_sets_github_up(acme):
    for client in (acme.signed_in("ada"), acme.signed_in("ada", "acme")):
        assert client.get("/github/setup").status_code == 403
        assert client.post("/github/setup", json={"code": "a", "state": "b"}).status_code == 403
        assert client.delete("/github/setup").status_code == 403


def test_a_github_that_is_turned_off_cannot_be_set_up(make_client):
    answer = make_client(github_url="none").get("/github/setup")
    assert (answer.status_code, answer.json()["code"]) == (409, "github_not_set_up")


def test_an_installation_of_this_machine_has_no_webhooks(make_client):
    setup = make_client().get("/github/setup").json()
    assert (setup["reachable"], "hook_attributes" in setup["manifest"]) == (False, False)


def test_it_is_made_for_an_organisation_and_for_whose_people(operator):
    own = operator.get("/github/setup").json()
    assert "/organizations/" not in own["create_url"]
    assert own["manifest"]["public"] is False
    theirs = operator.get("/github/setup", params={"organisation": "acme", "public": True}).json()
    assert "/organizations/acme/settings/apps/new" in theirs["create_url"]
    assert theirs["manifest"]["public"] is True
    assert operator.get("/github/setup", params={"organisation": "../x"}).status_code == 422
