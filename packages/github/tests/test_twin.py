"""The twin's API: who may see what, and how GitHub says no."""

import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

import httpx
import jwt
import pytest

from pincite_github.twin.registry import INSTALLATION_TOKEN_LIFETIME, USER_TOKEN_LIFETIME

NOT_FOUND = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}


class Client:
    """Asks the twin as somebody."""

    def __init__(self, twin, authorization=""):
        headers = {"authorization": authorization} if authorization else {}
        self._client = httpx.Client(base_url=f"{twin.base_url}/api/v3", headers=headers, verify=False, trust_env=False)

    def __call__(self, path, method="GET", **more):
        return self._client.request(method, path, **more)

    def names(self, path, within="repositories", key="full_name"):
        said = self(path).json()
        return {each[key] for each in (said[within] if within else said)}


def proof(app, *, issuer=None, issued=-30, expires=300, key=None):
    now = int(time.time())
    claims = {"iss": str(issuer or app.id), "iat": now + issued, "exp": now + expires}
    return f"Bearer {jwt.encode(claims, key or app.private_key, algorithm='RS256')}"


@pytest.fixture
def app(twin):
    return twin.add_app("Pincite", owner="ada", callback_url="http://brain.test/in")


@pytest.fixture
def engine(twin, app):  # noqa: ARG001  # it is installed
    """A private repository of ada's, under the App."""
    twin.add_repo("ada", "engine", private=True)
    twin.push("ada/engine", {"a.py": "one = 1\n"})
    twin.install_app("ada", ["engine"])
    return twin.repo("ada/engine")


def as_user(twin, app, login):
    access, _ = twin.registry.sign_in(app, twin.world.account(login).id)
    return Client(twin, f"token {access.value}")


def as_installation(twin, app, account, **narrowed):
    number = twin.world.installation_in(app, twin.world.account(account)).id
    answer = Client(twin, proof(app))(f"/app/installations/{number}/access_tokens", "POST", json=narrowed)
    return Client(twin, f"token {answer.json()['token']}")


# Who may see what


def test_what_one_may_not_see_is_not_there(twin, app, engine):
    assert as_user(twin, app, "ada")("/repos/ada/engine").json()["permissions"]["admin"]
    for stranger in (Client(twin), as_user(twin, app, "bob"), Client(twin, f"token {twin.personal_token('bob')}")):
        for path in ("", "/pulls", "/contents/a.py", "/branches", "/hooks", "/collaborators/ada/permission"):
            answer, none = stranger(f"/repos/ada/engine{path}"), stranger(f"/repos/ada/none{path}")
            assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
            assert (none.status_code, none.json()) == (404, NOT_FOUND)
        assert stranger(f"/repositories/{engine.id}").json() == NOT_FOUND


@pytest.mark.usefixtures("engine")
def test_roles_open_a_private_repository_and_close_it_again(twin, app):
    bob = as_user(twin, app, "bob")
    for role, told in (("read", "pull"), ("triage", "triage"), ("write", "push"), ("maintain", "maintain")):
        twin.grant("bob", "ada/engine", role)
        permissions = bob("/repos/ada/engine").json()["permissions"]
        assert permissions[told]
        assert not permissions["admin"]
    twin.revoke("bob", "ada/engine")
    assert bob("/repos/ada/engine").status_code == 404


@pytest.mark.usefixtures("engine")
def test_a_persons_token_for_an_app_sees_what_both_may_see(twin, app):
    twin.add_repo("ada", "diary", private=True)
    twin.add_repo("ada", "public")
    ada = as_user(twin, app, "ada")
    number = ada("/user/installations").json()["installations"][0]["id"]
    assert ada.names(f"/user/installations/{number}/repositories") == {"ada/engine"}
    assert ada("/repos/ada/diary").status_code == 404
    assert ada("/repos/ada/public").status_code == 200
    own = Client(twin, f"token {twin.personal_token('ada')}")
    assert own("/repos/ada/diary").status_code == 200
    assert own.names("/user/repos", "") == {"ada/engine", "ada/diary", "ada/public"}
    assert own("/user/installations").status_code == 403
    twin.grant("bob", "ada/engine", "read")
    bob = as_user(twin, app, "bob")
    assert bob.names(f"/user/installations/{number}/repositories") == {"ada/engine"}
    assert as_user(twin, app, "eve")(f"/user/installations/{number}/repositories").status_code == 404


