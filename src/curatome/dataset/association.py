"""Whether what cases show goes with where they come from, tested over cases.

Cramér's V of classes and sites (Cramér 1946, Mathematical Methods of Statistics, chapter 21), with
the chance that a random deal of the cases to the sites gives as large a one. Items of one case
are no independent witnesses, so each case counts once however many items it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_AT_ONCE = 2_000_000
_ENOUGH = 20
"""Deals as uneven as the real one after which no more are made (Besag & Clifford 1991)."""


@dataclass(frozen=True, eq=False)
class Association:
    """How classes go with groups.

    Attributes:
        v: Cramér's V, 0 (independent) to 1 (the one tells the other).
        chance: probability of so large a V if groups were dealt to cases at random.
        table: (K, G) cases of each class in each group; a case of several classes is shared
            out among them.
        expected: (K, G) the same if they were independent.
    """

    v: float
    chance: float
    table: Floats
    expected: Floats


def association(shares: Floats, group: Whole, deals: int = 4999, seed: int = 0) -> Association:
    """Test whether classes go with groups.

    Args:
        shares: (C, K) what part of each case each class is; rows sum to 1.
        group: (C,) the group of each case, numbers from 0 without gaps.
        deals: the most random deals; the smallest chance is 1 / (deals + 1).
        seed: of the deals.

    Returns:
        The association; V is 0 and the chance 1 with fewer than two classes or groups.
    """
    shares = shares[:, shares.sum(axis=0) > 0]
    order = np.argsort(group, kind="stable")
    start = np.searchsorted(group[order], np.arange(group.max(initial=-1) + 1))
    if len(start) < 2 or shares.shape[1] < 2:
        nothing = np.zeros((shares.shape[1], len(start)))
        return Association(0.0, 1.0, nothing, nothing)
    table = np.add.reduceat(shares[order], start, axis=0).T
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / len(group)
    v = float(_v(table[None], expected)[0])
    rng = np.random.default_rng([seed, 0xA5])
    batch = max(1, _AT_ONCE // shares.size)
    done = as_large = 0
    while done < deals and as_large < _ENOUGH:
        count = min(batch, deals - done, 500)
        dealt = rng.permuted(np.tile(np.arange(len(group)), (count, 1)), axis=1)
        sums = np.add.reduceat(shares[dealt], start, axis=1).transpose(0, 2, 1)
        as_large += int((_v(sums, expected) >= v - 1e-9).sum())
        done += count
    return Association(v, (as_large + 1) / (done + 1), table, expected)


def _v(tables: Floats, expected: Floats) -> Floats:
    square = ((tables - expected) ** 2 / expected).sum(axis=(1, 2))
    most = expected.sum() * (min(expected.shape) - 1)
    found: Floats = np.sqrt(square / most)
    return found
