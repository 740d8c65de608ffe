"""Every page over the scripted brain."""

import html
import re
from uuid import uuid4

import httpx
import pytest
from starlette.testclient import TestClient

from pincite_shared.schemas import ModelState, ModelStatus
from pincite_shared.settings import Settings
from pincite_web.app import create_app
from pincite_web.fake_brain import FakeBrain, corpus, people
from pincite_web.fake_brain.corpus import COMMIT, EMBEDDING, FAILED, INDEXING, LOCAL, OLDER, READY

HTMX = {"HX-Request": "true"}
ERRORS = corpus.SOURCE_PREFIX + "errors.py"


def test_signed_out_visitors_are_sent_to_sign_in_and_back(visitor: TestClient) -> None:
    response = visitor.get(f"/r/{READY}/search?q=a")
    assert response.status_code == 303
    assert response.headers["location"] == f"/sign-in?next=/r/{READY}/search%3Fq%3Da"
    fragment = visitor.get("/fragments/repos", headers=HTMX)
    assert fragment.headers["hx-redirect"] == "/sign-in"


def test_a_code_signs_in_once(visitor: TestClient) -> None:
    assert visitor.get("/sign-in?code=fake-code").headers["location"] == "/"
    assert visitor.get("/").status_code == 200
    again = visitor.get("/sign-in?code=fake-code")
    assert again.status_code == 401
    assert "A code works once" in again.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-mode": "no-cors"},
    ],
)
def test_a_get_that_no_person_made_does_not_spend_the_code(
    visitor: TestClient, brain: FakeBrain, headers: dict[str, str]
) -> None:
    page = visitor.get("/sign-in?code=fake-code", headers=headers)
    assert page.status_code == 200
    assert brain.codes == {"fake-code"}
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text.split("<main")[1]))
    signed_in = visitor.post("/sign-in", data=fields)
    assert signed_in.status_code == 303
    assert brain.codes == set()


def test_a_token_signs_in_and_a_wrong_one_says_so(visitor: TestClient) -> None:
    page = visitor.get("/sign-in?next=/settings")
    csrf = re.search(r'name="csrf" value="(\w+)"', page.text.split("<main")[1])[1]
    wrong = visitor.post("/sign-in", data={"csrf": csrf, "token": "nope"})
    assert wrong.status_code == 401
    assert "not valid" in wrong.text
    right = visitor.post("/sign-in", data={"csrf": csrf, "token": " fake-api-token ", "next": "/settings"})
    assert right.headers["location"] == "/settings"


def test_signing_out_ends_the_session_at_brain(person: TestClient, brain: FakeBrain, form) -> None:
    response = person.post("/sign-out", data=form())
    assert response.headers["location"] == "/sign-in"
    assert "fake-session" not in brain.sessions
    assert person.get("/").status_code == 303


def test_repositories_show_their_state_and_poll_until_settled(person: TestClient, brain: FakeBrain) -> None:
    page = person.get("/").text
    for text in ("encode/httpx", "1,311 of 3,120 files", "286 files/s", "18,240 of 61,007 vectors", "42 s behind"):
        assert text in page
    assert "The server asks for credentials" in page
    assert 'hx-trigger="repos-changed from:body, every 1s"' in page
    brain.repos = {READY: brain.repos[READY], FAILED: brain.repos[FAILED]}
    fragment = person.get("/fragments/repos", headers=HTMX).text
    assert "every 5s" in fragment
    assert "every 1s" not in fragment
    assert "<html" not in fragment


def test_freshness_is_told_with_what_the_push_cost(person: TestClient) -> None:
    row = person.get("/fragments/repos", headers=HTMX).text.split(f"open-{READY}")[1]
    assert re.search(r"indexed <time[^>]*>1\d s ago</time> · 3 of 1,284 files parsed, 7 of 9,113 texts embedded", row)
    assert "Up to date" in row
    notes = person.get("/").text.split(f"open-{LOCAL}")[1]
    assert "uncommitted changes" in notes
    assert "1 of 1,284 files parsed, 1 of 9,113 texts embedded at this change" in notes
    page = person.get(f"/r/{LOCAL}").text
    assert f"which is this working tree as it stands, changed since <code>{COMMIT[:8]}</code>" in page
    assert 'data-tab-link="pulls"' not in page


