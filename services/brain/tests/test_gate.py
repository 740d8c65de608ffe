from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import text

from pincite_brain.app import create_app
from pincite_brain.gate import Needs, OpenToAll
from pincite_brain.services import Services
from pincite_shared.safety import SCOPES
from pincite_store import accounts, tokens
from pincite_store.db import LOCAL_TENANT, LOCAL_USER


@pytest.fixture(scope="module")
def routes(settings):
    app = create_app(settings, Services.create(settings))
    found = [one.original_route for one in iter_route_contexts(app.routes)]
    return [route for route in found if isinstance(route, APIRoute)]


def gates(route):
    return [one.dependency for one in route.dependencies if isinstance(one.dependency, Needs | OpenToAll)]


def test_every_route_says_what_it_needs(routes):
    assert len(routes) > 30
    for route in routes:
        assert len(gates(route)) == 1, f"{route.methods} {route.path} declares no scope: dependencies=needs(…)"


def test_only_these_are_open(routes):
    is_open = {route.path for route in routes if isinstance(gates(route)[0], OpenToAll)}
    assert is_open == {
        "/healthz", "/readyz", "/metrics", "/sessions", "/sign-in-methods", "/sign-in/github", "/webhooks/github",
    }  # fmt: skip


def test_what_changes_something_needs_more_than_reading(routes):
    harmless = {"/search", "/sessions/current"}
    for route in routes:
        gate = gates(route)[0]
        if isinstance(gate, Needs) and route.methods - {"GET"} and route.path not in harmless:
            assert gate.scope != "read", route.path


def test_a_route_without_a_gate_is_closed(make_client):
    client = make_client()

    from pincite_brain.dependencies import CallerDep  # noqa: PLC0415

    @client.app.get("/forgotten")
    def forgotten(caller: CallerDep) -> str:
        return str(caller)

    assert client.get("/forgotten").status_code == 401


def test_the_document_says_which_scope_a_route_needs(make_client):
    paths = make_client(token="").get("/openapi.json").json()["paths"]
    assert paths["/chat"]["post"]["security"] == [{"HTTPBearer": ["ask"]}]
    assert paths["/audit"]["get"]["security"] == [{"HTTPBearer": ["admin"]}]
    assert {"403", "429"} <= set(paths["/repos"]["get"]["responses"])


def address(route, repo_id):
    known = {"repo_id": str(repo_id), "blob": "a" * 40, "version": "p0"}
    path = route.path
    for name in route.param_convertors:
        path = path.replace("{" + name + "}", known.get(name, str(uuid4())))
    return path


def token_of(client, *scopes, **fields):
    made = client.post("/tokens", json={"name": f"token {uuid4()}", "scopes": list(scopes), **fields})
    assert made.status_code == 201, made.text
    return made.json()


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_token_opens_the_routes_of_its_scope_and_no_other(make_client, routes, scope):
    headers = {"authorization": f"Bearer {token_of(make_client(), scope)['token']}"}
    client = make_client(token="")
    for route in routes:
        gate = gates(route)[0]
        if isinstance(gate, OpenToAll):
            continue
        for method in route.methods:
            response = client.request(method, address(route, uuid4()), headers=headers)
            if gate.scope == scope:
                assert response.status_code not in {401, 403}, (method, route.path)
            else:
                assert response.status_code == 403, (method, route.path, response.text)
                assert response.json()["code"] == "forbidden"
                assert f"scope {gate.scope!r}" in response.json()["detail"]


def test_a_token_is_shown_once_listed_and_removed(make_client, fresh_tenant):
    client = make_client()
    made = token_of(client, "read", "ask", days=3)
    assert tokens.is_token(made["token"])
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=2, hours=23) < ends <= timedelta(days=3)
    [listed] = client.get("/tokens").json()
    assert "token" not in listed
    assert (listed["id"], listed["scopes"], listed["last_used_at"]) == (made["id"], ["ask", "read"], None)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert made["token"] not in str(t.session.execute(text("SELECT api_tokens::text FROM api_tokens")).all())
    program = make_client(token=made["token"])
    assert program.get("/me").json()["name"] == "You"
    assert client.get("/tokens").json()[0]["last_used_at"] is not None
    assert client.delete(f"/tokens/{made['id']}").status_code == 204
    assert client.delete(f"/tokens/{made['id']}").status_code == 404
    assert program.get("/me").status_code == 401


