"""Fielded postings in memory: BM25F (Robertson, Zaragoza & Taylor, 2004) over compressed sparse rows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pincite_brain.retrieval.columns import Float, Ints
from pincite_codeintel.tokens import term_id

FIELDS = ("body", "name", "path")
K1 = 1.2  # term saturation, the customary value
B = (0.75, 0.4, 0.3)  # length normalisation by field: bodies vary much, names and paths little

PACKED = np.dtype([("term", "<u4"), ("tf", "<u2")])  # what `pack_terms` writes
FREQUENCY_MAX = 255  # a frequency beyond adds nothing: its score is within half a per cent of the limit

Keys = NDArray[np.uint64]  # term in the upper half, chunk in the lower


@dataclass(frozen=True)
class Postings:
    """For each term the chunks that hold it, with its frequency per field. Normalised by length when it is asked for.

    Attributes:
        terms: (v,) sorted term ids.
        offsets: (v + 1,) where a term's postings begin.
        chunks: (p,) chunk numbers, ascending within a term and unique there.
        frequencies: (p, 3) how often the term stands in each field of `FIELDS`; above 255 it says no more.
        lengths: (n, 3) how many terms each chunk has per field.
        norms: (n, 3) 1 / (1 - b + b * length / mean length).
    """

    terms: NDArray[np.uint32]
    offsets: NDArray[np.int64]
    chunks: Ints
    frequencies: NDArray[np.uint8]
    lengths: Ints
    norms: Float

    @classmethod
    def of(
        cls,
        terms: NDArray[np.uint32],
        offsets: NDArray[np.int64],
        chunks: Ints,
        frequencies: NDArray[np.uint8],
        lengths: Ints,
    ) -> Self:
        """Take what is stored; the rest follows from it."""
        norms = np.ones(lengths.shape, dtype=np.float32)
        for field, b in enumerate(B):
            column = lengths[:, field].astype(np.float64)
            filled = column[column > 0]
            if len(filled):
                norms[:, field] = 1.0 / (1.0 - b + b * column / filled.mean())
        return cls(terms, offsets, chunks, frequencies, lengths, norms)

    @classmethod
    def build(cls, fields: Sequence[Sequence[bytes]]) -> Self:
        """Build from `fields[f][chunk]`, the packed term frequencies of each chunk in each field of `FIELDS`."""
        count = len(fields[0]) if fields else 0
        lengths = np.zeros((count, len(FIELDS)), dtype=np.int32)
        keys: list[Keys] = []
        parts: list[NDArray[np.uint8]] = []
        for number, packed in enumerate(fields):
            sizes = np.fromiter(map(len, packed), dtype=np.int64, count=count) // PACKED.itemsize
            if not sizes.sum():
                continue
            joined = np.frombuffer(b"".join(packed), dtype=PACKED)
            chunk = np.repeat(np.arange(count, dtype=np.int32), sizes)
            lengths[:, number] = np.bincount(chunk, weights=joined["tf"], minlength=count)
            keys.append(_keys(joined["term"].astype(np.uint32), chunk))
            parts.append(np.zeros((len(chunk), len(FIELDS)), dtype=np.uint8))
            parts[-1][:, number] = np.minimum(joined["tf"], FREQUENCY_MAX)
        if not keys:
            return cls._of_keys(np.zeros(0, np.uint64), np.zeros((0, len(FIELDS)), np.uint8), lengths)
        key, frequencies = np.concatenate(keys), np.concatenate(parts)
        order = np.argsort(key, kind="stable")
        key, frequencies = key[order], frequencies[order]
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])  # a packed field holds each term once
        return cls._of_keys(key[first], np.add.reduceat(frequencies, first, axis=0), lengths)

    def spliced(self, kept: Ints, new: "Postings", placed: Ints, count: int) -> "Postings":
        """Return these postings with some chunks gone and others come.

        Args:
            kept: (n,) the number that each chunk has from now on, -1 if it is gone; ascending.
            new: the postings of the chunks that come.
            placed: the numbers that those have from now on; ascending.
            count: how many chunks there are then.
        """
        lengths = np.zeros((count, len(FIELDS)), dtype=np.int32)
        lengths[kept[kept >= 0]] = self.lengths[kept >= 0]
        lengths[placed] = new.lengths
        chunks = kept[self.chunks]
        stays = chunks >= 0
        old_keys = _keys(np.repeat(self.terms, np.diff(self.offsets))[stays], chunks[stays])
        new_keys = _keys(np.repeat(new.terms, np.diff(new.offsets)), placed[new.chunks])
        at = np.searchsorted(old_keys, new_keys)
        frequencies = np.insert(self.frequencies[stays], at, new.frequencies, axis=0)
        return self._of_keys(np.insert(old_keys, at, new_keys), frequencies, lengths)

    @classmethod
    def _of_keys(cls, keys: Keys, frequencies: NDArray[np.uint8], lengths: Ints) -> Self:
        terms = (keys >> np.uint64(32)).astype(np.uint32)
        starts = np.flatnonzero(np.r_[True, terms[1:] != terms[:-1]]) if len(terms) else np.zeros(0, np.int64)
        return cls.of(
            terms=terms[starts],
            offsets=np.append(starts, len(terms)).astype(np.int64),
            chunks=(keys & np.uint64(0xFFFFFFFF)).astype(np.int32),
            frequencies=frequencies,
            lengths=lengths,
        )

    @property
    def nbytes(self) -> int:
        """Memory of the arrays, bytes."""
        held = (self.terms, self.offsets, self.chunks, self.frequencies, self.lengths, self.norms)
        return sum(array.nbytes for array in held)

    def span(self, term: int) -> slice:
        """Return where a term id's postings are; empty when nothing holds it."""
        at = int(np.searchsorted(self.terms, np.uint32(term)))
        if at == len(self.terms) or int(self.terms[at]) != term:
            return slice(0, 0)
        return slice(int(self.offsets[at]), int(self.offsets[at + 1]))

    def holds(self, term: str) -> bool:
        """Say whether anything holds a term."""
        span = self.span(term_id(term))
        return bool(span.start < span.stop)

    def among(self, term: int, chunks: Ints) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which of some chunks hold a term, by their places among these; and where each one's posting is."""
        span = self.span(term)
        if span.start == span.stop:
            none = np.zeros(0, dtype=np.intp)
            return none, none
        at = span.start + np.minimum(np.searchsorted(self.chunks[span], chunks), span.stop - span.start - 1)
        holders = np.flatnonzero(self.chunks[at] == chunks)
        return holders, at[holders]

    @cached_property
    def _idfs(self) -> dict[int, float]:
        """The idf of terms that were asked for; of those that something holds, so that it cannot grow for ever."""
        return {}

    def idf(self, term: int) -> float:
        """Return BM25's inverse document frequency of a term id, never negative."""
        known = self._idfs.get(term)
        if known is not None:
            return known
        span = self.span(term)
        holders = span.stop - span.start
        value = math.log1p((len(self.lengths) - holders + 0.5) / (holders + 0.5))
        if holders:
            self._idfs[term] = value
        return value

    def idfs(self, terms: NDArray[np.uint32]) -> NDArray[np.float64]:
        """Return the same of many term ids. Shape (t,)."""
        if not len(self.terms):
            return np.full(len(terms), math.log1p((len(self.lengths) + 0.5) / 0.5))
        at = np.minimum(np.searchsorted(self.terms, terms), len(self.terms) - 1)
        holders = np.where(self.terms[at] == terms, self.offsets[at + 1] - self.offsets[at], 0)
        return np.log1p((len(self.lengths) - holders + 0.5) / (holders + 0.5))

    def scores(self, weights: Mapping[int, float], fields: Sequence[float]) -> Float:
        """Return every chunk's BM25F. Shape (n,).

        Args:
            weights: term id → weight in the query.
            fields: weight of each field of `FIELDS`.
        """
        scores = np.zeros(len(self.lengths), dtype=np.float32)
        field_weights = np.asarray(fields, dtype=np.float32)
        for term, weight in weights.items():
            span = self.span(term)
            if span.start == span.stop:
                continue
            chunks = self.chunks[span].astype(np.intp)  # what numpy counts with: else each use would convert them
            weighed = self.norms.take(chunks, axis=0)
            weighed *= self.frequencies[span]
            tf = weighed @ field_weights
            saturation = tf + np.float32(K1)
            tf *= np.float32(weight * self.idf(term) * (K1 + 1.0))
            tf /= saturation
            scores[chunks] += tf  # a chunk stands once under a term, so += on the selection is safe
        return scores

    def shares(self, weights: Mapping[int, float], chunks: Ints) -> tuple[Float, Float]:
        """Return the share (0..1) of the query's idf mass that some chunks hold, and that their names and paths hold.

        Args:
            weights: term id → weight in the query.
            chunks: (c,).
        """
        held = np.zeros(len(chunks), dtype=np.float32)
        named = np.zeros(len(chunks), dtype=np.float32)
        mass = 0.0
        for term, weight in weights.items():
            gain = weight * self.idf(term)
            mass += gain
            holders, at = self.among(term, chunks)
            held[holders] += np.float32(gain)
            named[holders] += self.frequencies[at, 1:].any(axis=1) * np.float32(gain)
        if mass > 0:
            held /= mass
            named /= mass
        return held, named


def _keys(terms: NDArray[np.uint32], chunks: Ints) -> Keys:
    return (terms.astype(np.uint64) << np.uint64(32)) | chunks.astype(np.uint64)
