"""Shuffled order without a list of it: any part of a permutation, computed when it is needed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ROUNDS = 8


def shuffled(
    places: npt.NDArray[np.int64], count: int, seed: int, epoch: int
) -> npt.NDArray[np.int64]:
    """Which items stand at some places of a shuffled order of `count` items.

    A Feistel network permutes the numbers below the next power of two; results beyond `count` are
    sent through it again until they fall below (Black and Rogaway, "Ciphers with arbitrary finite
    domains", CT-RSA 2002, doi:10.1007/3-540-45760-7_9). Nothing has the size of the dataset, and
    every process computes the same order from the seed.

    Args:
        places: (N,) int64, from 0 to count - 1.
        count: number of items.
        seed: decides the order, with `epoch`.
        epoch: another one gives another order.

    Returns:
        (N,) int64, items from 0 to count - 1, no two alike where the places differ.
    """
    bits = max(2, (count - 1).bit_length())
    keys = (
        np.random.SeedSequence([seed, epoch]).generate_state(_ROUNDS, np.uint64).astype(np.uint64)
    )
    items = _permuted(places.astype(np.uint64), bits, keys)
    beyond = np.flatnonzero(items >= count)
    while len(beyond):
        items[beyond] = _permuted(items[beyond], bits, keys)
        beyond = beyond[items[beyond] >= count]
    return items.astype(np.int64)


def _permuted(
    numbers: npt.NDArray[np.uint64], bits: int, keys: npt.NDArray[np.uint64]
) -> npt.NDArray[np.uint64]:
    """A permutation of the numbers below 2**bits."""
    low = np.uint64(bits // 2)
    high = np.uint64(bits) - low
    left, right = numbers >> low, numbers & _mask(low)
    # Halves of unequal width change sides in every round; after an even number all is as before.
    widths = [high, low]
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & _mask(widths[0]))
        widths.reverse()
    return np.asarray((left << low) | right)


def _mask(bits: np.uint64) -> np.uint64:
    return np.uint64((1 << int(bits)) - 1)


def _mixed(value: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood, doi:10.1145/2660193.2660195)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
