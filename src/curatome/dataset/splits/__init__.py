"""Splits of a dataset by case, never below.

    items ── case_counts → Counts ── tied → Units ── divide → {case: split}
                                                └── balance → how near it came

`divide` solves an integer program and, where that is too large, goes by the greedy way;
`k_folds`, `nested_folds` and `leave_one_out` repeat it. A case that was in a split before stays
there. What a user divided is audited by the same `balance`.
"""

from curatome.dataset.splits.counts import Counts, case_counts
from curatome.dataset.splits.divide import BALANCE, balance, divide
from curatome.dataset.splits.folds import Fold, k_folds, leave_one_out, nested_folds
from curatome.dataset.splits.units import Units, tied

__all__ = [
    "BALANCE",
    "Counts",
    "Fold",
    "Units",
    "balance",
    "case_counts",
    "divide",
    "k_folds",
    "leave_one_out",
    "nested_folds",
    "tied",
]