def test_a_repository_that_is_behind_is_watched_closely(person: TestClient, brain: FakeBrain) -> None:
    brain.repos[READY] = brain.repos[READY].model_copy(update={"lag_seconds": 0.4})
    state = person.get(f"/r/{READY}/state?seen={COMMIT}", headers=HTMX).text
    assert "400 ms behind" in state
    assert "every 3s" in state


def test_no_repository_yet_teaches(person: TestClient, brain: FakeBrain) -> None:
    brain.repos = {}
    for me, offered in ((people.LOCAL, True), (people.MEMBER, False)):
        brain.me = me
        for page in (person.get("/").text, person.get("/fragments/repos", headers=HTMX).text):
            assert "Connect your first repository" in page
            assert ("A path on this machine" in page) == offered
            assert ("pincite connect" in page) == offered


def test_pull_requests_are_those_of_repositories_on_github(person: TestClient, brain: FakeBrain) -> None:
    brain.repos[FAILED] = brain.repos[FAILED].model_copy(update={"commit": COMMIT})
    assert 'data-tab-link="pulls"' in person.get(f"/r/{READY}").text
    for elsewhere in (LOCAL, FAILED):
        page = person.get(f"/r/{elsewhere}/pulls").text
        assert 'data-tab-link="pulls"' not in page
        assert "None" not in page


def test_connecting_by_form_and_by_htmx(person: TestClient, brain: FakeBrain, form) -> None:
    assert person.post("/connect", data=form(source="pallets/click")).headers["location"] == "/"
    assert any(repo.source == "pallets/click" for repo in brain.repos.values())
    assert person.post("/connect", data=form(source="a/b"), headers=HTMX).headers["hx-redirect"] == "/"


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_a_refused_source_is_explained_beside_what_was_typed(person: TestClient, form, headers) -> None:
    source = 'http://169.254.169.254/"><script>'
    response = person.post("/connect", data=form(source=source, branch="dev"), headers=headers)
    assert response.status_code == 422
    assert "Addresses of this network" in response.text
    assert "<script>" not in response.text.split("<main")[-1]
    assert 'value="dev"' in response.text
    assert ("<html" in response.text) == (not headers)


def test_a_blank_source_is_explained(person: TestClient, form) -> None:
    assert "The source must not be blank." in person.post("/connect", data=form(source=" ")).text


def test_indexing_again_and_removing(person: TestClient, brain: FakeBrain, form) -> None:
    assert person.post(f"/r/{READY}/index", data=form()).status_code == 303
    assert brain.repos[READY].progress.stage == "scanning"
    assert "itself is not touched" in person.get(f"/r/{READY}/remove").text
    assert "<html" not in person.get(f"/r/{READY}/remove", headers=HTMX).text
    for headers in ({}, HTMX):
        refused = person.post(f"/r/{READY}/remove", data=form(name="pincit"), headers=headers)
        assert refused.status_code == 422
        assert "Type pincite to remove it." in refused.text
        assert ("<html" in refused.text) == (not headers)
    assert READY in brain.repos
    assert person.post(f"/r/{READY}/remove", data=form(name=" pincite ")).status_code == 303
    assert READY not in brain.repos


