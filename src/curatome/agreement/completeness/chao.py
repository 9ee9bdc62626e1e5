"""Chao's lower bound: at least so many were missed, however unlike the objects are."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from curatome.agreement.completeness.missed import Floats, Missed

ASSUMED = "lower bound; readers independent given the object, objects may differ in difficulty"


def chao(counts: Floats, level: float = 0.95) -> Missed:
    """At least how many objects R readers missed (Chao 1987, 10.2307/2531532).

    From f1 objects found by one reader alone and f2 found by two, (1 - 1/R) f1 (f1-1) / (2 (f2+1))
    are missed or more, the form with the least bias (Chao & Colwell 2017,
    10.2436/20.8080.02.49). The interval is log-normal with Chao's variance: it covers the bound,
    not the number itself.

    Args:
        counts: (2^R - 1,) of `Captures.counts`.
        level: of the interval.
    """
    times = np.array([(pattern + 1).bit_count() for pattern in range(len(counts))])
    readers = int(times.max())
    once, twice = float(counts[times == 1].sum()), float(counts[times == 2].sum())
    share = 1 - 1 / readers
    value = share * max(0.0, once * (once - 1)) / (2 * (twice + 1))
    gradient = np.where(times == 1, 2 / max(once, 0.5), 0.0)
    gradient = gradient - np.where(times == 2, 1 / (twice + 1), 0.0)
    low, high = _log_normal(value, _variance(once, twice, share, counts.sum() + value), level)
    return Missed(value, low, high, gradient, f"Chao 1987, log-normal interval; {ASSUMED}")


def _variance(once: float, twice: float, share: float, total: float) -> float:
    """Of the estimate; where no object was found twice, in the form that still holds."""
    if twice > 0:
        ratio = once / twice
        return twice * (share * ratio**2 / 2 + share**2 * ratio**3 + share**2 * ratio**4 / 4)
    if total <= 0:
        return 0.0
    pairs = once * (2 * once - 1) ** 2 / 4 - once**4 / (4 * total)
    return max(0.0, share * once * (once - 1) / 2 + share**2 * pairs)


def _log_normal(value: float, variance: float, level: float) -> tuple[float, float]:
    """Burnham's interval of what was missed, in Chao 1987: no end falls below zero."""
    if value <= 0:
        return 0.0, 0.0 if variance <= 0 else float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    spread = math.exp(float(ndtri((1 + level) / 2)) * math.sqrt(math.log1p(variance / value**2)))
    return value / spread, value * spread
