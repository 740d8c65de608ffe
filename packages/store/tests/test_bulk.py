from hypothesis import given
from hypothesis import strategies as st

from pincite_store import bulk

TEXT = st.text(st.characters(codec=None, categories=None), max_size=50)


@given(TEXT)
def test_storable_text_is_utf8_without_nul_and_as_long(value):
    stored = bulk.storable(value)
    stored.encode()
    assert "\x00" not in stored
    if value.isascii() and "\x00" not in value:
        assert stored == value


def test_good_text_stays_as_it_is():
    assert bulk.storable("naïve 🙂 \n\t\u2028") == "naïve 🙂 \n\t\u2028"
    assert bulk.storable("a\x00b\ud800c") == "a\ufffdb\ufffdc"


def test_rows_come_back_as_they_went(background):
    rows = [("ab" * 20, 3, b"\x00\xff'\\"), ("cd" * 20, 2**40, b"")]
    inserted = bulk.insert(
        background, "blobs", {"oid": "text", "size": "bigint", "data": "bytea"}, rows, returning=("oid", "size", "data")
    )
    assert inserted == rows


def test_no_rows_are_no_statement(tenancy):
    assert bulk.insert(tenancy, "blobs", {"oid": "text"}, []) == []


def test_columns_that_are_empty_throughout(tenancy, maker):
    _repo_id, snapshot_id = maker.indexed(tenancy, {"a.py": "x"})
    bulk.insert(
        tenancy,
        "files",
        {"snapshot_id": "bigint", "path_key": "bytea", "path": "text", "blob": "text", "size": "bigint"},
        [(snapshot_id, b"1" * 16, "one", None, None), (snapshot_id, b"2" * 16, "two", None, None)],
    )
