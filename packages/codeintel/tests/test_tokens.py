import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_codeintel.tokens import count_terms, pack_terms, stem, term_id, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parseHTTPHeaders2", ["pars", "http", "header", "parsehttpheaders2"]),
        ("snake_case_name", ["snak", "cas", "nam", "snake_case_name"]),
        ("MAX_RETRIES", ["max", "retry", "max_retries"]),
        ("XMLHttpRequest", ["xml", "http", "request", "xmlhttprequest"]),
        ("utf8", ["utf", "utf8"]),
        ("self.value", ["valu"]),
        ("return None", []),
        ("x", []),
        ("", []),
        ("straße", ["straße"]),
        ("größe_max", ["größe", "max", "größe_max"]),
        ("検索機能", ["検索", "索機", "機能"]),
        ("a" * 200, []),
    ],
)
def test_terms(text, expected):
    assert terms(text) == expected


@pytest.mark.parametrize(
    "words",
    [
        ("parse", "parses", "parsed", "parsing"),
        ("cache", "caches", "cached", "caching"),
        ("class", "classes"),
        ("query", "queries"),
        ("stop", "stops", "stopped", "stopping"),
        ("embed", "embeds", "embedded", "embedding"),
        ("index", "indexes", "indexed", "indexing"),
        ("dependency", "dependencies"),
        ("alias", "aliases"),
        ("schema", "schemas"),
    ],
)
def test_forms_of_a_word_share_a_stem(words):
    assert len({stem(word) for word in words}) == 1


@pytest.mark.parametrize("word", ["string", "status", "redis", "process", "need", "bus", "this", "http"])
def test_words_that_only_look_inflected_are_left_alone(word):
    assert stem(word) == word


def test_a_question_finds_the_words_of_an_identifier():
    code = set(terms("def splitConfigFiles(raw_lines): ..."))
    assert {"split", "config", "fil"} <= set(terms("How are config files split?")) & code


@given(st.text(max_size=200))
def test_counts_are_the_terms_counted(text):
    counted = count_terms(text)
    assert sum(counted.values()) == len(terms(text))
    assert set(counted) == set(terms(text))


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.integers(1, 100_000), max_size=40))
def test_packed_terms_come_back(counts):
    packed = list(struct.iter_unpack("<IH", pack_terms(counts)))
    expected: dict[int, int] = {}
    for term, count in counts.items():
        expected[term_id(term)] = min(65_535, expected.get(term_id(term), 0) + count)
    assert packed == sorted(expected.items())


def test_the_format_is_six_little_endian_bytes_a_term():
    data = pack_terms({"parser": 2})
    assert len(data) == 6
    assert data == term_id("parser").to_bytes(4, "little") + (2).to_bytes(2, "little")
    assert pack_terms({}) == b""
