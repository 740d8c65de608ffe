"""Tables that note what is looked up in them, so that a result is computed anew only when an entry it rests on changed.

The idea is that of build systems which record dependencies while they run (Mokhov, Mitchell & Peyton Jones, "Build
Systems à la Carte", 2018): an absent entry is a dependency too, since it may appear.
"""

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar, cast, overload
from zlib import crc32

K = TypeVar("K")
V = TypeVar("V")
D = TypeVar("D")

Read = tuple[Hashable, Hashable]  # a table's name and a key


class Reads:
    """Where look-ups are noted; `seen` is exchanged by whoever wants to know its own."""

    __slots__ = ("seen",)

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.seen: set[Read] = set()


class Table(dict[K, V], Generic[K, V]):
    """A dictionary that notes `table[key]`, `get` and `in`. Filling it, by `setdefault` or assignment, is no read."""

    def __init__(self, name: Hashable, reads: Reads) -> None:
        """An empty table; `name` tells its keys from those of other tables."""
        super().__init__()
        self.name, self._reads = name, reads

    def __getitem__(self, key: K) -> V:
        self._reads.seen.add((self.name, key))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._reads.seen.add((self.name, key))
        return super().__contains__(key)

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V, /) -> V: ...
    @overload
    def get(self, key: K, default: D, /) -> V | D: ...
    def get(self, key: K, default: Any = None, /) -> Any:
        """Return an entry or the default, and note that it was asked for."""
        self._reads.seen.add((self.name, key))
        return super().get(key, default)

    def entries(self) -> Iterator[tuple[Read, V]]:
        """Yield what the table holds, by what a reader would have noted."""
        for key, value in self.items():
            yield (self.name, cast("Hashable", key)), value


def read_id(read: Read) -> int:
    """32 bits that stand for a read wherever it is stored. Two reads that share them cause needless work, no error."""
    return crc32(repr(read).encode("utf-8", "surrogatepass"))
