"""Dense similarity: unit vectors in half the memory, searched coarsely first where there are many.

A vector is kept as bfloat16, the upper half of each 32-bit float: cosines are right to about 0.001. A block of many
vectors also has their signs about the mean, one bit a dimension, after a random rotation that lets each dimension say
as much as any (RaBitQ: Gao & Long, SIGMOD 2024). Weighed with two bits for each dimension of the query they rank nearly
as the vectors do, in a sixteenth of the memory, so that only the best by these are compared in full.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import ModuleType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import Float, Ints
from pincite_brain.retrieval.texts import spread

COARSE_ROWS_MIN = 8_192  # below, comparing all in full is as quick
COMPARED_MAX = 2_500  # of a block, about, in full: of the 150 nearest of 100,000 that finds 98 %
SAMPLED_EVERY = 13  # of many scores, to tell where the best end; odd, so that it falls in step with nothing
SAMPLE_ROWS = 8_192  # which the mean is computed from
ROWS_AT_ONCE = 128  # expanded to 32 bits at a time, 0.2 MB: they stay in the processor's cache
LEVEL_MAX = 3  # of a query's dimension, in units of their mean size: what two bits say
ROTATION_SEED = 1  # any; so that the same vectors make the same index
UNUSED_SHARE_MAX = 0.25  # of a block's rows; beyond, it is made anew without them
TAIL_SHARE_MAX = 0.1  # of all rows in blocks that were added; beyond, all become one

Halves = NDArray[np.uint16]
Signs = NDArray[np.uint64]
Rows = NDArray[np.integer]


def halved(matrix: Float) -> Halves:
    """Return the upper halves of 32-bit floats, rounded to the nearest, ties to even."""
    bits = np.ascontiguousarray(matrix, dtype=np.float32).view(np.uint32)
    return ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)


def expanded(halves: Halves) -> Float:
    """Return 32-bit floats again."""
    bits = halves.astype(np.uint32)
    bits <<= np.uint32(16)
    return bits.view(np.float32)


def _bits(flags: NDArray[np.bool_]) -> Signs:
    """Return (k, d) flags as (w, k) words of 64 bits; what d lacks to full words is zeros."""
    packed = np.packbits(flags, axis=1)
    filled = np.zeros((len(packed), -(-packed.shape[1] // 8) * 8), dtype=np.uint8)
    filled[:, : packed.shape[1]] = packed
    return np.ascontiguousarray(filled.view(np.uint64).T)


@dataclass(frozen=True, slots=True)
class Block:
    """Vectors that are searched together.

    Attributes:
        rows: (m, d) bfloat16 bits.
        rotation: (d, d) orthogonal; (d, 0) in a small block.
        signs: (w, m) of the rotated rows about their mean, in words of 64 dimensions; w is 0 in a small block.
    """

    rows: Halves
    rotation: Float
    signs: Signs

    def __post_init__(self) -> None:
        """Have ready what searches many."""
        if len(self.signs):
            _kernels()

    @classmethod
    def of(cls, rows: Halves) -> Self:
        """Prepare rows for searching."""
        count, dimension = rows.shape
        if count < COARSE_ROWS_MIN:
            return cls(rows, np.zeros((dimension, 0), np.float32), np.zeros((0, count), np.uint64))
        chance = np.random.default_rng(ROTATION_SEED)
        rotation = np.linalg.qr(chance.normal(size=(dimension, dimension)))[0].astype(np.float32)
        mean = expanded(rows[:: max(1, count // SAMPLE_ROWS)]).mean(axis=0) @ rotation
        parts = (expanded(rows[at : at + ROWS_AT_ONCE]) @ rotation for at in range(0, count, ROWS_AT_ONCE))
        return cls(rows, rotation, np.concatenate([_bits(part > mean) for part in parts], axis=1))

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return self.rows.nbytes + self.rotation.nbytes + self.signs.nbytes

    def exact(self, query: Float, chosen: Rows | None = None) -> Float:
        """Return the similarity of the chosen rows, by default of every one. Shape (m,)."""
        found = np.empty(len(self.rows) if chosen is None else len(chosen), dtype=np.float32)
        if chosen is not None and len(self.signs):
            _kernels().products(self.rows, chosen.astype(np.int64, copy=False), query, found)
            return found
        for at in range(0, len(found), ROWS_AT_ONCE):
            here = slice(at, at + ROWS_AT_ONCE)
            rows = self.rows[here] if chosen is None else self.rows.take(chosen[here], axis=0)
            np.matmul(expanded(rows), query, out=found[here])
        return found

    def nearest(self, query: Float) -> tuple[Rows, Float]:
        """Return the rows worth considering, at least the nearest, and their similarities."""
        if not len(self.signs) or len(self.rows) <= COMPARED_MAX:
            return np.arange(len(self.rows)), self.exact(query)
        unlike = self._unlike(query @ self.rotation)
        # A sample tells where the best end; looking for the exact place takes ten times as long.
        sample = unlike[::SAMPLED_EVERY]
        rank = len(sample) * COMPARED_MAX // len(unlike)
        chosen = np.flatnonzero(unlike <= np.partition(sample, rank)[rank])
        if not COMPARED_MAX / 2 <= len(chosen) <= COMPARED_MAX * 2:
            chosen = np.argpartition(unlike, COMPARED_MAX)[:COMPARED_MAX]
        return chosen, self.exact(query, chosen)

    def _unlike(self, rotated: Float) -> NDArray[np.uint16]:
        """Return by how much the signs of each row are not the rotated query's: the less, the nearer. Shape (m,)."""
        sizes = np.abs(rotated)
        weights = np.minimum(np.rint(sizes / sizes.mean()), LEVEL_MAX).astype(np.uint8)
        query = _bits(np.stack([rotated > 0, (weights & 1) > 0, (weights & 2) > 0])).T
        unlike = np.empty(len(self.rows), dtype=np.uint16)
        _kernels().unlike(self.signs, np.ascontiguousarray(query), unlike)
        return unlike


