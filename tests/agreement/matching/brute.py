"""Items by trying all ways: a few lines that share nothing with the code they judge."""

from __future__ import annotations

import numpy as np


def best(worth, reader):
    """Most pairs that items can hold, and the least total cost of as many, over all partitions.

    Args:
        worth: (N, N) cost of a pair, infinite where it may not be.
        reader: (N,) who marked each.
    """
    found = (0, 0.0)

    def place(k, items, pairs, cost):
        nonlocal found
        if k == len(reader):
            if pairs > found[0] or (pairs == found[0] and cost < found[1]):
                found = (pairs, cost)
            return
        for item in items:
            if all(reader[j] != reader[k] and np.isfinite(worth[j, k]) for j in item):
                more = cost + sum(worth[j, k] for j in item)
                place(k + 1, [*[i for i in items if i is not item], [*item, k]],
                      pairs + len(item), more)  # fmt: skip
        place(k + 1, [*items, [k]], pairs, cost)

    place(0, [], 0, 0.0)
    return found


def worth_of(items, worth, reader):
    """Pairs and cost of given items; infinite cost where an item may not be."""
    same = np.tril(items[:, None] == items, -1)
    costs = np.where(reader[:, None] == reader, np.inf, worth)[same]
    return len(costs), costs.sum()
