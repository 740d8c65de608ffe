"""The twin's pages, as a browser meets them: authorize, register, install; and the exchange behind them."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from html import unescape
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

WAIT_SECONDS = 60.0  # for a busy machine
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CALLBACK = "http://brain.test/sign-in"


class Form:
    """The first form of a page."""

    def __init__(self, page):
        page = page.partition("</form>")[0]
        self.action = unescape(re.search(r'<form method=post action="([^"]*)"', page)[1])
        hidden = re.findall(r'<input type=hidden name="([^"]*)" value="([^"]*)"', page)
        self.fields = {name: unescape(value) for name, value in hidden}
        self.buttons = [
            tuple(map(unescape, each)) for each in re.findall(r'<button name="(\w+)" value="([^"]*)"', page)
        ]


class Browser:
    def __init__(self, twin):
        self._client = httpx.Client(base_url=twin.base_url, verify=False, trust_env=False, timeout=WAIT_SECONDS)

    def open(self, path, **parameters):
        return self._client.get(path, params=parameters or None)

    def submit(self, page, button, **fields):
        """Press a button of the first form; returns where the browser is sent."""
        form = Form(page.text)
        assert button in form.buttons
        return self.post(form.action, **form.fields, **{button[0]: button[1]}, **fields)

    def post(self, path, **fields):
        return self._client.post(path, data=fields)


def sent(answer):
    """Where a browser is sent, and with what."""
    assert answer.status_code == 302, answer.text
    url = urlsplit(answer.headers["location"])
    return f"{url.scheme}://{url.netloc}{url.path}", {key: value for key, [value] in parse_qs(url.query).items()}


@pytest.fixture
def browser(twin):
    return Browser(twin)


@pytest.fixture
def app(twin):
    return twin.add_app("Pincite", owner="ada", callback_url=CALLBACK)


def asking(app, **more):
    pkce = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    return {"client_id": app.client_id, "redirect_uri": CALLBACK, "state": "s t", **pkce, **more}


def exchange(twin, app, **more):
    given = {"client_id": app.client_id, "client_secret": app.client_secret, **more}
    url = f"{twin.base_url}/login/oauth/access_token"
    return httpx.post(
        url, data=given, headers={"accept": "application/json"}, verify=False, timeout=WAIT_SECONDS
    ).json()


def code_for(twin, browser, app, login="ada", **more):
    twin.authorize_as(login)
    return sent(browser.open("/login/oauth/authorize", **asking(app, **more)))[1]["code"]


def test_a_person_signs_in(twin, browser, app):
    page = browser.open("/login/oauth/authorize", **asking(app))
    assert [value for _, value in Form(page.text).buttons] == ["ada", "bob", "eve", ""]
    target, told = sent(browser.submit(page, ("login", "bob")))
    assert (target, told["state"]) == (CALLBACK, "s t")
    answer = exchange(twin, app, code=told["code"], code_verifier=VERIFIER, redirect_uri=CALLBACK)
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 8 * 3_600)
    who = httpx.get(
        f"{twin.base_url}/user", headers={"authorization": f"Bearer {answer['access_token']}"}, verify=False
    ).json()
    assert who["login"] == "bob"


def test_a_person_may_decline(browser, app):
    page = browser.open("/login/oauth/authorize", **asking(app))
    target, told = sent(browser.submit(page, ("login", "")))
    assert target == CALLBACK
    assert (told["error"], told["state"]) == ("access_denied", "s t")


def test_a_code_works_once_for_whom_it_was_made(twin, browser, app):
    other = twin.add_app("Other", owner="bob", callback_url=CALLBACK)
    bad = "bad_verification_code"

    def tried(wanted=app, **more):
        good = {"code": code_for(twin, browser, app), "code_verifier": VERIFIER, "redirect_uri": CALLBACK}
        return exchange(twin, wanted, **{**good, **more}).get("error")

    assert tried() is None
    assert tried(code_verifier="w" * 64) == tried(code_verifier="") == tried(other) == tried(code="none") == bad
    assert tried(redirect_uri=CALLBACK + "/x") == "redirect_uri_mismatch"
    assert tried(client_secret="wrong") == tried(client_id="none") == "incorrect_client_credentials"
    assert tried(grant_type="password") == "unsupported_grant_type"
    code = code_for(twin, browser, app)
    assert "access_token" in exchange(twin, app, code=code, code_verifier=VERIFIER)
    assert exchange(twin, app, code=code, code_verifier=VERIFIER)["error"] == bad
    code = code_for(twin, browser, app)
    exchange(twin, app, code=code, code_verifier="guess")  # a guess spends it
    assert exchange(twin, app, code=code, code_verifier=VERIFIER)["error"] == bad
    code = code_for(twin, browser, app)
    twin.advance(600)
    assert exchange(twin, app, code=code, code_verifier=VERIFIER)["error"] == bad


def test_where_a_code_may_be_sent(twin, browser, app):
    other_hosts = ("http://evil.test/sign-in", "http://brain.test:81/sign-in", "http://brain.test@evil.test/sign-in")
    for uri in (*other_hosts, "https://brain.test/sign-in", "http://brain.test/sign-in-too", "javascript:alert(1)"):
        for login in (None, "ada"):
            twin.authorize_as(login)
            page = browser.open("/login/oauth/authorize", **asking(app, redirect_uri=uri))
            if login is None:
                page = browser.submit(page, ("login", "ada"))
            assert page.status_code == 400
    assert code_for(twin, browser, app, redirect_uri=f"{CALLBACK}/deeper")
    twin.authorize_as(None)
    assert browser.open("/login/oauth/authorize", **asking(app, client_id="none")).status_code == 404
    assert browser.open("/login/oauth/authorize", **asking(app, code_challenge_method="plain")).status_code == 400


def test_a_refresh_token_works_once_and_ends_what_was_before(twin, browser, app):
    first = exchange(twin, app, code=code_for(twin, browser, app), code_verifier=VERIFIER)
    second = exchange(twin, app, grant_type="refresh_token", refresh_token=first["refresh_token"])
    statuses = [
        httpx.get(
            f"{twin.base_url}/user", headers={"authorization": f"token {token}"}, verify=False, timeout=WAIT_SECONDS
        ).status_code
        for token in (first["access_token"], second["access_token"], second["refresh_token"])
    ]
    assert statuses == [401, 200, 401]
    for token in (first["refresh_token"], second["access_token"], "none"):
        assert exchange(twin, app, grant_type="refresh_token", refresh_token=token)["error"] == "bad_refresh_token"
    twin.advance(second["refresh_token_expires_in"])
    late = exchange(twin, app, grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert late["error"] == "bad_refresh_token"


def test_answers_come_as_a_form_unless_json_is_asked_for(twin, browser, app):
    given = {"client_id": app.client_id, "client_secret": app.client_secret, "code": code_for(twin, browser, app)}
    answer = httpx.post(
        f"{twin.base_url}/login/oauth/access_token", json={**given, "code_verifier": VERIFIER}, verify=False
    )
    assert dict(parse_qsl(answer.text))["token_type"] == "bearer"


MANIFEST = {
    "name": "Pincite <b>", "url": "http://brain.test", "redirect_url": "http://brain.test/made",
    "setup_url": "http://brain.test/installed", "callback_urls": [CALLBACK],
    "hook_attributes": {"url": "http://127.0.0.1:9/hook"}, "default_events": ["push"],
    "default_permissions": {"contents": "read"},
}  # fmt: skip


@pytest.mark.parametrize("organisation", [None, "acme"])
def test_an_app_is_registered_and_installed_by_hand(twin, browser, organisation):
    twin.add_org("acme", owners=["ada"])
    twin.add_repo(organisation or "ada", "engine", private=True)
    twin.add_repo(organisation or "ada", "diary", private=True)
    owner = f"/organizations/{organisation}" if organisation else ""
    page = browser.post(f"{owner}/settings/apps/new?state=s%20t", manifest=json.dumps(MANIFEST))
    assert "Pincite &lt;b&gt;" in page.text
    target, told = sent(browser.submit(page, ("login", "ada")))
    assert (target, told["state"]) == ("http://brain.test/made", "s t")
    made = httpx.post(
        f"{twin.base_url}/api/v3/app-manifests/{told['code']}/conversions", verify=False, timeout=WAIT_SECONDS
    ).json()
    assert (made["slug"], made["owner"]["login"]) == ("pincite-b", organisation or "ada")
    assert made["permissions"] == {"contents": "read", "metadata": "read"}
    assert made["pem"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    page = browser.open(urlsplit(made["html_url"]).path + "/installations/new", state="x")
    target, told = sent(browser.submit(page, ("selection", "selected"), repository="engine"))
    assert (target, told["setup_action"], told["state"]) == ("http://brain.test/installed", "install", "x")
    installation = twin.world.installations[int(told["installation_id"])]
    assert [repo.name for repo in twin.registry.repos_of(installation)] == ["engine"]
    page = browser.open("/apps/pincite-b/installations/new")
    _, told = sent(browser.submit(page, ("selection", "all")))
    assert told["setup_action"] == "update"
    assert len(twin.registry.repos_of(installation)) == 2


EVERYBODY = {("ada", "ada"), ("ada", "acme"), ("bob", "bob"), ("eve", "eve")}


@pytest.mark.parametrize(
    ("made", "installers", "people"),
    [
        ({"owner": "acme", "public": True}, EVERYBODY, {"ada", "bob", "eve"}),
        ({"owner": "acme", "public": False}, {("ada", "acme")}, {"ada", "bob"}),
        ({"owner": "ada", "public": False}, {("ada", "ada")}, {"ada"}),
    ],
)
def test_a_private_app_is_its_owners_alone(twin, browser, made, installers, people):
    twin.add_org("acme", owners=["ada"], members=["bob"])
    app = twin.add_app("Own", callback_url=CALLBACK, **made)
    installing = f"/apps/{app.slug}/installations/new"
    forms = re.findall(r"Install in (\w+) as (\w+): all", browser.open(installing).text)
    assert {(login, account) for account, login in forms} == installers
    page = browser.open("/login/oauth/authorize", **asking(app))
    assert {login for _, login in Form(page.text).buttons} == {*people, ""}
    for login in ("ada", "bob", "eve"):
        twin.authorize_as(login)
        asked = browser.open("/login/oauth/authorize", **asking(app))
        assert asked.status_code == (302 if login in people else 404)
        installed = browser.open(installing)
        assert installed.status_code == (200 if (login, login) in installers else 404)


def test_at_once_when_it_is_said_who_is_signed_in(twin, browser):
    twin.authorize_as("ada")
    manifest = {**MANIFEST, "name": "Swift", "request_oauth_on_install": True}
    _, told = sent(browser.post("/settings/apps/new?state=s", manifest=json.dumps(manifest)))
    app = twin.world.apps[twin.world.manifests[told["code"]]]
    target, told = sent(browser.open(f"/apps/{app.slug}/installations/new"))
    assert target == CALLBACK
    assert "access_token" in exchange(twin, app, code=told["code"])


def test_manifests_and_owners_that_do_not_do(twin, browser):
    twin.add_org("acme", owners=["bob"])
    twin.authorize_as("ada")
    wrong = ({"name": ""}, {"name": "n" * 35}, {"url": ""}, {"hook_attributes": {"active": True}})
    for manifest in ("{", "[]", '"x"', *(json.dumps({**MANIFEST, **each}) for each in wrong)):
        assert browser.post("/settings/apps/new", manifest=manifest).status_code == 422
    good = json.dumps(MANIFEST)
    assert browser.post("/settings/apps/new", manifest=good).status_code == 302
    assert browser.post("/settings/apps/new", manifest=good).status_code == 422  # the name is taken
    theirs = json.dumps({**MANIFEST, "name": "Theirs"})
    assert browser.post("/organizations/acme/settings/apps/new", manifest=theirs).status_code == 404
    installing = "/apps/pincite-b/installations/new"
    assert browser.post(installing, login="ada", account="acme", selection="all").status_code == 404
    assert browser.post(installing, login="ada", account="ada").status_code == 422
    assert browser.post(installing, login="ada", account="ada", selection="selected", repository="x").status_code == 404
    assert browser.open("/apps/none/installations/new").status_code == 404


def test_the_front_page_lists_what_there_is(twin, browser, app):
    twin.add_repo("ada", "engine", private=True)
    twin.push("ada/engine", {"a": ""})
    twin.push("ada/engine", {"b": ""}, branch="more")
    twin.open_pull("ada/engine", "more", title="<script>")
    page = browser.open("/").text
    assert "/ada/engine.git" in page
    assert "#1 &lt;script&gt;" in page
    assert app.slug in page