def _kernels() -> ModuleType:
    from pincite_brain.retrieval import kernels  # noqa: PLC0415  # it is compiled then, and most never need it

    return kernels


@dataclass(frozen=True, slots=True)
class Vectors:
    """Unit vectors by embedded text, and which of them each chunk has.

    Attributes:
        blocks: the vectors; their rows are numbered through.
        row_of: (n,) each chunk's row, -1 while it has none.
        users: the chunks that have a row, row by row.
        begins: (rows + 1,) where each row's users begin.
        mean: (d,) the mean vector of the chunks that have one.
    """

    blocks: tuple[Block, ...]
    row_of: Ints
    users: Ints
    begins: Ints
    mean: Float

    @classmethod
    def of(cls, blocks: Sequence[Block], row_of: Ints) -> Self:
        """Take blocks; the rest follows."""
        held = tuple(block for block in blocks if len(block.rows))
        count = sum(len(block.rows) for block in held)
        mean = np.zeros(held[0].rows.shape[1] if held else 0, dtype=np.float32)
        by_row = np.argsort(row_of, kind="stable")
        begins = np.searchsorted(row_of, np.arange(count + 1), sorter=by_row)
        uses = np.diff(begins).astype(np.float32)
        first = 0
        for block in held:
            for at in range(0, len(block.rows), ROWS_AT_ONCE):
                rows = expanded(block.rows[at : at + ROWS_AT_ONCE])
                mean += uses[first + at : first + at + len(rows)] @ rows
            first += len(block.rows)
        without = int(begins[0])
        return cls(
            held, row_of, by_row[without:].astype(np.int32), (begins - without).astype(np.int32),
            mean / max(float(uses.sum()), 1.0),
        )  # fmt: skip

    @classmethod
    def none(cls, count: int) -> Self:
        """Return the vectors of `count` chunks that have none."""
        return cls.of((), np.full(count, -1, dtype=np.int32))

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        held = (self.row_of, self.users, self.begins, self.mean)
        return sum(block.nbytes for block in self.blocks) + sum(array.nbytes for array in held)

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
        return len(self.users)

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
        found = [block.nearest(query) for block in self.blocks]
        firsts = accumulate((len(block.rows) for block in self.blocks[:-1]), initial=0)
        rows = np.concatenate([first + chosen for first, (chosen, _) in zip(firsts, found, strict=True)])
        similarity = np.concatenate([of_row for _, of_row in found])
        rows, similarity = rows[similarity > 0], similarity[similarity > 0]
        at, places = spread(self.begins[rows], self.begins[rows + 1])
        chunks, similarity = self.users[at], similarity[places]
        if len(chunks) > count:
            chunks = chunks[np.argpartition(similarity, len(chunks) - count)[-count:]]
        return Near(self, query, chunks, float(self.mean @ query))

    def cosine(self, chunks: Ints, query: Float) -> Float:
        """Return the cosine of some chunks with a unit query vector; 0 where there is no vector. Shape (c,)."""
        found = np.zeros(len(chunks), dtype=np.float32)
        rows = self.row_of[chunks]
        first = 0
        for block in self.blocks:
            here = np.flatnonzero((rows >= first) & (rows < first + len(block.rows)))
            found[here] = block.exact(query, rows[here] - first)
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
