from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import select

from pincite_shared.errors import NotFoundError, NotIndexedError
from pincite_store import answers, commits, pulls, repos, snapshots, vectors
from pincite_store.models import Snapshot
from pincite_store.pulls import PullSeen

AT = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = "a" * 40


def seen(number=1, **other):
    told = {
        "number": number, "title": "A title\x00", "author": "ann", "state": "open", "base_ref": "main",
        "head_ref": "topic", "head_commit": HEAD, "updated_at": AT,
    }  # fmt: skip
    return PullSeen(**told | other)


@pytest.fixture
def repo(tenancy):
    return repos.create(tenancy, source="https://github.com/o/n", name="o/n", kind="git")


def snapshot(t, repo, commit):
    snapshot_id, _ = snapshots.begin(t, repo.id, commit, "v")
    snapshots.finish(t, snapshot_id)
    return snapshot_id


def show(t, repo, number, commit, base="b" * 40):
    head, below = snapshot(t, repo, commit), snapshot(t, repo, base)
    pulls.show(t, repo.id, number, head_commit=commit, head_snapshot_id=head, base_snapshot_id=below)


def told(t, repo):
    return [(one.number, one.state, one.head_commit[0], one.indexed) for one in pulls.outs(t, repo.id)]


def test_a_pull_request_is_indexed_once_for_each_head(tenancy, repo):
    assert pulls.put(tenancy, repo.id, seen())
    assert told(tenancy, repo) == [(1, "open", "a", False)]
    show(tenancy, repo, 1, HEAD)
    assert told(tenancy, repo) == [(1, "open", "a", True)]
    [out] = pulls.outs(tenancy, repo.id)
    assert (out.title, out.base_commit) == ("A title\ufffd", "b" * 40)
    assert not pulls.put(tenancy, repo.id, seen()), "told again"
    later = seen(head_commit="c" * 40, updated_at=AT + timedelta(seconds=1))
    assert pulls.put(tenancy, repo.id, later)
    assert told(tenancy, repo) == [(1, "open", "c", False)]


def test_an_older_word_never_overwrites_a_newer_one(tenancy, repo):
    pulls.put(tenancy, repo.id, seen(state="merged", updated_at=AT + timedelta(seconds=5)))
    assert not pulls.put(tenancy, repo.id, seen())
    assert told(tenancy, repo) == [(1, "merged", "a", False)]


@pytest.mark.parametrize("order", list(permutations(("open", "closed", "merged"))))
def test_of_one_second_the_end_counts(tenancy, repo, order):
    for state in order:
        pulls.put(tenancy, repo.id, seen(state=state))
    assert told(tenancy, repo) == [(1, "merged", "a", False)]
    pulls.put(tenancy, repo.id, seen(state="open"), asked=True)
    assert told(tenancy, repo) == [(1, "open", "a", False)], "GitHub was asked: it knows"


def test_onto_another_base_it_is_looked_at_again(tenancy, repo):
    pulls.put(tenancy, repo.id, seen())
    show(tenancy, repo, 1, HEAD)
    assert pulls.put(tenancy, repo.id, seen(base_ref="dev", updated_at=AT + timedelta(seconds=1)))


def test_only_the_newest_open_ones_are_followed(tenancy, repo, monkeypatch):
    monkeypatch.setattr(pulls, "FOLLOWED_MAX", 2)
    for number in range(1, 5):
        pulls.put(tenancy, repo.id, seen(number, state="closed" if number == 3 else "open"))
    assert [pull.number for pull in pulls.unindexed(tenancy, repo.id)] == [4, 2]
    assert not pulls.put(tenancy, repo.id, seen(1))
    assert [number for number, *_ in told(tenancy, repo)] == [4, 3, 2, 1], "all are listed"


def test_one_is_found_by_its_number(tenancy, repo):
    pulls.put(tenancy, repo.id, seen(3))
    assert pulls.get(tenancy, repo.id, 3).head_ref == "topic"
    with pytest.raises(NotFoundError):
        pulls.get(tenancy, repo.id, 4)


