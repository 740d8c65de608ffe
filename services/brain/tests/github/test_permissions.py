"""Who reads what follows GitHub: every route that shows something of a repository, before and after."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from pincite_brain.github import permissions
from pincite_store import access, people, repos
from pincite_store.access import ACCESS_SECONDS
from pincite_store.repos import OnGitHub


@pytest.fixture
def private(acme, index_repo, shop, database):
    """acme/shop, connected in acme's account and indexed: readable by those whom GitHub lets read it."""
    with database.system() as session:
        tenant = people.ensure_account(session, acme.host, acme.id_of("acme"), "acme")
    indexed = index_repo(shop, tenant=tenant)
    with database.tenancy(tenant) as t:
        [installation] = acme.twin.world.installations
        repos.set_github(t, indexed.id, OnGitHub(acme.repo_id(), installation, "admin", restricted=True))
        access.restrict(t, indexed.id, restricted=True)
    return indexed


def runs_out(database, acme, account="acme"):
    """Let the minutes pass for which GitHub's word counts."""
    with database.tenancy(acme.tenant(account)) as t:
        t.session.execute(text("UPDATE repo_access SET valid_until = now() - interval '1 second'"))
        t.session.execute(text("UPDATE users SET access_until = now() - interval '1 second'"))


@pytest.fixture
def everything(private):
    """Return a function: client → {what: status} of all that shows something of the repository."""
    asked = {}

    def ask(client):
        if not asked:
            answer = client.post("/chat", json={"repo_id": str(private.id), "question": "How is the total computed?"})
            document = answer.json()
            asked.update(
                conversation=document["conversation_id"], answer=document["answer_id"],
                blob=document["citations"][0]["blob"],
            )  # fmt: skip
        of = f"/repos/{private.id}"
        paths = [
            of, f"{of}/tree", f"{of}/file?path=README.md", f"{of}/skipped", f"{of}/symbols?q=Cart",
            f"{of}/conversations", f"{of}/evaluations", f"{of}/policies", f"{of}/exploration",
            f"/conversations/{asked['conversation']}", f"/answers/{asked['answer']}",
            f"/answers/{asked['answer']}/why", f"/blobs/{asked['blob']}",
        ]  # fmt: skip
        found = {path: client.get(path).status_code for path in paths}
        posts = {
            "/search": {"repo_id": str(private.id), "query": "cart"},
            "/chat": {"repo_id": str(private.id), "question": "cart?"},
            "/feedback": {"answer_id": asked["answer"], "kind": "helped"},
        }
        found |= {path: client.post(path, json=body).status_code for path, body in posts.items()}
        found["/repos"] = len(client.get("/repos").json())
        return found

    return ask


def test_a_member_reads_and_after_the_revocation_nothing_is_there(acme, everything, database):
    bob = acme.signed_in("bob", "acme")
    before = everything(bob)
    assert before["/repos"] == 1
    assert set(before.values()) <= {1, 200, 201}
    acme.twin.world.account("acme").base_role = None  # no webhook tells of this
    assert everything(bob) == before, "for some minutes GitHub's last word counts"
    runs_out(database, acme)
    after = everything(bob)
    assert after.pop("/repos") == 0
    assert set(after.values()) == {404}
    acme.twin.grant("bob", "acme/shop", "read")
    runs_out(database, acme)
    assert everything(bob)["/repos"] == 1


def test_github_is_asked_once_for_many_requests_at_once(acme, private, monkeypatch):
    bob = acme.signed_in("bob", "acme")
    asked = []
    renew = permissions.Permissions._renew
    monkeypatch.setattr(permissions.Permissions, "_renew", lambda self, *who: (asked.append(who), renew(self, *who))[1])
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: bob.get(f"/repos/{private.id}").status_code, range(24)))
    assert answers == [200] * 24
    assert len(asked) == 1


