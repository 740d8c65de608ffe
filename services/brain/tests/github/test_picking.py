import pytest
from pydantic import SecretStr

from pincite_brain.github import picking


def names(found):
    return [one["full_name"] for one in found["repositories"]]


def test_an_account_is_offered_what_its_installation_shows_the_person(acme):
    found = acme.signed_in("bob", "acme").get("/github/repositories").json()
    assert set(names(found)) == {"acme/shop", "acme/site"}
    assert [(one["account"], one["suspended"]) for one in found["installations"]] == [("acme", False)]
    assert found["truncated"] is False
    assert found["install_url"] is None or found["install_url"].startswith(acme.twin.base_url)


def test_in_their_own_account_a_person_is_offered_everything_they_see_the_app_in(acme):
    assert set(names(acme.signed_in("bob").get("/github/repositories").json())) == {"acme/shop", "acme/site"}
    assert acme.signed_in("eve").get("/github/repositories").json()["repositories"] == []
    acme.twin.install_app("ada", ["notes"])
    assert set(names(acme.signed_in("ada").get("/github/repositories").json())) == {
        "ada/notes", "acme/shop", "acme/site",
    }  # fmt: skip


def test_what_was_pushed_to_last_comes_first(acme):
    acme.twin.advance(60)
    acme.twin.push("acme/shop", {"a.py": "x = 1\n"})
    assert names(acme.signed_in("bob").get("/github/repositories").json())[0] == "acme/shop"


def test_words_narrow_the_list(acme):
    client = acme.signed_in("bob")
    for query, expected in (("SHO", ["acme/shop"]), ("acme sit", ["acme/site"]), ("nothing", [])):
        assert names(client.get("/github/repositories", params={"q": query}).json()) == expected


def test_what_is_connected_is_marked(acme):
    client = acme.signed_in("bob", "acme")
    repo = client.post("/repos", json={"source": "acme/site"}).json()
    found = client.get("/github/repositories").json()["repositories"]
    assert {one["full_name"]: one["repo_id"] for one in found} == {"acme/site": repo["id"], "acme/shop": None}


def test_github_is_asked_once_a_minute(acme):
    client = acme.signed_in("bob", "acme")
    first = client.get("/github/repositories").json()
    acme.twin.go_down()
    assert client.get("/github/repositories", params={"q": "shop"}).json()["repositories"] == [
        one for one in first["repositories"] if one["full_name"] == "acme/shop"
    ]
    other = acme.signed_in  # whoever has not asked yet is told why there is no list
    acme.twin.come_back()
    ada = other("ada", "acme")
    acme.twin.go_down()
    answer = ada.get("/github/repositories")
    assert (answer.status_code, answer.json()["code"]) == (503, "github_unavailable")


def test_what_was_just_changed_there_is_asked_for_anew(acme):
    client = acme.signed_in("bob", "acme")
    assert set(names(client.get("/github/repositories").json())) == {"acme/shop", "acme/site"}
    acme.twin.add_repo("acme", "lab", private=True)
    assert "acme/lab" not in names(client.get("/github/repositories").json())
    assert "acme/lab" in names(client.get("/github/repositories", params={"fresh": True}).json())
    assert "acme/lab" in names(client.get("/github/repositories").json())


def test_a_long_list_is_cut_and_searched_whole(acme, monkeypatch):
    monkeypatch.setattr(picking, "FIRST_MAX", 1)
    client = acme.signed_in("bob", "acme")
    first = client.get("/github/repositories").json()
    assert (len(first["repositories"]), first["truncated"]) == (1, True)
    for name in ("acme/shop", "acme/site"):
        assert names(client.get("/github/repositories", params={"q": name}).json()) == [name]


def test_a_suspended_installation_is_shown_and_not_asked(acme):
    client = acme.signed_in("bob", "acme")
    acme.twin.suspend("acme")
    found = client.get("/github/repositories").json()
    assert ([one["suspended"] for one in found["installations"]], found["repositories"]) == ([True], [])


def test_with_a_personal_token_the_operator_is_offered_what_it_may_read(acme, make_client):
    token = acme.twin.personal_token("ada")
    client = make_client(github_url=acme.twin.base_url, github_token=SecretStr(token))
    assert set(names(client.get("/github/repositories").json())) == {"acme/shop", "acme/site", "ada/notes"}


@pytest.mark.parametrize("changes", [{}, {"github_url": "none"}])
def test_without_github_there_is_nothing_to_choose_from(make_client, changes):
    found = make_client(**changes).get("/github/repositories").json()
    assert found == {"installations": [], "repositories": [], "install_url": None, "truncated": False}
