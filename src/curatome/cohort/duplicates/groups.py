"""Clusters of images that are near-duplicates of each other, and what they reach across."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curatome.cohort.duplicates.search import Pairs
from curatome.cohort.duplicates.symmetry import SYMMETRIES, Hashes, count_bits, turn_hash

Indices = npt.NDArray[np.int64]

ALONE = -1

_MOST = 10_000


@dataclass(frozen=True)
class Groups:
    """Clusters of items that pairs connect.

    Attributes:
        of: (N,) int64, the cluster of each item, or `ALONE`. Clusters are numbered in the order
            of their first items.
        size: (G,) int64, items of each cluster.
        widest: (G,) int16, the largest distance of two items of the cluster, under the symmetry
            that brings them closest. Far above the distance of pairs, it shows a chain: its ends
            need not look alike. Of a cluster of more than 10,000 different hashes, the distance of
            the item that is farthest from the first, which is at least half of it.
    """

    of: Indices
    size: Indices
    widest: npt.NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.size)


def duplicate_groups(pairs: Pairs, hashes: npt.ArrayLike) -> Groups:
    """Clusters of items that are near-duplicates, directly or through others.

    Args:
        pairs: pairs of items, all of them or those that a look at the pixels has confirmed.
        hashes: (N,) uint64, of all items.

    Returns:
        the clusters, each of at least two items.

    Raises:
        ValueError: a pair names an item that has no hash.
    """
    own = np.ascontiguousarray(hashes, np.uint64)
    count = len(own)
    if len(pairs) and max(pairs.first.max(), pairs.second.max()) >= count:
        raise ValueError(f"a pair names an item beyond the {count} that have a hash.")
    graph = coo_array((np.ones(len(pairs), bool), (pairs.first, pairs.second)), (count, count))
    _, label = connected_components(graph, directed=False)
    _, head, where, size = np.unique(
        label, return_index=True, return_inverse=True, return_counts=True
    )
    several = np.flatnonzero(size > 1)
    number = np.full(len(size), ALONE, np.int64)
    number[several[np.argsort(head[several])]] = np.arange(len(several))
    of = number[where]
    members = np.argsort(of, kind="stable")[count - int(size[several].sum()) :]
    sizes = np.bincount(of[members], minlength=len(several)).astype(np.int64)
    parts = np.split(members, np.cumsum(sizes)[:-1]) if len(several) else []
    widest = np.array([_width(np.unique(own[part])) for part in parts], np.int16)
    return Groups(of, sizes, widest)


def crossing(groups: Groups, owners: Sequence[object]) -> Indices:
    """Clusters whose items belong to more than one slide, source, case or split.

    Args:
        groups: clusters of N items.
        owners: for each item, what it belongs to.

    Returns:
        the numbers of those clusters, ascending.

    Raises:
        ValueError: there is not one owner for each item.
    """
    if len(owners) != len(groups.of):
        raise ValueError(f"{len(groups.of)} items need as many owners. Got {len(owners)}.")
    names: dict[object, int] = {}
    owner = np.array([names.setdefault(name, len(names)) for name in owners], np.int64)
    inside = groups.of != ALONE
    kinds = np.unique(np.stack([groups.of[inside], owner[inside]], axis=1), axis=0)
    return np.flatnonzero(np.bincount(kinds[:, 0], minlength=len(groups)) > 1)


def _width(hashes: Hashes) -> int:
    return int(_farthest(hashes, 1 if len(hashes) > _MOST else len(hashes)))


@numba.njit(cache=True, nogil=True)
def _farthest(hashes, rows):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    turns = np.empty(SYMMETRIES, np.uint64)
    most = 0
    for i in range(rows):
        turn_hash(hashes[i], turns)
        for other in hashes[i + 1 :]:
            least = 64
            for turn in turns:
                apart = int(count_bits(turn ^ other))
                least = min(least, apart)
            most = max(most, least)
    return most
