"""The best one-to-one matching of two readers: most matches first, then the least total cost.

Shortest augmenting paths with potentials (Jonker & Volgenant 1987, 10.1007/BF02278710), on sparse
candidates and with a heap, so that a search ends where its surroundings do. SciPy's
`min_weight_full_bipartite_matching` finds the same, but each of its searches touches all columns.
"""

from __future__ import annotations

import heapq

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Graph = tuple[Whole, Whole, Floats]


def assign(left: Whole, right: Whole, cost: Floats, most: int) -> tuple[Whole, Flags]:
    """Match each left object with at most one right one.

    Args:
        left: (P,) left object of each candidate, whole numbers from 0 without gaps.
        right: (P,) right object of it, whole numbers from 0.
        cost: (P,) 0 to 1, or a trifle more.
        most: no group of connected candidates has more left objects than this.

    Returns:
        (L,) the right object of each left one, or -1; and (L,) whether the number of matches grew
        when that left object was added to those before it. The first k of these flags add up to
        the greatest number of matches that the first k left objects can have.
    """
    order = np.lexsort((right, left))
    left, right, cost = left[order], right[order], cost[order]
    lefts, rights = int(left.max(initial=-1)) + 1, int(right.max(initial=-1)) + 1
    start = np.searchsorted(left, np.arange(lefts + 1))
    matched = np.full(lefts, -1)
    grew = np.zeros(lefts, np.bool_)
    # To go unmatched costs more than any detour through the group could.
    _augment((start, right, cost), 2.0 * most + 2.0, matched, np.full(rights, -1), grew)
    return matched, grew


@numba.njit(cache=True, nogil=True)
def _augment(  # pragma: no cover - compiled
    graph: Graph, alone: float, matched: Whole, taken: Whole, grew: Flags
) -> None:
    """Add left objects one by one; `taken` is `matched` seen from the right."""
    rights = len(taken)
    price = np.zeros(rights)  # the potential of right objects, never above 0
    paid = np.zeros(len(matched))  # cost of each left object's match
    path = (np.full(rights, np.inf), np.full(rights, -1), np.zeros(rights))
    settled, touched = np.zeros(rights, np.bool_), np.empty(rights, np.int64)
    far, via, via_cost = path
    for begin in range(len(matched)):
        end, leaver, best, reached = _nearest_free(
            graph, (price, paid, taken), path, (settled, touched), (begin, alone)
        )
        grew[begin] = end >= 0
        if end < 0:  # the place of the one who leaves falls to the one who came to it
            end = matched[leaver]
            matched[leaver] = -1
        while end >= 0:
            left = via[end]
            taken[end], paid[left] = left, via_cost[end]
            matched[left], end = end, matched[left]
            if left == begin:
                break
        for k in range(reached):
            j = touched[k]
            if settled[j]:
                price[j] += far[j] - best
            far[j], settled[j] = np.inf, False


@numba.njit(cache=True, nogil=True)
def _nearest_free(  # pragma: no cover - compiled
    graph: Graph,
    now: tuple[Floats, Floats, Whole],
    path: tuple[Floats, Whole, Floats],
    marks: tuple[Flags, Whole],
    task: tuple[int, float],
) -> tuple[int, int, float, int]:
    """The cheapest path from a left object to a free right one, or to a left one that gives way.

    Returns:
        The right object at its end, or -1; the left one that gives way if it is -1; its length;
        and how many right objects were touched.
    """
    (start, right, cost), (price, paid, taken) = graph, now
    (far, via, via_cost), (settled, touched), (left, alone) = path, marks, task
    leaver, best, base, reached = left, alone, 0.0, 0
    heap = [(0.0, left)]
    heap.clear()
    while True:
        for k in range(start[left], start[left + 1]):
            j = right[k]
            length = cost[k] - price[j] + base
            if not settled[j] and length < far[j]:
                if far[j] == np.inf:
                    touched[reached] = j
                    reached += 1
                far[j], via[j], via_cost[j] = length, left, cost[k]
                heapq.heappush(heap, (length, j))
        if alone + base < best:
            best, leaver = alone + base, left
        j = -1
        while j < 0 and len(heap) > 0:
            length, one = heapq.heappop(heap)
            if not settled[one] and length == far[one]:
                j = one
        if j < 0 or far[j] >= best:
            return -1, leaver, best, reached
        settled[j] = True
        if taken[j] < 0:
            return j, leaver, far[j], reached
        left = taken[j]
        base = far[j] - (paid[left] - price[j])
