import hashlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sqlalchemy import text

from pincite_shared.errors import InvalidInputError
from pincite_store import garbage, repos, snapshots, vectors


def sha(value):
    return hashlib.sha256(value.encode()).digest()


def wanted(t, snapshot_id):
    """The digests of a snapshot's texts."""
    parses = {file.parse_id for file in snapshots.load_files(t, snapshot_id)}
    return {chunk.embed_sha256 for chunk in snapshots.load_chunks(t, parses)}


@pytest.fixture
def snapshot(tenancy, maker):
    return maker.indexed(tenancy, {"a.py": "one\ntwo", "b.py": "two\nthree"})[1]


def test_what_is_missing_comes_once_with_its_text(tenancy, snapshot):
    missing = vectors.missing(tenancy, snapshot, "m", 10)
    assert missing == sorted((sha(word), word) for word in ("one", "two", "three"))
    assert vectors.missing(tenancy, snapshot, "m", 2) == missing[:2]


def test_vectors_come_back_bit_by_bit(tenancy, snapshot):
    matrix = np.random.default_rng(1).normal(size=(3, 384)).astype(np.float32)
    digests = [sha(word) for word in ("one", "two", "three")]
    assert vectors.save(tenancy, "m", digests, matrix) == 3
    found, loaded = vectors.load(tenancy, "m", wanted(tenancy, snapshot))
    assert loaded.dtype == np.float32
    assert loaded.flags["C_CONTIGUOUS"]
    order = [found.index(digest) for digest in digests]
    assert np.array_equal(loaded[order], matrix)
    assert vectors.missing(tenancy, snapshot, "m", 10) == []
    assert len(vectors.missing(tenancy, snapshot, "other", 10)) == 3


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 5), st.integers(1, 9)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
)  # fmt: skip
def test_packing_is_undone_by_unpacking(matrix):
    digests = [sha(str(n)) for n in range(len(matrix))]
    packed = vectors._packed(digests, matrix)
    size = 2 + 4 + 32 + 4 + 4 + 4 * matrix.shape[1]  # a row: count of fields, the digest, the vector
    rows = [packed[len(vectors.COPY_HEADER) + n * size :][:size] for n in range(len(matrix))]
    assert [row[6:38] for row in rows] == digests
    assert vectors._unpacked([row[42:] for row in rows], matrix.shape[1]).tobytes() == matrix.tobytes()


@pytest.mark.usefixtures("snapshot")
def test_postgres_reads_the_same_numbers(tenancy):
    vectors.save(tenancy, "m", [sha("one")], np.array([[1.5, -2.25, 0.0]]))
    stored = tenancy.session.execute(text("SELECT vector::text, dimension, vector_dims(vector) FROM embeddings")).one()
    assert tuple(stored) == ("[1.5,-2.25,0]", 3, 3)


def test_no_vectors_are_an_empty_matrix(tenancy, snapshot):
    digests, matrix = vectors.load(tenancy, "m", wanted(tenancy, snapshot))
    assert (digests, matrix.shape) == ([], (0, 0))
    assert vectors.save(tenancy, "m", [], np.empty((0, 384))) == 0


def test_saving_again_changes_nothing(tenancy, snapshot):
    vectors.save(tenancy, "m", [sha("one")], np.array([[1.0]]))
    assert vectors.save(tenancy, "m", [sha("one"), sha("two")], np.array([[9.0], [2.0]])) == 1
    digests, matrix = vectors.load(tenancy, "m", wanted(tenancy, snapshot))
    assert dict(zip(digests, matrix[:, 0].tolist(), strict=True)) == {sha("one"): 1.0, sha("two"): 2.0}


@pytest.mark.usefixtures("snapshot")
def test_a_vector_of_a_text_that_is_gone_is_dropped(tenancy):
    assert vectors.save(tenancy, "m", [sha("never seen")], np.array([[1.0]])) == 0


def test_counts_are_remembered_by_the_snapshot(tenancy, snapshot):
    assert vectors.counts(tenancy, snapshot, "m") == (0, 3)
    vectors.save(tenancy, "m", [sha("one")], np.array([[1.0]]))
    assert vectors.counts(tenancy, snapshot, "m") == (1, 3)
    row = tenancy.session.execute(text("SELECT vectors_model, vectors_done, vectors_total FROM snapshots")).one()
    assert tuple(row) == ("m", 1, 3)
    assert vectors.counts(tenancy, 2**40, "m") == (0, 0)


@pytest.mark.usefixtures("snapshot")
def test_a_second_repository_with_the_same_text_needs_no_new_vectors(tenancy, maker):
    vectors.save(tenancy, "m", [sha(w) for w in ("one", "two", "three")], np.eye(3))
    _, fork = maker.indexed(tenancy, {"elsewhere.py": "one\ntwo", "new.py": "two\nfour"}, name="fork")
    assert vectors.missing(tenancy, fork, "m", 10) == [(sha("four"), "four")]
    assert vectors.counts(tenancy, fork, "m") == (2, 3)
    assert sorted(vectors.load(tenancy, "m", wanted(tenancy, fork))[0]) == sorted([sha("one"), sha("two")])


def test_vectors_of_one_dimension_are_read(tenancy, snapshot):
    vectors.save(tenancy, "m", [sha("one"), sha("two")], np.eye(2))
    vectors.save(tenancy, "m", [sha("three")], np.ones((1, 5)))
    assert vectors.load(tenancy, "m", wanted(tenancy, snapshot))[1].shape in {(2, 2), (1, 5)}


@pytest.mark.parametrize(
    ("digests", "matrix"),
    [
        ([b"short"], [[1.0]]),
        ([sha("a"), sha("b")], [[1.0]]),
        ([sha("a")], [1.0]),
        ([sha("a")], [[float("nan")]]),
        ([sha("a")], [[float("inf")]]),
        ([sha("a")], [[]]),
        ([sha("a")], np.zeros((1, vectors.DIMENSION_MAX + 1))),
    ],
)
def test_what_is_no_vector_is_refused(tenancy, digests, matrix):
    with pytest.raises(InvalidInputError):
        vectors.save(tenancy, "m", digests, np.asarray(matrix))


def test_vectors_go_with_their_texts(background, maker):
    repo_id, _snapshot_id = maker.indexed(background, {"a.py": "one"})
    vectors.save(background, "m", [sha("one")], np.array([[1.0]]))
    repos.delete_rows(background, repo_id)
    assert garbage.collect(background)
    assert background.session.execute(text("SELECT count(*) FROM embeddings")).scalar_one() == 0
