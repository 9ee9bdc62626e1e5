"""The eight rotations and reflections of a square, of pixels and of perceptual hashes.

Symmetry `k` is `k` quarter turns against the clock; from 4 on, of the mirror image (left and right
exchanged). A hash's bit `8 u + v` is the sign of the cosine coefficient of vertical frequency `u`
and horizontal frequency `v`. Exchanging left and right changes the sign of every coefficient of odd
`v`, exchanging top and bottom of every odd `u`, and transposing the image transposes them: so
the hash of a turned image follows from the hash alone.
"""

from __future__ import annotations

from typing import TypeVar

import numba
import numpy as np
import numpy.typing as npt

SYMMETRIES = 8

Hashes = npt.NDArray[np.uint64]
T = TypeVar("T", bound=np.generic)


LEFT_RIGHT = np.uint64(sum(1 << b for b in range(64) if b % 2))
"""Bits that exchanging left and right changes."""
TOP_BOTTOM = np.uint64(sum(1 << b for b in range(64) if b // 8 % 2))
"""Bits that exchanging top and bottom changes."""
FLIPS = np.array([0, LEFT_RIGHT, TOP_BOTTOM, LEFT_RIGHT ^ TOP_BOTTOM], np.uint64)
"""Bits that each of the four symmetries changes that keep the axes."""
TRANSPOSED = 5
"""The symmetry that exchanges rows and columns."""

# Exchanges of blocks of bits that transpose an 8 × 8 matrix (Warren, Hacker's Delight, 7-3).
_STEP_1, _MASK_1 = np.uint64(7), np.uint64(0x00AA00AA00AA00AA)
_STEP_2, _MASK_2 = np.uint64(14), np.uint64(0x0000CCCC0000CCCC)
_STEP_4, _MASK_4 = np.uint64(28), np.uint64(0x00000000F0F0F0F0)

# Bits counted in parallel (Warren, 5-1); compilers make one instruction of it.
_ONE, _TWO, _FOUR, _TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
_ODD, _PAIRS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
_NIBBLES, _BYTES = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


@numba.njit(cache=True, nogil=True, inline="always")
def _transposed(h):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    x = (h ^ (h >> _STEP_1)) & _MASK_1
    h = h ^ x ^ (x << _STEP_1)
    x = (h ^ (h >> _STEP_2)) & _MASK_2
    h = h ^ x ^ (x << _STEP_2)
    x = (h ^ (h >> _STEP_4)) & _MASK_4
    return h ^ x ^ (x << _STEP_4)


@numba.njit(cache=True, nogil=True)
def turn_hash(h, out):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """Write the hashes of an image's eight symmetries to `out`, (8,) uint64."""
    t = _transposed(h)
    out[0], out[2] = h, h ^ LEFT_RIGHT ^ TOP_BOTTOM
    out[1], out[3] = t ^ TOP_BOTTOM, t ^ LEFT_RIGHT
    out[4], out[6] = h ^ LEFT_RIGHT, h ^ TOP_BOTTOM
    out[5], out[7] = t, t ^ LEFT_RIGHT ^ TOP_BOTTOM


@numba.njit(cache=True, nogil=True, inline="always")
def count_bits(x):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    """How many bits of a uint64 are set."""
    x = x - ((x >> _ONE) & _ODD)
    x = (x & _PAIRS) + ((x >> _TWO) & _PAIRS)
    x = (x + (x >> _FOUR)) & _NIBBLES
    return (x * _BYTES) >> _TOP


@numba.njit(cache=True, nogil=True)
def _turn_all(hashes: Hashes, out: Hashes) -> None:  # pragma: no cover - compiled
    for i in range(len(hashes)):
        turn_hash(hashes[i], out[i])


@numba.njit(cache=True, nogil=True)
def _nearest(  # pragma: no cover - compiled
    first: Hashes, second: Hashes, distance: npt.NDArray[np.int16], symmetry: npt.NDArray[np.int8]
) -> None:
    turns = np.empty(SYMMETRIES, np.uint64)
    for i in range(len(first)):
        turn_hash(first[i], turns)
        least = np.int64(65)
        for k in range(SYMMETRIES):
            apart = np.int64(count_bits(turns[k] ^ second[i]))
            if apart < least:
                least = apart
                symmetry[i] = k
        distance[i] = least


def turned_hashes(hashes: npt.ArrayLike) -> Hashes:
    """The hashes of the eight symmetries of each image, from its own hash.

    Args:
        hashes: (N,) uint64.

    Returns:
        (N, 8) uint64, in the order of the symmetries; the first column are the hashes themselves.
    """
    own = np.ascontiguousarray(hashes, np.uint64)
    out = np.empty((len(own), SYMMETRIES), np.uint64)
    _turn_all(own, out)
    return out


def hash_distances(
    first: npt.ArrayLike, second: npt.ArrayLike
) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int8]]:
    """How many bits two hashes differ in under the symmetry that brings them closest.

    Args:
        first: (N,) uint64.
        second: (N,) uint64.

    Returns:
        distance: (N,) int16, the least number of differing bits.
        symmetry: (N,) int8, which symmetry of the first image looks like the second; the lowest
            of those that are equally close.
    """
    one, other = np.ascontiguousarray(first, np.uint64), np.ascontiguousarray(second, np.uint64)
    if one.shape != other.shape:
        raise ValueError(f"the hashes must pair up. Got {one.shape} and {other.shape}.")
    distance, symmetry = np.empty(len(one), np.int16), np.empty(len(one), np.int8)
    _nearest(one, other, distance, symmetry)
    return distance, symmetry


def turned(image: npt.NDArray[T], symmetry: int) -> npt.NDArray[T]:
    """An image after one of the eight symmetries.

    Args:
        image: (H, W) or (H, W, C).
        symmetry: 0 to 7.

    Raises:
        ValueError: there is no such symmetry.
    """
    if not 0 <= symmetry < SYMMETRIES:
        raise ValueError(f"symmetry must be 0 to {SYMMETRIES - 1}. Got {symmetry}.")
    return np.rot90(image[:, ::-1] if symmetry >= 4 else image, symmetry % 4)
