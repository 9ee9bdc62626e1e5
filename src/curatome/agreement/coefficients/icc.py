"""ICC(2,1): how much of what a single read varies by is due to the items.

Shrout & Fleiss, 10.1037/0033-2909.86.2.420: items and readers are both samples, agreement is
absolute, one read is judged. Items that a reader did not judge are left out. The interval from F
is for readers and items drawn anew; one from drawing cases keeps the readers, and is narrower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_law

from curatome.agreement.intervals import Floats, bootstrap, case_sums
from curatome.agreement.ratings import Whole
from curatome.findings import Measure

UNDEFINED = "fewer than two items or readers, or all values are equal"


@dataclass(frozen=True)
class MeanSquares:
    """Of the two-way analysis of variance, (B,) each: items, readers, what is left."""

    items: Floats
    readers: Floats
    error: Floats
    n: Floats
    k: int


def icc(values: Floats) -> float:
    """ICC(2,1) of (N, R) values, NaN where missing; NaN where it is `UNDEFINED`."""
    return float(_icc(_mean_squares(_sums(_complete(values)).sum(axis=0)[None]))[0])


def icc_measure(
    values: Floats,
    subject: str = "all",
    cases: Whole | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Measure:
    """ICC(2,1) with its interval: from F, or from drawing cases where cases hold several items.

    Args:
        values: (N, R), NaN where missing.
        subject: what it is about.
        cases: (N,) whole numbers, equal for items of one case; by default each is its own.
        level: of the interval.
        seed: decides the draws.
    """
    values = np.asarray(values, np.float64)
    kept = np.isfinite(values).all(axis=1)
    cases = np.arange(len(values)) if cases is None else cases
    parts, cases = _sums(values[kept]), cases[kept]
    squares = _mean_squares(parts.sum(axis=0)[None])
    value = float(_icc(squares)[0])
    clusters = len(np.unique(cases))
    ends, how = None, ""
    if np.isfinite(value) and clusters == len(cases):
        ends, how = _f_interval(squares, level), "interval from F"
    elif np.isfinite(value):
        sums = case_sums(parts, cases)
        ends = bootstrap(sums, lambda drawn: _icc(_mean_squares(drawn)), level=level, seed=seed)
        how = "cases drawn 2000 times"
    return Measure(
        "icc_2_1",
        subject,
        value,
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        level=level,
        n=int(kept.sum()),
        clusters=clusters,
        method="ICC(2,1), Shrout & Fleiss 1979; "
        + (how if np.isfinite(value) else f"undefined: {UNDEFINED}"),
    )


def _complete(values: Floats) -> Floats:
    values = np.asarray(values, np.float64)
    kept: Floats = values[np.isfinite(values).all(axis=1)]
    return kept


def _sums(values: Floats) -> Floats:
    """(N, 3 + R): one, sum squared, sum of squares, and each reader's value, from their mean."""
    centered = values - (values.mean() if values.size else 0.0)
    total = centered.sum(axis=1)
    ones = np.ones(len(values))
    return np.column_stack([ones, total**2, (centered**2).sum(axis=1), centered])


def _mean_squares(sums: Floats) -> MeanSquares:
    n, k = sums[:, 0], sums.shape[1] - 3
    readers = sums[:, 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = readers.sum(axis=1) ** 2 / (n * k)
        between_items = sums[:, 1] / k - middle
        between_readers = (readers**2).sum(axis=1) / n - middle
        left = np.maximum(sums[:, 2] - middle - between_items - between_readers, 0.0)
        return MeanSquares(
            between_items / (n - 1),
            between_readers / np.float64(k - 1),
            left / ((n - 1) * (k - 1)),
            n,
            k,
        )


def _icc(squares: MeanSquares) -> Floats:
    items, readers, error = squares.items, squares.readers, squares.error
    with np.errstate(divide="ignore", invalid="ignore"):
        below = items + (squares.k - 1) * error + squares.k * (readers - error) / squares.n
        found: Floats = (items - error) / below
    return found


def _f_interval(squares: MeanSquares, level: float) -> tuple[float, float] | None:
    """Shrout & Fleiss 1979, page 424; with Satterthwaite's degrees of freedom."""
    items, readers, error = (
        float(one[0]) for one in (squares.items, squares.readers, squares.error)
    )
    if error <= 0:
        return None
    n, k, rho = float(squares.n[0]), squares.k, float(_icc(squares)[0])
    by_readers, rest = k * rho * readers / error, n * (1 + (k - 1) * rho) - k * rho
    freedom = (k - 1) * (n - 1) * (by_readers + rest) ** 2
    freedom /= (n - 1) * by_readers**2 + rest**2
    above = float(f_law.ppf((1 + level) / 2, n - 1, freedom))
    below = float(f_law.ppf((1 + level) / 2, freedom, n - 1))
    spread = k * readers + (k * n - k - n) * error
    return (
        n * (items - above * error) / (above * spread + n * items),
        n * (below * items - error) / (spread + n * below * items),
    )
