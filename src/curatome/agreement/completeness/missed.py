"""An estimate of how many objects nobody found, and what clusters do to its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Missed:
    """How many objects nobody found.

    Attributes:
        value: the estimate.
        low: lower end of the interval.
        high: upper end, infinite where nothing bounds it.
        gradient: (2^R - 1,) by how much the log of the estimate grows with each count.
        method: how it was found, and what it takes for granted.
    """

    value: float
    low: float
    high: float
    gradient: Floats
    method: str


def design_effect(case_counts: Floats, gradient: Floats) -> float:
    """By how much cases raise the variance of the log of an estimate; at least 1.

    Variance of the linearized estimate from sums of cases, over that from single objects, both
    given how many were found (Kish, Survey Sampling, 1965; linearization: Binder 1983,
    10.2307/1402588).

    Args:
        case_counts: (C, H) of `Captures.case_counts`.
        gradient: (H,) of the estimate's log.
    """
    counts = case_counts.sum(axis=0)
    cases, n = len(case_counts), counts.sum()
    if cases < 2 or n == 0 or not np.isfinite(gradient).all():
        return 1.0
    mean = gradient @ counts / n
    single = (gradient - mean) ** 2 @ counts * (n / (n - 1) if n > 1 else 1)
    together = (case_counts @ (gradient - mean)) ** 2
    if single <= 0:
        return 1.0
    return max(1.0, float(together.sum() * cases / (cases - 1) / single))


def widened(missed: Missed, case_counts: Floats) -> Missed:
    """The same with an interval that is wider, on the log scale, by the root of design effect."""
    effect = design_effect(case_counts, missed.gradient)
    if effect < 1 + 1e-9:
        return missed
    root, half = math.sqrt(effect), 0.5
    middle = missed.value + half

    def moved(end: float) -> float:
        if not math.isfinite(end):
            return end
        return float(middle * ((end + half) / middle) ** root - half)

    # Half an object is added so that an end of 0 has a logarithm.
    low, high = max(0.0, moved(missed.low)), max(moved(missed.high), missed.high)
    return replace(missed, low=min(low, missed.low), high=high)


def added(parts: Sequence[Missed]) -> Missed:
    """The sum of independent parts, such as classes.

    Its interval is put together from theirs (MOVER: Zou & Donner 2008, 10.1002/sim.3095).
    """
    value = sum(part.value for part in parts)
    below = math.hypot(*(part.value - min(part.low, part.value) for part in parts))
    above = math.hypot(*(max(part.high, part.value) - part.value for part in parts))
    methods = sorted({part.method for part in parts})
    method = "; ".join(methods)
    gradient = np.full(len(parts[0].gradient), np.nan)
    return Missed(value, max(0.0, value - below), value + above, gradient, method)
