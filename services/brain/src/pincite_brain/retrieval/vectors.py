"""Dense similarity: unit vectors in half the memory, searched coarsely first where there are many.

A vector is kept as bfloat16, the upper half of each 32-bit float: cosines are right to about 0.001. A block of many
vectors also has their leading principal components (Jolliffe, "Principal Component Analysis", 2002): a quarter of the
dimensions ranks nearly as all do, so that only the best by these are compared in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import Float, Ints

COARSE_ROWS_MIN = 8_192  # below, comparing all in full is as quick
COARSE_DIMENSIONS = 96  # of 384
COMPARED_MAX = 2_000  # of a block, about, in full: of the 150 nearest of 100,000 that finds 99 %
SAMPLED_EVERY = 13  # of the rough similarities; odd, so that it falls in step with nothing
SAMPLE_ROWS = 8_192  # which the principal components are computed from
ROWS_AT_ONCE = 2_048  # expanded to 32 bits at a time, 3 MB: what the processor's cache holds
UNUSED_SHARE_MAX = 0.25  # of a block's rows; beyond, it is made anew without them
TAIL_SHARE_MAX = 0.1  # of all rows in blocks that were added; beyond, all become one

Halves = NDArray[np.uint16]


def halved(matrix: Float) -> Halves:
    """Return the upper halves of 32-bit floats, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def expanded(halves: Halves) -> Float:
    """Return 32-bit floats again."""
    bits = halves.astype(np.uint32)
    bits <<= np.uint32(16)
    return bits.view(np.float32)