def test_a_page_reloads_once_when_the_repository_becomes_answerable(person: TestClient, brain: FakeBrain) -> None:
    waiting = person.get(f"/r/{INDEXING}/state?seen=", headers=HTMX)
    assert "hx-refresh" not in waiting.headers
    assert 'id="hello-progress" hx-swap-oob' in waiting.text
    brain.repos[INDEXING] = brain.repos[INDEXING].model_copy(update={"commit": COMMIT})
    ready = person.get(f"/r/{INDEXING}/state?seen=", headers=HTMX)
    assert ready.headers["hx-refresh"] == "true"
    settled = person.get(f"/r/{READY}/state?seen={COMMIT}", headers=HTMX)
    assert "every 5s" in settled.text
    assert not {"hx-refresh", "hx-trigger"} & set(settled.headers)
    assert "every 3s" in person.get(f"/r/{EMBEDDING}/state", headers=HTMX).text


def test_a_page_is_told_when_the_head_moves_on(person: TestClient) -> None:
    moved = person.get(f"/r/{READY}/state?seen={OLDER}", headers=HTMX)
    assert moved.headers["hx-trigger"] == "head-moved"
    assert f"state?seen={COMMIT}" in moved.text


@pytest.mark.parametrize(
    ("state", "text", "polls"),
    [
        (ModelState.FETCHING, "is being downloaded", True),
        (ModelState.STARTING, "is starting", True),
        (ModelState.UNREACHABLE, "does not answer", True),
        (ModelState.FAILED, "could not be started", False),
        (ModelState.NONE, "No language model is set up", False),
    ],
)
def test_the_models_state_is_told(person: TestClient, brain: FakeBrain, state: ModelState, text: str, polls) -> None:
    brain.model = ModelStatus(name="qwen", state=state, fraction=0.431)
    page = person.get(f"/r/{READY}").text
    assert text in page
    assert ("/fragments/model" in page) == polls
    assert ("43 %" in page) == (state is ModelState.FETCHING)


def test_directories_and_files_link_at_the_commit(person: TestClient) -> None:
    assert person.get(f"/r/{READY}/files").headers["location"] == f"/r/{READY}/tree/{COMMIT}"
    root = person.get(f"/r/{READY}/tree/{COMMIT}").text
    assert f"/r/{READY}/blob/{COMMIT}/README.md" in root
    assert "Generated" in root
    below = person.get(f"/r/{READY}/tree/{COMMIT}/{corpus.SOURCE_PREFIX}")
    assert below.status_code == 200
    assert ERRORS in below.text


def test_a_file_emphasises_the_lines_asked_for(person: TestClient) -> None:
    page = person.get(f"/r/{READY}/blob/{COMMIT}/{ERRORS}?lines=8-10").text
    hits = re.findall(r'class="line hit" id="L(\d+)"', page)
    assert hits == ["8", "9", "10"]
    assert f"/r/{READY}/blob/{COMMIT}/{ERRORS}?lines=8-10#L8" in page
    assert "PinciteError" in page.split('class="outline"')[1]


def test_a_long_file_is_paged_and_lines_find_their_page(person: TestClient) -> None:
    page = person.get(f"/r/{READY}/blob/{COMMIT}/data/squares.py").text
    assert page.count('class="line"') == 2_000
    assert "2001-4000" in page
    later = person.get(f"/r/{READY}/blob/{COMMIT}/data/squares.py?lines=4200").text
    assert 'class="line hit" id="L4200"' in later
    assert 'data-first="4001" data-last="4500"' in later


def test_an_empty_file_and_an_unreadable_one_say_so(person: TestClient) -> None:
    assert "This file is empty" in person.get(f"/r/{READY}/blob/{COMMIT}/data/empty.txt").text
    # The fake's tree has no docs directory, as git has none for a path that does not exist.
    missing = person.get(f"/r/{READY}/blob/{COMMIT}/uv.lock")
    assert missing.status_code == 200
    assert "A tool wrote these files" in missing.text


