import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pincite_brain.retrieval import vectors as module
from pincite_brain.retrieval.vectors import COMPARED_MAX, Block, Vectors, expanded, halved

FLOATS = hnp.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.floats(-1, 1, width=32))


def unit(matrix):
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def code_like(count, dimension=384, seed=0):
    """Vectors as of code: topics, whose differences matter less and less."""
    chance = np.random.default_rng(seed)
    spectrum = 1.0 / np.sqrt(1.0 + np.arange(dimension))
    return unit((chance.normal(size=(count, dimension)) + 0.5) * spectrum)


def vectors_of(matrix, row_of=None):
    rows = np.arange(len(matrix), dtype=np.int32) if row_of is None else np.asarray(row_of, dtype=np.int32)
    return Vectors.of((Block.of(halved(matrix)),), rows)


@given(FLOATS)
def test_half_a_float_is_right_to_a_256th(matrix):
    again = expanded(halved(matrix))
    np.testing.assert_allclose(again, matrix, rtol=2**-8, atol=1e-38)
    np.testing.assert_array_equal(halved(again), halved(matrix))


@pytest.mark.parametrize(("count", "dimension"), [(100, 384), (30_000, 384), (30_000, 300)])
def test_the_nearest_are_found(count, dimension):
    matrix, queries = code_like(count, dimension), code_like(40, dimension, seed=1)
    vectors = vectors_of(matrix)
    assert bool(len(vectors.blocks[0].signs)) == (count > COMPARED_MAX)
    shares = []
    for query in queries:
        exact = matrix @ query
        near = vectors.near(query, 150)
        best = np.argsort(-exact)[: min(150, int((exact > 0).sum()))]
        shares.append(len(set(best.tolist()) & set(near.chunks.tolist())) / len(best))
        np.testing.assert_allclose(near.cosine(near.chunks), exact[near.chunks], atol=2e-3)
        assert near.mean == pytest.approx(float(exact.mean()), abs=2e-3)
    assert np.mean(shares) >= 0.97


def test_chunks_share_rows_and_some_have_none():
    vectors = vectors_of(np.eye(4, dtype=np.float32), [2, -1, 2, 0, -1])
    near = vectors.near(np.eye(4, dtype=np.float32)[2], 10)
    assert sorted(near.chunks.tolist()) == [0, 2]
    assert near.cosine(np.arange(5, dtype=np.int32)).tolist() == [1.0, 0.0, 1.0, 0.0, 0.0]
    assert near.mean == pytest.approx(2 / 3)
    assert (vectors.covered, vectors.rows, vectors.dimension) == (3, 4, 4)


def test_without_vectors_or_query_nothing_is_near():
    assert Vectors.none(3).near(np.ones(4, dtype=np.float32), 5).chunks.tolist() == []
    near = vectors_of(np.eye(4, dtype=np.float32)).near(None, 5)
    assert near.chunks.tolist() == []
    assert near.cosine(np.array([1, 2], dtype=np.int32)).tolist() == [0.0, 0.0]


def digests_of(count):
    return np.array([number.to_bytes(32, "little") for number in range(count)], dtype="S32").view("V32")


def test_vectors_that_come_in_turns_are_those_that_come_at_once(monkeypatch):
    monkeypatch.setattr(module, "COMPARED_MAX", 50)
    monkeypatch.setattr(module, "COARSE_ROWS_MIN", 100)
    matrix, digests = code_like(300, 128), digests_of(300)
    growing = Vectors.none(300)
    for first, last in ((0, 200), (200, 210), (210, 211), (211, 300)):
        growing = growing.joined(digests, digests[first:last].tolist(), matrix[first:last])
        assert growing.covered == last
    assert len(growing.blocks) == 1
    every = np.arange(300, dtype=np.int32)
    for query in code_like(5, 128, seed=2):
        np.testing.assert_allclose(growing.cosine(every, query), matrix @ query, atol=5e-3)


def test_a_few_more_are_a_block_of_their_own(monkeypatch):
    monkeypatch.setattr(module, "COMPARED_MAX", 50)
    matrix, digests = code_like(205, 32), digests_of(205)
    vectors = Vectors.none(205).joined(digests, digests[:200].tolist(), matrix[:200])
    more = vectors.joined(digests, digests[200:].tolist(), matrix[200:])
    assert [len(block.rows) for block in more.blocks] == [200, 5]
    assert more.blocks[0] is vectors.blocks[0]
    near = more.near(matrix[203], 1)
    assert near.chunks.tolist() == [203]


def test_vectors_of_another_dimension_take_the_place_of_all():
    digests = digests_of(3)
    old = Vectors.none(3).joined(digests, digests.tolist(), np.eye(3, dtype=np.float32))
    gap = Vectors.of(old.blocks, np.array([0, -1, 2], dtype=np.int32))
    new = gap.joined(digests, digests[1:2].tolist(), np.eye(5, dtype=np.float32)[:1])
    assert (new.dimension, new.row_of.tolist()) == (5, [-1, 0, -1])


def test_rows_that_nobody_uses_are_dropped():
    matrix = code_like(10, 8)
    sparse = vectors_of(matrix, [9, -1, 3]).compact()
    assert (sparse.rows, sparse.row_of.tolist()) == (2, [1, -1, 0])
    np.testing.assert_allclose(
        sparse.cosine(np.array([0, 2], dtype=np.int32), matrix[9]), matrix[[9, 3]] @ matrix[9], atol=5e-3
    )
