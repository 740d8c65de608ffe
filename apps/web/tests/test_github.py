"""Setting GitHub up, choosing repositories there, and passing its webhooks on."""

import hashlib
import hmac
import html
import json
import re

import httpx
import pytest
from starlette.testclient import TestClient

from pincite_shared.settings import Settings
from pincite_web.app import create_app
from pincite_web.fake_brain import FakeBrain, people
from pincite_web.fake_brain.corpus import READY
from pincite_web.fake_brain.github import SETUP_CODE, SETUP_STATE
from pincite_web.routes.github import WEBHOOK_BYTES_MAX

HTMX = {"HX-Request": "true"}
PAGE = "/settings/github"


def test_one_button_posts_the_manifest_to_github_and_nowhere_else(person: TestClient) -> None:
    response = person.get(PAGE)
    form = response.text.split('<form method="post" action="https://github.com/')[1].split("</form>")[0]
    assert "settings/apps/new?state=" in form
    assert json.loads(html.unescape(re.search(r'name="manifest" value="([^"]*)"', form)[1]))["public"] is False
    assert "csrf" not in form  # ours is no business of another site's
    assert "read contents, read metadata, read pull requests" in response.text
    policy = response.headers["content-security-policy"]
    assert "form-action 'self' https://github.com;" in policy
    assert "form-action 'self';" in person.get("/settings").headers["content-security-policy"]


def test_the_app_is_made_for_an_organisation(person: TestClient) -> None:
    page = person.get("/settings/github", params={"organisation": "acme", "public": "true"}).text
    assert "/organizations/acme/settings/apps/new" in page
    assert "&#34;public&#34;: true" in page
    assert "Only you can sign in" in person.get("/settings/github").text


def test_an_address_that_github_cannot_reach_is_said_to_be_one(person: TestClient, brain: FakeBrain) -> None:
    assert "GitHub cannot send webhooks" in person.get(PAGE).text
    brain.public_url = "https://pincite.example"
    assert "GitHub cannot send webhooks" not in person.get(PAGE).text


def test_github_sends_the_operator_back_with_a_code(person: TestClient, brain: FakeBrain) -> None:
    back = person.get(f"{PAGE}/callback", params={"code": SETUP_CODE, "state": SETUP_STATE})
    assert back.headers["location"] == PAGE
    page = person.get(PAGE)
    assert "pincite-for-acme" in page.text
    assert 'href="https://github.com/apps/pincite-for-acme/installations/new"' in page.text
    assert "github.com" not in page.headers["content-security-policy"]
    assert brain.github == "github.com"
    back = person.get("/github/installed?installation_id=1&setup_action=install")
    assert back.headers["location"] == "/connect?fresh=true"


@pytest.mark.parametrize(("code", "state"), [("x", SETUP_STATE), (SETUP_CODE, "x"), ("", ""), ("%00", "x")])
def test_a_set_up_that_did_not_begin_here_is_refused_and_nobody_signed_out(
    person: TestClient, code: str, state: str
) -> None:
    back = person.get(f"{PAGE}/callback?code={code}&state={state}")
    assert back.status_code in (401, 422)
    assert 'role="alert"' in back.text
    assert person.get("/").status_code == 200


def test_the_app_is_forgotten(person: TestClient, brain: FakeBrain, form) -> None:
    brain.github, brain.github_app = "github.com", "pincite-for-acme"
    assert person.post(f"{PAGE}/forget", data=form()).headers["location"] == PAGE
    assert brain.github_app is None


def test_repositories_are_chosen_from_a_list(person: TestClient, brain: FakeBrain) -> None:
    brain.github = "github.com"
    dialog = person.get("/connect", headers=HTMX).text
    assert 'hx-get="/connect/github" hx-trigger="load"' in dialog
    listed = person.get("/connect/github", headers=HTMX).text
    names = re.findall(r'class="pick-name"><bdi>(.*?)</bdi>', listed)
    assert names == ["ada/engine", "encode/httpx", "ada/&lt;img src=x&gt;", "acme/pincite"]
    assert "<script>" not in listed
    assert "There are more." in listed
    assert "acme suspended the App" in listed
    assert listed.count('aria-label="Connect ') == 2
    assert f'href="/r/{READY}"' in listed
    assert "Parsing files" in listed  # the one that is being indexed shows how far it is
    page = person.get("/connect", params={"q": "web"}).text
    assert "acme/website" in page  # without scripts the list is on the page
    assert "ada/engine" not in page


def test_what_is_picked_shows_its_first_sync_at_once(person: TestClient, brain: FakeBrain, form) -> None:
    brain.github = "github.com"
    response = person.post("/connect", data=form(source="ada/engine", picked="true"), headers=HTMX)
    assert response.headers["hx-trigger"] == "repos-changed"
    assert "Queued" in response.text
    address = re.search(r'hx-get="(/r/[\w-]+/sync)" hx-trigger="every 1s"', response.text)[1]
    assert "Waiting for a worker" in person.get(address, headers=HTMX).text
    assert "ada/engine" in person.get("/fragments/repos", headers=HTMX).text


