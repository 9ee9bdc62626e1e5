"""Items of three and more readers: groups of objects of which any two match.

Candidates are a graph without edges within a reader. Its nodes are parted into cliques so that
as many edges as possible lie within them, then at the least total cost: clique partitioning, which
is hard in general (Grötschel & Wakabayashi 1989, 10.1007/BF01589097). A group of connected objects
is first parted by merging along candidates from the cheapest up, then improved by moving and
exchanging objects until nothing more improves, and, if it is small, by trying all ways that can
still be better.
"""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Graph = tuple[Whole, Whole, Floats]
"""Neighbors of node i are `near[start[i]:start[i + 1]]`, ascending; and the costs beside them."""

EXACT_OBJECTS = 20
"""Up to how many connected objects all ways are tried."""
EXACT_STEPS = 20_000
"""How many steps that may take; beyond, the best way found so far stands."""
_EQUAL = 1e-12


def part(graph: Graph, edges: tuple[Whole, Whole], group: Whole, reader: Whole) -> Whole:
    """Part a graph into cliques.

    Args:
        graph: each edge from both sides.
        edges: (P,) and (P,) its nodes, once, sorted by group and then from the cheapest up.
        group: (N,) the connected part that each node lies in, or -1 to leave it alone.
        reader: (N,) no edge joins nodes of one reader.

    Returns:
        (N,) the least node of each node's clique.
    """
    ring = np.arange(len(group))
    _merge(graph, edges[0], edges[1], ring)
    _improve(graph, np.flatnonzero(group >= 0), reader, ring)
    nodes = np.argsort(group, kind="stable")
    nodes = nodes[group[nodes] >= 0]
    bounds = np.flatnonzero(np.diff(group[nodes], prepend=-1, append=-1))
    _search_all(graph, (nodes, bounds), reader, ring)
    return _least(ring)


@numba.njit(cache=True, nogil=True)
def _cost(graph: Graph, i: int, j: int) -> float:  # pragma: no cover - compiled
    """Cost of the edge between two nodes, -1 without one."""
    start, near, cost = graph
    k = start[i] + np.searchsorted(near[start[i] : start[i + 1]], j)
    return cost[k] if k < start[i + 1] and near[k] == j else -1.0


@numba.njit(cache=True, nogil=True)
def _joins(  # pragma: no cover - compiled
    graph: Graph, ring: Whole, one: int, member: int, leaver: int
) -> tuple[int, float]:
    """With how many of a clique but `leaver` a node goes, at which cost; -1 if not with all.

    The node itself, if it is a member, does not count.
    """
    count, total, k = 0, 0.0, member
    while True:
        if k not in (leaver, one):
            cost = _cost(graph, one, k)
            if cost < 0:
                return -1, 0.0
            count, total = count + 1, total + cost
        k = ring[k]
        if k == member:
            return count, total


@numba.njit(cache=True, nogil=True)
def _merge(  # pragma: no cover - compiled
    graph: Graph, first: Whole, second: Whole, ring: Whole
) -> None:
    """Merge cliques along edges; `ring` leads from each node to the next one of its clique."""
    for e in range(len(first)):
        i, j = first[e], second[e]
        k, fits = i, True
        while fits:
            fits = k != j and _joins(graph, ring, k, j, -1)[0] > 0
            k = ring[k]
            if k == i:
                break
        if fits:
            ring[i], ring[j] = ring[j], ring[i]


@numba.njit(cache=True, nogil=True)
def _take_out(ring: Whole, one: int) -> None:  # pragma: no cover - compiled
    before = one
    while ring[before] != one:
        before = ring[before]
    ring[before] = ring[one]
    ring[one] = one


@numba.njit(cache=True, nogil=True)
def _rival(  # pragma: no cover - compiled
    ring: Whole, reader: Whole, one: int, member: int
) -> tuple[int, bool]:
    """The member of one's own reader in a clique, or -1; and whether one is a member oneself."""
    k, rival, own = member, -1, False
    while True:
        if k == one:
            own = True
        elif reader[k] == reader[one]:
            rival = k
        k = ring[k]
        if k == member:
            return rival, own


@numba.njit(cache=True, nogil=True)
def _refresh(  # pragma: no cover - compiled
    graph: Graph, ring: Whole, member: int, stale: Flags
) -> None:
    """Mark all whose best move may have changed with a clique."""
    start, near, _ = graph
    k = member
    while True:
        stale[k] = True
        for e in range(start[k], start[k + 1]):
            stale[near[e]] = True
        k = ring[k]
        if k == member:
            return


@numba.njit(cache=True, nogil=True)
def _improve(  # pragma: no cover - compiled
    graph: Graph, nodes: Whole, reader: Whole, ring: Whole
) -> None:
    """Move nodes to other cliques, or exchange two of one reader, while that is better."""
    start, near, _ = graph
    stale = np.ones(len(ring), np.bool_)
    again = True
    while again:
        again = False
        for one in nodes:
            if not stale[one]:
                continue
            stale[one] = False
            for k in range(start[one], start[one + 1]):
                rival, better = _weigh(graph, reader, ring, one, near[k])
                if better:
                    again = True
                    left = _exchange(ring, one, near[k], rival)
                    _refresh(graph, ring, one, stale)
                    _refresh(graph, ring, left, stale)


