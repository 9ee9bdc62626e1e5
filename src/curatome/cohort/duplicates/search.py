"""All pairs of hashes within a Hamming distance, under the eight symmetries, without missing any.

Two hashes that differ in at most `d` of their bits agree on at least `m` of any `d + m` blocks that
the bits are dealt into. For every choice of `m` blocks, the hashes are sorted into buckets by these
bits, once as they are and once transposed, and buckets that a reflection leads to are compared
(block combinations of Manku, Jain and Das Sarma, 10.1145/1242572.1242592; multi-index hashing of
Norouzi, Punjani and Fleet, 10.1109/TPAMI.2013.231). A pair counts only at the first `m` blocks it
agrees on, so it is found once. Bits are dealt by how evenly they split the hashes, so that bits
which are the same in nearly all images, as those of centered cells are, do not gather in one block.

Images with one hash, up to symmetry, are searched for as one; what is left is bound by the number
of pairs that there are, and a search for more than `limit` pairs stops with an error.
"""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.cohort.duplicates.blocks import Rules, bucketed, deal, joined, keys
from curatome.cohort.duplicates.hashing import NO_CONTENT
from curatome.cohort.duplicates.symmetry import (
    FLIPS,
    TRANSPOSED,
    Hashes,
    hash_distances,
    turned_hashes,
)
from curatome.errors import CuratomeError

Indices = npt.NDArray[np.int64]

FARTHEST = 16
"""Largest distance that can be asked for; unrelated hashes are 32 bits apart."""

LIMIT = 10_000_000


class TooManyPairs(CuratomeError):  # noqa: N818 - the pairs are too many, not an error
    """So many images look alike that their pairs cannot all be listed."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of items, each once, in order of the first, then of the second.

    Attributes:
        first: (P,) int64, position of an item.
        second: (P,) int64, position of a later item.
        distance: (P,) int16, bits in which the hashes differ under `symmetry`.
        symmetry: (P,) int8, which symmetry of the first looks like the second.
    """

    first: Indices
    second: Indices
    distance: npt.NDArray[np.int16]
    symmetry: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.first)

    def where(self, keep: npt.NDArray[np.bool_]) -> Pairs:
        """The pairs for which `keep`, (P,), is true."""
        return Pairs(self.first[keep], self.second[keep], self.distance[keep], self.symmetry[keep])


def near_pairs(
    hashes: npt.ArrayLike,
    distance: int = 6,
    *,
    every: bool = True,
    limit: int = LIMIT,
    threads: int | None = None,
) -> Pairs:
    """All pairs of images whose hashes nearly agree, as they are or turned.

    Args:
        hashes: (N,) uint64, of `perceptual_hash`; those without content pair with none.
        distance: the most bits in which two hashes may differ, 0 to 16.
        every: list every pair. Otherwise the first of the images that have one hash, up to
            symmetry, stands for them: it is paired with each of them and, alone, with others.
        limit: the most pairs to list.
        threads: threads to use; as many as there are processors unless told.

    Returns:
        the pairs; the search is exact.

    Raises:
        ValueError: the distance is out of range.
        TooManyPairs: there are more than `limit` pairs.
    """
    if not 0 <= distance <= FARTHEST:
        raise ValueError(f"distance must be 0 to {FARTHEST}. Got {distance}.")
    own = np.ascontiguousarray(hashes, np.uint64)
    order, starts = _alike(own)
    heads = order[starts[:-1]]  # ascending within a group, so the first of each
    near = _search(own[heads], distance, limit, threads or os.cpu_count() or 1)
    sizes = np.diff(starts)
    left, right = near.T
    within = sizes * (sizes - 1) // 2 if every else sizes - 1
    across = (sizes[left] * sizes[right]).sum() if every else len(near)
    if int(within.sum()) + int(across) > limit:
        raise _too_many(limit)
    first, second = _within(order, starts, every)
    if every:
        more_first, more_second = _across(order, starts, left, right)
    else:
        more_first, more_second = heads[left], heads[right]
    return _listed(own, np.append(first, more_first), np.append(second, more_second))


def _too_many(limit: int) -> TooManyPairs:
    return TooManyPairs(
        f"more than {limit} pairs of images look alike. Ask for a smaller distance, for "
        "`every=False`, or look first at what so many images have in common."
    )