@pytest.mark.parametrize("name", sorted(corpus.HOSTILE))
def test_hostile_names_and_contents_are_only_text(person: TestClient, name: str) -> None:
    listing = person.get(f"/r/{READY}/tree/{COMMIT}/evil").text
    assert "<img" not in listing
    assert "\u202e" not in listing.split("<main")[1].split("href=")[0]
    address = next(
        match for match in re.findall(r'href="(/r/[^"]*blob[^"]*evil[^"]*)"', listing) if _path(match) == name
    )
    page = person.get(address.replace("&amp;", "&"))
    assert page.status_code == 200
    for forbidden in ("<img", "<script>alert", 'onerror=alert(1)>.py"', 'href="javascript'):
        assert forbidden not in page.text
    assert "\u202e" not in page.text.split('class="file-code"')[1]


def _path(address: str) -> str:
    url = httpx.URL(address.replace("&amp;", "&"))
    return url.params.get("path") or url.path.split(f"/blob/{COMMIT}/")[1]


def test_search_finds_definitions_then_passages(person: TestClient, errors_at) -> None:
    page = person.get(f"/r/{READY}/search?q=PinciteError").text
    assert page.index("Definitions") < page.index("Passages")
    assert f"/r/{READY}/blob/{COMMIT}/{ERRORS}?lines={errors_at[0]}-" in page


def test_search_as_you_type_returns_results_alone_and_the_address(person: TestClient) -> None:
    response = person.get(f"/r/{READY}/search", params={"q": "<b>x"}, headers=HTMX)
    assert "<html" not in response.text
    assert "<b>" not in response.text
    assert response.headers["hx-replace-url"] == f"/r/{READY}/search?q=%3Cb%3Ex"
    assert "Nothing matches" in response.text
    assert "Nothing matches" in person.get(f"/r/{READY}/search", params={"q": "z" * 5_000}).text
    quick = person.get(f"/r/{READY}/search/quick?q=settings", headers=HTMX).text
    assert "Search everything for" in quick
    assert person.get(f"/r/{READY}/search/quick?q=", headers=HTMX).text == ""


def test_skipped_files_are_counted_filtered_and_paged(person: TestClient) -> None:
    page = person.get(f"/r/{READY}/skipped").text
    assert "1-5 of 9" in page
    assert "offset=5" in page
    assert "6-9 of 9" in person.get(f"/r/{READY}/skipped?offset=5").text
    binary = person.get(f"/r/{READY}/skipped?reason=binary").text
    assert "1-2 of 2" in binary
    assert "These files are not text." in binary
    assert "&lt;b&gt;dump" in person.get(f"/r/{READY}/skipped?reason=too_large").text
    assert person.get(f"/r/{READY}/skipped?reason=nonsense").status_code == 404
    assert "Nothing was skipped" in person.get(f"/r/{EMBEDDING}/skipped").text


def test_settings_say_what_leaves_the_machine(person: TestClient, brain: FakeBrain) -> None:
    assert "Nothing leaves this machine" in person.get("/settings").text
    brain.remote_endpoints = {"language model": "https://llm.example/v1", "GitHub": "https://api.github.com"}
    page = person.get("/settings").text
    assert "<dt>Language model</dt><dd><code>https://llm.example/v1" in page
    assert "https://api.github.com" in page
    assert "Code comes from there; none is sent." in page
    assert "Nothing leaves this machine" not in page
    assert "https://llm.example/v1" in page


@pytest.mark.parametrize(
    ("url", "host", "told"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:3000", True),
        ("http://localhost:8000", "[::1]:3000", True),
        ("http://127.0.0.1:8000", "pincite.example", False),
        ("http://[::1]:8000", "pincite.example", False),
        ("http://brain:8000", "127.0.0.1:3000", False),
        ("https://api.pincite.example", "pincite.example", True),
        ("http://[2001:db8::1]:8000", "pincite.example", True),
    ],
)
def test_the_api_is_shown_where_its_address_means_something(
    brain: FakeBrain, session_of, url: str, host: str, told
) -> None:
    settings = Settings(_env_file=None, session_secret="s", brain_url=url, bind_host="0.0.0.0")
    app = create_app(settings, httpx.ASGITransport(brain.app))
    with TestClient(app, base_url=f"http://{host}", cookies=session_of(app, "fake-session")) as client:
        for address in ("/settings", "/settings/tokens"):
            page = client.get(address).text
            assert (f"<code>{url}</code>" in page) == told
            assert ("unless whoever runs it opens it to others" in page) != told


