"""What one reader did, in order of time, with cases as the units that vary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.errors import TableError

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.datetime64]

MONTH_US = 30.4375 * 86400e6


@dataclass(frozen=True, eq=False)
class Series:
    """C cases in order of time.

    Attributes:
        start: time of the first case.
        months: (C,) mean time of each case, months after `start`.
        total: (C,) sum of the values of its objects.
        square: (C,) sum of their squares.
        count: (C,) its objects.
    """

    start: np.datetime64
    months: Floats
    total: Floats
    square: Floats
    count: Floats

    def __len__(self) -> int:
        return len(self.months)

    @property
    def mean(self) -> float:
        """Of all objects."""
        return float(self.total.sum() / self.count.sum())

    def part(self, begin: int, end: int) -> Series:
        """Some cases in a row; time goes on from the same start."""
        some = slice(begin, end)
        return Series(
            self.start, self.months[some], self.total[some], self.square[some], self.count[some]
        )

    def time(self, months: float) -> np.datetime64:
        """A time of the series as a date."""
        return self.start + np.timedelta64(round(months * MONTH_US), "us")


def follow(
    values: npt.ArrayLike,
    cases: npt.ArrayLike,
    times: npt.ArrayLike,
    reference: npt.ArrayLike | None = None,
) -> Series:
    """One reader's values, put together by case.

    Args:
        values: (N,) of each object: a size, or 1 and 0 for a label; those that are NaN are left
            out.
        cases: (N,) the case of each.
        times: (N,) datetime64, when it was annotated.
        reference: (N,) the same of the consensus, which is taken off. So a change of what the
            cases hold is not taken for a change of the reader.

    Raises:
        TableError: columns of other lengths, a time that is missing, or no value at all.
    """
    value = np.asarray(values, np.float64)
    if reference is not None:
        value = value - np.asarray(reference, np.float64)
    key, when = np.asarray(cases), np.asarray(times, "datetime64[us]")
    if not len(value) == len(key) == len(when):
        raise TableError("values, cases and times must have one value per object.")
    known = np.isfinite(value)
    if not known.any():
        raise TableError("no object has a value to follow.")
    if np.isnat(when[known]).any():
        row = int(np.flatnonzero(known & np.isnat(when))[0]) + 1
        raise TableError(f"row {row}: no time. Drift needs to know when each object was annotated.")
    _, case = np.unique(key[known], return_inverse=True)
    start = when[known].min()
    months = (when[known] - start).astype(np.float64) / MONTH_US
    count = np.bincount(case).astype(np.float64)
    total = np.bincount(case, value[known]).astype(np.float64)
    square = np.bincount(case, value[known] ** 2).astype(np.float64)
    middle = np.bincount(case, months) / count
    order = np.argsort(middle, kind="stable")
    return Series(start, middle[order], total[order], square[order], count[order])


def quantities(table: pa.Table) -> dict[str, Floats]:
    """What can be followed of annotations: numbers per object, NaN where not known.

    Args:
        table: column `label`; `consensus` (a label, null where nothing is known), `size_um` and
            `margin_um` (how far outlines run outside the consensus) if they are known.

    Returns:
        `share of tumor` for every label, or `excess of tumor` (the reader's minus the consensus')
        where there is a consensus; `agreement`, `size_um`, `margin_um`.
    """
    label = np.array(table["label"].to_pylist(), object)
    kinds = sorted({one for one in label.tolist() if one is not None})
    known = np.array([one is not None for one in label.tolist()])
    out = {}
    if "consensus" in table.column_names:
        agreed = np.array(table["consensus"].to_pylist(), object)
        known &= np.array([one is not None for one in agreed.tolist()])
        for kind in kinds:
            excess = (label == kind).astype(np.float64) - (agreed == kind)
            out[f"excess of {kind}"] = np.where(known, excess, np.nan)
        out["agreement"] = np.where(known, (label == agreed).astype(np.float64), np.nan)
    else:
        for kind in kinds:
            out[f"share of {kind}"] = np.where(known, (label == kind).astype(np.float64), np.nan)
    for name in ("size_um", "margin_um"):
        if name in table.column_names:
            column = table[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
            out[name] = np.asarray(column, np.float64)
    return out
