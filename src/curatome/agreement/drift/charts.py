"""Control charts: values per period, limits that know of unequal cases, EWMA, run rules."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.agreement.drift.series import Series
from curatome.errors import TableError
from curatome.tables import Column, TableSpec

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_REAL = pa.float64()
CONTROL_CHART = TableSpec(
    "control_chart",
    (
        Column("reader", pa.string(), "whose values they are"),
        Column("quantity", pa.string(), "what is followed"),
        Column("start", pa.timestamp("us", "UTC"), "first moment of the period"),
        Column("cases", pa.int64(), "cases read in it"),
        Column("n", pa.int64(), "objects annotated in it"),
        Column("value", _REAL, "their mean"),
        Column("center", _REAL, "mean of the baseline"),
        Column("low", _REAL, "lower limit, three standard deviations"),
        Column("high", _REAL, "upper limit, three standard deviations"),
        Column("ewma", _REAL, "exponentially weighted mean, in standard deviations"),
        Column("ewma_limit", _REAL, "its limit, in standard deviations"),
        Column("signal", pa.string(), "which rules are broken", nullable=True),
    ),
)
SMOOTHING, EWMA_LIMIT = 0.2, 2.962
"""False alarm once in 500 points (Lucas & Saccucci 1990, 10.1080/00401706.1990.10484583)."""
RULES = (
    ("beyond three standard deviations", 1, 1, 3.0),
    ("two of three beyond two standard deviations", 2, 3, 2.0),
    ("four of five beyond one standard deviation", 4, 5, 1.0),
    ("eight on one side", 8, 8, 0.0),
)
"""Western Electric, Statistical Quality Control Handbook, 1956: of so many points so many."""
_LEAST_POINTS = 5


def control_chart(
    series: Series,
    reader: str,
    quantity: str,
    *,
    period_months: float = 1.0,
    baseline: int | None = None,
) -> pa.Table:
    """A chart of a reader's share or mean, one point per period, as table `CONTROL_CHART`.

    Limits are Laney's (2002, 10.1081/QEN-120006555): points are standardized as if objects were
    independent, and the moving range of neighbors says how much wider they vary, because objects
    of a case are alike. A moving range is hardly moved by a drift.

    Args:
        series: of `follow`.
        reader: for the table.
        quantity: for the table.
        period_months: length of a period; those without a case have no point.
        baseline: how many of the first points the center and limits come from; all by default.

    Raises:
        TableError: fewer than five points in the baseline.
    """
    period = np.floor(series.months / period_months).astype(np.int64)
    known, index = np.unique(period, return_inverse=True)
    total, count = np.bincount(index, series.total), np.bincount(index, series.count)
    base = slice(None, baseline)
    if len(known[base]) < _LEAST_POINTS:
        raise TableError(
            f"a control chart needs {_LEAST_POINTS} periods with cases. Got {len(known[base])} of "
            f"{period_months:g} months; take shorter periods."
        )
    center = float(total[base].sum() / count[base].sum())
    first = np.isin(index, np.arange(len(known))[base])
    spread = series.square[first].sum() / series.count[first].sum() - center**2
    deviation = np.sqrt(max(float(spread), 1e-12) / count)
    z = (total / count - center) / deviation
    wider = max(float(np.abs(np.diff(z[base])).mean()) / 1.128, 1e-6)
    smooth, limit = ewma(z / wider)
    times = [series.time(float(k) * period_months) for k in known]
    points = len(known)
    return CONTROL_CHART.from_columns(
        {
            "reader": [reader] * points,
            "quantity": [quantity] * points,
            "start": pa.array(np.array(times, "datetime64[us]")).cast(pa.timestamp("us", "UTC")),
            "cases": np.bincount(index),
            "n": count.astype(np.int64),
            "value": total / count,
            "center": np.full(points, center),
            "low": center - 3 * wider * deviation,
            "high": center + 3 * wider * deviation,
            "ewma": smooth,
            "ewma_limit": limit,
            "signal": _signals(z / wider, np.abs(smooth) > limit),
        }
    )


def ewma(
    z: Floats, smoothing: float = SMOOTHING, limit: float = EWMA_LIMIT
) -> tuple[Floats, Floats]:
    """Exponentially weighted means of standardized points, and their limits (Roberts 1959).

    10.1080/00401706.1959.10489860.

    Args:
        z: (T,) points in standard deviations.
        smoothing: weight of the newest point, 0 to 1.
        limit: in standard deviations of the weighted mean.
    """
    smooth, last = np.empty(len(z)), 0.0
    for t, value in enumerate(z):
        last = smoothing * float(value) + (1 - smoothing) * last
        smooth[t] = last
    age = np.arange(1, len(z) + 1)
    share = smoothing / (2 - smoothing) * (1 - (1 - smoothing) ** (2 * age))
    return smooth, limit * np.sqrt(share)


def broken(z: Floats) -> dict[str, Flags]:
    """Which of `RULES` are broken at each of (T,) standardized points."""
    out = {}
    for name, needed, of, beyond in RULES:
        flags = np.zeros(len(z), bool)
        for side in (z, -z):
            over = np.convolve(side > beyond, np.ones(of))[: len(z)]
            # The newest point must itself lie out there.
            flags |= (over >= needed) & (side > beyond)
        out[name] = flags
    return out


def _signals(z: Floats, beyond: Flags) -> list[str | None]:
    flags = {**broken(z), "EWMA beyond its limit": beyond}
    told = [[name for name, flag in flags.items() if flag[t]] for t in range(len(z))]
    return ["; ".join(names) or None for names in told]
