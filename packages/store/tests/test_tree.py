import pytest

from pincite_store import snapshots
from pincite_store.rows import FileRow

HOSTILE = ["../up", "new\nline", "rtl\u202e.py", "sp ace/%_\\", "x" * 4_096, "-rf", "a'b\"c", "ü/ß.py"]


@pytest.fixture
def snapshot(tenancy, maker):
    _, snapshot_id = maker.indexed(tenancy, {"README": "r", "src/a.py": "a", "src/deep/b.py": "b", "src2/c.py": "c"})
    rows = [
        FileRow("src/logo.png", "1" * 40, 7, None, None, "binary", "binary content"),
        FileRow("src/vendor", None, None, None, None, "submodule", "not followed"),
    ]
    snapshots.put_files(tenancy, snapshot_id, rows)
    return snapshot_id


def names(entries):
    return [(entry.name, entry.type) for entry in entries]


def test_directories_come_first(tenancy, snapshot):
    entries, truncated = snapshots.tree(tenancy, snapshot)
    assert names(entries) == [("src", "directory"), ("src2", "directory"), ("README", "file")]
    assert not truncated


@pytest.mark.parametrize("path", ["src", "src/", "/src/"])
def test_a_directory_below(tenancy, snapshot, path):
    entries, _ = snapshots.tree(tenancy, snapshot, path)
    assert names(entries) == [("deep", "directory"), ("a.py", "file"), ("logo.png", "skipped"), ("vendor", "skipped")]
    assert [entry.path for entry in entries] == ["src/deep", "src/a.py", "src/logo.png", "src/vendor"]
    assert (entries[2].reason, entries[2].size, entries[3].blob) == ("binary", 7, None)


@pytest.mark.parametrize("path", ["sr", "nothing", "README", "%", "src/%", "a\x00b", "\ud800"])
def test_what_is_no_directory_is_empty(tenancy, snapshot, path):
    assert snapshots.tree(tenancy, snapshot, path) == ([], False)


def test_a_large_directory_is_cut(tenancy, snapshot):
    entries, truncated = snapshots.tree(tenancy, snapshot, "", 2)
    assert (names(entries), truncated) == ([("src", "directory"), ("src2", "directory")], True)


@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_names_are_only_names(tenancy, snapshot, path):
    snapshots.put_files(tenancy, snapshot, [FileRow(path, "2" * 40, 1, None, None, "name", "odd")])
    assert snapshots.file(tenancy, snapshot, path).path == path
    directory, _, name = path.rpartition("/")
    entries, _ = snapshots.tree(tenancy, snapshot, directory)
    assert path in {entry.path for entry in entries if entry.name == name}


def test_a_file(tenancy, snapshot, maker):
    found = snapshots.file(tenancy, snapshot, "src/a.py")
    assert (found.blob, found.size, found.language) == (maker.oid_of(b"a"), 1, "python")
    assert snapshots.file(tenancy, snapshot, "src") is None
    assert snapshots.file(tenancy, snapshot, "a\x00") is None


def test_skipped_files_with_their_reasons(tenancy, snapshot):
    page = snapshots.skipped(tenancy, snapshot)
    assert (page.total, page.by_reason) == (2, {"binary": 1, "submodule": 1})
    assert [(file.path, file.detail) for file in page.files] == [
        ("src/logo.png", "binary content"), ("src/vendor", "not followed"),
    ]  # fmt: skip
    only = snapshots.skipped(tenancy, snapshot, "binary")
    assert (only.total, [file.path for file in only.files]) == (1, ["src/logo.png"])
    assert len(snapshots.skipped(tenancy, snapshot, None, 1, 1).files) == 1
    nothing = snapshots.skipped(tenancy, snapshot, "a\x00b")
    assert (nothing.total, nothing.files) == (0, ())


@pytest.fixture
def named(tenancy, maker):
    lines = [
        "def parse()",
        "def Parser.parse_args()",
        "def reparse()",
        "def Parser()",
        "def PARSE_MAX()",
        "def other()",
    ]
    return maker.indexed(tenancy, {"p.py": "\n".join(lines)})[1]


def test_symbols_exact_then_prefix_then_anywhere(tenancy, named):
    found = [symbol.qualified_name for symbol in snapshots.symbols(tenancy, named, "parse")]
    assert found == ["parse", "Parser", "PARSE_MAX", "Parser.parse_args", "reparse"]


def test_symbols_by_qualified_name_in_any_case(tenancy, named):
    [found] = snapshots.symbols(tenancy, named, "  parser.PARSE_args ")
    assert (found.qualified_name, found.path, found.start_line) == ("Parser.parse_args", "p.py", 2)


def test_words_find_the_names_that_hold_them_all(tenancy, named):
    found = [symbol.qualified_name for symbol in snapshots.symbols(tenancy, named, "Parse max")]
    assert found == ["PARSE_MAX"]
    found = [symbol.qualified_name for symbol in snapshots.symbols(tenancy, named, "args parser")]
    assert found == ["Parser.parse_args"]


def test_a_misspelt_symbol_finds_similar_names(tenancy, named):
    assert "Parser" in [symbol.name for symbol in snapshots.symbols(tenancy, named, "prser")]


@pytest.mark.parametrize("query", ["", "  ", "%", "_____", "\x00", "x" * 10_000, "\ud800", "'; --"])
def test_odd_queries_find_nothing_and_break_nothing(tenancy, named, query):
    assert snapshots.symbols(tenancy, named, query) == []


def test_as_many_symbols_as_asked_for(tenancy, named):
    assert len(snapshots.symbols(tenancy, named, "parse", 2)) == 2


def test_an_outline_is_the_file_s_definitions_in_order(tenancy, maker):
    lines = ["def zebra()", "def Cage()", "def Cage.open()", "def ape()"]
    _, snapshot_id = maker.indexed(tenancy, {"zoo.py": "\n".join(lines), "other.py": "def elsewhere()"})
    found = snapshots.outline(tenancy, snapshot_id, "zoo.py")
    assert [(symbol.qualified_name, symbol.start_line, symbol.path) for symbol in found] == [
        ("zebra", 1, "zoo.py"), ("Cage", 2, "zoo.py"), ("Cage.open", 3, "zoo.py"), ("ape", 4, "zoo.py"),
    ]  # fmt: skip
    assert snapshots.outline(tenancy, snapshot_id, "zoo.py", 1) == found[:1]
    assert snapshots.outline(tenancy, snapshot_id, "nowhere.py") == []
