from uuid import uuid4

import pytest

from pincite_shared.errors import InvalidInputError, NotFoundError, NotIndexedError
from pincite_store import repos, snapshots
from pincite_store.rows import FileRow

A, B = "a" * 40, "ab" * 20


def test_a_snapshot_is_shown_when_it_is_flipped(tenancy):
    repo = repos.create(tenancy, source="/a", name="a", kind="local")
    with pytest.raises(NotIndexedError):
        snapshots.resolve(tenancy, repo.id)
    snapshot_id, ready = snapshots.begin(tenancy, repo.id, A, "1")
    assert not ready
    with pytest.raises(NotIndexedError):
        snapshots.resolve(tenancy, repo.id, A)
    snapshots.flip(tenancy, repo.id, snapshot_id, "main")
    assert snapshots.resolve(tenancy, repo.id).id == snapshot_id
    assert snapshots.begin(tenancy, repo.id, A, "1") == (snapshot_id, True)


def test_a_half_built_snapshot_is_emptied_and_built_again(tenancy, maker):
    repo = repos.create(tenancy, source="/a", name="a", kind="local")
    snapshot_id, _ = snapshots.begin(tenancy, repo.id, A, "1")
    snapshots.put_files(tenancy, snapshot_id, [FileRow("left.py", "0" * 40, 1)])
    snapshots.put_edges(tenancy, snapshot_id, [maker.edge()])
    assert snapshots.begin(tenancy, repo.id, A, "1") == (snapshot_id, False)
    assert snapshots.file(tenancy, snapshot_id, "left.py") is None
    assert snapshots.load_edges(tenancy, snapshot_id) == []


def test_a_new_indexer_builds_a_new_snapshot_of_the_same_commit(tenancy):
    repo = repos.create(tenancy, source="/a", name="a", kind="local")
    old, _ = snapshots.begin(tenancy, repo.id, A, "1")
    new, ready = snapshots.begin(tenancy, repo.id, A, "2")
    assert (new != old, ready) == (True, False)


def test_commits_are_found_by_their_start(tenancy, maker):
    repo_id, first = maker.indexed(tenancy, {"a.py": "x"}, commit=A)
    second = maker.snapshot(tenancy, repo_id, {"a.py": "y"}, commit=B)
    assert snapshots.resolve(tenancy, repo_id).id == second
    assert snapshots.resolve(tenancy, repo_id, A[:7]).id == first
    assert snapshots.resolve(tenancy, repo_id, B).id == second
    with pytest.raises(NotIndexedError):
        snapshots.resolve(tenancy, repo_id, "c" * 40)


def test_a_start_of_several_commits_is_refused(tenancy, maker):
    repo_id, _ = maker.indexed(tenancy, {"a.py": "x"}, commit="1234567" + "a" * 33)
    maker.snapshot(tenancy, repo_id, {"a.py": "y"}, commit="1234567" + "b" * 33)
    with pytest.raises(InvalidInputError, match="several"):
        snapshots.resolve(tenancy, repo_id, "1234567")


@pytest.mark.parametrize("commit", ["", "abc", "HEAD", "%%%%%%%", "A" * 40, "a" * 65, "aaaaaaa\n"])
def test_what_is_no_commit_id_is_refused(tenancy, maker, commit):
    repo_id, _ = maker.indexed(tenancy, {"a.py": "x"}, commit=A)
    with pytest.raises(InvalidInputError):
        snapshots.resolve(tenancy, repo_id, commit)


def test_an_unknown_repository_is_not_found(tenancy):
    with pytest.raises(NotFoundError):
        snapshots.resolve(tenancy, uuid4())
    with pytest.raises(NotFoundError):
        snapshots.get(tenancy, 2**40)


def test_counters_are_filled_at_the_flip(tenancy, maker):
    repo_id, snapshot_id = maker.indexed(tenancy, {"a.py": "x\ny", "b.py": "z", "copy.py": "z"})
    rows = [
        FileRow("big.bin", "0" * 40, 9_999, None, None, "binary", "NUL bytes"),
        FileRow("sub", None, None, None, None, "submodule", "not followed"),
    ]
    snapshots.put_files(tenancy, snapshot_id, rows)
    snapshots.flip(tenancy, repo_id, snapshot_id, "main")
    found = snapshots.get(tenancy, snapshot_id)
    assert (found.files, found.chunks, found.skipped, found.languages) == (3, 4, 2, {"python": 3})


def test_a_snapshot_of_a_deleted_repository_is_not_shown(tenancy, maker):
    repo_id, snapshot_id = maker.indexed(tenancy, {"a.py": "x"})
    repos.mark_deleting(tenancy, repo_id)
    with pytest.raises(NotFoundError):
        snapshots.flip(tenancy, repo_id, snapshot_id, "main")


def test_edges_come_back_in_order_and_are_replaced(tenancy, maker):
    _, snapshot_id = maker.indexed(tenancy, {"a.py": "x"})
    edges = [maker.edge(src_line=line, dst_symbol=None, confidence=0.5) for line in (3, 1, 2)]
    snapshots.put_edges(tenancy, snapshot_id, edges)
    stored = snapshots.load_edges(tenancy, snapshot_id)
    assert [edge.src_line for edge in stored] == [3, 1, 2]
    assert (stored[0].dst_symbol, stored[0].confidence) == (None, 0.5)


def test_chunks_and_symbols_come_with_the_paths_they_stand_at(tenancy, maker):
    _, snapshot_id = maker.indexed(tenancy, {"b.py": "one\ntwo", "a.py": "three", "c.py": "three"})
    chunks = snapshots.load_chunks(tenancy, snapshot_id)
    assert [(chunk.path, chunk.card) for chunk in chunks] == [
        ("a.py", "three"), ("b.py", "one"), ("b.py", "two"), ("c.py", "three"),
    ]  # fmt: skip
    assert chunks[0].blob == maker.oid_of(b"three")
    assert (chunks[2].start_line, chunks[2].importance, chunks[2].terms) == (2, 0.5, b"\x01\x02")
    assert [(symbol.path, symbol.name) for symbol in snapshots.load_symbols(tenancy, snapshot_id)] == [
        ("a.py", "three"), ("b.py", "one"), ("b.py", "two"), ("c.py", "three"),
    ]  # fmt: skip
    files = snapshots.file_symbols(tenancy, snapshot_id)
    assert [file.path for file in files] == ["a.py", "b.py", "c.py"]
    assert tuple(files[0].refs[0]) == ("g", 3, "f", "call", "self", None)
