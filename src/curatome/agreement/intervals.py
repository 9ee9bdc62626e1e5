"""Intervals of measures: by resampling cases, or in closed form for a single share.

Objects of one case are alike, so cases are drawn, not objects: intervals from objects are too
narrow. A measure is a function of sums over cases, which makes thousands of draws cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri, pdtr

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From (B, P) sums over drawn cases to (B,) values; NaN where it is not defined."""

_AT_ONCE = 1 << 22  # numbers of a block of draws
_FEW = 10_000  # cases up to which they are drawn as they are


def case_sums(parts: npt.NDArray[np.generic], cases: npt.NDArray[np.int64]) -> Floats:
    """(C, P) sums of the rows of each case.

    Args:
        parts: (N, P), what each item adds to the sums that a measure is made from.
        cases: (N,) whole numbers, equal for items of one case.
    """
    _, case = np.unique(cases, return_inverse=True)
    columns = [np.bincount(case, weights=parts[:, k]) for k in range(parts.shape[1])]
    return np.stack(columns, axis=1) if columns else np.empty((int(case.max()) + 1, 0))


def bootstrap(
    sums: Floats,
    statistic: Statistic,
    *,
    counts: npt.NDArray[np.int64] | None = None,
    replicates: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The percentile interval of a measure when cases are drawn with replacement.

    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; of clusters: Field &
    Welsh, 10.1111/j.1467-9868.2007.00593.x. Cases with equal sums are drawn together, so that a
    million items of which each is a case cost no more than their distinct patterns. Of very many
    cases that differ each is drawn a Poisson number of times (Hanley & MacGibbon,
    10.1016/j.cmpb.2006.04.006), so that their number varies a little: measures are ratios.

    Args:
        sums: (C, P), what each case adds, of `case_sums`.
        statistic: from (B, P) sums to (B,) values.
        counts: (C,) how many cases there are of each row of `sums`; one by default.
        replicates: how many times cases are drawn.
        level: of the interval.
        seed: decides the draws.

    Returns:
        Lower and upper end, or None with fewer than two cases or where it is never defined.
    """
    if counts is None:
        counts = np.ones(len(sums), np.int64)
    if len(sums) >= _FEW or int(counts.sum()) > len(sums):
        sums, counts = _distinct(sums, counts)
    if int(counts.sum()) < 2:
        return None
    rng = np.random.default_rng(seed)
    values = []
    block = max(1, _AT_ONCE // len(sums))
    for start in range(0, replicates, block):
        drawn = _draws(rng, counts, min(block, replicates - start))
        values.append(statistic(drawn @ sums))
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _distinct(sums: Floats, counts: npt.NDArray[np.int64]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """The rows that differ and how often each is there.

    Rows are told apart by one number each, their product with a random vector.
    """
    mixed = np.zeros(len(sums))
    factors = np.random.default_rng(1).random((sums.shape[1],))
    for at in range(sums.shape[1]):
        mixed += factors[at] * sums[:, at]
    _, first, index = np.unique(mixed, return_index=True, return_inverse=True)
    if 2 * len(first) > len(sums):
        return sums, counts
    return sums[first], np.bincount(index, weights=counts).astype(np.int64)


def _draws(rng: np.random.Generator, counts: npt.NDArray[np.int64], times: int) -> Floats:
    """(times, C) how often each row is drawn, as many draws as there are cases."""
    rows, cases = len(counts), int(counts.sum())
    if cases > rows:
        return rng.multinomial(cases, counts / cases, times).astype(np.float64)
    if rows >= _FEW:
        often: Floats = _poisson()[rng.integers(0, 1 << 16, (times, rows), np.uint16)]
        return often
    picked = rng.integers(0, rows, (times, rows)) + np.arange(times)[:, None] * rows
    drawn = np.bincount(picked.reshape(-1), minlength=times * rows)
    return drawn.reshape(times, rows).astype(np.float64)


@cache
def _poisson() -> Floats:
    """How often a case of very many is drawn, a Poisson number of mean 1, by 16 random bits."""
    middle = (np.arange(1 << 16) + 0.5) / (1 << 16)
    often: Floats = np.searchsorted(pdtr(np.arange(20), 1.0), middle).astype(np.float64)
    return often


def wilson(hits: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a share of independent trials (10.1080/01621459.1927.10502953).

    Args:
        hits: how many of them.
        n: trials; need not be whole, so that it can be divided by a design effect.
        level: of the interval.
    """
    if n <= 0:
        return 0.0, 1.0
    z2 = float(ndtri((1 + level) / 2)) ** 2
    share = hits / n
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2))) / (1 + z2 / n)
    return float(max(0.0, middle - half)), float(min(1.0, middle + half))
