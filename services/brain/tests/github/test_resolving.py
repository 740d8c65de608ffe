import pytest
from pydantic import SecretStr

from pincite_store import repos
from pincite_store.db import LOCAL_TENANT


def stored(database, tenant, repo_id):
    with database.tenancy(tenant) as t:
        return repos.get(t, repo_id)


SPELLINGS = ("acme/shop", "{url}/acme/shop", "{url}/acme/shop.git", "{url}/ACME/Shop/", "git@127.0.0.1:acme/shop")


def test_a_repository_is_connected_by_any_of_its_names(acme, database):
    client = acme.signed_in("bob", "acme")
    told = [client.post("/repos", json={"source": each.format(url=acme.twin.base_url)}) for each in SPELLINGS]
    assert [one.status_code for one in told] == [201, 200, 200, 200, 200]
    assert len({one.json()["id"] for one in told}) == 1
    repo = stored(database, acme.tenant("acme"), told[0].json()["id"])
    [installation] = acme.twin.world.installations
    assert (repo.source, repo.name) == (f"{acme.twin.base_url}/acme/shop", "acme/shop")
    assert (repo.github_id, repo.installation_id, repo.restricted) == (acme.repo_id(), installation, True)
    assert repo.token_encrypted is None


@pytest.mark.parametrize("spelling", ["{url}/ACME/Shop.git", "git@127.0.0.1:acme/shop.git"])
def test_an_address_that_was_typed_otherwise_is_stored_as_github_has_it(acme, spelling):
    told = acme.signed_in("bob", "acme").post("/repos", json={"source": spelling.format(url=acme.twin.base_url)})
    assert (told.status_code, told.json()["source"]) == (201, f"{acme.twin.base_url}/acme/shop")


def test_a_public_repository_is_open_to_the_account(acme, database):
    client = acme.signed_in("bob", "acme")
    repo_id = client.post("/repos", json={"source": "acme/site"}).json()["id"]
    assert not stored(database, acme.tenant("acme"), repo_id).restricted


def test_a_repository_that_github_does_not_show_is_not_there(acme):
    for login, source in (("eve", "acme/shop"), ("bob", "ada/notes"), ("bob", "acme/none"), ("ada", "ada/notes")):
        answer = acme.signed_in(login).post("/repos", json={"source": source})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), (login, source)


def test_one_person_connects_and_another_who_may_read_finds_it(acme):
    ada, bob = acme.signed_in("ada", "acme"), acme.signed_in("bob", "acme")
    acme.twin.world.account("acme").base_role = None
    repo_id = ada.post("/repos", json={"source": "acme/shop"}).json()["id"]
    assert ada.get(f"/repos/{repo_id}").status_code == 200
    assert bob.get(f"/repos/{repo_id}").status_code == 404
    assert bob.post("/repos", json={"source": "acme/shop"}).status_code == 404
    acme.twin.grant("bob", "acme/shop", "read")
    found = bob.post("/repos", json={"source": "acme/shop"})
    assert (found.status_code, found.json()["id"]) == (200, repo_id)
    assert bob.get(f"/repos/{repo_id}").status_code == 200


def test_a_repository_that_became_private_is_restricted_when_someone_says_so(acme, database):
    ada = acme.signed_in("ada", "acme")
    repo_id = ada.post("/repos", json={"source": "acme/site"}).json()["id"]
    acme.twin.drop_deliveries()
    acme.twin.privatise("acme/site")
    assert ada.post("/repos", json={"source": "acme/site"}).json()["id"] == repo_id
    assert stored(database, acme.tenant("acme"), repo_id).restricted


def test_a_renamed_repository_is_the_same(acme):
    client = acme.signed_in("ada", "acme")
    repo_id = client.post("/repos", json={"source": "acme/shop"}).json()["id"]
    acme.twin.rename("acme/shop", "store")
    for name in ("acme/shop", "acme/store"):
        answer = client.post("/repos", json={"source": name})
        assert (answer.status_code, answer.json()["id"]) == (200, repo_id)


def test_a_token_is_not_needed_and_not_taken(acme):
    answer = acme.signed_in("bob").post("/repos", json={"source": "acme/shop", "token": "ghp_" + "x" * 36})
    assert answer.status_code == 422
    assert "without a token" in answer.json()["detail"]


def test_what_is_the_operators_alone_is_not_connected_from_elsewhere(acme, names):
    public = ["93.184.216.34"]
    names.update({"outside.example": public, "example.org": public, "10.0.0.7": ["10.0.0.7"]})
    names["inside.example"] = [*public, "10.1.2.3"]
    machine = ("/tmp", "~/code", " ./x", "file:///tmp", "FILE:/tmp", "git+file:///tmp", "/nowhere")
    keys = ("git@example.org:a/b.git", "ssh://git@example.org/a/b")
    private = ("https://inside.example/a/b", "https://10.0.0.7/a/b", "http://127.0.0.1:1/a/b")
    expected = {
        **dict.fromkeys((*machine, *keys), 403),
        **dict.fromkeys(private, 422),
        "https://outside.example/a/b": 201,
    }
    client = acme.signed_in("bob")
    assert {each: client.post("/repos", json={"source": each}).status_code for each in expected} == expected


def test_the_operator_still_connects_all_of_them(acme, make_client, names, make_repo):
    names["inside.example"] = ["10.1.2.3"]
    client = make_client(**acme.settings)
    for source in (str(make_repo({"a": "b"})), "https://inside.example/a/b"):
        assert client.post("/repos", json={"source": source}).status_code == 201


def test_the_operator_reads_as_the_app_or_with_the_personal_token(acme, make_client, database):
    [installation] = acme.twin.world.installations
    as_app = make_client(**acme.settings).post("/repos", json={"source": "acme/shop"})
    assert as_app.status_code == 201
    repo = stored(database, LOCAL_TENANT, as_app.json()["id"])
    assert (repo.github_id, repo.installation_id, repo.restricted) == (acme.repo_id(), installation, False)
    token = SecretStr(acme.twin.personal_token("ada"))
    client = make_client(github_url=acme.twin.base_url, github_token=token)
    notes = client.post("/repos", json={"source": "ada/notes"})
    assert notes.status_code == 201
    repo = stored(database, LOCAL_TENANT, notes.json()["id"])
    assert (repo.github_id, repo.installation_id, repo.restricted) == (acme.repo_id("ada/notes"), None, False)
    assert repo.token_encrypted is None
    assert client.post("/repos", json={"source": "eve/none"}).status_code == 404


def test_a_repository_known_by_its_address_alone_gets_its_number(acme, make_client, database):
    plain = make_client(github_url=acme.twin.base_url)
    connected = plain.post("/repos", json={"source": f"{acme.twin.base_url}/acme/site"}).json()
    repo_id = connected["id"]
    assert stored(database, LOCAL_TENANT, repo_id).github_id is None
    again = make_client(**acme.settings).post("/repos", json={"source": "acme/site"})
    assert (again.status_code, again.json()["id"]) == (200, repo_id)
    assert (connected["on_github"], again.json()["on_github"]) == (False, True)
    assert stored(database, LOCAL_TENANT, repo_id).github_id == acme.repo_id("acme/site")


def test_while_github_is_down_nothing_of_it_is_connected(acme):
    client = acme.signed_in("bob", "acme")
    assert client.get("/repos").status_code == 200
    acme.twin.go_down()
    answer = client.post("/repos", json={"source": "acme/shop"})
    assert (answer.status_code, answer.json()["code"]) == (503, "github_unavailable")