def _alike(hashes: Hashes) -> tuple[Indices, Indices]:
    """Items with content, grouped by hash up to symmetry, and where each group starts."""
    shown = np.flatnonzero(hashes != NO_CONTENT)
    least = turned_hashes(hashes[shown]).min(axis=1)
    by_hash = np.argsort(least, kind="stable")
    ends = np.flatnonzero(np.diff(least[by_hash])) + 1
    starts = np.concatenate([[0], ends, [len(shown)]]) if len(shown) else np.zeros(1, np.int64)
    return shown[by_hash], starts.astype(np.int64)


def _within(order: Indices, starts: Indices, every: bool) -> tuple[Indices, Indices]:
    first, second = [order[:0]], [order[:0]]
    for g in np.flatnonzero(np.diff(starts) > 1):
        items = order[starts[g] : starts[g + 1]]
        if every:
            a, b = np.triu_indices(len(items), 1)
            first.append(items[a])
            second.append(items[b])
        else:
            first.append(np.full(len(items) - 1, items[0]))
            second.append(items[1:])
    return np.concatenate(first), np.concatenate(second)


def _across(
    order: Indices, starts: Indices, left: Indices, right: Indices
) -> tuple[Indices, Indices]:
    """Every item of each left group with every item of the right group beside it."""
    wide, counts = np.diff(starts)[right], np.diff(starts)[left] * np.diff(starts)[right]
    pair = np.repeat(np.arange(len(left)), counts)
    inside = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    return (
        order[starts[left][pair] + inside // wide[pair]],
        order[starts[right][pair] + inside % wide[pair]],
    )


def _listed(hashes: Hashes, one: Indices, other: Indices) -> Pairs:
    first, second = np.divmod(_in_order(one, other, max(1, len(hashes))), max(1, len(hashes)))
    return Pairs(first, second, *hash_distances(hashes[first], hashes[second]))


def _search(hashes: Hashes, distance: int, limit: int, threads: int) -> Indices:
    """Pairs of distinct hashes (P, 2), the lower position first."""
    if len(hashes) < 2:
        return np.empty((0, 2), np.int64)
    blocks = deal(hashes, distance)
    codes, transposed = blocks.codes(hashes), blocks.codes(turned_hashes(hashes)[:, TRANSPOSED])
    flips = blocks.codes(FLIPS)

    def look(choice: tuple[int, ...]) -> Indices:
        chosen = np.array(choice)
        own = np.bitwise_or.reduce(blocks.masks[chosen])
        before = np.delete(blocks.masks[: choice[-1]], chosen[:-1])
        # A join finds a pair at most twice, so that one which ends early has found too many.
        rules = Rules(distance, own, before, 2 * limit)
        plain, other = (bucketed(some, blocks, chosen) for some in (codes, transposed))
        by = list(zip(flips, keys(flips, blocks, chosen).tolist(), strict=True))
        # Turning the second image instead of the first exchanges LEFT_RIGHT and TOP_BOTTOM of a
        # transposed image, so that one of them finds the pairs of both.
        joins = [(plain, flip) for flip in by] + [(other, by[k]) for k in (0, 1, 3)]
        near: list[Indices] = []
        for left, flip in joins:
            near = _within_limit([*near, joined(left, plain, flip, rules)], len(hashes), limit)
        return _unique(near, len(hashes), limit)

    found: list[Indices] = []
    choices = list(itertools.combinations(range(len(blocks)), blocks.agreeing))
    with ThreadPoolExecutor(threads) as pool:
        for at in range(0, len(choices), 4 * threads):
            some = pool.map(look, choices[at : at + 4 * threads])
            found = _within_limit([*found, *some], len(hashes), limit)
    return _unique(found, len(hashes), limit)


def _within_limit(parts: list[Indices], count: int, limit: int) -> list[Indices]:
    """The parts as they are while they are few; else without the pairs that are in several."""
    return parts if sum(map(len, parts)) <= limit else [_unique(parts, count, limit)]


def _unique(parts: list[Indices], count: int, limit: int) -> Indices:
    """Each pair once, the lower position first, none of an item with itself.

    Raises:
        TooManyPairs: they are more than `limit`.
    """
    pairs = np.concatenate(parts)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    keys = _in_order(pairs[:, 0], pairs[:, 1], count)
    keys = keys[np.append(True, keys[1:] != keys[:-1])[: len(keys)]]
    if len(keys) > limit:
        raise _too_many(limit)
    return np.stack(np.divmod(keys, count), axis=1)


def _in_order(one: Indices, other: Indices, count: int) -> Indices:
    """Pairs as sorted numbers, the lower position times `count` plus the higher one."""
    return np.sort(np.minimum(one, other) * count + np.maximum(one, other))