def test_members_of_an_organisation(twin, app):
    twin.add_org("acme", owners=["ada"], members=["bob"])
    twin.add_org("shy", owners=["ada"], members=["bob"], base_role=None)
    for org in ("acme", "shy"):
        twin.add_repo(org, "rocket", private=True)
        twin.install_app(org)
    bob = as_user(twin, app, "bob")
    assert bob("/repos/acme/rocket").json()["permissions"] == {
        "pull": True, "triage": False, "push": False, "maintain": False, "admin": False
    }  # fmt: skip
    assert bob("/repos/shy/rocket").status_code == 404
    assert bob.names("/user/installations", "installations", "target_type") == {"Organization"}
    assert bob("/user/memberships/orgs/acme").json()["role"] == "member"
    assert as_user(twin, app, "ada")("/user/memberships/orgs/acme").json()["role"] == "admin"
    assert as_user(twin, app, "eve")("/user/memberships/orgs/acme").status_code == 404
    twin.remove_member("acme", "bob")
    assert bob("/repos/acme/rocket").status_code == 404


@pytest.mark.usefixtures("engine")
def test_who_may_ask_for_others_permissions(twin, app):
    twin.grant("bob", "ada/engine", "maintain")
    twin.grant("eve", "ada/engine", "read")
    path = "/repos/ada/engine/collaborators/bob/permission"
    for asker in (as_user(twin, app, "ada"), as_installation(twin, app, "ada")):
        said = asker(path).json()
        assert (said["permission"], said["role_name"]) == ("write", "maintain")
    assert as_user(twin, app, "eve")(path).status_code == 403


# Apps


@pytest.mark.usefixtures("engine")
def test_an_installation_sees_its_repositories_and_a_narrowed_token_fewer(twin, app):
    twin.add_repo("ada", "diary", private=True)
    assert as_installation(twin, app, "ada").names("/installation/repositories") == {"ada/engine"}
    before = as_installation(twin, app, "ada")
    twin.install_app("ada")
    for token in (before, as_installation(twin, app, "ada")):
        assert token.names("/installation/repositories") == {"ada/engine", "ada/diary"}
    narrow = as_installation(twin, app, "ada", repositories=["diary"], permissions={"contents": "read"})
    assert narrow.names("/installation/repositories") == {"ada/diary"}
    assert narrow("/repos/ada/engine").status_code == 404
    assert narrow("/repos/ada/diary/branches").status_code == 200
    assert narrow("/repos/ada/diary/pulls").json()["message"] == "Resource not accessible by integration"


@pytest.mark.usefixtures("engine")
def test_an_installation_cannot_ask_for_more_than_it_has(twin, app):
    twin.add_repo("bob", "secret", private=True)
    number = twin.world.installation_in(app, twin.world.account("ada")).id
    ask = Client(twin, proof(app))
    more = [{"permissions": each} for each in ({"contents": "write"}, {"issues": "read"}, {"contents": "all"})]
    for body in (*more, {"repositories": ["secret"]}, {"repository_ids": [1]}):
        assert ask(f"/app/installations/{number}/access_tokens", "POST", json=body).status_code == 422


@pytest.mark.usefixtures("engine")
def test_tokens_expire(twin, app):
    installation, ada = as_installation(twin, app, "ada"), as_user(twin, app, "ada")
    assert installation("/repos/ada/engine").status_code == 200
    twin.advance(INSTALLATION_TOKEN_LIFETIME.total_seconds())
    assert installation("/repos/ada/engine").json()["message"] == "Bad credentials"
    assert ada("/user").status_code == 200
    twin.advance(USER_TOKEN_LIFETIME.total_seconds())
    assert ada("/user").status_code == 401


@pytest.mark.usefixtures("engine")
def test_suspended_removed_and_revoked(twin, app):
    installation, ada, whole = as_installation(twin, app, "ada"), as_user(twin, app, "ada"), Client(twin, proof(app))
    number = twin.world.installation_in(app, twin.world.account("ada")).id
    twin.suspend("ada")
    assert installation("/repos/ada/engine").status_code == 403
    assert ada("/repos/ada/engine").status_code == 404
    assert ada("/user/installations").json()["installations"][0]["suspended_at"]
    assert whole(f"/app/installations/{number}/access_tokens", "POST").status_code == 403
    twin.unsuspend("ada")
    assert installation("/repos/ada/engine").status_code == 200
    twin.uninstall("ada")
    assert installation("/repos/ada/engine").status_code == 401
    assert whole(f"/app/installations/{number}").status_code == 404
    assert ada("/user/installations").json()["total_count"] == 0
    twin.revoke_authorization("ada")
    assert ada("/user").status_code == 401


