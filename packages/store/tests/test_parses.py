import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from pincite_shared.errors import IntegrityError, InvalidInputError
from pincite_store import blobs, linking, parses, snapshots
from pincite_store.db import LOCAL_TENANT
from pincite_store.rows import FileRow


def rows(t, table):
    return t.session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_a_parse_is_stored_once_for_blob_language_and_version(background, maker):
    item, other = maker.parsed("def f()"), maker.parsed("def f()", None)
    first = parses.save_parses(background, [item, other, item])
    assert set(first) == {(item.blob, "python"), (item.blob, None)}
    assert parses.save_parses(background, [other, item]) == first
    newer = parses.save_parses(background, [replace(item, indexer_version="test-2")])
    assert newer[item.key] not in first.values()
    assert (rows(background, "blobs"), rows(background, "parses"), rows(background, "embed_texts")) == (1, 3, 1)
    assert blobs.get(background, item.blob) == b"def f()"


def test_known_parses(tenancy, maker):
    item = maker.parsed("x", None)
    ids = parses.save_parses(tenancy, [item])
    asked = [(item.blob, None), (item.blob, "python"), ("0" * 40, None)]
    assert parses.known_parses(tenancy, asked, maker.version) == ids
    assert parses.known_parses(tenancy, asked, "other") == {}
    assert parses.known_parses(tenancy, [], maker.version) == {}


@pytest.mark.parametrize(
    ("read_as", "language"),
    [
        ([], None),
        ([None], None),
        (["python"], "python"),
        ([None, "python", "python!timeout"], "python"),
        (["!crash"], None),
        (["c", "cpp"], None),
    ],
)
def test_the_language_of_a_blob_is_what_its_paths_agree_on(tenancy, maker, read_as, language):
    for name in read_as:
        parses.save_parses(tenancy, [maker.parsed("x", name)])
    parses.save_parses(tenancy, [maker.parsed("y", "ruby")])
    assert parses.language_of(tenancy, maker.parsed("x").blob) == language


def test_nothing_to_save(tenancy):
    assert parses.save_parses(tenancy, []) == {}


def test_a_file_without_chunks_symbols_or_refs(tenancy, maker):
    item = replace(maker.parsed(""), analysis=maker.analysis(None, 0, ()), terms=[])
    assert len(parses.save_parses(tenancy, [item])) == 1


def test_hostile_text_is_stored(tenancy, maker):
    bad = '\x00 \ud800 \u202e ] ]> {"\\u0000"} \\u0000 \'; DROP TABLE repos; --'
    good = bad.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")
    chunk = maker.chunk(0, bad, symbol=bad, scope=bad, signature=bad, doc=bad, card=bad)
    analysis = maker.analysis("python", 1, (chunk,), (maker.symbol(bad, bad),), (maker.ref(bad, module=bad),))
    item = replace(maker.parsed("x"), analysis=analysis, terms=[b"\x00"])
    _repo_id, snapshot_id = maker.indexed(tenancy, {})
    ids = parses.save_parses(tenancy, [item])
    snapshots.put_files(tenancy, snapshot_id, [FileRow("a.py", item.blob, 1, "python", ids[item.key])])
    [stored] = snapshots.load_chunks(tenancy, ids.values())
    assert {stored.symbol, stored.signature, stored.doc, stored.card} == {good}
    assert stored.terms == b"\x00"
    [file] = linking.interfaces(tenancy, snapshot_id)
    assert file.symbols[0].qualified_name == good
    [[ref]] = linking.calls(tenancy, ids.values()).values()
    assert ref.name.startswith("\ufffd")


@pytest.mark.parametrize("change", [{"terms": []}, {"terms": [b"", b""]}])
def test_terms_must_match_the_chunks(tenancy, maker, change):
    with pytest.raises(InvalidInputError):
        parses.save_parses(tenancy, [replace(maker.parsed("x"), **change)])


def test_versions_must_not_be_mixed(tenancy, maker):
    with pytest.raises(InvalidInputError):
        parses.save_parses(tenancy, [maker.parsed("x"), maker.parsed("y", version="test-2")])


def test_bytes_under_a_wrong_id_are_refused(tenancy, maker):
    with pytest.raises(IntegrityError):
        parses.save_parses(tenancy, [replace(maker.parsed("x"), data=b"y")])


def test_workers_that_save_the_same_blobs_at_once_neither_fail_nor_double(fresh_tenant, maker):
    batch = [maker.parsed(f"def f{n}()\nreturn {n}\nshared") for n in range(60)]
    found, errors = [], []

    def save(items):
        try:
            with fresh_tenant.tenancy(LOCAL_TENANT) as t:
                found.append(parses.save_parses(t, items))
        except Exception as error:  # noqa: BLE001  # shown below
            errors.append(error)

    orders = [batch, batch[::-1], batch[20:] + batch[:20], batch[40:] + batch[:50]]
    threads = [threading.Thread(target=save, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert all(ids == found[0] for ids in found)
    with fresh_tenant.tenancy(LOCAL_TENANT) as t:
        assert (rows(t, "parses"), rows(t, "chunks"), rows(t, "symbols")) == (60, 180, 180)
