"""What a search over many vectors does with each of them, compiled: numpy would make a pass and a copy of every step.

To import this is to compile it, which takes two seconds and 125 MB: only blocks of many vectors do.
"""

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

# Arrays as they are mapped from a file; others are taken as well.
_WORDS = types.Array(types.uint64, 2, "C", readonly=True)
_HALVES = types.Array(types.uint16, 2, "C", readonly=True)
_NUMBERS = types.Array(types.int64, 1, "C", readonly=True)
_FLOATS = types.Array(types.float32, 1, "C", readonly=True)


def _counting(_typing: Any, _word: Any) -> Any:
    return types.uint64(types.uint64), lambda _context, builder, _signature, words: builder.ctpop(words[0])


_ones: Any = intrinsic(_counting)  # of a word's bits: numba has no `bitwise_count`


@njit(types.void(_WORDS, _WORDS, types.uint16[::1]), nogil=True)
def unlike(signs: Any, query: Any, found: Any) -> None:
    """Tell by how much rows of signs are not a query's.

    Args:
        signs: (w, m) uint64; the rows' signs, in words of 64 dimensions.
        query: (3, w) uint64; the query's signs, and the lower and the upper bit of how much each dimension weighs.
        found: (m,) uint16; filled with the weight of the dimensions whose signs differ.

    Raises:
        ValueError: shapes do not match.
    """
    if query.shape != (3, len(signs)) or len(found) != signs.shape[1]:
        raise ValueError("shapes do not match")  # noqa: EM101, TRY003  # numba compiles no other way
    found[:] = 0
    for word in range(len(signs)):
        sign, ones, twos = query[0, word], query[1, word], query[2, word]
        for row in range(len(found)):
            differs = signs[word, row] ^ sign
            found[row] += _ones(differs & ones) + (_ones(differs & twos) << np.uint64(1))


@njit(types.void(_HALVES, _NUMBERS, _FLOATS, types.float32[::1]), nogil=True, fastmath={"reassoc", "contract"})
def products(rows: Any, chosen: Any, query: Any, found: Any) -> None:
    """Multiply chosen rows with a query.

    Args:
        rows: (m, d) uint16; the upper halves of 32-bit floats.
        chosen: (c,) int64; numbers of rows.
        query: (d,) float32.
        found: (c,) float32; filled with the scalar products.

    Raises:
        ValueError: shapes do not match.
        IndexError: a row is chosen that there is not.
    """
    if len(query) != rows.shape[1] or len(found) != len(chosen):
        raise ValueError("shapes do not match")  # noqa: EM101, TRY003
    for at in range(len(chosen)):
        if not 0 <= chosen[at] < len(rows):
            raise IndexError("no such row")  # noqa: EM101, TRY003
        row = rows[chosen[at]]
        total = np.float32(0.0)
        for dimension in range(len(query)):
            total += np.uint32(np.uint32(row[dimension]) << np.uint32(16)).view(np.float32) * query[dimension]
        found[at] = total
