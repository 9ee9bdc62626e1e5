"""Hashes dealt into blocks of bits, sorted into buckets by some of the blocks, and compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numba
import numpy as np
import numpy.typing as npt

from curatome.cohort.duplicates.symmetry import Hashes, count_bits

Indices = npt.NDArray[np.int64]

BITS = 64
_SAMPLE = 20_000
_SORT_NS, _BUCKET_NS, _COMPARE_NS = 60.0, 20.0, 1.0
_TABLES = 2
_JOINS = 5
"""Comparisons of all with all that the seven joins of `search` come to."""


@dataclass(frozen=True)
class Blocks:
    """How the bits of hashes are dealt into blocks, of which near hashes share some.

    Attributes:
        order: (64,) which bit of a hash comes at each place of a code.
        starts: (K + 1,) the first place of each block.
        agreeing: how many blocks two hashes within the distance agree on at least.
        part_bits: places of a block, from its first on, that choose a bucket.
    """

    order: Indices
    starts: Indices
    agreeing: int
    part_bits: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def masks(self) -> Hashes:
        """(K,) uint64, the places of each block."""
        whole = [(1 << b) - (1 << a) for a, b in pairwise(self.starts.tolist())]
        return np.array(whole, np.uint64)

    def codes(self, hashes: Hashes) -> Hashes:
        """Hashes with their bits in the order of the blocks."""
        out = np.zeros_like(hashes)
        for place, bit in enumerate(self.order):
            out |= ((hashes >> np.uint64(bit)) & np.uint64(1)) << np.uint64(place)
        return out


@dataclass(frozen=True)
class Table:
    """Codes sorted into buckets.

    Attributes:
        starts: (B + 1,) int64, the first of each bucket.
        items: (N,) int32, which item each is, ascending within a bucket.
        codes: (N,) uint64, its code.
    """

    starts: Indices
    items: npt.NDArray[np.int32]
    codes: Hashes


def deal(hashes: Hashes, distance: int) -> Blocks:
    """Blocks for finding hashes within a distance, as many as make the least work.

    Bits are dealt from those that split the hashes most evenly to those that are the same in
    nearly all, so that every block tells hashes apart. More blocks make smaller buckets and more
    choices of blocks; a sample of the hashes says how large the buckets become.
    """
    return min(
        (_dealt(hashes, distance + agreeing, agreeing) for agreeing in range(1, 5)),
        key=lambda blocks: _work(hashes, blocks),
    )


def _dealt(hashes: Hashes, count: int, agreeing: int) -> Blocks:
    share = np.array([np.mean((hashes >> np.uint64(b)) & np.uint64(1)) for b in range(BITS)])
    hands: list[list[int]] = [[] for _ in range(count)]
    for rank, bit in enumerate(np.argsort(np.abs(share - 0.5), kind="stable")):
        turn, place = divmod(rank, count)
        hands[count - 1 - place if turn % 2 else place].append(int(bit))
    starts = np.cumsum([0, *map(len, hands)])
    part = min(BITS // count, math.ceil(len(hashes).bit_length() / agreeing))
    return Blocks(np.concatenate(hands).astype(np.int64), starts, agreeing, part)


def _work(hashes: Hashes, blocks: Blocks) -> float:
    """Nanoseconds, roughly, that a search takes."""
    count = len(hashes)
    sample = blocks.codes(hashes[:: max(1, count // _SAMPLE)])
    table = bucketed(sample, blocks, np.arange(blocks.agreeing))
    sizes = np.diff(table.starts).astype(float)
    together = (sizes * (sizes - 1)).sum() / max(1, len(sample) * (len(sample) - 1))
    one = (
        _TABLES * _SORT_NS * count
        + _BUCKET_NS * len(sizes)
        + _JOINS * _COMPARE_NS * together * count**2
    )
    return float(one) * math.comb(len(blocks), blocks.agreeing)


def keys(codes: Hashes, blocks: Blocks, chosen: Indices) -> Indices:
    """The bucket of each code by its chosen blocks.

    The key of two codes' exclusive or is the exclusive or of their keys.
    """
    out = np.zeros(codes.shape, np.uint64)
    part = np.uint64((1 << blocks.part_bits) - 1)
    for rank, block in enumerate(chosen):
        start, end = np.uint64(blocks.starts[block]), np.uint64(rank * blocks.part_bits)
        out |= ((codes >> start) & part) << end
    return out.astype(np.int64)


def bucketed(codes: Hashes, blocks: Blocks, chosen: Indices) -> Table:
    """Codes sorted into buckets by the chosen blocks."""
    buckets = 1 << (blocks.part_bits * blocks.agreeing)
    return Table(*_sorted(codes, keys(codes, blocks, chosen), buckets))


@numba.njit(cache=True, nogil=True)
def _sorted(  # pragma: no cover - compiled
    codes: Hashes, keys: Indices, buckets: int
) -> tuple[Indices, npt.NDArray[np.int32], Hashes]:
    starts = np.zeros(buckets + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for b in range(buckets):
        starts[b + 1] += starts[b]
    items = np.empty(len(codes), np.int32)
    out = np.empty(len(codes), np.uint64)
    filled = starts[:-1].copy()
    for i in range(len(codes)):
        at = filled[keys[i]]
        items[at], out[at] = i, codes[i]
        filled[keys[i]] = at + 1
    return starts, items, out


@dataclass(frozen=True)
class Rules:
    """What makes a pair of one join.

    Attributes:
        distance: the most bits that may differ.
        own: the places of the chosen blocks, which must agree.
        before: (K,) the places of each block before the last of them that was not chosen, of
            which each must differ: else the pair belongs to an earlier choice.
        most: the join ends early when it has so many pairs.
    """

    distance: int
    own: np.uint64
    before: Hashes
    most: int


def joined(left: Table, right: Table, flip: tuple[np.uint64, int], rules: Rules) -> Indices:
    """Items whose codes nearly agree after some bits of the left one are changed.

    Args:
        left: a table.
        right: a table of the same buckets. If it is the left one, each pair is found once.
        flip: the bits to change, as a code and as a key.
        rules: what makes a pair.

    Returns:
        (P, 2) int64, the left item and the right one.
    """
    found: Indices = _joined(
        (left.starts, left.items, left.codes),
        (right.starts, right.items, right.codes),
        (np.uint64(flip[0]), flip[1], left is right),
        (np.uint64(rules.distance), np.uint64(rules.own), rules.before, rules.most),
    )
    return found


@numba.njit(cache=True, nogil=True)
def _joined(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    left, right, flip, rules
):
    starts, items, codes = left
    other_starts, other_items, other_codes = right
    bits, key, same = flip
    distance, own, before, most = rules
    found = np.empty((256, 2), np.int64)
    filled = 0
    for bucket in range(len(starts) - 1):
        other = bucket ^ key
        low, high = other_starts[other], other_starts[other + 1]
        if low == high or (same and bucket > other):
            continue
        for a in range(starts[bucket], starts[bucket + 1]):
            code = codes[a] ^ bits
            if same and bucket == other:
                low = a + 1
            near = 0
            for near_code in other_codes[low:high]:
                near += count_bits(code ^ near_code) <= distance
            if near == 0:
                continue
            if filled + near > len(found):
                if filled > most:
                    return found[:filled]
                found = np.concatenate((found, np.empty((len(found) + near, 2), np.int64)))
            for b in range(low, high):
                apart = code ^ other_codes[b]
                if count_bits(apart) <= distance and apart & own == 0:
                    first = True
                    for block in before:
                        first &= apart & block != 0
                    if first:
                        found[filled] = items[a], other_items[b]
                        filled += 1
    return found[:filled]