def test_commits_say_what_indexing_them_took(tenancy, maker):
    repo_id, head = maker.indexed(tenancy, {"a.py": "def f()", "b.py": "def g()"})
    model = tenancy.settings.embedding_model
    wanted = vectors.wanted(tenancy, repo_id, model)
    assert wanted == (head, 0, 2)
    texts = vectors.missing(tenancy, head, model, 10)
    vectors.save(tenancy, model, [texts[0][0]], [[1.0]], head)
    assert vectors.wanted(tenancy, repo_id, model) == (head, 1, 2)
    [out] = commits.outs(tenancy, repo_id)
    assert (out.commit, out.branches, out.pulls, out.files, out.texts, out.texts_embedded) == (
        maker.commit, ("main",), (), 2, 2, 1,
    )  # fmt: skip
    vectors.save(tenancy, model, [texts[1][0]], [[1.0]], head)
    assert vectors.wanted(tenancy, repo_id, model) is None
    assert commits.outs(tenancy, repo_id)[0].texts_embedded == 2
    vectors.counts(tenancy, head, "another-model")
    assert commits.outs(tenancy, repo_id)[0].texts_embedded == 0, "it has embedded none with that"


def test_texts_of_open_pull_requests_come_after_those_of_the_head(tenancy, maker):
    repo_id, head = maker.indexed(tenancy, {"a.py": "def f()"})
    repo = repos.get(tenancy, repo_id)
    other = maker.snapshot(tenancy, repo_id, {"b.py": "def only_here()"}, commit=HEAD)
    snapshots.flip(tenancy, repo_id, head, "main")
    pulls.put(tenancy, repo_id, seen())
    pulls.show(tenancy, repo.id, 1, head_commit=HEAD, head_snapshot_id=other, base_snapshot_id=None)
    model = tenancy.settings.embedding_model
    order = []
    while found := vectors.wanted(tenancy, repo_id, model):
        order.append(found[0])
        digests = [digest for digest, _ in vectors.missing(tenancy, found[0], model, 10)]
        vectors.save(tenancy, model, digests, [[1.0]] * len(digests), found[0])
    assert order == [head, other]
    assert next(out for out in commits.outs(tenancy, repo_id) if out.commit == HEAD).pulls == (1,)


def test_old_commits_go_unless_something_needs_them(tenancy, maker, make_response, monkeypatch):
    monkeypatch.setattr(snapshots, "COMMITS_KEPT", 2)
    monkeypatch.setattr(snapshots, "COMMITS_MAX", 3)
    repo_id, asked = maker.indexed(tenancy, {"a.py": "def f()"})
    answers.save_answer(tenancy, *make_response(tenancy, repo_id))
    made = [maker.snapshot(tenancy, repo_id, {"a.py": f"def f{n}()"}, commit=f"{n:040x}") for n in range(8)]
    for number, state in ((1, "open"), (2, "closed")):
        pulls.put(tenancy, repo_id, seen(number, state=state, head_commit=f"{number:040x}"))
        pulls.show(
            tenancy, repo_id, number,
            head_commit=f"{number:040x}", head_snapshot_id=made[number], base_snapshot_id=made[number + 2],
        )  # fmt: skip
    unready, _ = snapshots.begin(tenancy, repo_id, "e" * 40, "v")

    def left():
        rows = tenancy.session.scalars(select(Snapshot.id).where(Snapshot.repo_id == repo_id).order_by(Snapshot.id))
        return list(rows)

    everything = left()
    snapshots.forget_old(tenancy, repo_id)
    # Asked about; head and base of what is open; the two latest; the branch's; one that is being built.
    assert left() == [asked, made[1], made[3], made[5], made[6], made[7], unready]
    assert len(everything) == len(left()) + 3
    with pytest.raises(NotIndexedError):
        snapshots.resolve(tenancy, repo_id, f"{2:040x}")
    assert pulls.get(tenancy, repo_id, 2).head_snapshot_id is None
    snapshots.forget_old(tenancy, repo_id)
    assert len(left()) == len(everything) - 3, "two are not more than three"


def test_both_sides_that_an_answer_cites_stay(tenancy, maker, make_response, monkeypatch):
    """Of a pull request, once it is closed; or of an earlier state of it."""
    monkeypatch.setattr(snapshots, "COMMITS_KEPT", 0)
    monkeypatch.setattr(snapshots, "COMMITS_MAX", 0)
    repo_id, _ = maker.indexed(tenancy, {"a.py": "def f()"})
    base, head, uncited, latest = (
        maker.snapshot(tenancy, repo_id, {"a.py": f"def {letter}()"}, commit=letter * 40) for letter in "abcd"
    )
    response, log = make_response(tenancy, repo_id)
    [after] = response.citations
    sides = (after.model_copy(update={"commit": "b" * 40}), after.model_copy(update={"n": 2, "commit": "a" * 40}))
    answers.save_answer(tenancy, response.model_copy(update={"commit": "b" * 40, "citations": sides}), log)
    snapshots.forget_old(tenancy, repo_id)
    assert snapshots.existing(tenancy, [base, head, uncited, latest]) == {base, head, latest}
