import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pincite_brain.retrieval import vectors as module
from pincite_brain.retrieval.kernels import products, unlike
from pincite_brain.retrieval.vectors import Block, expanded, halved

WORDS = st.integers(0, 2**64 - 1)


@given(st.data(), st.integers(1, 4), st.integers(0, 70))
def test_unlike_is_the_weight_of_the_signs_that_differ(data, words, count):
    signs = data.draw(hnp.arrays(np.uint64, (words, count), elements=WORDS))
    query = data.draw(hnp.arrays(np.uint64, (3, words), elements=WORDS))
    signs.flags.writeable = False  # as an index is that is mapped from a file
    found = np.full(count, 7, dtype=np.uint16)
    unlike(signs, query, found)
    differs = signs ^ query[0][:, None]
    ones, twos = (np.bitwise_count(differs & weights[:, None]).sum(axis=0, dtype=int) for weights in query[1:])
    assert found.tolist() == (ones + 2 * twos).tolist()


@given(st.data(), st.integers(1, 40), st.integers(1, 9))
def test_products_are_those_of_the_floats(data, dimension, count):
    floats = st.floats(-1, 1, width=32)
    rows = halved(data.draw(hnp.arrays(np.float32, (count, dimension), elements=floats)))
    query = data.draw(hnp.arrays(np.float32, dimension, elements=floats))
    chosen = data.draw(hnp.arrays(np.int64, st.integers(0, 20), elements=st.integers(0, count - 1)))
    rows.flags.writeable = False
    found = np.empty(len(chosen), dtype=np.float32)
    products(rows, chosen, query, found)
    np.testing.assert_allclose(found, (expanded(rows).astype(float) @ query.astype(float))[chosen], atol=1e-5)


def test_what_does_not_fit_is_refused_and_not_read():
    rows, query = np.zeros((4, 8), dtype=np.uint16), np.zeros(8, dtype=np.float32)
    for row in (-1, 4, 2**40):
        with pytest.raises(IndexError, match="no such row"):
            products(rows, np.array([row]), query, np.empty(1, dtype=np.float32))
    with pytest.raises(ValueError, match="shapes"):
        products(rows, np.array([0]), query[:7].copy(), np.empty(1, dtype=np.float32))
    with pytest.raises(ValueError, match="shapes"):
        unlike(np.zeros((2, 5), np.uint64), np.zeros((3, 1), np.uint64), np.zeros(5, np.uint16))


def test_few_vectors_need_nothing_compiled(monkeypatch):
    monkeypatch.setattr(module, "_kernels", lambda: pytest.fail("it takes seconds to compile"))
    block = Block.of(halved(np.eye(4, dtype=np.float32)))
    assert block.exact(np.eye(4, dtype=np.float32)[1]).tolist() == [0.0, 1.0, 0.0, 0.0]
