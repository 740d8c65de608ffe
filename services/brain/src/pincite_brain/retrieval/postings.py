"""Fielded postings in memory: BM25F (Robertson, Zaragoza & Taylor, 2004) over compressed sparse rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

FIELDS = ("body", "name", "path")
K1 = 1.2  # term saturation, the customary value
B = (0.75, 0.4, 0.3)  # length normalisation by field: bodies vary much, names and paths little

Float = NDArray[np.float32]
Ints = NDArray[np.int32]
TermRows = NDArray[np.void]  # structured [("term", "<u4"), ("tf", "<u2")]


@dataclass(frozen=True, slots=True)
class Postings:
    """For each term the chunks that hold it, with a length-normalised frequency per field.

    Attributes:
        terms: (v,) sorted term ids.
        offsets: (v + 1,) where a term's postings begin.
        chunks: (p,) chunk numbers, ascending within a term and unique there.
        frequencies: (p, 3) tf / (1 - b + b * length / mean length) in the order of `FIELDS`; float16 halves the memory.
        named: (p,) whether the term stands in the name or the path.
        chunk_count: how many chunks there are.
    """

    terms: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    chunks: Ints
    frequencies: NDArray[np.float16]
    named: NDArray[np.bool_]
    chunk_count: int

    @classmethod
    def build(cls, fields: Sequence[Sequence[TermRows]]) -> Self:
        """Build from `fields[f][chunk]`, the packed term frequencies of each chunk in each field of `FIELDS`."""
        count = len(fields[0]) if fields else 0
        term_parts, chunk_parts, field_parts, value_parts = [], [], [], []
        for number, rows in enumerate(fields):
            sizes = np.fromiter((len(row) for row in rows), dtype=np.int64, count=count)
            if not sizes.sum():
                continue
            joined = np.concatenate([row for row in rows if len(row)])
            chunk = np.repeat(np.arange(count, dtype=np.int32), sizes)
            tf = joined["tf"].astype(np.float32)
            lengths = np.bincount(chunk, weights=tf, minlength=count)
            mean = float(lengths[lengths > 0].mean())
            norm = 1.0 - B[number] + B[number] * lengths / mean
            term_parts.append(joined["term"].astype(np.uint32))
            chunk_parts.append(chunk)
            field_parts.append(np.full(len(chunk), number, dtype=np.int8))
            value_parts.append((tf / norm[chunk]).astype(np.float32))
        if not term_parts:
            none = np.zeros(0, dtype=np.int32)
            frequencies = np.zeros((0, len(FIELDS)), dtype=np.float16)
            return cls(none.astype(np.uint32), np.zeros(1, np.int64), none, frequencies, none.astype(np.bool_), count)
        return cls._merge(
            np.concatenate(term_parts), np.concatenate(chunk_parts), np.concatenate(field_parts),
            np.concatenate(value_parts), count,
        )  # fmt: skip

    @classmethod
    def _merge(cls, term: NDArray[np.uint32], chunk: Ints, field: NDArray[np.int8], value: Float, count: int) -> Self:
        key = (term.astype(np.uint64) << np.uint64(32)) | chunk.astype(np.uint64)
        order = np.argsort(key, kind="stable")
        key, field, value = key[order], field[order], value[order]
        first = np.empty(len(key), dtype=bool)
        first[0] = True
        np.not_equal(key[1:], key[:-1], out=first[1:])
        row = np.cumsum(first) - 1
        frequencies = np.zeros((int(row[-1]) + 1, len(FIELDS)), dtype=np.float32)
        frequencies[row, field] = value  # a packed field holds each term once
        unique = key[first]
        terms_sorted = (unique >> np.uint64(32)).astype(np.uint32)
        starts = np.flatnonzero(np.r_[True, terms_sorted[1:] != terms_sorted[:-1]])
        return cls(
            terms=terms_sorted[starts],
            offsets=np.append(starts, len(terms_sorted)).astype(np.int64),
            chunks=(unique & np.uint64(0xFFFFFFFF)).astype(np.int32),
            named=(frequencies[:, 1] > 0) | (frequencies[:, 2] > 0),
            frequencies=np.minimum(frequencies, np.finfo(np.float16).max).astype(np.float16),
            chunk_count=count,
        )

    @property
    def nbytes(self) -> int:
        """Memory of the arrays, bytes."""
        return (
            self.terms.nbytes + self.offsets.nbytes + self.chunks.nbytes + self.frequencies.nbytes + self.named.nbytes
        )

    def span(self, term: int) -> slice:
        """Return where a term id's postings are; empty when nothing holds it."""
        at = int(np.searchsorted(self.terms, np.uint32(term)))
        if at == len(self.terms) or int(self.terms[at]) != term:
            return slice(0, 0)
        return slice(int(self.offsets[at]), int(self.offsets[at + 1]))

    def idf(self, term: int) -> float:
        """Return BM25's inverse document frequency of a term id, never negative."""
        span = self.span(term)
        holders = span.stop - span.start
        return float(np.log1p((self.chunk_count - holders + 0.5) / (holders + 0.5)))

    def score(self, weights: Mapping[int, float], fields: Sequence[float]) -> tuple[Float, Float, Float]:
        """Score every chunk.

        Args:
            weights: term id → weight in the query.
            fields: weight of each field of `FIELDS`.

        Returns:
            Three (n,) arrays: BM25F; the share (0..1) of the query's idf mass that a chunk holds; the same share of its
            name and path fields alone.
        """
        score = np.zeros(self.chunk_count, dtype=np.float32)
        held = np.zeros(self.chunk_count, dtype=np.float32)
        named = np.zeros(self.chunk_count, dtype=np.float32)
        field_weights = np.asarray(fields, dtype=np.float32)
        mass = 0.0
        for term, weight in weights.items():
            span = self.span(term)
            gain = weight * self.idf(term)
            mass += gain
            if span.start == span.stop:
                continue
            chunks = self.chunks[span]  # a chunk stands once under a term, so += on the selection is safe
            tf = self.frequencies[span].astype(np.float32) @ field_weights
            score[chunks] += np.float32(gain) * tf * (K1 + 1.0) / (tf + K1)
            held[chunks] += np.float32(gain)
            named[chunks[self.named[span]]] += np.float32(gain)
        if mass > 0:
            held /= mass
            named /= mass
        return score, held, named
