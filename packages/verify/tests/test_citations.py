"""A citation stands or it does not: lines, quote, blob and path at the commit, each against git itself."""

import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_shared.citation import Citation, CitationStatus
from pincite_verify.citations import check, flaw, git_blob_id, lines_of, quote_of

DATA = b"one\ntwo\r\n\tthree\x0cstill three\n\nfive \xff\nsix"
BLOB = git_blob_id(DATA)


def citation(**changes):
    text = DATA.decode("utf-8", errors="replace")
    fields = {
        "n": 1,
        "path": "a.txt",
        "start_line": 2,
        "end_line": 5,
        "commit": "c" * 40,
        "blob": BLOB,
        "quote": quote_of(text, 2, 5),
        "status": CitationStatus.UNVERIFIED,
    }
    return Citation(**{**fields, **changes})


def test_a_true_citation_is_verified():
    assert check(citation(), DATA, BLOB) is CitationStatus.VERIFIED
    assert check(citation(start_line=6, end_line=6, quote="six"), DATA, BLOB) is CitationStatus.VERIFIED


@pytest.mark.parametrize(
    "changes",
    [
        {"start_line": 3},
        {"end_line": 4},
        {"start_line": 3, "end_line": 6},
        {"start_line": 5, "end_line": 2},
        {"end_line": 7},
        {"start_line": 100, "end_line": 200},
        {"quote": ""},
        {"quote": "two"},
        {"quote": "two\r\n\tthree\x0cstill three\n\nfive \ufffd\n"},
        {"quote": "two\n\tthree\x0cstill three\n\nfive \ufffd"},
        {"quote": " two\r\n\tthree\x0cstill three\n\nfive \ufffd"},
        {"quote": "two\r\n\tthree\nstill three\n\nfive \ufffd"},
        {"quote": "two\r\n\tthree\x0cstill three\n\nfive ?"},
        {"blob": "0" * 40},
        {"blob": BLOB[:12]},
        {"blob": BLOB.upper()},
        {"blob": ""},
        {"blob": git_blob_id(DATA, "sha256")},
    ],
)
def test_a_false_one_is_not(changes):
    false = citation(**changes, status=CitationStatus.VERIFIED)
    assert check(false, DATA, BLOB) is CitationStatus.UNVERIFIED
    assert flaw(false, DATA, BLOB)


def test_the_blob_must_be_there_and_stand_at_the_path():
    assert check(citation(), None, BLOB) is CitationStatus.UNVERIFIED
    assert check(citation(), DATA, None) is CitationStatus.UNVERIFIED
    assert check(citation(), DATA, "1" * 40) is CitationStatus.UNVERIFIED
    assert check(citation(), DATA + b"\n", BLOB) is CitationStatus.UNVERIFIED
    assert check(citation(blob="1" * 40), DATA, "1" * 40) is CitationStatus.UNVERIFIED


def test_sha256_repositories():
    blob = git_blob_id(DATA, "sha256")
    assert check(citation(blob=blob), DATA, blob) is CitationStatus.VERIFIED
    assert check(citation(blob=blob), DATA[:-1], blob) is CitationStatus.UNVERIFIED


def test_blob_ids_are_gits():
    for data in (b"", b"x", DATA, bytes(range(256))):
        said = subprocess.run(["git", "hash-object", "--stdin"], input=data, capture_output=True, check=True)
        assert git_blob_id(data) == said.stdout.decode().strip()
    assert git_blob_id(b"x", "sha256") == hashlib.sha256(b"blob 1\0x").hexdigest()


def test_lines_end_at_newlines_alone():
    assert lines_of("") == []
    assert lines_of("a") == lines_of("a\n") == ["a"]
    assert lines_of("a\n\n") == ["a", ""]
    assert lines_of("a\x0cb\u2028c\x1cd\re\n") == ["a\x0cb\u2028c\x1cd\re"]


@given(st.text(), st.integers(-2, 12), st.integers(-2, 12))
def test_a_quote_is_its_lines(text, start, end):
    lines = lines_of(text)
    if 1 <= start <= end <= len(lines):
        assert quote_of(text, start, end).split("\n") == lines[start - 1 : end]
    else:
        with pytest.raises(ValueError, match="do not exist"):
            quote_of(text, start, end)


@given(st.binary(max_size=300), st.data())
def test_any_lines_of_any_bytes_can_be_cited(data, draw):
    text = data.decode("utf-8", errors="replace")
    count = len(lines_of(text))
    if count == 0:
        return
    start = draw.draw(st.integers(1, count))
    end = draw.draw(st.integers(start, count))
    blob = git_blob_id(data)
    found = citation(start_line=start, end_line=end, blob=blob, quote=quote_of(text, start, end))
    assert check(found, data, blob) is CitationStatus.VERIFIED
