"""From candidates to items: which objects of different readers are one.

Every criterion says which objects may be one, and at what cost. Items are then chosen so that

1. each holds at most one object of a reader, and any two of its objects match by the criterion;
2. as many pairs of objects as possible are matched;
3. among those ways, the total cost is least: distance, or what an IoU or overlap lacks to 1.

Between two readers this is the one-to-one matching with the most matches, which gives the highest
F1 that the criterion allows, and it is exact. Objects of more readers are parted by `cliques`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curatome.agreement.matching.assignment import assign
from curatome.agreement.matching.cliques import part
from curatome.agreement.matching.order import Objects

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

OTHER_LABEL = 1e-6
"""Cost of different labels: they decide only between equal places."""


@dataclass(frozen=True, eq=False)
class Candidates:
    """Pairs of objects that may be one.

    Attributes:
        first: (P,) the earlier object of each pair, by its position in `Objects`.
        second: (P,) the later one.
        cost: (P,) 0 to 1, the share of what the criterion allows.
    """

    first: Whole
    second: Whole
    cost: Floats

    def take(self, rows: Flags | Whole) -> Candidates:
        """The same with some of the pairs."""
        return Candidates(self.first[rows], self.second[rows], self.cost[rows])


def items_of(objects: Objects, pairs: Candidates) -> Whole:
    """(M,) item of each object, in the order of the input.

    Items are numbered from 0, by the first of their objects in geometric order.
    """
    count = len(objects)
    cost = pairs.cost + OTHER_LABEL * (objects.label[pairs.first] != objects.label[pairs.second])
    pairs = Candidates(pairs.first, pairs.second, cost)
    group = _groups(count, pairs)
    size, edges = np.bincount(group), np.bincount(group[pairs.first], minlength=group.max() + 1)
    whole = edges == size * (size - 1) // 2  # any two match: nothing is to be chosen
    two = ~whole & (_readers_in(group, objects.reader) == 2)
    leader = np.unique(group, return_index=True)[1][group]
    open_ = ~whole[group]
    leader[open_] = np.flatnonzero(open_)
    edge_group = group[pairs.first]
    _pair_up(objects.reader, group, pairs.take(two[edge_group]), leader)
    rest = ~whole & ~two
    if rest.any():
        _part(
            objects.reader, np.where(rest[group], group, -1), pairs.take(rest[edge_group]), leader
        )
    _, number = np.unique(leader, return_inverse=True)
    out = np.empty(count, np.int64)
    out[objects.row] = number
    return out


def _groups(count: int, pairs: Candidates) -> Whole:
    """(M,) number of the connected group of each object, by its first object."""
    graph = coo_array(
        (np.ones(len(pairs.first), np.int8), (pairs.first, pairs.second)), (count,) * 2
    )
    found = connected_components(graph, directed=False)[1]
    _, first, group = np.unique(found, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return rank[group]


def _readers_in(group: Whole, reader: Whole) -> Whole:
    """How many readers each group has."""
    readers = int(reader.max()) + 1
    seen = np.unique(group * readers + reader)
    return np.bincount(seen // readers)


def _pair_up(reader: Whole, group: Whole, pairs: Candidates, leader: Whole) -> None:
    """Match in groups of two readers; `leader` is the first object of each object's item.

    The reader with fewer objects in a group is matched to the other, which keeps searches short.
    """
    if not len(pairs.first):
        return
    nodes = np.unique(np.concatenate([pairs.first, pairs.second]))
    _, at, own = np.unique(group[nodes], return_index=True, return_inverse=True)
    with_first = reader[nodes] == reader[nodes[at]][own]
    first_side, all_of = np.bincount(own, with_first), np.bincount(own)
    small = np.minimum(first_side, all_of - first_side)
    is_left = with_first == (2 * first_side <= all_of)[own]
    number = np.empty(len(group), np.int64)
    number[nodes[is_left]] = np.arange(is_left.sum())
    number[nodes[~is_left]] = np.arange((~is_left).sum())
    side = np.zeros(len(group), np.bool_)
    side[nodes[is_left]] = True
    flip = ~side[pairs.first]
    left = number[np.where(flip, pairs.second, pairs.first)]
    right = number[np.where(flip, pairs.first, pairs.second)]
    matched, _ = assign(left, right, pairs.cost, int(small.max()))
    hit = matched >= 0
    one, other = nodes[is_left][hit], nodes[~is_left][matched[hit]]
    leader[one] = leader[other] = np.minimum(one, other)


def _part(reader: Whole, group: Whole, pairs: Candidates, leader: Whole) -> None:
    """Part groups of more readers; `leader` is the first object of each object's item."""
    pairs = pairs.take(np.lexsort((pairs.second, pairs.first, pairs.cost, group[pairs.first])))
    ends = np.concatenate([pairs.first, pairs.second])
    near = np.concatenate([pairs.second, pairs.first])
    order = np.lexsort((near, ends))
    start = np.searchsorted(ends[order], np.arange(len(group) + 1))
    graph = (start, near[order], np.concatenate([pairs.cost] * 2)[order])
    found = part(graph, (pairs.first, pairs.second), group, reader)
    leader[group >= 0] = found[group >= 0]
