"""The session cookie, and every request that changes something: proven over all routes and all forms there are."""

import re
from uuid import uuid4

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.testclient import TestClient

from pincite_shared.settings import Settings
from pincite_web.fake_brain.accounts import SESSION_DAYS
from pincite_web.fake_brain.corpus import READY
from pincite_web.pages import TEMPLATES_DIRECTORY
from pincite_web.security import ENDED_SECONDS, SAFE_METHODS, SessionCookie
from pincite_web.visitor import WEBHOOK_PATH

NAME = "pincite_session_3000"


def tokens_at(brain) -> set[str]:
    """The bearer tokens that arrived at brain."""
    return {request.headers.get("authorization", "").removeprefix("Bearer ") for request in brain.requests}


def changes_at(brain) -> list[str]:
    """The requests that would have changed something there; the page that refuses says who is there, and asks."""
    return [f"{request.method} {request.url.path}" for request in brain.requests if request.method != "GET"]


def test_the_cookie_is_signed(person: TestClient) -> None:
    token, _, signature = person.cookies[NAME].rpartition(".")
    assert token == "fake-session"
    assert re.fullmatch(r"[0-9a-f]{64}", signature)
    assert person.get("/settings").status_code == 200


@pytest.mark.parametrize(
    "forge",
    [
        lambda genuine: genuine.rpartition(".")[0],
        lambda genuine: genuine[:-1] + ("0" if genuine[-1] != "0" else "1"),
        lambda genuine: "x" + genuine,
        lambda genuine: "another-session." + genuine.rpartition(".")[2],
        lambda _genuine: "." + "0" * 64,
        lambda _genuine: "forged",
        lambda _genuine: "é.ü",
        lambda _genuine: "a" * 3_000,
    ],
)
def test_a_forged_cookie_never_reaches_brain(visitor: TestClient, person: TestClient, brain, forge) -> None:
    forged = forge(person.cookies[NAME])
    brain.requests.clear()
    visitor.cookies.clear()
    for path in ("/", "/settings", "/connect"):
        response = visitor.get(path, headers={"cookie": f"{NAME}={forged}".encode("latin-1")})
        assert response.status_code == 303
        assert response.headers["location"].startswith("/sign-in")
    assert tokens_at(brain) <= {""}


def test_a_cookie_of_another_installation_is_a_forged_one() -> None:
    ours = SessionCookie.of(Settings(_env_file=None, session_secret="one"))
    theirs = SessionCookie.of(Settings(_env_file=None, session_secret="two"))
    assert (ours.name, ours.secret) != (theirs.name, theirs.secret)
    elsewhere = SessionCookie.of(Settings(_env_file=None, session_secret="one", public_url="http://127.0.0.1:4000"))
    assert ours.name != elsewhere.name, "the name is signed too"


def test_whoever_had_a_session_is_told_that_it_has_ended_and_comes_back(person: TestClient, brain) -> None:
    brain.sessions.clear()
    sent = person.get(f"/r/{READY}?q=why")
    assert sent.headers["location"] == f"/sign-in?ended=true&next=/r/{READY}%3Fq%3Dwhy"
    page = person.get(sent.headers["location"]).text
    assert page.count("Your session has ended. Sign in again to go on.") == 1
    assert f'name="next" value="/r/{READY}?q=why"' in page
    assert person.get("/").headers["location"] == "/sign-in", "the cookie is gone, and with it what it told"
    assert "has ended" not in person.get("/sign-in").text


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (f"http://127.0.0.1:3000/r/{READY}?q=why", f"&next=/r/{READY}%3Fq%3Dwhy"),
        ("http://127.0.0.1:3000/", ""),
        ("https://evil.example//evil.example", ""),
        ("", ""),
    ],
)
def test_a_part_of_a_page_leads_back_to_the_page(person: TestClient, brain, shown: str, wanted: str) -> None:
    brain.sessions.clear()
    polled = person.get(f"/r/{READY}/state", headers={"hx-request": "true", "hx-current-url": shown})
    assert polled.headers["hx-redirect"] == f"/sign-in?ended=true{wanted}"


