"""How uneven a split is: the one number that every way of dividing makes small.

    cost = Σ_strata Σ_splits |held − fraction · total| / total + number of empty places

A place is a stratum in a split of positive fraction; it may only be empty where fewer units have
the stratum than there are such splits. So rare classes reach every split before evenness counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.dataset.splits.counts import Floats

Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

FREE = -1
"""The split of a unit that is not fixed."""


@dataclass(frozen=True, eq=False)
class Problem:
    """U units, S strata, K splits.

    Attributes:
        values: (U, S), scaled so that each stratum sums to 1.
        holds: (U, S) bool, whether a unit has any of a stratum.
        fractions: (K,) wanted share of each split, summing to 1.
        fixed: (U,) split that a unit is in already, or `FREE`.
        required: (S, K) bool, places that must not be empty.
    """

    values: Floats
    holds: Flags
    fractions: Floats
    fixed: Whole
    required: Flags

    def held(self, split: Whole) -> Floats:
        """(S, K): share of each stratum in each split."""
        found = np.zeros((self.values.shape[1], len(self.fractions)))
        for k in range(len(self.fractions)):
            found[:, k] = self.values[split == k].sum(axis=0)
        return found

    def units(self, split: Whole) -> Whole:
        """(S, K): units with each stratum in each split."""
        found = [self.holds[split == k].sum(axis=0) for k in range(len(self.fractions))]
        return np.stack(found, axis=1).astype(np.int64)

    def cost(self, split: Whole) -> float:
        """The cost of a division, (U,) number of each unit's split."""
        empty = float((self.required & (self.units(split) == 0)).sum())
        return float(np.abs(self.held(split) - self.fractions).sum()) + empty


def problem(values: Floats, fractions: Floats, fixed: Whole) -> Problem:
    """The problem of dividing units.

    Args:
        values: (U, S), what each unit holds.
        fractions: (K,) wanted share of each split.
        fixed: (U,) split that a unit is in already, or `FREE`.
    """
    total = values.sum(axis=0)
    scaled = values / np.where(total > 0, total, 1)
    holds = values > 0
    wanted = fractions > 0
    enough = holds.sum(axis=0) >= wanted.sum()
    return Problem(scaled, holds, fractions, fixed, enough[:, None] & wanted[None, :])
