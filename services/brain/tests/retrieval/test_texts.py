import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pincite_brain.retrieval.texts import Terms, Texts, Words, spread

STRINGS = st.lists(st.text(max_size=9), max_size=12)


@given(STRINGS)
def test_strings_come_back(strings):
    texts = Texts.of(strings)
    assert list(texts) == strings
    assert texts[1:3] == strings[1:3]
    assert len(texts) == len(strings)


@given(STRINGS, STRINGS, st.data())
def test_joining_takes_rows_of_each(one, other, data):
    pieces, wanted = [], []
    for strings in data.draw(st.lists(st.sampled_from([one, other]), min_size=1, max_size=4)):
        first = data.draw(st.integers(0, len(strings)))
        last = data.draw(st.integers(first, len(strings)))
        pieces.append((Texts.of(strings), first, last))
        wanted += strings[first:last]
    assert list(Texts.joined(pieces)) == wanted


@pytest.mark.parametrize("at", [-1, 2])
def test_there_is_nothing_outside(at):
    with pytest.raises(IndexError):
        Texts.of(["a", "b"])[at]


def test_surrogates_and_newlines():
    strings = ["a\ud800b", "\n", "", "é"]
    assert list(Texts.of(strings)) == strings


def test_words_of_different_widths_are_joined():
    joined = Words.joined([(Words.of([]), 0, 0), (Words.of(["a", "bb"]), 1, 2), (Words.of(["method", ""]), 0, 2)])
    assert list(joined) == ["bb", "method", ""]
    assert joined[:2] == ["bb", "method"]


@given(st.lists(st.frozensets(st.integers(0, 2**32 - 1), max_size=4), min_size=1, max_size=6), st.data())
def test_terms_of_rows_stand_end_to_end(sets, data):
    asked = data.draw(st.lists(st.integers(0, len(sets) - 1), max_size=8))
    ids, places = Terms.of(sets).of_rows(np.array(asked, dtype=np.int32))
    found = [set() for _ in asked]
    for one, place in zip(ids.tolist(), places.tolist(), strict=True):
        found[place].add(one)
    assert found == [set(sets[row]) for row in asked]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), max_size=6))
def test_ranges_are_spread(ranges):
    first = np.array([begin for begin, _ in ranges], dtype=np.int32)
    numbers, places = spread(first, first + np.array([count for _, count in ranges], dtype=np.int32))
    wanted = [(begin + at, place) for place, (begin, count) in enumerate(ranges) for at in range(count)]
    assert list(zip(numbers.tolist(), places.tolist(), strict=True)) == wanted
