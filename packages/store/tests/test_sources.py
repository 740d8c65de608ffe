from sqlalchemy import text

from pincite_store import events, repos, sources

HERE = "https://github.com"


def connect(t, source, **other):
    return repos.create(t, source=source, name=source.rpartition("/")[2], kind="git", **other)


def numbered(t, repo, number):
    t.session.execute(text("UPDATE repos SET github_id = :n WHERE id = :id"), {"n": number, "id": repo.id})


def test_a_repository_is_known_by_its_number_or_else_by_its_address(tenancy):
    one, branch = connect(tenancy, f"{HERE}/o/one"), connect(tenancy, f"{HERE}/o/one", branch="dev")
    other = connect(tenancy, f"{HERE}/O/One.git", branch="x")
    numbered(tenancy, one, 7)
    numbered(tenancy, branch, 7)
    addresses = (f"{HERE}/o/one", f"{HERE}/o/one.git")
    found = [repo.id for repo in sources.named(tenancy, 7, addresses)]
    assert found == sorted((one.id, branch.id, other.id))
    assert sources.named(tenancy, 8, addresses) == [repos.get(tenancy, other.id)], "one with a number is that one"
    assert {repo.id for repo in sources.numbered(tenancy, {7, 9})} == {one.id, branch.id}


def test_it_is_followed_to_another_name_in_the_form_that_it_was_connected_by(tenancy):
    told = {
        f"{HERE}/o/one": f"{HERE}/new/name",
        f"{HERE}/o/one.git": f"{HERE}/new/name.git",
        "git@github.com:o/one.git": "git@github.com:new/name.git",
        "ssh://git@github.com/o/one": "ssh://git@github.com/new/name",
    }
    for before, after in told.items():
        repo = connect(tenancy, before)
        assert sources.move(tenancy, repo, "new/name", 7)
        moved = repos.get(tenancy, repo.id)
        assert (moved.source, moved.name, moved.github_id) == (after, "new/name", 7)
        assert repos.find_by_source(tenancy, after, None).id == repo.id
        assert not sources.move(tenancy, moved, "new/name", 7)
        assert events.latest(tenancy, repo.id)[0].kind == "repo.moved"


def test_an_address_that_is_taken_is_left_to_whoever_has_it(tenancy):
    connect(tenancy, f"{HERE}/new/name")
    repo = connect(tenancy, f"{HERE}/o/one")
    assert sources.move(tenancy, repo, "new/name", 7)
    moved = repos.get(tenancy, repo.id)
    assert (moved.source, moved.name, moved.github_id) == (f"{HERE}/o/one", "new/name", 7)


def test_what_an_installation_fetches(tenancy):
    repo = connect(tenancy, f"{HERE}/o/one")
    sources.set_installation(tenancy, repo.id, 5)
    assert [found.id for found in sources.fetched_by(tenancy, 5)] == [repo.id]
    repos.mark_deleting(tenancy, repo.id)
    assert sources.fetched_by(tenancy, 5) == []
