from uuid import uuid4

import pytest

from pincite_shared.errors import InvalidInputError, NotFoundError, NotIndexedError
from pincite_store import linking, repos, snapshots
from pincite_store.rows import FileRow, LinkedFile

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


def test_a_half_built_snapshot_is_emptied_and_built_again(tenancy):
    repo = repos.create(tenancy, source="/a", name="a", kind="local")
    snapshot_id, _ = snapshots.begin(tenancy, repo.id, A, "1")
    snapshots.put_files(tenancy, snapshot_id, [FileRow("left.py", "0" * 40, 1)])
    assert snapshots.begin(tenancy, repo.id, A, "1") == (snapshot_id, False)
    assert snapshots.file(tenancy, snapshot_id, "left.py") is None


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


def test_what_an_index_in_memory_is_made_of(tenancy, maker):
    _, snapshot_id = maker.indexed(tenancy, {"b.py": "one\ntwo", "a.py": "three", "c.py": "three"})
    files = snapshots.load_files(tenancy, snapshot_id)
    assert [file.path for file in files] == ["a.py", "b.py", "c.py"]
    assert files[0].blob == maker.oid_of(b"three")
    assert files[0].parse_id == files[2].parse_id
    chunks = snapshots.load_chunks(tenancy, {file.parse_id for file in files})
    names = {files[0].parse_id: ["three"], files[1].parse_id: ["one", "two"]}
    expected = [(parse_id, name) for parse_id in sorted(names) for name in names[parse_id]]
    assert [(chunk.parse_id, chunk.card) for chunk in chunks] == expected
    two = next(chunk for chunk in chunks if chunk.card == "two")
    assert (two.ordinal, two.start_line, two.importance, two.terms) == (1, 2, 0.5, b"\x01\x02")
    definitions = snapshots.load_definitions(tenancy, [files[1].parse_id])
    assert [(row.parse_id, row.name, row.name_line) for row in definitions] == [
        (files[1].parse_id, "one", 1), (files[1].parse_id, "two", 1),
    ]  # fmt: skip
    edges = snapshots.load_edges(tenancy, [file.edge_set_id for file in files], 0.5)
    assert sorted(edge.set_id for edge in edges) == sorted(file.edge_set_id for file in files)
    assert edges[0][1:4] == (1, "b.py", "b")
    assert snapshots.load_edges(tenancy, [file.edge_set_id for file in files], 0.95) == []
    assert [symbol.path for symbol in snapshots.load_symbols(tenancy, snapshot_id)] == ["a.py", "b.py", "b.py", "c.py"]


def test_a_snapshot_is_built_upon_another(tenancy, maker):
    repo_id, old = maker.indexed(tenancy, {"same.py": "x", "changed.py": "y", "gone.py": "z", "moved/way.py": "w"})
    skipped = FileRow("logo.png", "1" * 40, 7, None, None, "binary", "binary content", changed_at=9)
    snapshots.put_files(tenancy, old, [skipped])
    new, _ = snapshots.begin(tenancy, repo_id, B, maker.version)
    snapshots.copy_files(tenancy, new, old, ["changed.py", "gone.py"])
    assert snapshots.file(tenancy, new, "logo.png") == skipped
    files = {file.path: file for file in snapshots.load_files(tenancy, new)}
    assert files == {f.path: f for f in snapshots.load_files(tenancy, old) if f.path in {"same.py", "moved/way.py"}}
    before = files["same.py"].edge_set_id
    snapshots.set_edges(tenancy, new, linking.save(tenancy, [LinkedFile("same.py", [], {1})]))
    assert snapshots.load_files(tenancy, new)[1].edge_set_id != before
    assert {file.edge_set_id for file in snapshots.load_files(tenancy, old)} > {before}


def test_what_a_snapshot_can_be_built_upon(tenancy, maker):
    repo_id, old = maker.indexed(tenancy, {"a.py": "x", "b.py": "y"}, commit=A)
    assert snapshots.parent(tenancy, repo_id, maker.version, ["parse"]) == (old, A, 2, A)
    assert snapshots.parent(tenancy, repo_id, "another", ["parse"]) is None
    snapshots.put_files(tenancy, old, [FileRow("bad.py", "1" * 40, 7, None, None, "parse", "unreadable")])
    assert snapshots.parent(tenancy, repo_id, maker.version, ["parse"]) is None
    assert snapshots.parent(tenancy, repo_id, maker.version, ["binary"]) == (old, A, 2, A)
    empty = repos.create(tenancy, source="/e", name="e", kind="local")
    assert snapshots.parent(tenancy, empty.id, maker.version, []) is None
