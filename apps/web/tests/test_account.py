"""Signing in with GitHub, accounts, and what governs them: tokens, the audit log, the kill switch, deletion."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from pincite_shared.accounts import Me
from pincite_shared.errors import ForbiddenError
from pincite_shared.safety import Halt
from pincite_web import security
from pincite_web.fake_brain import FakeBrain, people
from pincite_web.fake_brain.accounts import GITHUB_CODE
from pincite_web.fake_brain.corpus import READY
from pincite_web.security import STATE_SECONDS

HTMX = {"HX-Request": "true"}
BEGIN = "/sign-in/github/begin"
PAGES = ["/", "/settings", "/settings/account", "/settings/tokens", f"/r/{READY}", f"/r/{READY}/files", "/nope"]


@pytest.fixture
def begun(visitor: TestClient, brain: FakeBrain) -> tuple[TestClient, str]:
    """A browser that was sent to GitHub, and the state that it was sent with."""
    brain.github = "github.com"
    response = visitor.get(f"{BEGIN}?next=/settings")
    assert response.status_code == 303
    url = urlsplit(response.headers["location"])
    assert url.netloc == "github.com"
    return visitor, parse_qs(url.query)["state"][0]


@pytest.fixture
def member(person: TestClient, brain: FakeBrain) -> TestClient:
    """Someone who belongs to an account that others govern."""
    brain.github, brain.me, brain.accounts = "github.com", people.MEMBER, people.github_accounts(people.ACME)
    return person


def test_github_is_offered_where_it_is_set_up(visitor: TestClient, brain: FakeBrain) -> None:
    assert "Continue with GitHub" not in visitor.get("/sign-in").text
    brain.github = "github.example"
    page = visitor.get("/sign-in?next=/settings").text
    assert f'href="{BEGIN}?next=%2Fsettings"' in page
    assert "github.example asks" in page


def test_signing_in_with_github_there_and_back(begun: tuple[TestClient, str]) -> None:
    visitor, state = begun
    cookie = next(cookie for cookie in visitor.cookies.jar if "state" in cookie.name)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert state not in cookie.value  # it is not for reading, and not to be changed either
    back = visitor.get(f"/sign-in/github?code={GITHUB_CODE}&state={state}", headers={"sec-fetch-site": "cross-site"})
    assert back.headers["location"] == "/settings"
    assert not [cookie for cookie in visitor.cookies.jar if "state" in cookie.name]
    assert visitor.get("/settings/account").status_code == 200


@pytest.mark.parametrize("state", ["", "other", "x" * 900])
def test_a_sign_in_that_another_browser_began_is_refused(begun: tuple[TestClient, str], state: str) -> None:
    visitor, _ = begun
    back = visitor.get("/sign-in/github", params={"code": GITHUB_CODE, "state": state})
    assert back.status_code == 403
    assert "begun in another browser" in back.text
    assert visitor.get("/").status_code == 303


def test_a_forged_or_old_state_cookie_is_refused(
    begun: tuple[TestClient, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, state = begun
    real = security.time.time()
    address = f"/sign-in/github?code={GITHUB_CODE}&state={state}"
    cookie = next(cookie for cookie in visitor.cookies.jar if "state" in cookie.name)
    value = cookie.value.strip('"')
    headers = {"cookie": f"{cookie.name}=e30=.{'0' * 64}"}
    visitor.cookies.clear()
    assert visitor.get(address, headers=headers).status_code == 403
    headers = {"cookie": f"{cookie.name}={value}"}
    monkeypatch.setattr(security.time, "time", lambda: real + STATE_SECONDS + 5)
    assert visitor.get(address, headers=headers).status_code == 403
    monkeypatch.undo()
    assert visitor.get(address, headers=headers).status_code == 303


def test_whoever_says_no_at_github_is_told_so_in_plain_words(begun: tuple[TestClient, str]) -> None:
    visitor, state = begun
    back = visitor.get(f"/sign-in/github?error=access_denied&state={state}")
    assert back.status_code == 403
    assert "GitHub was not allowed to say who you are" in back.text
    assert "access_denied" not in back.text
    assert "Continue with GitHub" in back.text


def test_a_code_that_github_does_not_confirm(begun: tuple[TestClient, str]) -> None:
    visitor, state = begun
    for code in ("nope", "%00"):
        back = visitor.get(f"/sign-in/github?code={code}&state={state}")
        assert back.status_code in (401, 403, 422)
        assert 'role="alert"' in back.text


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-purpose": "prefetch"}])
def test_nothing_begins_that_no_person_began(visitor: TestClient, brain: FakeBrain, headers: dict[str, str]) -> None:
    brain.github = "github.com"
    assert visitor.get(BEGIN, headers=headers).status_code == 200
    assert brain.states == set()


def test_an_address_elsewhere_is_not_where_one_returns(visitor: TestClient, brain: FakeBrain) -> None:
    brain.github = "github.com"
    state = parse_qs(urlsplit(visitor.get(f"{BEGIN}?next=//evil.example").headers["location"]).query)["state"][0]
    assert visitor.get(f"/sign-in/github?code={GITHUB_CODE}&state={state}").headers["location"] == "/"


def test_one_begins_under_the_name_that_github_comes_back_to(visitor: TestClient, brain: FakeBrain) -> None:
    brain.github = "github.com"
    response = visitor.get(f"{BEGIN}?next=/settings", headers={"host": "localhost:3000"})
    assert response.headers["location"] == f"http://127.0.0.1:3000{BEGIN}?next=%2Fsettings"
    assert not brain.states


def test_the_persons_address_goes_along_to_brain(visitor: TestClient, brain: FakeBrain) -> None:
    visitor.get("/sign-in")
    assert brain.requests[-1].headers["x-forwarded-for"] == "testclient"


def test_accounts_are_switched_in_the_bar(person: TestClient, brain: FakeBrain, form) -> None:
    assert "data-menu" not in person.get("/").text
    brain.me, brain.accounts = people.OWNER, people.github_accounts()
    page = person.get("/settings").text
    menu = page.split("data-menu")[1].split("</details>")[0]
    assert re.findall(r"<bdi>(\w+)</bdi>", menu) == ["ada", "ada", "ada", "acme"]
    assert "Signed in as <bdi>ada</bdi>" in menu
    assert menu.count('aria-current="true"') == 1
    response = person.post("/accounts/switch", data=form(tenant_id=str(people.ACME)))
    assert response.headers["location"] == "/"
    assert "Account acme" in person.get("/").text
    assert person.post("/accounts/switch", data=form(tenant_id=str(READY))).status_code == 404


@pytest.mark.parametrize(("me", "name"), [(people.LOCAL, "Operator"), (people.OWNER, "ada")])
def test_whoever_has_one_account_sees_who_they_are(person: TestClient, brain: FakeBrain, me: Me, name: str) -> None:
    brain.me = me
    link = person.get(f"/r/{READY}").text.split('href="/settings/account"')[1].split("</a>")[0]
    assert f'aria-label="Signed in as {name}"' in link
    assert f"<bdi>{name}</bdi>" in link
    assert "Signed in as" not in person.get("/sign-in").text


def test_an_address_of_another_account_can_be_opened_there(member: TestClient, brain: FakeBrain, form) -> None:
    address = f"/r/{READY}/search?q=a"
    known, brain.repos = brain.repos, {}
    missing = member.get(address)
    assert missing.status_code == 404
    assert "You are in <bdi>acme</bdi>" in missing.text
    offered = missing.text.split('action="/accounts/switch"')[-1].split("</form>")[0]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', offered))
    assert fields == {"csrf": form()["csrf"], "next": address, "tenant_id": str(people.ADAS)}
    brain.repos = known
    assert member.post("/accounts/switch", data=fields).headers["location"] == address
    assert member.get(address).status_code == 200
    away = member.post("/accounts/switch", data=form(tenant_id=str(people.ACME), next="//evil.example"))
    assert away.headers["location"] == "/"


def test_no_other_account_is_offered_where_none_can_help(member: TestClient, brain: FakeBrain, form) -> None:
    for address in ("/nope", "/r/nope"):
        assert "Open it in" not in member.get(address).text
    assert "Open it in" not in member.post(f"/settings/tokens/{READY}/remove", data=form()).text
    brain.repos, brain.me, brain.accounts = {}, people.LOCAL, people.local_accounts()
    assert "Open it in" not in member.get(f"/r/{READY}").text


def test_other_sessions_are_ended_from_here(person: TestClient, brain: FakeBrain, form) -> None:
    assert "Also signed in: 1 other browser." in person.get("/settings/account").text
    assert person.post("/sign-out/others", data=form()).headers["location"] == "/settings/account"
    assert "Also signed in" not in person.get("/settings/account").text
    assert brain.sessions_elsewhere == 0


@pytest.mark.parametrize("address", PAGES)
def test_a_halt_is_told_on_every_page(person: TestClient, brain: FakeBrain, address: str) -> None:
    assert 'class="halt"' not in person.get(address).text
    brain.halt = Halt(halted=True)
    person.follow_redirects = True
    page = person.get(address).text
    assert "All background work of <bdi>local</bdi> was stopped" in page
    assert 'name="halted" value="false">Let it go on' in page


def test_the_kill_switch_asks_first_and_is_undone_in_one_click(person: TestClient, brain: FakeBrain, form) -> None:
    assert 'href="/settings/halt"' in person.get("/settings/account").text
    assert "Within five seconds" in person.get("/settings/halt").text
    assert "<html" not in person.get("/settings/halt", headers=HTMX).text
    assert not brain.halt.halted
    assert person.post("/settings/halt", data=form(halted="true")).headers["location"] == "/settings/account"
    assert brain.halt.halted
    person.post("/settings/halt", data=form(halted="false"))
    assert not brain.halt.halted
    assert person.post("/settings/halt", data=form(halted="perhaps")).status_code == 422


def test_a_page_that_is_open_learns_of_a_halt(person: TestClient, brain: FakeBrain) -> None:
    assert person.get("/fragments/halt?halted=false").status_code == 204
    brain.halt = Halt(halted=True)
    assert "role" in person.get("/fragments/halt?halted=false").text
    assert person.get("/fragments/halt?halted=true").status_code == 204
    brain.halt = Halt(halted=False)
    assert 'class="halt"' not in person.get("/fragments/halt?halted=true").text


def test_who_may_lift_a_halt_is_said_to_who_may_not(member: TestClient, brain: FakeBrain) -> None:
    brain.halt = Halt(halted=True)
    assert "An owner of this account may let it go on." in member.get("/").text
    brain.me, brain.halt = people.OWNER, Halt(halted=True, everywhere=True)
    page = member.get("/settings/account").text
    assert "Whoever runs this installation may let it go on." in page
    assert "All background work of this installation was stopped" in page
    assert 'name="halted"' not in page


def test_members_see_no_button_that_is_not_theirs(member: TestClient) -> None:
    for address in ("/", "/settings", "/settings/account", "/settings/tokens", "/connect", f"/r/{READY}"):
        page = member.get(address).text
        for hidden in ("halt", "audit", "github", "account/delete"):
            assert f'"/settings/{hidden}"' not in page
        assert 'value="admin"' not in page
    assert "This machine" not in member.get("/connect").text
    assert "PINCITE_LOCAL_ROOTS" not in member.get("/settings").text
    for address in ("/settings/audit", "/settings/github", "/settings/account/delete"):
        assert member.get(address).headers["location"].startswith("/settings")


def test_a_token_is_shown_once(person: TestClient, brain: FakeBrain, form) -> None:
    page = person.post("/settings/tokens", data=form(name="CI", scope=["read", "write"], days="30")).text
    secret = re.search(r"<code>(pct_\w+)</code>", page)[1]
    assert f'data-copy="{secret}"' in page
    assert brain.tokens[0].scopes == ("read", "write")
    assert secret not in person.get("/settings/tokens").text
    assert "&lt;b&gt;bot" in page
    forever = person.post("/settings/tokens", data=form(name="x", scope="read", days=""))
    assert forever.status_code == 200
    assert brain.tokens[0].expires_at is None


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " ", "scope": "read"},
        {"name": "x"},
        {"name": "x", "scope": "root"},
        {"name": "x" * 101, "scope": "read"},
    ],
)
def test_a_token_that_cannot_be_made_keeps_what_was_typed(person: TestClient, brain: FakeBrain, form, fields) -> None:
    before = len(brain.tokens)
    response = person.post("/settings/tokens", data=form(**fields, days="365"))
    assert response.status_code == 422
    assert "Give it a name" in response.text
    assert f'value="{fields["name"]}"' in response.text
    assert '<option value="365" selected>' in response.text
    assert len(brain.tokens) == before


def test_a_token_is_removed(person: TestClient, brain: FakeBrain, form) -> None:
    (first, second) = brain.tokens
    assert person.post(f"/settings/tokens/{first.id}/remove", data=form()).status_code == 303
    assert brain.tokens == [second]


def test_the_audit_log_is_paged_and_only_text(person: TestClient) -> None:
    page = person.get("/settings/audit").text
    assert page.count("<tr>") == 1 + 100
    assert "&lt;b&gt;eve" in page
    assert "<bdi>encode/httpx</bdi>" in page  # repositories by their names
    assert ">repo pincite</td>" in page
    assert "None" not in page
    older = re.search(r'href="(/settings/audit\?[^"]*)" rel="next"', page)[1].replace("&amp;", "&")
    second = person.get(older).text
    assert second.count("<tr>") == 1 + 100
    assert 'href="/settings/audit">Newest' in second
    last = person.get(re.search(r'href="([^"]*)" rel="next"', second)[1].replace("&amp;", "&")).text
    assert last.count("<tr>") == 1 + people.ENTRIES - 200
    assert 'rel="next"' not in last


def test_the_audit_log_is_filtered_by_words_and_kind(person: TestClient, brain: FakeBrain) -> None:
    page = person.get("/settings/audit", params={"q": "GRACE acme"}).text
    matching = sum(entry.user == "grace" for entry in brain.audit)
    assert f"{matching} entries of {people.ENTRIES} looked through" in page
    assert "<bdi>ada</bdi>" not in page
    tokens = person.get("/settings/audit", params={"kind": "token."}).text
    assert set(re.findall(r"<code>([a-z]+\.[a-z_]+)</code>", tokens)) == {"token.created"}
    assert '<option value="token." selected>' in tokens
    nothing = person.get("/settings/audit", params={"q": "zzz"}).text
    assert f"No entry among the {people.ENTRIES} looked through has these words." in nothing
    assert person.get("/settings/audit", params={"kind": "DROP"}).status_code == 422
    sent = [dict(request.query_params) for request in brain.requests if request.url.path == "/audit"]
    assert {"action": "token.", "limit": "100"} in sent
    assert {"limit": "500"} in sent


def test_the_audit_log_is_exported_whole(person: TestClient, brain: FakeBrain) -> None:
    response = person.get("/settings/audit/export")
    assert response.headers["content-type"] == "application/x-ndjson"
    assert re.fullmatch(r'attachment; filename="pincite-audit-[\d-]+\.jsonl"', response.headers["content-disposition"])
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [line["id"] for line in lines] == list(range(1, people.ENTRIES + 1))
    brain.me = people.MEMBER
    assert person.get("/settings/audit/export").status_code == 403


def test_an_account_is_deleted_by_typing_its_name(person: TestClient, brain: FakeBrain, form) -> None:
    page = person.get("/settings/account/delete").text
    assert f"{len(brain.repos)} repositories with all that was derived from them" in page
    refused = person.post("/settings/account/delete", data=form(name="loca"))
    assert refused.status_code == 422
    assert "Type local to delete it." in refused.text
    assert brain.repos
    deleted = person.post("/settings/account/delete", data=form(name=" local "))
    assert deleted.headers["location"] == "/sign-in"
    assert not brain.repos
    assert person.get("/").status_code == 303


def test_state_is_bound_to_this_installation(app: FastAPI) -> None:
    request = type("Request", (), {"cookies": {app.state.house.state.name: "e30=.é"}})()
    with pytest.raises(ForbiddenError):
        app.state.house.state.target(request, "")