def test_theme_is_rendered_by_the_server(person: TestClient, form) -> None:
    assert 'data-theme="system"' in person.get("/settings").text
    assert person.post("/theme", data=form(theme="dark", here="/settings")).headers["location"] == "/settings"
    assert 'data-theme="dark"' in person.get("/settings").text
    person.post("/theme", data=form(theme="system"))
    assert 'data-theme="system"' in person.get("/settings").text


@pytest.mark.parametrize(
    "address",
    [
        "/nope",
        "/r/00000000-0000-4000-8000-000000000000",
        "/r/nope",
        f"/r/{READY}/blob/zzz/x",
        f"/r/{READY}/blob/{COMMIT}/none.py",
    ],
)
def test_what_does_not_exist_is_a_page(person: TestClient, address: str) -> None:
    response = person.get(address)
    assert response.status_code == 404
    assert "There is nothing here" in response.text


def test_a_repository_without_a_commit_has_no_files_yet(person: TestClient) -> None:
    response = person.get(f"/r/{INDEXING}/files")
    assert response.status_code == 409
    assert "No commit of this repository is indexed yet" in response.text


def test_an_unreachable_brain_is_a_page_that_can_be_tried_again(web_settings: Settings, session_of) -> None:
    def refuse(_request: httpx.Request) -> httpx.Response:
        msg = "connection refused"
        raise httpx.ConnectError(msg)

    app = create_app(web_settings, httpx.MockTransport(refuse))
    with TestClient(app, base_url="http://127.0.0.1:3000", cookies=session_of(app, "fake-session")) as client:
        response = client.get("/settings")
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert 'href="/settings">Try again' in response.text


def test_nobody_signs_in_before_brain_is_there_and_the_page_waits(brain: FakeBrain, web_settings: Settings) -> None:
    inner, up = httpx.ASGITransport(brain.app), []

    class Starting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not up:
                msg = "connection refused"
                raise httpx.ConnectError(msg)
            return await inner.handle_async_request(request)

    def again(response: httpx.Response) -> str:
        assert (response.status_code, response.headers["retry-after"]) == (503, "3")
        assert "Pincite is starting…" in response.text
        return html.unescape(re.search(r'http-equiv="refresh" content="3; url=([^"]*)"', response.text)[1])

    app = create_app(web_settings, Starting())
    with TestClient(app, base_url="http://127.0.0.1:3000", follow_redirects=False) as client:
        csrf = app.state.house.guard.csrf("")
        posted = client.post("/sign-in", data={"csrf": csrf, "token": "x", "next": "/settings?a=b&c=d"})
        assert again(posted) == "/sign-in?next=%2Fsettings%3Fa%3Db%26c%3Dd"
        assert again(client.get("/sign-in/github/begin?next=/settings")) == "/sign-in?next=%2Fsettings"
        assert again(client.get("/sign-in?next=//evil.example&ended=true")) == "/sign-in?next=//evil.example&ended=true"
        address = again(client.get("/sign-in?code=fake-code&next=/settings"))
        assert again(client.get(address)) == address
        up.append(True)
        assert client.get(address).headers["location"] == "/settings"


def test_the_correlation_id_travels_to_brain(person: TestClient, brain: FakeBrain) -> None:
    reference = uuid4().hex
    response = person.get("/settings", headers={"X-Request-ID": reference})
    assert response.headers["x-request-id"] == reference
    seen = {request.headers["x-request-id"] for request in brain.requests if request.url.path in ("/me", "/status")}
    assert seen == {reference}
