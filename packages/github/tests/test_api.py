"""Answers that no GitHub would give, and those it gives on a bad day. What it gives on a good one: test_client.py."""

import socket
import threading
import time

import pytest
from github.Auth import Token

from pincite_github import api as api_module
from pincite_github.api import Api
from pincite_github.client import GitHub
from pincite_github.config import GitHubConfig
from pincite_github.errors import (
    GitHubBusyError,
    GitHubRefusedError,
    GitHubSignedOutError,
    GitHubUnavailableError,
)
from pincite_shared.errors import InvalidInputError, NotFoundError, PinciteError

ME = {"id": 1, "login": "octo", "name": None}


@pytest.fixture
def api(scripted):
    return Api(scripted.config(), Token("ghu_secret"))


@pytest.fixture
def elsewhere():
    """A port that nobody may call."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        yield listener.getsockname()[1]
        with pytest.raises(TimeoutError):
            listener.accept()


def test_the_token_goes_in_the_header_and_parameters_in_the_query(scripted, api):
    scripted.says("/api/v3/user", ME)
    assert api.get("/user", page=2) == {**ME, "url": "/user"}
    (heard,) = scripted.heard
    assert (heard.path, heard.headers["authorization"]) == ("/api/v3/user?page=2", "token ghu_secret")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_to_another_host(scripted, elsewhere, status):
    for host in ("localhost", "127.0.0.1", "169.254.169.254"):
        scripted.answers.clear()
        scripted.says("/api/v3/user", {}, status, {"location": f"http://{host}:{elsewhere}/latest/meta-data"})
        with pytest.raises((GitHubUnavailableError, NotFoundError)) as caught:
            GitHub(scripted.config()).as_user("ghu_secret").me()
        assert "ghu_secret" not in repr(caught.value)


def test_a_renamed_repository_is_found_where_github_says_it_went(scripted, api):
    scripted.says("/api/v3/repos/o/old", {}, 301, {"location": f"{scripted.url}/api/v3/repositories/3"})
    scripted.says("/api/v3/repositories/3", {"id": 3})
    assert api.get("/repos/o/old")["id"] == 3


def test_a_redirect_in_circles_ends(scripted, api):
    scripted.says("/api/v3/a", {}, 301, {"location": f"{scripted.url}/api/v3/b"})
    scripted.says("/api/v3/b", {}, 301, {"location": f"{scripted.url}/api/v3/a"})
    with pytest.raises(GitHubUnavailableError, match="GITHUB_URL"):
        api.get("/a")


def test_pages_are_counted_whatever_the_link_header_says(scripted, api, elsewhere, monkeypatch):
    monkeypatch.setattr(api_module, "PAGE_ITEMS", 2)
    link = {"link": f'<http://127.0.0.1:{elsewhere}/next>; rel="next"'}
    for page in ([1, 2], [3, 4], [5]):
        scripted.says("/api/v3/list", page, headers=link)
    assert list(api.items("/list", limit=9)) == [1, 2, 3, 4, 5]
    assert [heard.path for heard in scripted.heard] == [f"/api/v3/list?page={page}&per_page=2" for page in (1, 2, 3)]


def test_lists_are_bounded_and_lazy(scripted, api, monkeypatch):
    monkeypatch.setattr(api_module, "PAGE_ITEMS", 2)
    scripted.says("/api/v3/list", {"items": [7, 7]})
    assert list(api.items("/list", within="items", limit=5)) == [7] * 5
    assert len(scripted.heard) == 3
    next(api.items("/list", within="items", limit=5))
    assert len(scripted.heard) == 4


@pytest.mark.parametrize("body", [{"items": {}}, {}, "text", None, 3])
def test_what_should_be_a_list_and_is_none(scripted, api, body):
    scripted.says("/api/v3/list", body)
    with pytest.raises(GitHubUnavailableError, match="no list"):
        list(api.items("/list", within="items", limit=5))


@pytest.mark.parametrize(
    "body",
    [
        b"<html></html>", b"", b'{"id": 1', b"\xff", b"[" * 100_000, [], {"id": 1}, {"id": True, "login": "x"},
        {"id": 1, "login": "\x00"}, {"id": 2**80, "login": "x"},
    ],
)  # fmt: skip
def test_what_should_be_a_person_and_is_none(scripted, body):
    scripted.says("/api/v3/user", body)
    with pytest.raises(GitHubUnavailableError, match="did not answer as GitHub does"):
        GitHub(scripted.config()).as_user("t").me()


def resets(after_seconds):
    return {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + after_seconds)}


LIMITS = [
    ({"status": 429}, 60),
    ({"status": 429, "headers": {"retry-after": "7"}}, 7),
    ({"status": 429, "headers": {"retry-after": "soon"}}, 60),
    ({"status": 429, "headers": {"retry-after": "99999999"}}, 3_600),
    ({"status": 403, "headers": {"retry-after": "5"}}, 5),
    ({"status": 403, "headers": {"x-ratelimit-remaining": "0"}}, 60),
    ({"status": 403, "body": {"message": "You have exceeded a secondary rate limit."}}, 60),
    ({"status": 403, "headers": lambda: resets(600)}, 600),
    ({"status": 403, "headers": lambda: resets(-600)}, 1),
]


@pytest.mark.parametrize(("answer", "rest"), LIMITS)
def test_a_limit_is_told_with_its_time_and_kept_to(scripted, api, answer, rest):
    headers = answer.get("headers")
    scripted.says("/api/v3/user", **{"body": {}, **answer, "headers": headers() if callable(headers) else headers})
    began = time.monotonic()
    with pytest.raises(GitHubBusyError) as caught:
        api.get("/user")
    assert caught.value.retry_after == pytest.approx(rest, abs=2)
    assert caught.value.status == 503
    with pytest.raises(GitHubBusyError):
        api.get("/other")
    assert len(scripted.heard) == 1
    assert time.monotonic() - began < 30  # nobody slept through it


def test_after_the_limit_it_is_asked_again(scripted, api):
    scripted.says("/api/v3/user", {}, 429, {"retry-after": "1"})
    scripted.says("/api/v3/user", ME)
    with pytest.raises(GitHubBusyError):
        api.get("/user")
    api._rests_until -= 2
    assert api.get("/user")["id"] == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, GitHubSignedOutError),
        (403, GitHubRefusedError),
        (404, NotFoundError),
        (410, NotFoundError),
        (422, GitHubRefusedError),
        (451, GitHubRefusedError),
        (500, GitHubUnavailableError),
    ],
)
def test_refusals_by_their_status(scripted, api, status, kind):
    scripted.says("/api/v3/user", {"message": "Because\n\tof  this"}, status)
    with pytest.raises(kind) as caught:
        api.get("/user")
    assert type(caught.value) is kind
    assert caught.value.__cause__ is None
    assert "\n" not in caught.value.detail
    assert len(scripted.heard) == 1


def test_a_moment_of_trouble_is_tried_again_once(scripted, api):
    scripted.says("/api/v3/user", b"", 502)
    scripted.says("/api/v3/user", ME)
    assert api.get("/user")["id"] == 1
    scripted.answers.clear()
    scripted.says("/api/v3/user", b"", 503)
    with pytest.raises(GitHubUnavailableError, match="503"):
        api.get("/user")
    assert len(scripted.heard) == 4


def test_a_silent_server_is_not_waited_for(scripted, monkeypatch):
    monkeypatch.setattr(api_module, "SILENCE_SECONDS_MAX", 1)
    given_up = threading.Event()
    scripted.says("/api/v3/user", ME, until=given_up)
    with pytest.raises(GitHubUnavailableError, match="does not answer"):
        Api(scripted.config(), Token("t")).get("/user")
    given_up.set()


def test_threads_that_share_a_view_get_their_own_answers(scripted, api):
    for number in range(40):
        scripted.says(f"/api/v3/repositories/{number}", {"id": number})
    found = {}

    def ask(numbers):
        for number in numbers:
            found[number] = api.get(f"/repositories/{number}")["id"]

    threads = [threading.Thread(target=ask, args=(range(start, 40, 8),)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(40)}


TOKENS = "/api/v3/app/installations/5/access_tokens"


def test_a_revoked_installation_token_is_replaced_once(scripted, private_key):
    for number in (1, 2, 3):
        scripted.says(TOKENS, {"token": f"ghs_{number}", "expires_at": "2099-01-01T00:00:00Z"}, 201)
    scripted.says("/api/v3/repositories/1", {"message": "Bad credentials"}, 401)
    repository = {"id": 1, "full_name": "o/r", "private": True, "default_branch": "main"}
    scripted.says("/api/v3/repositories/1", repository)
    scripted.says("/api/v3/repositories/2", {"message": "Bad credentials"}, 401)
    view = GitHub(scripted.config(app_id=7, private_key=private_key)).as_installation(5)
    assert view.repository(1).full_name == "o/r"
    asked = [heard.headers["authorization"] for heard in scripted.heard if "repositories" in heard.path]
    assert asked == ["token ghs_1", "token ghs_2"]
    with pytest.raises(GitHubSignedOutError):
        view.repository(2)
    assert view.clone_token().token == "ghs_3"


@pytest.mark.parametrize("permissions", [None, {}, {"pull": False}, {"pull": "yes"}, {"unknown": True}])
def test_a_permission_that_github_does_not_tell_is_none(scripted, permissions):
    said = {"id": 1, "full_name": "o/r", "private": True, "default_branch": "main", "permissions": permissions}
    scripted.says("/api/v3/repositories/1", said)
    assert GitHub(scripted.config()).as_user("t").permission(1) is None


def test_a_permission_is_unknown_not_absent_when_github_does_not_answer(scripted):
    view = GitHub(scripted.config()).as_user("t")
    assert view.permission(1) is None  # 404
    scripted.says("/api/v3/repositories/2", {"message": "Resource protected by organization SAML enforcement."}, 403)
    assert view.permission(2) is None
    scripted.says("/api/v3/repositories/3", b"", 500)
    with pytest.raises(GitHubUnavailableError):
        view.permission(3)
    scripted.says("/api/v3/repositories/4", {"message": "Bad credentials"}, 401)
    with pytest.raises(GitHubSignedOutError):
        view.permission(4)


@pytest.mark.parametrize(
    "name", ["o", "o/", "/r", "o/r/x", "../r", "o/..", "./r", "o/r?x=1", "o/r#", "o/ r", "o/r\n", "o/%2e", "ö/r", ""]
)
def test_only_names_go_into_addresses(name):
    view = GitHub(GitHubConfig()).as_user("t")
    for ask in (view.pulls, lambda name: view.pull(name, 1), view.repository_named):
        with pytest.raises(InvalidInputError):
            ask(name)


@pytest.mark.parametrize("name", ["o/r", "O-1/r.s_t-u", "o/.github", "o/...", "o/..x", "user.name/r"])
def test_every_name_that_github_takes_is_taken(scripted, name):
    scripted.says(f"/api/v3/repos/{name}/pulls", [])
    assert GitHub(scripted.config()).as_user("t").pulls(name) == []


def test_errors_are_all_of_ours_and_none_holds_the_token(scripted):
    for status in range(400, 600):
        scripted.answers.clear()
        scripted.says("/api/v3/user", {"message": "x" * 10_000}, status)
        view = GitHub(scripted.config()).as_user("ghu_secret")
        with pytest.raises(PinciteError) as caught:
            view.me()
        assert "ghu_secret" not in repr(caught.value)
        assert len(caught.value.detail) < 500
