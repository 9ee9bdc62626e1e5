"""Items that were judged alike by everybody are one pattern of codes that counts many times.

A million items by five readers have at most a few thousand patterns, and so have a hundred million
pixels. What is fitted to patterns takes their time and memory, not that of the items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.integer]
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Patterns:
    """The different rows of a table of codes, in the order in which they appear.

    Attributes:
        codes: (P, R), each row once.
        index: (N,) int32, the pattern of each row of the table.
        counts: (P,) float64, how many rows are alike.
    """

    codes: Integers
    index: Numbers
    counts: npt.NDArray[np.float64]


def find_patterns(codes: Integers) -> Patterns:
    """Number the different rows of a table of codes.

    Args:
        codes: (N, R) whole numbers of any type and in any memory order.
    """
    index = np.empty(len(codes), np.int32)
    first = _number(codes, index)
    counts = np.bincount(index, minlength=len(first)).astype(np.float64)
    return Patterns(codes[first], index, counts)


@numba.njit(cache=True, nogil=True)
def _hashed(codes: Integers, row: int) -> np.uint64:  # pragma: no cover - compiled
    # FNV-1a over the codes of a row (Fowler, Noll, Vo), its high bits folded down.
    found = np.uint64(0xCBF29CE484222325)
    for k in range(codes.shape[1]):
        found = (found ^ np.uint64(np.int64(codes[row, k]) + 1)) * np.uint64(0x100000001B3)
    return found ^ (found >> np.uint64(29))


@numba.njit(cache=True, nogil=True)
def _slot(
    codes: Integers, row: int, first: npt.NDArray[np.int64], slots: Numbers
) -> np.int64:  # pragma: no cover - compiled
    """Where in a table with open addressing a row's pattern is, or would be."""
    last = np.uint64(len(slots) - 1)
    at = _hashed(codes, row) & last
    while slots[at] >= 0:
        known = first[slots[at]]
        same = True
        for k in range(codes.shape[1]):
            if codes[known, k] != codes[row, k]:
                same = False
                break
        if same:
            break
        at = (at + np.uint64(1)) & last
    return np.int64(at)


@numba.njit(cache=True, nogil=True)
def _number(
    codes: Integers, index: Numbers
) -> npt.NDArray[np.int64]:  # pragma: no cover - compiled
    """Fill the number of each row's pattern; return the first row of each."""
    slots = np.full(1024, -1, np.int32)
    first = np.empty(512, np.int64)
    count = 0
    for row in range(len(codes)):
        if count == len(first):
            first = np.append(first, np.empty(count, np.int64))
            slots = np.full(2 * len(slots), -1, np.int32)
            for pattern in range(count):
                slots[_slot(codes, first[pattern], first, slots)] = pattern
        at = _slot(codes, row, first, slots)
        if slots[at] < 0:
            slots[at] = count
            first[count] = row
            count += 1
        index[row] = slots[at]
    return first[:count].copy()
