"""Rates that stay what they were planted as, though objects differ in difficulty.

A reader misses an object of difficulty z with probability expit(a + s·z). Over objects, whose
difficulty is standard normal, the mean of that is the reader's miss rate. For a planted rate and
slope s, `intercepts` finds a; the integrals use Gauss-Hermite quadrature, which has no closed form
to replace it (Crouch & Spiegelman, The evaluation of integrals of the form ∫f(t)exp(−t²)dt:
application to logistic-normal models, JASA 1990, 10.1080/01621459.1990.10476222).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.special import expit, logit

Floats = NDArray[np.float64]

STEEPEST = 6.0
"""Greatest slope for which 200 nodes give the mean to 1e-6."""
_NODES, _WEIGHTS = hermegauss(200)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_FURTHEST = 15.0
"""Log odds of rates beyond 3e-7 and 1 - 3e-7, which are taken as that."""


def mean_rate(intercept: ArrayLike, slope: float) -> Floats:
    """Mean of expit(intercept + slope·z) over a standard normal z; same shape as `intercept`."""
    inside = np.asarray(intercept, float)[..., None] + slope * _NODES
    out: Floats = expit(inside) @ _WEIGHTS
    return out


@lru_cache(maxsize=256)
def _curve(slope: float) -> CubicSpline:
    """The intercept as a function of the log odds of the mean rate."""
    reach = _FURTHEST + slope**2 / 2 + 2 * slope
    intercept = np.linspace(-reach, reach, 1201)
    return CubicSpline(logit(mean_rate(intercept, slope)), intercept)


def intercepts(log_odds: ArrayLike, slope: float) -> Floats:
    """The intercepts that make the mean rates what they should be.

    Args:
        log_odds: of the mean rates, any shape; infinite ones stay so.
        slope: log odds per standard deviation of difficulty, 0 to `STEEPEST`.

    Raises:
        ValueError: the slope is out of range.
    """
    if not 0 <= slope <= STEEPEST:
        raise ValueError(f"slope must lie between 0 and {STEEPEST:g}. Got {slope}.")
    wanted = np.asarray(log_odds, float)
    if slope == 0:
        return wanted
    found = _curve(slope)(np.clip(wanted, -_FURTHEST, _FURTHEST))
    out: Floats = np.where(np.isinf(wanted), wanted, found)
    return out


@dataclass(frozen=True)
class Association:
    """How two readers' mistakes go together.

    Attributes:
        both: probability that both make one.
        odds_ratio: of the two-by-two table, 1 where they are independent.
        correlation: phi of the two-by-two table.
    """

    both: float
    odds_ratio: float
    correlation: float


def association(rates: tuple[float, float], slopes: tuple[float, float]) -> Association:
    """What two readers' slopes do: the association of their mistakes over one class.

    Args:
        rates: each reader's mean rate, strictly between 0 and 1.
        slopes: each reader's log odds per standard deviation of difficulty.

    Raises:
        ValueError: a rate or slope is out of range.
    """
    if not all(0 < rate < 1 for rate in rates):
        raise ValueError(f"rates must lie strictly between 0 and 1. Got {rates}.")
    (p, q), curves = rates, []
    for rate, slope in zip(rates, slopes, strict=True):
        curves.append(expit(intercepts(logit(rate), slope) + slope * _NODES))
    both = float((curves[0] * curves[1]) @ _WEIGHTS)
    odds_ratio = both * (1 - p - q + both) / ((p - both) * (q - both))
    return Association(both, odds_ratio, (both - p * q) / float(np.sqrt(p * (1 - p) * q * (1 - q))))
