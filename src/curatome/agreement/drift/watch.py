"""All readers and all quantities at once: charts, changes and trends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curatome.agreement.drift.changes import CHANGES, change_points, holm, stability
from curatome.agreement.drift.charts import CONTROL_CHART, control_chart
from curatome.agreement.drift.effects import trend
from curatome.agreement.drift.series import Series, follow, quantities
from curatome.errors import TableError
from curatome.findings import Measure


@dataclass(frozen=True)
class Watched:
    """What became of readers over time.

    Attributes:
        charts: table `CONTROL_CHART`; without those who read in too few periods.
        changes: table `CHANGES`, of series that are unstable after Holm's correction.
        stability: a measure `stability` for each reader and quantity: the p-value, corrected.
        trends: a measure `trend` for each.
    """

    charts: pa.Table
    changes: pa.Table
    stability: list[Measure]
    trends: list[Measure]


def watch(table: pa.Table, *, period_months: float = 1.0, alpha: float = 0.05) -> Watched:
    """Follow every quantity of every reader.

    Args:
        table: columns `reader`, `case`, `time` (timestamp) and those that `quantities` takes.
        period_months: length of a chart's periods.
        alpha: rate of false alarms over all readers and quantities together.

    Raises:
        TableError: a column is missing.
    """
    for name in ("reader", "case", "time", "label"):
        if name not in table.column_names:
            raise TableError(f"a table to be watched has no column {name}.")
    every = list(_series(table))
    p_values = [stability(one)[1] for _, _, one in every]
    corrected = holm(p_values)
    charts, changes = [CONTROL_CHART.from_rows([])], [CHANGES.from_rows([])]
    for (reader, quantity, one), p in zip(every, corrected, strict=True):
        if p <= alpha:
            changes.append(change_points(one, reader, quantity, alpha=alpha))
        try:
            charts.append(control_chart(one, reader, quantity, period_months=period_months))
        except TableError:
            continue
    return Watched(
        pa.concat_tables(charts),
        pa.concat_tables(changes),
        [
            _stability(f"reader {reader}, {quantity}", one, float(p))
            for (reader, quantity, one), p in zip(every, corrected, strict=True)
        ],
        [trend(one, f"reader {reader}, {quantity}") for reader, quantity, one in every],
    )


def _stability(subject: str, series: Series, p: float) -> Measure:
    method = "CUSUM, cases permuted 999 times, Holm over readers and quantities"
    n, clusters = int(series.count.sum()), len(series)
    return Measure("stability", subject, p, n=n, clusters=clusters, unit="p-value", method=method)


def _series(table: pa.Table) -> Iterator[tuple[str, str, Series]]:
    for reader in sorted(set(table["reader"].to_pylist())):
        own = table.filter(pc.equal(table["reader"], reader))
        cases = np.array(own["case"].to_pylist(), str)
        times = own["time"].cast(pa.timestamp("us")).to_numpy()
        for name, values in quantities(own).items():
            if np.isfinite(values).any():
                yield reader, name, follow(values, cases, times)