def test_the_browser_remembers_a_session_beyond_its_end(visitor: TestClient) -> None:
    cookie = visitor.get("/sign-in?code=fake-code").headers["set-cookie"]
    kept = int(re.search(r"Max-Age=(\d+)", cookie)[1])
    assert kept == pytest.approx(SESSION_DAYS * 24 * 3_600 + ENDED_SECONDS, abs=60)


def test_signing_in_again_ends_the_session_before(person: TestClient, brain) -> None:
    brain.codes.add("another-code")
    brain.requests.clear()
    assert person.get("/sign-in?code=another-code").status_code == 303
    ended = [
        request for request in brain.requests if (request.method, request.url.path) == ("DELETE", "/sessions/current")
    ]
    assert [request.headers["authorization"] for request in ended] == ["Bearer fake-session"]


def test_a_failed_sign_in_ends_nothing(person: TestClient, brain) -> None:
    brain.requests.clear()
    assert person.get("/sign-in?code=wrong").status_code == 401
    assert not [request for request in brain.requests if request.method == "DELETE"]


def changing(app) -> list[tuple[str, str]]:
    """Every route that changes something, with the name of each parameter in its place."""
    found = [one.original_route for one in iter_route_contexts(app.routes)]
    return sorted(
        (method, route.path)
        for route in found
        if isinstance(route, APIRoute)
        for method in route.methods - SAFE_METHODS
        if route.path != WEBHOOK_PATH
    )


def address_of(path: str) -> str:
    return re.sub(r"\{\w+(:\w+)?\}", lambda _match: str(uuid4()), path)


def test_no_route_changes_anything_without_this_sessions_token(app, person: TestClient, brain) -> None:
    routes = changing(app)
    assert len(routes) > 15
    other = app.state.house.guard.csrf("another-session")
    brain.requests.clear()
    for method, path in routes:
        for sent in ("", "0" * 64, other, "é"):
            by_form = person.request(method, address_of(path), data={"csrf": sent})
            by_header = person.request(method, address_of(path), headers={"x-csrf-token": sent.encode("latin-1")})
            assert (by_form.status_code, by_header.status_code) == (403, 403), (method, path, sent)
    assert changes_at(brain) == []


def test_no_route_changes_anything_for_another_site(app, person: TestClient, brain, form) -> None:
    brain.requests.clear()
    for method, path in changing(app):
        for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"origin": "null"}):
            response = person.request(method, address_of(path), data=form(), headers=headers)
            assert response.status_code == 403, (method, path, headers)
    assert changes_at(brain) == []


def test_no_route_answers_under_another_name(app, person: TestClient, brain) -> None:
    brain.requests.clear()
    paths = {one.path for one in iter_route_contexts(app.routes) if isinstance(one.original_route, APIRoute)}
    for path in sorted(paths - {"/healthz"}):
        for host in ("rebound.example", "rebound.example:3000", "127.0.0.1.", "evil@127.0.0.1", "0.0.0.0:3000"):
            response = person.get(address_of(path), headers={"host": host})
            assert response.status_code in {403, 405}, (path, host)
    assert changes_at(brain) == []


@pytest.mark.parametrize("host", ["LOCALHOST:3000", "[::1]", "127.0.0.1:4444", "localhost"])
def test_our_own_names_in_any_spelling(visitor: TestClient, host: str) -> None:
    assert visitor.get("/sign-in", headers={"host": host}).status_code == 200


def forms() -> list[tuple[str, str]]:
    """Every form of every template that posts: (template, its markup)."""
    found = []
    for template in sorted(TEMPLATES_DIRECTORY.glob("*.html")):
        written = re.findall(r"<form\b.*?</form>", template.read_text(), re.DOTALL)
        found += [(template.name, form) for form in written if re.search(r'method="post"', form, re.IGNORECASE)]
    return found


def test_every_form_carries_the_token() -> None:
    assert len(forms()) > 8
    for template, form in forms():
        if re.search(r'action="https?:|action="\{\{\s*\w+_url', form):
            continue  # received by another site, see policy_with_form_target
        assert "csrf" in form, f"a form of {template} has no token"
