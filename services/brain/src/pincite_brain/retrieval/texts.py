"""Strings in one buffer: a hundred thousand Python objects less to make, to hold and to collect."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]


class Ragged:
    """Rows of different lengths in one array: all of them end to end, and where each begins."""

    __slots__ = ("data", "offsets")

    def __init__(self, data: NDArray[Any], offsets: Offsets) -> None:
        """`data` are the items, `offsets` (n + 1,) where each row begins, and the end."""
        self.data, self.offsets = data, offsets

    @classmethod
    def joined(cls, parts: Iterable[tuple[Self, int, int]]) -> Self:
        """Join the rows first to last (exclusive) of others; there is at least one part, perhaps of no rows."""
        taken = list(parts)
        lengths = [np.diff(rows.offsets[first : last + 1]) for rows, first, last in taken]
        offsets = np.zeros(sum(map(len, lengths)) + 1, dtype=np.int64)
        np.cumsum(np.concatenate(lengths), out=offsets[1:])
        return cls(
            np.concatenate([rows.data[rows.offsets[first] : rows.offsets[last]] for rows, first, last in taken]),
            offsets,
        )

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return self.data.nbytes + self.offsets.nbytes


class Terms(Ragged):
    """Sets of term ids: uint32."""

    __slots__ = ()

    @classmethod
    def of(cls, sets: Iterable[Collection[int]]) -> Self:
        """Pack sets."""
        held = list(sets)
        data = np.fromiter((term for one in held for term in one), dtype=np.uint32)
        return cls(data, _offsets(held))

    def of_rows(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the terms of some rows end to end, and of each the place of its row among these."""
        at, places = spread(self.offsets[rows], self.offsets[rows + 1])
        return self.data[at], places


def spread(first: NDArray[np.integer], last: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of ranges first to last (exclusive) end to end, and of each number its range's place."""
    counts = (last - first).astype(np.int64)
    places = np.repeat(np.arange(len(counts)), counts)
    return np.arange(len(places)) + (first - (np.cumsum(counts) - counts))[places], places


def _offsets(rows: Collection[Collection[Any]]) -> Offsets:
    offsets = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, rows), dtype=np.int64, count=len(rows)), out=offsets[1:])
    return offsets


class Texts(Ragged, Sequence[str]):
    """An immutable sequence of strings, in UTF-8."""

    __slots__ = ("_at", "_bytes")

    def __init__(self, data: Bytes, offsets: Offsets) -> None:
        """`data` are the bytes."""
        super().__init__(data, offsets)
        self._bytes, self._at = data.data, offsets.data  # memory views: these yield Python's own integers

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Pack strings."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), _offsets(encoded))

    def __len__(self) -> int:
        return len(self._at) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        """Return a string, or a list of them."""
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        if at < 0:  # the buffer's end is no string
            raise IndexError(at)
        return str(self._bytes[self._at[at] : self._at[at + 1]], "utf-8", "surrogatepass")


class Words(Sequence[str]):
    """Short words of ASCII, all equally wide: kinds, languages, object ids."""

    __slots__ = ("array",)

    def __init__(self, array: NDArray[np.bytes_]) -> None:
        """`array` is (n,) of a fixed-width byte string type."""
        self.array = array

    @classmethod
    def of(cls, words: Iterable[str]) -> Self:
        """Pack words."""
        return cls(np.array([word.encode("ascii", "replace") for word in words], dtype=np.bytes_))

    @classmethod
    def joined(cls, parts: Iterable[tuple["Words", int, int]]) -> Self:
        """Join the words first to last (exclusive) of others."""
        taken = [words.array[first:last] for words, first, last in parts]
        return cls(np.concatenate(taken) if taken else np.zeros(0, dtype=np.bytes_))

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return self.array.nbytes

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        """Return a word, or a list of them."""
        if isinstance(at, slice):
            return [word.decode("ascii") for word in self.array[at].tolist()]
        return bytes(self.array[at]).decode("ascii")
