"""Limits of agreement of two readers who measure: Bland & Altman, 10.1016/S0140-6736(86)90837-8.

95 of 100 differences lie between the limits if they follow the normal law and neither grow nor
shrink with what is measured.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import t as t_law

from curatome.agreement.intervals import Floats, bootstrap, case_sums
from curatome.agreement.ratings import Whole
from curatome.findings import Measure

NAMES = ("bland_altman_bias", "bland_altman_lower_limit", "bland_altman_upper_limit")
UNDEFINED = "fewer than two items were measured by both"


def limits(first: Floats, second: Floats, level: float = 0.95) -> tuple[float, float, float]:
    """Bias, lower and upper limit of `first - second`; NaN where it is `UNDEFINED`.

    Args:
        first: (N,) what one reader measured, NaN where not.
        second: (N,) what the other did.
        level: share of differences that should lie between the limits.
    """
    parts, _ = _parts(first, second)
    bias, sd = _bias(parts.sum(axis=0)[None])
    z = float(ndtri((1 + level) / 2))
    return float(bias[0]), float(bias[0] - z * sd[0]), float(bias[0] + z * sd[0])


def limits_measures(
    first: Floats,
    second: Floats,
    subject: str = "all",
    cases: Whole | None = None,
    *,
    unit: str = "",
    level: float = 0.95,
    seed: int = 0,
) -> list[Measure]:
    """Bias and limits with their intervals.

    Where each item is a case they are those of the paper: t times s / √n of the bias and
    s √(3 / n) of a limit, about. Where cases hold several items, cases are drawn.

    Args:
        first: (N,) what one reader measured, NaN where not.
        second: (N,) what the other did.
        subject: what it is about, `readers ann and joe`.
        cases: (N,) whole numbers, equal for items of one case; by default each is its own.
        unit: of what is measured.
        level: of the limits and of their intervals.
        seed: decides the draws.
    """
    values = limits(first, second, level)
    parts, both = _parts(first, second)
    cases = (np.arange(len(both)) if cases is None else cases)[both]
    clusters = len(np.unique(cases))
    alone = clusters == len(cases)
    found = []
    for name, value, side in zip(NAMES, values, (0, -1, 1), strict=True):
        ends: tuple[float, float] | None = None
        if np.isfinite(value) and alone:
            ends = _t_interval(parts, value, side, level)
        elif np.isfinite(value):
            ends = _drawn(case_sums(parts, cases), side, level, seed)
        how = "interval from t" if alone else "cases drawn 2000 times"
        found.append(
            Measure(
                name,
                subject,
                value,
                low=ends[0] if ends else None,
                high=ends[1] if ends else None,
                level=level,
                n=len(cases),
                clusters=clusters,
                unit=unit,
                method="Bland & Altman 1986; "
                + (how if np.isfinite(value) else f"undefined: {UNDEFINED}"),
            )
        )
    return found


def _parts(first: Floats, second: Floats) -> tuple[Floats, Whole]:
    """(M, 3): one, difference, its square; and which items both measured."""
    apart = np.asarray(first, np.float64) - np.asarray(second, np.float64)
    both = np.flatnonzero(np.isfinite(apart))
    apart = apart[both]
    return np.column_stack([np.ones(len(apart)), apart, apart**2]), both


def _bias(sums: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of differences."""
    n = sums[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(n > 1, sums[:, 1] / n, np.nan)
        left = np.maximum(sums[:, 2] - n * mean**2, 0.0)
        return mean, np.sqrt(left / np.where(n > 1, n - 1, np.nan))


def _t_interval(parts: Floats, value: float, side: int, level: float) -> tuple[float, float]:
    n = len(parts)
    sd = float(parts[:, 1].std(ddof=1))
    half = float(t_law.ppf((1 + level) / 2, n - 1)) * sd * np.sqrt((3 if side else 1) / n)
    return value - float(half), value + float(half)


def _drawn(sums: Floats, side: int, level: float, seed: int) -> tuple[float, float] | None:
    z = side * float(ndtri((1 + level) / 2))

    def statistic(drawn: Floats) -> Floats:
        bias, sd = _bias(drawn)
        end: Floats = bias + z * sd
        return end

    return bootstrap(sums, statistic, level=level, seed=seed)