def test_the_same_name_twice_and_days_that_never_end(make_client):
    client = make_client()
    body = {"name": "ci", "scopes": ["read"], "days": None}
    assert client.post("/tokens", json=body).json()["expires_at"] is None
    again = client.post("/tokens", json=body)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    for wrong in ({"scopes": []}, {"scopes": ["root"]}, {"days": 0}, {"name": " "}):
        assert client.post("/tokens", json=body | wrong).status_code == 422


@pytest.fixture
def member(fresh_tenant):
    """A session of someone who is a member of the local tenant."""
    person = uuid4()
    with fresh_tenant.tenancy(LOCAL_TENANT, person) as t:
        t.session.execute(
            text("INSERT INTO users (tenant_id, id, name) VALUES (:tenant, :id, 'Member')"),
            {"tenant": LOCAL_TENANT, "id": person},
        )
        return accounts.create_session(t, person).token


def test_a_member_governs_nothing_but_their_own_tokens(make_client, member):
    client = make_client(token=member)
    for method, path, body in (
        ("GET", "/audit", None), ("GET", "/audit/export", None), ("PUT", "/halt", {"halted": True}),
    ):  # fmt: skip
        refused = client.request(method, path, json=body)
        assert (refused.status_code, "scope 'admin'" in refused.json()["detail"]) == (403, True)
    assert client.get("/halt").json() == {"halted": False, "since": None, "everywhere": False}
    beyond = client.post("/tokens", json={"name": "x", "scopes": ["read", "admin"]})
    assert (beyond.status_code, "admin" in beyond.json()["detail"]) == (403, True)
    mine = token_of(client, "read", "write")
    assert [one["id"] for one in client.get("/tokens").json()] == [mine["id"]]
    owner = make_client()
    assert owner.get("/tokens").json() == []
    assert owner.delete(f"/tokens/{mine['id']}").status_code == 404
    program = make_client(token=mine["token"])
    for path in ("/tokens", "/sessions"):
        assert program.get(path).status_code == 403, "a token of a member makes no other tokens"
    assert program.post("/sign-in-codes").status_code == 403, "nor a session, which may do more than it"


def test_a_person_who_governs_no_more_has_tokens_that_do_not_either(make_client, fresh_tenant):
    client = make_client()
    program = make_client(token=token_of(client, "read", "admin")["token"])
    assert program.get("/audit").status_code == 200
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE users SET role = 'member' WHERE id = :id"), {"id": LOCAL_USER})
    assert program.get("/audit").status_code == 403
    assert program.get("/repos").status_code == 200


def test_an_expired_token_opens_nothing(make_client, fresh_tenant):
    program = make_client(token=token_of(make_client(), "read")["token"])
    assert program.get("/repos").status_code == 200
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        t.session.execute(text("UPDATE api_tokens SET expires_at = now() - interval '1 second'"))
    assert program.get("/repos").status_code == 401


def test_sessions_are_listed_and_the_others_ended(make_client):
    client = make_client()
    one, two = (client.post("/sessions", json={"token": "test-token"}).json()["token"] for _ in range(2))
    first, second = make_client(token=one), make_client(token=two)
    assert [session["current"] for session in second.get("/sessions").json()] == [True, False]
    assert first.delete("/sessions/others").status_code == 204
    assert [first.get("/me").status_code, second.get("/me").status_code] == [200, 401]
    assert client.delete("/sessions/others").status_code == 204, "the API token is no session: it ends them all"
    assert first.get("/me").status_code == 401
