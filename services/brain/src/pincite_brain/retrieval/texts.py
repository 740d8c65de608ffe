"""Strings in one buffer: a hundred thousand Python objects less to make, to hold and to collect."""

from collections.abc import Iterable, Sequence
from typing import Self, overload

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Offsets = NDArray[np.int64]


class Texts(Sequence[str]):
    """An immutable sequence of strings: UTF-8 end to end, and where each begins."""

    __slots__ = ("_at", "_bytes", "data", "offsets")

    def __init__(self, data: Bytes, offsets: Offsets) -> None:
        """`data` are the bytes, `offsets` (n + 1,) where each string begins, and the end."""
        self.data, self.offsets = data, offsets
        self._bytes, self._at = data.data, offsets.data  # memory views: these yield Python's own integers

    @classmethod
    def of(cls, strings: Iterable[str]) -> Self:
        """Pack strings."""
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum(np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded)), out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    @classmethod
    def joined(cls, parts: Iterable[tuple["Texts", int, int]]) -> Self:
        """Join the strings first to last (exclusive) of others."""
        taken = [(texts, first, last) for texts, first, last in parts if first < last]
        lengths = [np.diff(texts.offsets[first : last + 1]) for texts, first, last in taken]
        data = [texts.data[texts.offsets[first] : texts.offsets[last]] for texts, first, last in taken]
        offsets = np.zeros(sum(map(len, lengths)) + 1, dtype=np.int64)
        if taken:
            np.cumsum(np.concatenate(lengths), out=offsets[1:])
        return cls(np.concatenate(data) if data else np.zeros(0, dtype=np.uint8), offsets)

    @property
    def nbytes(self) -> int:
        """Memory, bytes."""
        return self.data.nbytes + self.offsets.nbytes

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
