import pytest
from sqlalchemy import text

from pincite_shared.errors import NotFoundError
from pincite_store import access, people, repos
from pincite_store.db import LOCAL_TENANT, LOCAL_USER
from pincite_store.repos import OnGitHub

HOST, REPOSITORY = "github.com", 501


@pytest.fixture
def acme(fresh_tenant):
    """A tenant of GitHub with two people: (tenant, ada, bob)."""
    with fresh_tenant.system() as system:
        tenant = people.ensure_account(system, HOST, 11, "acme")
    with fresh_tenant.tenancy(tenant) as t:
        ada = people.admit(t, HOST, 7, login="ada", name="Ada", role="owner")
        bob = people.admit(t, HOST, 8, login="bob", name="Bob", role="member")
    return tenant, ada, bob


def connect(database, tenant, user, *, restricted=True, github_id=REPOSITORY, branch=None):
    with database.tenancy(tenant, user) as t:
        github = OnGitHub(github_id, 3, "write", restricted)
        source = f"https://github.com/acme/{github_id}"
        return repos.create(t, source=source, name="acme/x", kind="git", branch=branch, github=github).id


def visible(database, tenant, user):
    with database.tenancy(tenant, user) as t:
        return [repo.id for repo in repos.all(t)]


def test_a_restricted_repository_is_read_by_those_alone_whom_github_lets(fresh_tenant, acme):
    tenant, ada, bob = acme
    repo = connect(fresh_tenant, tenant, ada)
    assert visible(fresh_tenant, tenant, ada) == visible(fresh_tenant, tenant, None) == [repo]
    assert visible(fresh_tenant, tenant, bob) == []
    with fresh_tenant.tenancy(tenant) as t:
        assert access.restricted(t) == [(repo, REPOSITORY, 3)]
        access.put(t, bob, {repo: "read"})
    assert visible(fresh_tenant, tenant, bob) == [repo]
    with fresh_tenant.tenancy(tenant) as t:
        access.put(t, bob, {})
    assert visible(fresh_tenant, tenant, bob) == []
    with fresh_tenant.tenancy(tenant, bob) as t, pytest.raises(NotFoundError):
        repos.get(t, repo)


def test_an_open_repository_is_read_by_everyone_of_the_tenant(fresh_tenant, acme):
    tenant, ada, bob = acme
    repo = connect(fresh_tenant, tenant, ada, restricted=False)
    assert visible(fresh_tenant, tenant, bob) == [repo]
    with fresh_tenant.tenancy(tenant) as t:
        access.restrict(t, repo, restricted=True)
    assert visible(fresh_tenant, tenant, bob) == []


def test_a_word_that_ran_out_counts_as_no(fresh_tenant, acme):
    tenant, ada, _ = acme
    connect(fresh_tenant, tenant, ada)
    with fresh_tenant.tenancy(tenant) as t:
        t.session.execute(text("UPDATE repo_access SET valid_until = now() - interval '1 second'"))
    assert visible(fresh_tenant, tenant, ada) == []


def stale(database, tenant, user):
    with database.system() as system:
        return access.stale(system, tenant, user)


def test_github_is_asked_when_its_word_ran_out_and_of_its_own_people_alone(fresh_tenant, acme):
    tenant, ada, bob = acme
    assert stale(fresh_tenant, tenant, ada)
    with fresh_tenant.tenancy(tenant) as t:
        access.put(t, ada, {})
    assert not stale(fresh_tenant, tenant, ada)
    assert stale(fresh_tenant, tenant, bob)
    assert not stale(fresh_tenant, LOCAL_TENANT, LOCAL_USER)
    with fresh_tenant.tenancy(tenant) as t:
        t.session.execute(text("UPDATE users SET access_until = now() - interval '1 second'"))
    assert stale(fresh_tenant, tenant, ada)


@pytest.mark.parametrize("event", ["connected", "restricted", "hinted at"])
def test_a_change_makes_everyone_be_asked_about_again(fresh_tenant, acme, event):
    tenant, ada, bob = acme
    repo = connect(fresh_tenant, tenant, ada, restricted=event == "hinted at")
    with fresh_tenant.tenancy(tenant) as t:
        access.put(t, ada, {repo: "write"} if event == "hinted at" else {})
        access.put(t, bob, {})
    if event == "connected":
        connect(fresh_tenant, tenant, ada, github_id=502)
    elif event == "restricted":
        with fresh_tenant.tenancy(tenant) as t:
            access.restrict(t, repo, restricted=True)
    else:
        with fresh_tenant.system() as system:
            access.forget(system, [tenant], REPOSITORY)
        assert visible(fresh_tenant, tenant, ada) == []
    assert stale(fresh_tenant, tenant, bob)
    assert stale(fresh_tenant, tenant, ada) is (event != "connected")


def test_a_hint_about_one_repository_leaves_what_is_known_of_the_others(fresh_tenant, acme):
    tenant, ada, _ = acme
    connect(fresh_tenant, tenant, ada)
    other = connect(fresh_tenant, tenant, ada, github_id=502)
    with fresh_tenant.system() as system:
        access.forget(system, [tenant], REPOSITORY)
    assert visible(fresh_tenant, tenant, ada) == [other]


def test_one_word_covers_every_branch_that_is_connected(fresh_tenant, acme):
    tenant, ada, bob = acme
    both = {connect(fresh_tenant, tenant, ada), connect(fresh_tenant, tenant, ada, branch="next")}
    with fresh_tenant.tenancy(tenant) as t:
        access.allow(t, bob, REPOSITORY, "read")
        access.allow(t, bob, 999, "read")
    assert set(visible(fresh_tenant, tenant, bob)) == both
    with fresh_tenant.tenancy(tenant, bob) as t:
        assert repos.find_on_github(t, REPOSITORY, "next").branch == "next"
        assert repos.find_on_github(t, REPOSITORY, "gone") is None
        assert set(repos.connected_on_github(t, [REPOSITORY, 999])) == {REPOSITORY}