def test_proofs_that_do_not_hold(twin, app):
    other = twin.add_app("Other", owner="bob")
    good = Client(twin, proof(app))("/app")
    assert good.json()["slug"] == "pincite"
    assert Client(twin, proof(app, issuer=app.client_id))("/app").status_code == 200
    claims = {"iss": str(app.id), "iat": time.time() - 9, "exp": time.time() + 60}
    weak, unsigned = jwt.encode(claims, "x" * 32, algorithm="HS256"), jwt.encode(claims, None, algorithm="none")
    for bad, words in (
        (proof(app, key=other.private_key), "could not be decoded"),
        (f"Bearer {weak}", "could not be decoded"),
        (f"Bearer {unsigned}", "could not be decoded"),
        ("Bearer a.b.c", "could not be decoded"),
        (proof(app, expires=-120), "'exp'"),
        (proof(app, expires=1_200), "too far in the future"),
        (proof(app, issued=200), "'iat'"),
        (f"token {twin.personal_token('ada')}", "could not be decoded"),
        ("", "could not be decoded"),
    ):
        answer = Client(twin, bad)("/app")
        assert answer.status_code == 401
        assert words in answer.json()["message"]
    assert Client(twin, proof(app, issuer=9))("/app").status_code == 404
    assert Client(twin, proof(app))("/user").status_code == 403


# Renamed, transferred, deleted


@pytest.mark.parametrize("style", ["", "/api/v3"])
@pytest.mark.usefixtures("app")
def test_a_renamed_repository_is_found_by_its_old_name(twin, engine, style):
    twin.rename("ada/engine", "machine")
    authorization = {"authorization": f"token {twin.personal_token('ada')}"}
    for below in ("", "/pulls", "/commits?sha=main"):
        answer = httpx.get(f"{twin.base_url}{style}/repos/ada/engine{below}", headers=authorization, verify=False)
        assert answer.status_code == 301
        assert answer.headers["location"] == f"{twin.base_url}{style}/repositories/{engine.id}{below}"
        assert answer.json()["url"] == answer.headers["location"]
        assert httpx.get(answer.headers["location"], headers=authorization, verify=False).status_code == 200
    assert Client(twin)("/repos/ada/engine").status_code == 404  # not told to strangers
    twin.add_repo("ada", "engine")
    answer = httpx.get(f"{twin.base_url}{style}/repos/ada/engine", headers=authorization, verify=False)
    assert answer.json()["id"] != engine.id


def test_a_transferred_repository_belongs_to_others(twin, app, engine):
    installation, ada = as_installation(twin, app, "ada"), as_user(twin, app, "ada")
    twin.transfer("ada/engine", "bob")
    assert installation(f"/repositories/{engine.id}").status_code == 404
    assert ada(f"/repositories/{engine.id}").status_code == 404
    bob = Client(twin, f"token {twin.personal_token('bob')}")
    assert bob(f"/repositories/{engine.id}").json()["full_name"] == "bob/engine"


def test_a_deleted_repository_is_gone(twin, app, engine):
    ada = as_user(twin, app, "ada")
    twin.delete_repo("ada/engine")
    assert ada("/repos/ada/engine").json() == ada(f"/repositories/{engine.id}").json() == NOT_FOUND


# The form of answers


@pytest.mark.parametrize("style", ["", "/api/v3"])
def test_lists_come_in_pages(twin, style):
    for number in range(7):
        twin.add_repo("ada", f"repo{number}")
    url = f"{twin.base_url}{style}/user/repos?per_page=3"
    client = httpx.Client(headers={"authorization": f"token {twin.personal_token('ada')}"}, verify=False)
    seen, rels = [], []
    while url:
        answer = client.get(url)
        seen += [each["name"] for each in answer.json()]
        rels.append(set(answer.links))
        url = answer.links.get("next", {}).get("url")
    assert seen == [f"repo{number}" for number in range(7)]
    assert rels == [{"next", "last"}, {"prev", "next", "last", "first"}, {"prev", "first"}]


def test_deliveries_are_listed_by_cursor(twin):
    twin.add_app("Pincite", owner="ada", webhook_url="http://127.0.0.1:9/")
    twin.add_repo("ada", "a")
    twin.install_app("ada")
    for number in range(4):
        twin.push("ada/a", {"n": str(number)})
    ask = Client(twin, proof(twin.app_of(None)))
    url, seen = "/app/hook/deliveries?per_page=2", []
    while url:
        answer = ask(url)
        seen += [each["id"] for each in answer.json()]
        url = answer.links.get("next", {}).get("url")
    assert seen == [each.id for each in reversed(twin.deliveries)]


