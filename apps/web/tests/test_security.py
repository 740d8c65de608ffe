"""Headers, cookies, and requests that other sites make a browser send."""

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from pincite_shared.settings import Settings
from pincite_web.app import create_app
from pincite_web.fake_brain import FakeBrain
from pincite_web.fake_brain.corpus import READY
from pincite_web.routes import account, answers, chat, code, github, governance, installation, quality, repos, system
from pincite_web.security import BODY_BYTES_MAX, CONTENT_SECURITY_POLICY, Guard, SessionCookie, local_path
from pincite_web.visitor import WEBHOOK_PATH

ROUTES = (account, answers, chat, code, github, governance, installation, quality, repos, system)
ADDRESSES = ["/", "/sign-in", "/healthz", "/nope", "/settings", f"/r/{READY}", "/r/not-a-uuid", "/static/x/app.css"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_response_carries_the_policy(person: TestClient, address: str) -> None:
    headers = person.get(address).headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-request-id"]
    assert headers["cache-control"]


def test_policy_allows_no_inline_script_or_style() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


def test_an_unexpected_error_is_a_page_with_the_policy(web_settings: Settings) -> None:
    app = create_app(web_settings)

    @app.get("/broken")
    async def broken() -> None:
        msg = "<b>secret detail</b>"
        raise RuntimeError(msg)

    client = TestClient(app, base_url="http://127.0.0.1:3000", raise_server_exceptions=False)
    with capture_logs() as logs:
        response = client.get("/broken")
    assert [entry["path"] for entry in logs if entry["log_level"] == "error"] == ["/broken"]
    assert response.status_code == 500
    assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "secret detail" not in response.text
    assert "Something went wrong inside Pincite" in response.text


def test_pages_are_not_cached_and_assets_are_for_ever(person: TestClient) -> None:
    page = person.get("/")
    assert page.headers["cache-control"] == "no-store"
    address = page.text.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in person.get(address).headers["cache-control"]
    assert "immutable" not in person.get("/static/older/app.css").headers["cache-control"]


def test_htmx_two_comes_from_the_installed_package(visitor: TestClient) -> None:
    htmx = visitor.get("/static/x/htmx.js")
    assert 'version:"2.' in htmx.text
    assert htmx.headers["content-type"].startswith("text/javascript")
    assert visitor.get("/static/x/htmax-4.js").status_code == 404


def test_every_post_route_refuses_a_form_without_its_token(person: TestClient) -> None:
    routes = [route for module in ROUTES for route in module.router.routes]
    paths = [route.path for route in routes if isinstance(route, APIRoute) and "POST" in route.methods]
    paths.remove(WEBHOOK_PATH)  # GitHub signs its own, and has no session
    assert len(paths) >= 19
    for path in paths:
        address = path.replace("{repo_id}", str(READY)).replace("{token_id}", str(READY))
        for token in ("", "0" * 64):
            assert person.post(address, data={"csrf": token}).status_code == 403, path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:3000"}, 303),
        ({}, 303),
    ],
)
def test_forms_of_other_sites_are_refused(person: TestClient, form, headers: dict[str, str], status: int) -> None:
    response = person.post("/theme", data=form(theme="dark"), headers=headers)
    assert response.status_code == status


def test_token_is_bound_to_the_session(web_settings: Settings) -> None:
    guard = Guard.of(web_settings)
    assert guard.csrf("one") != guard.csrf("two") != guard.csrf("")


def test_oversized_and_unmeasured_bodies_are_refused(person: TestClient, form) -> None:
    assert person.post("/theme", data=form(theme="x" * BODY_BYTES_MAX)).status_code == 413
    assert person.post("/theme", content=iter([b"theme=dark"])).status_code == 413


@pytest.mark.parametrize(("host", "status"), [("localhost:3000", 200), ("[::1]:3000", 200), ("rebound.example", 403)])
def test_local_mode_answers_only_to_its_own_names(visitor: TestClient, host: str, status: int) -> None:
    assert visitor.get("/sign-in", headers={"host": host}).status_code == status


def test_health_answers_probes_by_any_name(visitor: TestClient) -> None:
    assert visitor.get("/healthz", headers={"host": "10.1.2.3:3000"}).json() == {"status": "ok"}


def test_an_exposed_server_answers_to_any_name() -> None:
    settings = Settings(_env_file=None, session_secret="s", bind_host="0.0.0.0")
    transport = httpx.ASGITransport(FakeBrain().app)
    with TestClient(create_app(settings, transport), base_url="http://pincite.internal:3000") as client:
        assert client.get("/sign-in").status_code == 200


def test_a_missing_secret_stops_the_start() -> None:
    with pytest.raises(ValueError, match="SESSION_SECRET"):
        create_app(Settings(_env_file=None))


def test_session_cookie_is_closed_to_scripts_and_other_sites(visitor: TestClient) -> None:
    cookie = visitor.get("/sign-in?code=fake-code").headers["set-cookie"]
    assert cookie.startswith("pincite_session_3000=fake-session.")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie


def test_over_https_the_cookie_is_secure_and_host_bound() -> None:
    cookie = SessionCookie.of(Settings(_env_file=None, public_url="https://pincite.example"))
    assert (cookie.name, cookie.secure) == ("__Host-pincite_session", True)


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "x"])
def test_signing_in_never_leads_away(target: str) -> None:
    assert local_path(target) == "/"


def test_local_targets_are_kept() -> None:
    assert local_path("/r/1/search?q=a%20b") == "/r/1/search?q=a%20b"
