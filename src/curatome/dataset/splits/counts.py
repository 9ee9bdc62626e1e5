"""What each case brings to each stratum that a split should spread evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.errors import TableError

Floats = npt.NDArray[np.float64]

CASES, ITEMS = "cases", "items"
"""The strata that are always there: the number of cases and the number of items."""


@dataclass(frozen=True, eq=False)
class Counts:
    """C cases, S strata.

    Attributes:
        cases: (C,) names, sorted.
        strata: (S,) `cases`, `items`, `site=Bonn` (cases that have it), `class tumor` (items).
        values: (C, S), how much of each stratum a case holds.
    """

    cases: tuple[str, ...]
    strata: tuple[str, ...]
    values: Floats

    def take(self, cases: Sequence[str]) -> Counts:
        """The same of some of the cases, with the strata that they have."""
        place = {case: row for row, case in enumerate(self.cases)}
        names = sorted(cases)
        values = self.values[[place[case] for case in names]]
        there = values.sum(axis=0) > 0
        strata = tuple(s for s, one in zip(self.strata, there, strict=True) if one)
        return Counts(tuple(names), strata, values[:, there])


def case_counts(items: pa.Table, factors: Sequence[str] = (), labels: bool = True) -> Counts:
    """Count cases and items in every stratum.

    Args:
        items: one row per item, with `case`, a column for each factor, and, for `labels`, a
            column `labels` of lists of texts. Null values and empty lists count for nothing.
        factors: columns whose values are strata of cases, such as site or diagnosis.
        labels: whether each class is a stratum of items.

    Raises:
        TableError: a column is missing, or an item has no case.
    """
    for name in ("case", *factors, *(["labels"] if labels else [])):
        if name not in items.column_names:
            raise TableError(f"the table of items has no column {name}; a split needs it.")
    if items["case"].null_count:
        row = pc.index(pc.is_null(items["case"]), True).as_py()
        raise TableError(
            f"item in row {row + 1} has no case. A split is by case, so every item needs one; "
            "name it in the table of slides."
        )
    cases = tuple(sorted(pc.unique(items["case"]).to_pylist()))
    case = pc.index_in(items["case"], pa.array(cases, pa.string())).to_numpy()
    columns: dict[str, Floats] = {
        CASES: np.ones(len(cases)),
        ITEMS: np.bincount(case, minlength=len(cases)).astype(np.float64),
    }
    for factor in factors:
        columns |= _held(factor, items[factor], case, len(cases))
    if labels:
        columns |= _labelled(items["labels"], case, len(cases))
    return Counts(cases, tuple(columns), np.stack(list(columns.values()), axis=1))


def _held(
    factor: str, column: pa.ChunkedArray, case: npt.NDArray[np.int64], count: int
) -> dict[str, Floats]:
    """1 for each case that has an item with that value of a factor."""
    text = column.cast(pa.string())
    found: dict[str, Floats] = {}
    for value in sorted(pc.unique(text).drop_null().to_pylist()):
        there = pc.fill_null(pc.equal(text, value), False).to_numpy()
        found[f"{factor}={value}"] = (np.bincount(case[there], minlength=count) > 0).astype(
            np.float64
        )
    return found


def _labelled(
    column: pa.ChunkedArray, case: npt.NDArray[np.int64], count: int
) -> dict[str, Floats]:
    """Items of each class in each case."""
    lists = column.combine_chunks()
    row = pc.list_parent_indices(lists).to_numpy()
    label = pc.list_flatten(lists)
    found: dict[str, Floats] = {}
    for value in sorted(pc.unique(label).drop_null().to_pylist()):
        there = pc.fill_null(pc.equal(label, value), False).to_numpy(zero_copy_only=False)
        rows = np.unique(row[there])
        found[f"class {value}"] = np.bincount(case[rows], minlength=count).astype(np.float64)
    return found