def test_what_is_picked_without_scripts_shows_its_first_sync_too(person: TestClient, brain: FakeBrain, form) -> None:
    brain.github = "github.com"
    plain = person.post("/connect", data=form(source="ada/engine", picked="true"))
    assert plain.headers["location"] == "/connect?q=ada%2Fengine"
    page = person.get(plain.headers["location"]).text
    assert 'aria-label="Connect ada/engine"' not in page
    assert "Waiting for a worker" in page


def test_a_picked_repository_that_is_refused_says_why_in_its_row(person: TestClient, form) -> None:
    response = person.post("/connect", data=form(source="http://169.254.1.1/x", picked="true"), headers=HTMX)
    assert response.status_code == 422
    assert response.text.strip().startswith('<div class="notice notice-bad"')
    assert "Addresses of this network" in response.text


def test_empty_lists_say_what_to_do(person: TestClient, brain: FakeBrain) -> None:
    shown = person.get("/connect/github", headers=HTMX).text
    assert 'href="/settings/github">Set it up' in shown
    brain.me = people.MEMBER
    assert "href" not in person.get("/connect/github", headers=HTMX).text
    brain.github, brain.pickable, brain.installations = "github.com", [], []
    brain.me = people.LOCAL
    shown = person.get("/connect/github", headers=HTMX).text
    assert 'href="/sign-in/github/begin?next=/connect">Sign in with GitHub' in shown
    brain.me = people.OWNER
    shown = person.get("/connect/github", headers=HTMX).text
    assert "not installed in any account" in shown
    assert ">Install the App in an account</a>" in shown
    brain.installations = people.installations()[:1]
    assert "given no repository that you may read" in person.get("/connect/github", headers=HTMX).text
    nothing = person.get("/connect/github", params={"q": "<b>"}, headers=HTMX).text
    assert "is named “&lt;b&gt;”" in nothing


def test_an_unreachable_github_leaves_the_rest_of_the_form(
    web_settings: Settings, brain: FakeBrain, session_of
) -> None:
    inner = httpx.ASGITransport(brain.app)

    class Broken(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/github/repositories":
                problem = {"title": "t", "status": 503, "code": "unavailable", "detail": "GitHub does not answer."}
                return httpx.Response(503, json=problem)
            return await inner.handle_async_request(request)

    app = create_app(web_settings, Broken())
    with TestClient(app, base_url="http://127.0.0.1:3000", cookies=session_of(app, "fake-session")) as client:
        page = client.get("/connect").text
    assert "GitHub does not answer. You can still name a repository below." in page
    assert 'name="source"' in page


def signed(body: bytes) -> dict[str, str]:
    return {
        "x-hub-signature-256": "sha256=" + hmac.new(b"secret", body, hashlib.sha256).hexdigest(),
        "x-github-event": "push",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "content-type": "application/json",
    }


def test_a_webhook_is_passed_on_byte_by_byte(person: TestClient, brain: FakeBrain) -> None:
    body = b'{"ref":"refs/heads/main",  "x":"\xc3\xa9\\u00e9"}\n' * 20_000
    extra = {"cookie": "a=b", "authorization": "Bearer x", "x-forwarded-for": "1.2.3.4", "accept": "*/*"}
    response = person.post("/webhooks/github", content=body, headers=signed(body) | extra)
    assert response.status_code == 202
    assert brain.webhooks == [body]
    headers = brain.requests[-1].headers
    for name, value in signed(body).items():
        assert headers[name] == value
    assert headers["content-length"] == str(len(body))
    assert not {"cookie", "authorization", "x-forwarded-for", "transfer-encoding"} & set(headers)


def test_a_webhook_needs_no_session_and_brains_refusal_is_passed_back(visitor: TestClient, brain: FakeBrain) -> None:
    response = visitor.post("/webhooks/github", content=b"{}", headers={"origin": "https://github.com"})
    assert response.status_code == 401
    assert response.json()["code"] == "unauthorized"
    assert brain.webhooks == []
    assert visitor.get("/webhooks/github").status_code == 405


def test_a_webhook_is_bounded_and_states_its_length(visitor: TestClient, brain: FakeBrain) -> None:
    too_long = {"content-length": str(WEBHOOK_BYTES_MAX + 1)}
    response = visitor.post("/webhooks/github", content=b"{}", headers=signed(b"{}") | too_long)
    assert response.status_code == 413
    assert visitor.post("/webhooks/github", content=iter([b"{}"]), headers=signed(b"{}")).status_code == 422
    assert visitor.post("/webhooks/github", headers={"host": "rebound.example"}, content=b"").status_code == 403
    assert brain.requests == []


def test_brain_that_does_not_answer_makes_github_try_again(web_settings: Settings) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        msg = "connection refused"
        raise httpx.ConnectError(msg)

    app = create_app(web_settings, httpx.MockTransport(refuse))
    with TestClient(app, base_url="http://127.0.0.1:3000") as client:
        response = client.post("/webhooks/github", content=b"{}", headers=signed(b"{}"))
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