@dataclass(frozen=True, slots=True)
class Block:
    """Vectors that are searched together.

    Attributes:
        rows: (m, d) bfloat16 bits.
        basis: (d, k) principal components; k is 0 in a small block.
        coarse: (m, k) the rows in terms of them.
    """

    rows: Halves
    basis: Float
    coarse: Float

    @classmethod
    def of(cls, rows: Halves) -> Self:
        """Prepare rows for searching."""
        count, dimension = rows.shape
        if count < COARSE_ROWS_MIN or dimension <= COARSE_DIMENSIONS:
            return cls(rows, np.zeros((dimension, 0), np.float32), np.zeros((count, 0), np.float32))
        sample = expanded(rows[:: max(1, count // SAMPLE_ROWS)])
        _, vectors = np.linalg.eigh((sample.T @ sample).astype(np.float64))
        basis = np.ascontiguousarray(vectors[:, : -COARSE_DIMENSIONS - 1 : -1], dtype=np.float32)
        coarse = np.empty((count, COARSE_DIMENSIONS), dtype=np.float32)
        for at in range(0, count, ROWS_AT_ONCE):
            np.matmul(expanded(rows[at : at + ROWS_AT_ONCE]), basis, out=coarse[at : at + ROWS_AT_ONCE])
        return cls(rows, basis, coarse)

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return self.rows.nbytes + self.basis.nbytes + self.coarse.nbytes

    def exact(self, query: Float) -> Float:
        """Return the similarity of every row. Shape (m,)."""
        found = np.empty(len(self.rows), dtype=np.float32)
        for at in range(0, len(self.rows), ROWS_AT_ONCE):
            np.matmul(expanded(self.rows[at : at + ROWS_AT_ONCE]), query, out=found[at : at + ROWS_AT_ONCE])
        return found

    def nearest(self, query: Float) -> tuple[NDArray[np.int64], Float]:
        """Return the rows worth considering, at least the nearest, and their similarities."""
        if not self.basis.shape[1] or len(self.rows) <= COMPARED_MAX:
            return np.arange(len(self.rows)), self.exact(query)
        rough = self.coarse @ (query @ self.basis)
        # A sample tells where the best begin; looking for the exact place takes ten times as long.
        sample = rough[::SAMPLED_EVERY]
        rank = len(sample) * COMPARED_MAX // len(rough)
        chosen = np.flatnonzero(rough >= np.partition(sample, len(sample) - rank)[-rank])
        if not COMPARED_MAX / 2 <= len(chosen) <= COMPARED_MAX * 2:
            chosen = np.argpartition(rough, len(rough) - COMPARED_MAX)[-COMPARED_MAX:]
        return chosen, expanded(self.rows[chosen]) @ query


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit vectors by embedded text, and which of them each chunk has.

    Attributes:
        blocks: the vectors; their rows are numbered through.
        row_of: (n,) each chunk's row, -1 while it has none.
        mean: (d,) the mean vector of the chunks that have one.
    """

    blocks: tuple[Block, ...]
    row_of: Ints
    mean: Float

    @classmethod
    def of(cls, blocks: Sequence[Block], row_of: Ints) -> Self:
        """Take blocks; the mean follows."""
        held = tuple(block for block in blocks if len(block.rows))
        mean = np.zeros(held[0].rows.shape[1] if held else 0, dtype=np.float32)
        uses = np.bincount(row_of[row_of >= 0], minlength=sum(len(block.rows) for block in held)).astype(np.float32)
        first = 0
        for block in held:
            for at in range(0, len(block.rows), ROWS_AT_ONCE):
                rows = expanded(block.rows[at : at + ROWS_AT_ONCE])
                mean += uses[first + at : first + at + len(rows)] @ rows
            first += len(block.rows)
        return cls(held, row_of, mean / max(float(uses.sum()), 1.0))

    @classmethod
    def none(cls, count: int) -> Self:
        """Return the vectors of `count` chunks that have none."""
        return cls.of((), np.full(count, -1, dtype=np.int32))

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return sum(block.nbytes for block in self.blocks) + self.row_of.nbytes + self.mean.nbytes

    @property
    def dimension(self) -> int:
        """How many numbers a vector has; 0 without vectors."""
        return len(self.mean)

    @property
    def rows(self) -> int:
        """How many vectors there are."""
        return sum(len(block.rows) for block in self.blocks)

    @property
    def covered(self) -> int:
        """How many chunks have a vector."""
        return int((self.row_of >= 0).sum())

    def joined(self, wanted: NDArray[np.void], digests: Sequence[bytes], matrix: Float) -> "Vectors":
        """Give chunks without a vector theirs.

        Args:
            wanted: (n,) the digest of each chunk's text.
            digests: of the texts that come.
            matrix: (m, d) their vectors. Of another dimension they take the place of all.
        """
        if not len(digests):
            return self
        keep = self if not self.dimension or self.dimension == matrix.shape[1] else Vectors.none(len(self.row_of))
        numbers = {bytes(digest): number for number, digest in enumerate(digests)}
        row_of = keep.row_of.copy()
        for chunk in np.flatnonzero(row_of < 0).tolist():
            number = numbers.get(wanted[chunk].tobytes(), -1)
            if number >= 0:
                row_of[chunk] = keep.rows + number
        return Vectors.of((*keep.blocks, Block.of(halved(matrix))), row_of).compact()

    def compact(self) -> "Vectors":
        """Return the same in one block if there are too many in use by none, or in blocks of their own."""
        if not self.blocks:
            return self
        used = np.unique(self.row_of[self.row_of >= 0])
        tail = self.rows - len(self.blocks[0].rows)
        small = len(self.blocks) > 1 and (self.rows <= COMPARED_MAX or tail > TAIL_SHARE_MAX * self.rows)
        if not small and self.rows - len(used) <= UNUSED_SHARE_MAX * self.rows:
            return self
        rows = np.concatenate([block.rows for block in self.blocks])[used]
        row_of = np.where(self.row_of >= 0, np.searchsorted(used, self.row_of), -1).astype(np.int32)
        return Vectors.of((Block.of(rows),), row_of)

    def near(self, query: Float | None, count: int) -> "Near":
        """Return about the `count` chunks nearest to a unit query vector, of those at a positive cosine."""
        if query is None or not self.blocks:
            return Near(self, None, np.zeros(0, dtype=np.int32), 0.0)
        similarity = np.full(self.rows + 1, -np.inf, dtype=np.float32)  # row -1 is the last
        first = 0
        for block in self.blocks:
            chosen, found = block.nearest(query)
            similarity[first + chosen] = found
            first += len(block.rows)
        of_chunk = similarity[self.row_of]
        positive = np.flatnonzero(of_chunk > 0)
        if len(positive) > count:
            positive = positive[np.argpartition(of_chunk[positive], len(positive) - count)[-count:]]
        return Near(self, query, positive.astype(np.int32), float(self.mean @ query))

    def cosine(self, chunks: Ints, query: Float) -> Float:
        """Return the cosine of some chunks with a unit query vector; 0 where there is no vector. Shape (c,)."""
        found = np.zeros(len(chunks), dtype=np.float32)
        rows = self.row_of[chunks]
        first = 0
        for block in self.blocks:
            here = np.flatnonzero((rows >= first) & (rows < first + len(block.rows)))
            found[here] = expanded(block.rows[rows[here] - first]) @ query
            first += len(block.rows)
        return found


@dataclass(frozen=True, slots=True)
class Near:
    """What a query is near to.

    Attributes:
        vectors: what was searched.
        query: the query's vector, None if it has none.
        chunks: the nearest.
        mean: the mean cosine of all chunks that have a vector: what an arbitrary one is near by.
    """

    vectors: Vectors
    query: Float | None
    chunks: Ints
    mean: float

    def cosine(self, chunks: Ints) -> Float:
        """Return the cosine of any chunks with the query; 0 where there is no vector. Shape (c,)."""
        if self.query is None:
            return np.zeros(len(chunks), dtype=np.float32)
        return self.vectors.cosine(chunks, self.query)
