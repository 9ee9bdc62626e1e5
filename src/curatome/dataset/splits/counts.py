"""What each case brings to each stratum that a split should spread evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.dataset.asking import asked
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


def case_counts(items: pa.Table | Path, factors: Sequence[str] = (), labels: bool = True) -> Counts:
    """Count cases and items in every stratum.

    Args:
        items: one row per item, with `case`, a column for each factor, and, for `labels`, a
            column `labels` of lists of texts; a table, or a Parquet file of any size. Null values
            and empty lists count for nothing.
        factors: columns whose values are strata of cases, such as site or diagnosis.
        labels: whether each class is a stratum of items.

    Raises:
        TableError: a column is missing, or an item has no case.
    """
    with asked(items) as connection:
        known = connection.table("items").columns
        for name in ("case", *factors, *(["labels"] if labels else [])):
            if name not in known:
                raise TableError(f"the table of items has no column {name}; a split needs it.")
        rows = connection.sql('SELECT "case", count(*) FROM items GROUP BY 1').fetchall()
        uncased = sum(count for case, count in rows if case is None)
        if uncased:
            raise TableError(
                f"{uncased:,} items have no case. A split is by case, so every item needs one; "
                "name it in the table of slides."
            )
        counted = [(case, ITEMS, count) for case, count in rows]
        for factor in factors:
            sql = f'SELECT DISTINCT "case", "{factor}"::VARCHAR FROM items'
            held = connection.sql(sql).fetchall()
            counted += [(case, f"{factor}={v}", 1) for case, v in held if v is not None]
        if labels:
            held = connection.sql(_LABELS).fetchall()
            counted += [(case, f"class {label}", count) for case, label, count in held]
    return _matrix(counted)


_LABELS = """
    SELECT "case", label, count(*)
    FROM (SELECT "case", unnest(list_distinct(labels)) AS label FROM items)
    GROUP BY 1, 2
"""


def _matrix(counted: Sequence[tuple[str, str, int]]) -> Counts:
    """Counts by case and stratum as a matrix; strata of one kind in the order of their names."""
    cases = sorted({case for case, _, _ in counted})
    others = {stratum for _, stratum, _ in counted} - {ITEMS}
    strata = (CASES, ITEMS, *sorted(others, key=lambda one: (one.startswith("class "), one)))
    row = {case: k for k, case in enumerate(cases)}
    column = {stratum: k for k, stratum in enumerate(strata)}
    values = np.zeros((len(cases), len(strata)))
    values[:, 0] = 1
    for case, stratum, count in counted:
        values[row[case], column[stratum]] = count
    return Counts(tuple(cases), strata, values)