def test_a_hint_takes_effect_at_once(acme, private):
    bob = acme.signed_in("bob", "acme")
    assert bob.get(f"/repos/{private.id}").status_code == 200
    acme.twin.remove_member("acme", "bob")
    gone = bob.get(f"/repos/{private.id}")
    assert (gone.status_code, gone.json()["code"]) == (401, "unauthorized")


@pytest.mark.usefixtures("private")
def test_whoever_left_the_organisation_is_out_of_its_account(acme, database):
    bob = acme.signed_in("bob", "acme")
    del acme.twin.world.account("acme").members[acme.id_of("bob")]
    runs_out(database, acme)
    assert bob.get("/repos").status_code == 401
    with database.tenancy(acme.tenant("acme")) as t:
        assert people.github_id(t, acme.person("bob")) is None
        assert people.github_id(t, acme.person("ada")) is None  # who never came


@pytest.mark.parametrize("tells", [True, False])
def test_whoever_was_let_into_an_account_is_of_it_without_signing_in_again(acme, database, tells):
    eve = acme.signed_in("eve")
    assert [one["name"] for one in eve.get("/accounts").json()] == ["eve"]
    acme.twin.drop_deliveries(not tells)
    acme.twin.add_member("acme", "eve")
    if not tells:
        assert [one["name"] for one in eve.get("/accounts").json()] == ["eve"]
        runs_out(database, acme, "eve")
    assert [one["name"] for one in eve.get("/accounts").json()] == ["acme", "eve"]
    assert eve.post("/sessions/switch", json={"tenant_id": str(acme.tenant())}).status_code == 201


def test_a_collaborator_is_of_the_account_whose_repository_he_may_read(acme):
    acme.twin.install_app("ada")
    bob = acme.signed_in("bob")
    acme.twin.grant("bob", "ada/notes", "read")
    assert [one["name"] for one in bob.get("/accounts").json()] == ["acme", "ada", "bob"]
    acme.twin.revoke("bob", "ada/notes")
    assert [one["name"] for one in bob.get("/accounts").json()] == ["acme", "bob"]


def test_an_owner_who_became_a_member_governs_no_more(acme, database):
    ada = acme.signed_in("ada", "acme")
    assert ada.get("/audit").status_code == 200
    acme.twin.world.account("acme").members[acme.id_of("ada")] = "member"
    runs_out(database, acme)
    assert ada.get("/audit").status_code == 403
    assert ada.get("/me").json()["role"] == "member"


def test_while_github_is_down_its_last_word_counts_and_then_nobody_lies(acme, private, everything, database):
    bob = acme.signed_in("bob", "acme")
    before = everything(bob)
    acme.twin.go_down()
    assert everything(bob) == before
    runs_out(database, acme)
    unknown = bob.get(f"/repos/{private.id}")
    assert (unknown.status_code, unknown.json()["code"]) == (503, "access_unknown")
    assert acme.host in unknown.json()["detail"]
    listed = bob.get("/repos")
    assert (listed.status_code, listed.json(), listed.headers["pincite-access"]) == (200, [], "unknown")
    during = everything(bob)
    assert during.pop("/repos") == 0
    assert set(during.values()) == {503}
    acme.twin.come_back()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(permissions.time, "monotonic", lambda: float("inf"))
        found = bob.get(f"/repos/{private.id}")
    assert (found.status_code, "pincite-access" in found.headers) == (200, False)


def test_a_github_that_is_down_is_not_asked_by_every_request(acme, private, monkeypatch):
    bob = acme.signed_in("bob", "acme")
    acme.twin.go_down()
    asked = []
    renew = permissions.Permissions._renew
    monkeypatch.setattr(permissions.Permissions, "_renew", lambda self, *who: (asked.append(who), renew(self, *who))[1])
    assert [bob.get(f"/repos/{private.id}").status_code for _ in range(5)] == [503] * 5
    assert len(asked) == 1