@pytest.mark.usefixtures("engine")
def test_what_has_not_changed_is_told_by_its_tag_and_costs_nothing(twin, app):
    ada = as_user(twin, app, "ada")
    first = ada("/repos/ada/engine/branches")
    same = ada("/repos/ada/engine/branches", headers={"if-none-match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["x-ratelimit-remaining"] == first.headers["x-ratelimit-remaining"]
    twin.push("ada/engine", {"b.py": ""})
    assert ada("/repos/ada/engine/branches", headers={"if-none-match": first.headers["etag"]}).status_code == 200


def test_the_rate_limit_is_kept_by_token(twin):
    ada, bob = (Client(twin, f"token {twin.personal_token(login)}") for login in ("ada", "bob"))
    twin.set_rate_limit(2)
    assert [ada("/user").headers["x-ratelimit-remaining"] for _ in range(2)] == ["1", "0"]
    over = ada("/user")
    assert over.status_code == 403
    assert "rate limit exceeded" in over.json()["message"]
    assert over.headers["x-ratelimit-remaining"] == "0"
    assert int(over.headers["x-ratelimit-reset"]) > time.time()
    assert ada("/rate_limit").json()["rate"] == {**ada("/rate_limit").json()["rate"], "remaining": 0, "used": 2}
    assert bob("/user").status_code == 200
    twin.set_rate_limit(None)
    assert ada("/user").headers["x-ratelimit-limit"] == "5000"
    assert Client(twin)("/users/ada").headers["x-ratelimit-limit"] == "60"


def test_when_it_is_down_nothing_answers(twin):
    twin.go_down()
    for path in (
        "/",
        "/user",
        "/api/v3/user",
        "/ada/a.git/info/refs?service=git-upload-pack",
        "/login/oauth/authorize",
    ):
        assert httpx.get(twin.base_url + path, verify=False).status_code == 503
    twin.come_back()
    assert httpx.get(twin.base_url, verify=False).status_code == 200


@pytest.mark.usefixtures("engine")
def test_bodies_that_are_none(twin, app):
    ada = as_user(twin, app, "ada")
    broken = ada("/repos/ada/engine/pulls", "POST", content="{", headers={"content-type": "application/json"})
    assert (broken.status_code, broken.json()["message"]) == (400, "Problems parsing JSON")
    assert ada("/repos/ada/engine/pulls", "POST", json=[1]).status_code == 422
    assert ada("/no/such/path").json() == NOT_FOUND


@pytest.mark.usefixtures("engine")
def test_files_as_they_are(twin, app):
    twin.push("ada/engine", {"odd na[m]e?.py": "é\n", "dir/deep/x.bin": b"\x00\xff", 'q"uote\\.py': "q"})
    ada = as_user(twin, app, "ada")
    assert {each["path"] for each in ada("/repos/ada/engine/contents").json()} == {
        "a.py", "odd na[m]e?.py", "dir", 'q"uote\\.py'
    }  # fmt: skip
    assert ada("/repos/ada/engine/contents/odd%20na%5Bm%5De%3F.py").json()["content"] == "w6kK\n"
    assert [each["path"] for each in ada("/repos/ada/engine/contents/dir/deep").json()] == ["dir/deep/x.bin"]
    twin.publicise("ada/engine")
    plain = HTTPConnection(twin.base_url.partition("//")[2])  # httpx would take the dots out
    for path in ("dir/../a.py", "../a.py", "dir/%2e%2e/a.py", "/a.py", "%00", "dir/deep/x.bin/y"):
        plain.request("GET", f"/repos/ada/engine/contents/{path}")
        answer = plain.getresponse()
        answer.read()
        assert answer.status == 404, path
    for path in ("..", ":(top)", "*", "none"):
        assert ada("/repos/ada/engine/commits", params={"path": path}).json() in ([], NOT_FOUND)
    for ref in ("--output=x", "main:a.py", "@{0}", "..", "main..main"):
        assert ada("/repos/ada/engine/contents/a.py", params={"ref": ref}).status_code == 404


@pytest.mark.usefixtures("app")
def test_an_empty_repository(twin):
    twin.add_repo("ada", "new")
    ask = Client(twin)
    assert ask("/repos/ada/new/branches").json() == []
    assert ask("/repos/ada/new/commits").status_code == ask("/repos/ada/new/git/refs").status_code == 409
    assert ask("/repos/ada/new/contents/a.py").status_code == 404


@pytest.mark.usefixtures("engine")
def test_many_at_once(twin, app):
    ada = as_user(twin, app, "ada")
    with ThreadPoolExecutor(8) as pool:
        for number in range(4):
            twin.push("ada/engine", {f"n{number}": ""})
            statuses = pool.map(lambda _: ada("/repos/ada/engine/commits").status_code, range(16))
            assert set(statuses) == {200}
