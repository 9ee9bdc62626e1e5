"""Two independent reads: Chapman's estimate and an interval by inverted tests."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from curatome.agreement.completeness.missed import Floats, Missed

_FURTHEST = 1 << 40
"""Objects beyond which an interval is called unbounded."""

ASSUMED = "reads independent, objects alike"


def chapman(counts: Floats, level: float = 0.95) -> Missed:
    """How many objects two readers missed (Chapman, Univ. California Publ. Stat. 1951, 1:131).

    With m found by both, b and c by one alone, N + 1 is estimated as (b+m+1)(c+m+1)/(m+1), so
    bc/(m+1) are missed.

    Args:
        counts: (3,) found by the first alone, the second alone, both: `Captures.counts`.
        level: of the interval.
    """
    first, second, both = (float(v) for v in counts)
    low, high = interval(tuple(round(v) for v in counts), level)
    gradient = 1 / np.maximum([first, second, both + 1], 0.5) * (1, 1, -1)
    method = f"Chapman, mid-p interval; {ASSUMED}"
    return Missed(first * second / (both + 1), low, high, gradient, method)


def interval(counts: tuple[int, ...], level: float = 0.95) -> tuple[float, float]:
    """The numbers of missed objects that a two-sided test would not reject.

    Given what each reader found, how many both found follows the hypergeometric law. Its
    mid-p test (Lancaster 1961, 10.1080/01621459.1961.10482105) is inverted, because logit,
    log-normal and profile-likelihood intervals cover too seldom or are far too wide where less
    than some five objects are missed (benchmarks/completeness.py). Where hardly any is missed
    it is conservative, as whole numbers do not allow exactly 95 %.

    Args:
        counts: found by the first alone, the second alone, both.
        level: of the interval.

    Returns:
        Lower and upper end; the upper is infinite if no object was found by both.
    """
    first, second, both = counts
    n, tail = sum(counts), (1 - level) / 2

    def below(total: int) -> float:
        return _mid_p(total, first + both, second + both, both)

    low = _first(lambda total: below(total) >= tail, n)
    high = _first(lambda total: below(total) > 1 - tail, n)
    return low - n, math.inf if math.isinf(high) else high - 1 - n


def _mid_p(total: int, first: int, second: int, both: int) -> float:
    """P(fewer than `both`) + P(`both`) / 2 of draws of `second` from `total`, `first` marked."""
    k = np.arange(max(0, first + second - total), both + 1)
    rest = total - first - second
    log = (
        _choose(first, k)
        + gammaln(total - first + 1)
        - gammaln(second - k + 1)
        - gammaln(rest + k + 1)
        - _choose(total, np.array(second))
    )
    mass = np.exp(log)
    return float(mass[:-1].sum() + mass[-1] / 2)


def _choose(n: int, k: npt.NDArray[np.int64]) -> Floats:
    out: Floats = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return out


def _first(holds: Callable[[int], bool], start: int) -> float:
    """The first whole number from `start` at which a condition that stays true becomes so."""
    if holds(start):
        return start
    step = 1
    while not holds(start + step):
        step *= 2
        if step > _FURTHEST:
            return math.inf
    low, high = start + step // 2, start + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
