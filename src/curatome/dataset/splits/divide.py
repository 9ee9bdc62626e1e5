"""Dividing cases into splits, and how near a division comes to what was wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from curatome.dataset.splits import greedy, program
from curatome.dataset.splits.counts import Counts
from curatome.dataset.splits.objective import FREE, problem
from curatome.dataset.splits.units import Units
from curatome.errors import TableError
from curatome.tables import Column, TableSpec

BALANCE = TableSpec(
    "balance",
    (
        Column("stratum", pa.string(), "cases, items, a factor's value, or a class"),
        Column("split", pa.string(), "name of the split"),
        Column("count", pa.float64(), "cases or items of the stratum in the split"),
        Column("share", pa.float64(), "of all of the stratum", "fraction"),
        Column("target", pa.float64(), "share that the split should have", "fraction"),
        Column("cases", pa.int64(), "cases of the split that have the stratum"),
    ),
)


def divide(
    units: Units,
    fractions: Mapping[str, float],
    *,
    seed: int = 0,
    locked: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Put every case into a split, whole units together.

    The better of two divisions is taken: of the integer program where it is small enough, and of
    the greedy way. The same input and seed give the same division.

    Args:
        units: what is divided, of `tied`.
        fractions: wanted share of each split; they sum to 1.
        seed: decides among equally good divisions.
        locked: split of cases that have one already; it stays, whatever that costs.

    Returns:
        The split of each case.

    Raises:
        TableError: there is nothing to divide, a locked split is none of `fractions`, or cases
            that may not be parted are locked into different splits.
    """
    if not len(units):
        raise TableError("there are no cases to divide. Register slides with their cases first.")
    names = list(fractions)
    shares = np.array([fractions[name] for name in names], float)
    if (shares < 0).any() or abs(shares.sum() - 1) > 1e-9:
        raise TableError(f"fractions of splits must sum to 1. Got {dict(fractions)}.")
    task = problem(units.values, shares, _fixed(units, names, locked or {}))
    found = greedy.solve(task, seed)
    exact = program.solve(task, seed)
    if exact is not None and task.cost(exact) <= task.cost(found):
        found = exact
    cases = units.counts.cases
    return {case: names[found[unit]] for case, unit in zip(cases, units.unit, strict=True)}


def balance(
    counts: Counts, split: Mapping[str, str], fractions: Mapping[str, float] | None = None
) -> pa.Table:
    """What each split holds of each stratum, as `BALANCE`; of any division, a user's too.

    Args:
        counts: of the cases.
        split: the split of each case.
        fractions: wanted shares; by default each split's share of the cases.

    Raises:
        TableError: a case has no split.
    """
    missing = [case for case in counts.cases if case not in split]
    if missing:
        raise TableError(f'case "{missing[0]}" has no split ({len(missing):,} cases have none).')
    where = np.array([split[case] for case in counts.cases], object)
    names = list(fractions) if fractions is not None else sorted(set(where))
    rows = []
    for index, stratum in enumerate(counts.strata):
        values = counts.values[:, index]
        for name in names:
            mine = where == name
            target = fractions[name] if fractions is not None else float(mine.mean())
            rows.append(
                {
                    "stratum": stratum,
                    "split": name,
                    "count": float(values[mine].sum()),
                    "share": float(values[mine].sum() / values.sum()),
                    "target": target,
                    "cases": int((values[mine] > 0).sum()),
                }
            )
    return BALANCE.from_rows(rows)


def _fixed(units: Units, names: Sequence[str], locked: Mapping[str, str]) -> np.ndarray:
    fixed = np.full(len(units), FREE, np.int64)
    by: dict[int, str] = {}
    for row, case in enumerate(units.counts.cases):
        name = locked.get(case)
        if name is None:
            continue
        if name not in names:
            raise TableError(
                f'case "{case}" is locked into split "{name}", which is none of '
                f"{', '.join(names)}. Keep that split in curatome.toml."
            )
        unit = int(units.unit[row])
        if fixed[unit] not in (FREE, names.index(name)):
            raise TableError(
                f'cases "{by[unit]}" and "{case}" may not be parted, but are locked into '
                f'"{names[fixed[unit]]}" and "{name}". Withdraw one of them, or start new splits.'
            )
        fixed[unit] = names.index(name)
        by[unit] = case
    return fixed
