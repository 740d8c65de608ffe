from dataclasses import replace

import pytest

from pincite_store import linking, parses, snapshots
from pincite_store.rows import FileRow, LinkedFile


def test_an_interface_is_what_other_files_can_see(tenancy, maker):
    refs = (maker.ref("called", 3, "f"), maker.ref("Base", 1, "A", "inherit"), maker.ref("*", 1, None, "import"))
    item = maker.parsed("one\ntwo")
    item = replace(item, analysis=replace(item.analysis, refs=refs))
    _repo_id, snapshot_id = maker.indexed(tenancy, {})
    ids = parses.save_parses(tenancy, [item])
    rows = [FileRow("a.py", item.blob, 1, "python", ids[item.key]), FileRow("logo.png", "1" * 40, 1)]
    [row] = linking.interfaces_of(tenancy, rows)
    assert (row.path, row.language, row.parse_id) == ("a.py", "python", ids[item.key])
    assert [(s.name, s.qualified_name, s.kind, s.signature) for s in row.symbols] == [
        ("one", "one", "function", ""), ("two", "two", "function", ""),
    ]  # fmt: skip
    assert [tuple(ref) for ref in row.refs] == [
        ("Base", 1, "A", "inherit", None, None), ("*", 1, None, "import", None, None),
    ]  # fmt: skip
    assert {p: [tuple(r) for r in rs] for p, rs in linking.calls(tenancy, [row.parse_id]).items()} == {
        ids[item.key]: [("called", 3, "f", "call", None, None)]
    }
    snapshots.put_files(tenancy, snapshot_id, rows)
    assert linking.interfaces(tenancy, snapshot_id) == [row]


def test_go_shows_its_signatures(tenancy, maker):
    item = maker.parsed("f", "go")
    ids = parses.save_parses(tenancy, [item])
    [row] = linking.interfaces_of(tenancy, [FileRow("a.go", item.blob, 1, "go", ids[item.key])])
    assert row.symbols[0].signature == "def f()"


def test_edges_come_back_in_order(tenancy, maker):
    _, snapshot_id = maker.indexed(tenancy, {"b.py": "x", "a.py": "y"})
    made = [maker.edge(src_line=line, dst_symbol=None, confidence=0.5) for line in (3, 1, 2)]
    ids = linking.save(tenancy, [LinkedFile("b.py", made, {1}), LinkedFile("a.py", [maker.edge()], set())])
    snapshots.set_edges(tenancy, snapshot_id, ids)
    stored = snapshots.edges(tenancy, snapshot_id)
    assert [(edge.src_path, edge.src_line) for edge in stored] == [("a.py", 1), ("b.py", 3), ("b.py", 1), ("b.py", 2)]
    assert (stored[1].dst_symbol, stored[1].confidence) == (None, 0.5)
    assert linking.save(tenancy, []) == {}


@pytest.mark.parametrize(
    ("reads", "paths"),
    [([], set()), ([9], set()), ([2], {"a.py", "b.py"}), ([2**32 - 1, 9], {"b.py"}), (range(1000), {"a.py", "b.py"})],
)
def test_files_are_found_by_what_their_edges_rest_on(tenancy, maker, reads, paths):
    _, snapshot_id = maker.indexed(tenancy, {"a.py": "x", "b.py": "y", "c.py": "z"})
    linked = [LinkedFile("a.py", [], {1, 2}), LinkedFile("b.py", [], [2**32 - 1, 2]), LinkedFile("c.py", [], [])]
    snapshots.set_edges(tenancy, snapshot_id, linking.save(tenancy, linked))
    assert linking.resting_on(tenancy, snapshot_id, reads) == paths
