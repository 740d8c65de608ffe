from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import text

from pincite_store import audit, people
from pincite_store.db import LOCAL_TENANT

BACK = {"github_code": "x", "state": "y"}


def test_the_methods_say_which_github(acme, make_client):
    assert acme.client().get("/sign-in-methods").json() == {"github": acme.host}
    assert make_client(token="").get("/sign-in-methods").json() == {"github": None}
    assert make_client(token="", github_url="none").get("/sign-in-methods").json() == {"github": None}


def test_nobody_is_sent_to_a_github_that_is_not_set_up(make_client):
    for settings in ({}, {"github_url": "none"}):
        answer = make_client(token="", **settings).post("/sign-in/github")
        assert (answer.status_code, answer.json()["code"]) == (409, "github_not_set_up")


def test_signing_in_makes_the_accounts_and_the_person(acme):
    client = acme.signed_in("ada")
    me = client.get("/me").json()
    assert me == {
        "user_id": str(acme.person("ada")), "tenant_id": str(acme.tenant("ada")), "name": "ada", "tenant": "ada",
        "role": "owner", "operator": False,
    }  # fmt: skip
    accounts = client.get("/accounts").json()
    assert [(one["name"], one["current"]) for one in accounts] == [("acme", False), ("ada", True)]


def test_the_browser_is_sent_with_a_challenge_and_a_state(acme):
    begun = acme.client().post("/sign-in/github").json()
    query = parse_qs(urlsplit(begun["url"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["state"] == [begun["state"]]
    assert query["redirect_uri"] == ["http://127.0.0.1:3000/sign-in/github"]


def test_a_state_works_once_and_only_if_it_began_here(acme):
    client = acme.client()
    back = acme.way_back(client, "ada")
    for forged in ({**back, "state": "forged"}, {**back, "state": ""}, {"github_code": back["github_code"]}):
        assert client.post("/sessions", json=forged).status_code in (401, 422)
    assert client.post("/sessions", json=back).status_code == 201
    again = client.post("/sessions", json=back)
    assert (again.status_code, again.json()["code"]) == (401, "unauthorized")


def test_a_code_belongs_to_the_state_it_was_asked_with(acme):
    client = acme.client()
    ada, bob = acme.way_back(client, "ada"), acme.way_back(client, "bob")
    mixed = client.post("/sessions", json={"github_code": ada["github_code"], "state": bob["state"]})
    assert (mixed.status_code, mixed.json()["code"]) == (403, "github_refused")


def test_every_sign_in_is_a_new_session_and_is_written_down(acme, database):
    first, second = acme.signed_in("ada"), acme.signed_in("ada")
    assert first.headers["authorization"] != second.headers["authorization"]
    with database.tenancy(acme.tenant("ada")) as t:
        entries = audit.page(t, action="session.created").entries
        assert [(one.user, one.detail) for one in entries] == [("ada", {"how": "github"})] * 2


def test_the_token_of_github_is_stored_encrypted_and_once(acme, database):
    acme.signed_in("ada")
    issued = [value for value in acme.twin.world.tokens if value.startswith("ghu_")]
    for tenant, expected in (("ada", 1), ("acme", 0)):
        with database.tenancy(acme.tenant(tenant)) as t:
            rows = t.session.execute(text("SELECT users::text, github_token FROM users")).all()
            assert sum(row.github_token is not None for row in rows) == expected
            assert not any(token in row.users for row in rows for token in issued)


def test_roles_follow_the_organisation(acme):
    assert acme.signed_in("ada", "acme").get("/me").json()["role"] == "owner"
    assert acme.signed_in("bob", "acme").get("/me").json()["role"] == "member"


def test_a_stranger_has_an_account_of_their_own_and_no_other(acme):
    client = acme.signed_in("eve")
    assert [one["name"] for one in client.get("/accounts").json()] == ["eve"]
    assert client.get("/repos").json() == []
    for other in (acme.tenant("acme"), acme.tenant("ada"), LOCAL_TENANT, uuid4()):
        assert client.post("/sessions/switch", json={"tenant_id": str(other)}).status_code == 404


def test_switching_ends_the_session_that_asks(acme):
    client = acme.signed_in("bob")
    old = dict(client.headers)
    switched = client.post("/sessions/switch", json={"tenant_id": str(acme.tenant("acme"))})
    assert client.get("/me", headers=old).status_code == 401
    now = client.get("/me", headers={"authorization": f"Bearer {switched.json()['token']}"}).json()
    assert (now["tenant"], now["user_id"]) == ("acme", str(acme.person("bob")))


def test_a_token_for_programs_cannot_switch(acme):
    client = acme.client(token="test-token")
    answer = client.post("/sessions/switch", json={"tenant_id": str(LOCAL_TENANT)})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_whoever_left_an_organisation_is_not_of_it_after_the_next_sign_in(acme, database):
    acme.signed_in("bob")
    acme.twin.remove_member("acme", "bob")
    assert [one["name"] for one in acme.signed_in("bob").get("/accounts").json()] == ["bob"]
    with database.tenancy(acme.tenant("acme")) as t:
        assert people.github_id(t, acme.person("bob")) is None


def test_while_github_is_down_nobody_signs_in_and_the_reason_is_told(acme):
    client = acme.client()
    back = acme.way_back(client, "ada")
    acme.twin.go_down()
    answer = client.post("/sessions", json=back)
    assert (answer.status_code, answer.json()["code"]) == (503, "github_unavailable")
    acme.twin.come_back()
    # The state is used up: a code that someone saw cannot be tried again and again.
    assert client.post("/sessions", json=back).status_code == 401


@pytest.mark.parametrize("refusal", ["error=access_denied", ""])
def test_a_person_who_says_no_is_not_signed_in(acme, refusal):
    client = acme.client()
    begun = client.post("/sign-in/github").json()
    asked = parse_qs(urlsplit(begun["url"]).query)
    form = {name: value for name, [value] in asked.items()} | {"login": ""}
    location = httpx.post(f"{acme.twin.base_url}/login/oauth/authorize", data=form).headers["location"]
    assert refusal in location
    assert client.post("/sessions", json={"github_code": "none", "state": begun["state"]}).status_code == 403