@numba.njit(cache=True, nogil=True)
def _weigh(  # pragma: no cover - compiled
    graph: Graph, reader: Whole, ring: Whole, one: int, member: int
) -> tuple[int, bool]:
    """The rival in a neighbor's clique, or -1, and whether taking its place there is better."""
    rival, own = _rival(ring, reader, one, member)
    if own:
        return -1, False
    there, there_cost = _joins(graph, ring, one, member, rival)
    if there < 0:
        return -1, False
    here, here_cost = _joins(graph, ring, one, one, -1)
    gain, cost = there - here, there_cost - here_cost
    if rival >= 0:
        back, back_cost = _joins(graph, ring, rival, one, one)
        if back < 0:
            return -1, False
        left, left_cost = _joins(graph, ring, rival, rival, -1)
        gain, cost = gain + back - left, cost + back_cost - left_cost
    return rival, gain > 0 or (gain == 0 and cost < -_EQUAL)


@numba.njit(cache=True, nogil=True)
def _exchange(  # pragma: no cover - compiled
    ring: Whole, one: int, member: int, rival: int
) -> int:
    """Move a node, and its rival to where it was; returns a node of the clique it left."""
    place = ring[one]
    _take_out(ring, one)
    if rival >= 0:
        _take_out(ring, rival)
        if place != one:
            ring[rival], ring[place] = ring[place], rival
    ring[one], ring[member] = ring[member], one
    if place == one:
        place = rival if rival >= 0 else one
    return int(place)


@numba.njit(cache=True, nogil=True)
def _search_all(  # pragma: no cover - compiled
    graph: Graph, parts: tuple[Whole, Whole], reader: Whole, ring: Whole
) -> None:
    """Try all ways in every small connected part."""
    nodes, bounds = parts
    for p in range(len(bounds) - 1):
        own = nodes[bounds[p] : bounds[p + 1]]
        if len(own) > EXACT_OBJECTS:
            continue
        costs = np.empty((len(own), len(own)))
        for i in range(len(own)):
            for j in range(len(own)):
                costs[i, j] = _cost(graph, own[i], own[j])
        clique = np.empty(len(own), np.int64)
        for i in range(len(own)):
            clique[i], k = own[i], ring[own[i]]
            while k != own[i]:
                clique[i] = min(clique[i], k)
                k = ring[k]
        found = _search(costs, reader[own], clique)
        for i in range(len(own)):
            ring[own[i]] = own[i]
        for i in range(len(own)):
            for j in range(i):
                if found[j] == found[i]:
                    ring[own[i]], ring[own[j]] = ring[own[j]], own[i]
                    break


@numba.njit(cache=True, nogil=True)
def _bounds(costs: Floats, reader: Whole) -> tuple[Whole, Floats]:  # pragma: no cover - compiled
    """Pairs that nodes from k on can add at most, and what as many must cost at least."""
    count = len(costs)
    most, least = np.zeros(count + 1, np.int64), np.zeros(count + 1)
    for i in range(count - 1, -1, -1):
        most[i], least[i] = most[i + 1], least[i + 1]
        for j in range(i):
            cheapest, first = costs[i, j], True
            for k in range(i):
                if reader[k] == reader[j] and costs[i, k] >= 0:
                    first = first and k >= j
                    cheapest = min(cheapest, costs[i, k])
            if costs[i, j] >= 0 and first:
                most[i], least[i] = most[i] + 1, least[i] + cheapest
    return most, least


@numba.njit(cache=True, nogil=True)
def _search(costs: Floats, reader: Whole, clique: Whole) -> Whole:  # pragma: no cover - compiled
    """The best way to part a few nodes, by depth-first branch and bound; begins with `clique`."""
    count = len(costs)
    most, least = _bounds(costs, reader)
    best_pairs, best_cost = 0, 0.0
    for i in range(count):
        for j in range(i):
            if clique[i] == clique[j]:
                best_pairs, best_cost = best_pairs + 1, best_cost + costs[i, j]
    best, now = clique.copy(), np.full(count, -1)
    pairs, cost = np.zeros(count + 1, np.int64), np.zeros(count + 1)
    cliques = np.zeros(count + 1, np.int64)  # how many the nodes before k make
    k = 0
    for _ in range(EXACT_STEPS):
        if k == count:
            if pairs[k] > best_pairs or (pairs[k] == best_pairs and cost[k] < best_cost - _EQUAL):
                best_pairs, best_cost = pairs[k], cost[k]
                best[:] = now
            k -= 1
        possible = pairs[k] + most[k]
        hopeless = possible < best_pairs or (
            possible == best_pairs and cost[k] + least[k] >= best_cost - _EQUAL
        )
        now[k] += 1
        if hopeless or now[k] > cliques[k]:
            now[k] = -1
            k -= 1
            if k < 0:
                break
            continue
        fits, gain, add = True, 0, 0.0
        for j in range(k):
            if now[j] == now[k]:
                fits = fits and costs[k, j] >= 0
                gain, add = gain + 1, add + costs[k, j]
        if fits:
            pairs[k + 1], cost[k + 1] = pairs[k] + gain, cost[k] + add
            cliques[k + 1] = max(cliques[k], now[k] + 1)
            k += 1
    return best


@numba.njit(cache=True, nogil=True)
def _least(ring: Whole) -> Whole:  # pragma: no cover - compiled
    out = np.full(len(ring), -1)
    for i in range(len(ring)):
        if out[i] < 0:
            k = i
            while out[k] < 0:
                out[k] = i
                k = ring[k]
    return out
