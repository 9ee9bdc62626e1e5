"""When a reader changed: points of change, with p-values from permuting cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curatome.agreement.drift.series import Series
from curatome.tables import Column, TableSpec

Floats = npt.NDArray[np.float64]

_REAL = pa.float64()
CHANGES = TableSpec(
    "changes",
    (
        Column("reader", pa.string(), "who changed"),
        Column("quantity", pa.string(), "in what"),
        Column("time", pa.timestamp("us", "UTC"), "when, between two cases"),
        Column("before", _REAL, "mean of the stretch before"),
        Column("after", _REAL, "mean of the stretch after"),
        Column("cases_before", pa.int64(), "cases of the stretch before"),
        Column("cases_after", pa.int64(), "cases of the stretch after"),
        Column("p_value", _REAL, "how often cases in random order would change as much"),
    ),
)
_AT_ONCE = 1 << 21


def stability(
    series: Series, *, least: int = 5, replicates: int = 999, seed: int = 0
) -> tuple[int, float]:
    """The likeliest point of change, and how often chance would show one as large.

    At each place the mean before is compared with that after, weighted by objects (CUSUM: Page
    1954, 10.1093/biomet/41.1-2.100; Hinkley 1970). The largest is compared with the largest of
    cases in random order, so the p-value is exact if cases are alike in time (Pesarin & Salmaso,
    Permutation Tests for Complex Data, 2010).

    Args:
        series: of `follow`.
        least: fewest cases of a stretch.
        replicates: random orders.
        seed: decides them.

    Returns:
        How many cases lie before the change, and the p-value; 0 and 1 with too few cases.
    """
    cases = len(series)
    if cases < 2 * least:
        return 0, 1.0
    off = series.total - series.mean * series.count
    gaps = _gaps(off[None], series.count[None], least)[0]
    place, greatest = int(gaps.argmax()) + least, float(gaps.max())
    if greatest <= 0:
        return place, 1.0
    rng, reached = np.random.default_rng(seed), 0
    block = max(1, _AT_ONCE // cases)
    for begin in range(0, replicates, block):
        order = np.tile(np.arange(cases), (min(block, replicates - begin), 1))
        order = rng.permuted(order, axis=1)
        found = _gaps(off[order], series.count[order], least).max(axis=1)
        reached += int((found >= greatest * (1 - 1e-9)).sum())
    return place, (1 + reached) / (1 + replicates)


def _gaps(off: Floats, count: Floats, least: int) -> Floats:
    """(B, K) standardized differences at every place of (B, C) cases in some order."""
    before, weight = off.cumsum(axis=1), count.cumsum(axis=1)
    whole = weight[:, -1:]
    inner = slice(least - 1, off.shape[1] - least)
    share = weight[:, inner] * (whole - weight[:, inner]) / whole
    out: Floats = np.abs(before[:, inner]) / np.sqrt(share)
    return out


def change_points(
    series: Series,
    reader: str,
    quantity: str,
    *,
    alpha: float = 0.05,
    least: int = 5,
    replicates: int = 999,
    seed: int = 0,
) -> pa.Table:
    """All changes of a reader as table `CHANGES`, in order of time.

    Binary segmentation (Vostrikova 1981; Fryzlewicz 2014, 10.1214/14-AOS1245): each stretch is
    divided again as long as `stability` speaks against chance. Without any drift a series has
    one with probability `alpha`.

    Args:
        series: of `follow`.
        reader: for the table.
        quantity: for the table.
        alpha: greatest p-value of a change.
        least: fewest cases of a stretch.
        replicates: random orders; 1 / (1 + this) is the least p-value.
        seed: decides them.
    """
    found: list[tuple[int, float]] = []
    todo = [(0, len(series))]
    while todo:
        begin, end = todo.pop()
        place, p = stability(
            series.part(begin, end), least=least, replicates=replicates, seed=seed + begin
        )
        if place and p <= alpha:
            found.append((begin + place, p))
            todo += [(begin, begin + place), (begin + place, end)]
    found.sort()
    borders = [0, *(place for place, _ in found), len(series)]
    rows = []
    for k, (place, p) in enumerate(found):
        before = series.part(borders[k], place)
        after = series.part(place, borders[k + 2])
        time = series.time(float(before.months[-1] + after.months[0]) / 2)
        rows.append(
            {
                "reader": reader,
                "quantity": quantity,
                "time": time.astype("datetime64[us]").item(),
                "before": before.mean,
                "after": after.mean,
                "cases_before": len(before),
                "cases_after": len(after),
                "p_value": p,
            }
        )
    return CHANGES.from_rows(rows)


def holm(p_values: Sequence[float]) -> Floats:
    """p-values that may be compared with one level, however many there are (Holm 1979).

    10.2307/4615733.
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out
