"""By how much a reader changed: per month, or from one version of the guideline to the next."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curatome.agreement.drift.series import Series
from curatome.agreement.intervals import bootstrap, case_sums
from curatome.errors import TableError
from curatome.findings import Measure

Floats = npt.NDArray[np.float64]


def trend(
    series: Series,
    subject: str,
    name: str = "trend",
    *,
    unit: str = "per month",
    level: float = 0.95,
) -> Measure:
    """How a value changes per month: a straight line through all objects, as a measure.

    The interval comes from a bootstrap of cases.

    Args:
        series: of `follow`.
        subject: whom and what it is about.
        name: of the measure.
        unit: of the measure.
        level: of the interval.
    """
    t, n, y = series.months - series.months.mean(), series.count, series.total
    sums = np.stack([n, n * t, n * t * t, y, y * t], axis=1)

    def slope(parts: Floats) -> Floats:
        n, nt, ntt, y, yt = parts.T
        with np.errstate(divide="ignore", invalid="ignore"):
            out: Floats = (yt - nt * y / n) / (ntt - nt * nt / n)
        return out

    low, high = bootstrap(sums, slope, level=level) or (None, None)
    return Measure(
        name,
        subject,
        float(slope(sums.sum(axis=0, keepdims=True))[0]),
        low,
        high,
        level,
        int(series.count.sum()),
        len(series),
        unit,
        "least squares over time, bootstrap of cases",
    )


def before_after(
    values: npt.ArrayLike,
    cases: npt.ArrayLike,
    after: npt.ArrayLike,
    subject: str,
    *,
    name: str = "change",
    unit: str = "",
    level: float = 0.95,
) -> Measure:
    """The mean after minus the mean before, as of two versions of a guideline, as a measure.

    The interval comes from a bootstrap of cases. Cases may lie on both sides: those read under
    both versions make it narrower. Where the versions saw different cases, take off the
    consensus from the values, as `follow` does, or the cases' own difference is in it.

    Args:
        values: (N,) of each object; those that are NaN are left out.
        cases: (N,) the case of each.
        after: (N,) whether it was annotated under the new version.
        subject: whom and what it is about, `reader joe`.
        name: of the measure.
        unit: of the measure.
        level: of the interval.

    Raises:
        TableError: columns of other lengths, or one side is empty.
    """
    value, late = np.asarray(values, np.float64), np.asarray(after, bool)
    key = np.unique(np.asarray(cases), return_inverse=True)[1]
    if not len(value) == len(key) == len(late):
        raise TableError("values, cases and after must have one value per object.")
    known = np.isfinite(value)
    value, late, key = value[known], late[known], np.asarray(key[known], np.int64)
    if late.all() or not late.any():
        side = "before" if late.all() else "after"
        raise TableError(f"{subject}: nothing was annotated {side} the new version.")
    parts = np.stack([value * late, late, value * ~late, ~late], axis=1).astype(np.float64)
    sums = case_sums(parts, key)

    def difference(total: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            out: Floats = total[:, 0] / total[:, 1] - total[:, 2] / total[:, 3]
        return out

    low, high = bootstrap(sums, difference, level=level) or (None, None)
    return Measure(
        name,
        subject,
        float(difference(sums.sum(axis=0, keepdims=True))[0]),
        low,
        high,
        level,
        len(value),
        len(sums),
        unit,
        "difference of means, bootstrap of cases",
    )