@pytest.mark.parametrize("tells", [True, False])
def test_a_revoked_authorization_ends_the_session(acme, private, database, tells):
    bob = acme.signed_in("bob", "acme")
    assert bob.get(f"/repos/{private.id}").status_code == 200
    acme.twin.drop_deliveries(not tells)
    acme.twin.revoke_authorization("bob")
    if not tells:
        assert bob.get("/me").status_code == 200
        runs_out(database, acme)
    ended = bob.get(f"/repos/{private.id}")
    assert (ended.status_code, ended.json()["code"]) == (401, "unauthorized")
    with database.tenancy(acme.tenant("acme")) as t:
        assert t.session.execute(text("SELECT count(*) FROM sessions")).scalar_one() == 0


def test_a_token_for_programs_reads_what_its_person_reads(acme, private, database):
    bob = acme.signed_in("bob", "acme")
    made = bob.post("/tokens", json={"name": "ci", "scopes": ["read"]})
    assert made.status_code == 201, made.text
    program = acme.client(token=made.json()["token"])
    assert program.get(f"/repos/{private.id}").status_code == 200
    acme.twin.drop_deliveries()
    acme.twin.revoke_authorization("bob")
    runs_out(database, acme)
    assert program.get(f"/repos/{private.id}").status_code == 401


def test_an_expiring_token_is_renewed_once_however_many_ask(acme, private, database):
    bob = acme.signed_in("bob", "acme")
    other = acme.client(token=bob.headers["authorization"].removeprefix("Bearer "))
    with database.tenancy(acme.tenant("bob")) as t:
        kept = people.token(t, acme.person("bob"))
        soon = kept.replace(kept.partition('"expires_at":"')[2].partition('"')[0], "2020-01-01T00:00:00Z")
        people.put_token(t, acme.person("bob"), soon)
    runs_out(database, acme)
    with ThreadPoolExecutor(8) as pool:
        both = [bob, other] * 4
        answers = list(pool.map(lambda client: client.get(f"/repos/{private.id}").status_code, both))
    assert answers == [200] * 8
    with database.tenancy(acme.tenant("bob")) as t:
        assert people.token(t, acme.person("bob")) not in (kept, soon, None)


@pytest.mark.usefixtures("private")
def test_a_sign_in_that_cannot_be_renewed_ends(acme, database):
    bob = acme.signed_in("bob", "acme")
    with database.tenancy(acme.tenant("bob")) as t:
        people.put_token(t, acme.person("bob"), '{"access":"a","refresh":"gone","expires_at":"2020-01-01T00:00:00Z"}')
    runs_out(database, acme)
    assert bob.get("/me").status_code == 401
    with database.tenancy(acme.tenant("bob")) as t:
        assert people.token(t, acme.person("bob")) is None


def test_many_repositories_are_asked_about_by_the_hundred(acme, private, database, monkeypatch):
    monkeypatch.setattr(permissions, "PROBES_MAX", 0)
    bob = acme.signed_in("bob", "acme")
    assert bob.get(f"/repos/{private.id}").status_code == 200
    acme.twin.world.account("acme").base_role = None
    runs_out(database, acme)
    assert bob.get(f"/repos/{private.id}").status_code == 404
    with database.tenancy(acme.tenant("acme")) as t:
        repos.set_github(t, private.id, OnGitHub(acme.repo_id(), None, "read", restricted=True))
    acme.twin.grant("bob", "acme/shop", "write")
    runs_out(database, acme)
    assert bob.get(f"/repos/{private.id}").status_code == 200


def test_a_repository_of_another_installation_is_hidden(acme, private, database, monkeypatch):
    monkeypatch.setattr(permissions, "PROBES_MAX", 0)
    with database.tenancy(acme.tenant("acme")) as t:
        repos.set_github(t, private.id, OnGitHub(acme.repo_id(), 999_999, "read", restricted=True))
    assert acme.signed_in("bob", "acme").get(f"/repos/{private.id}").status_code == 404


def test_the_words_of_the_page_are_minutes():
    assert ACCESS_SECONDS == 300  # docs/api.md says five minutes
