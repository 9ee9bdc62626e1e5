"""How far the texture of a tissue reaches: autocorrelation, correlation length, integral range.

A random field with autocorrelation ρ has the integral range A = ∫ ρ(h) dh over the plane. The mean
over an area V much larger than A varies as if V held V / A independent pieces: var = σ² A / V
(Lantuéjoul 1991, 10.1111/j.1365-2818.1991.tb03099.x). For ρ(h) = exp(-h / l) it is 2π l².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_END = 0.05
_FEW = 0.05
"""Lags with fewer pairs, as a part of those that an endless field has, are left out."""


@dataclass(frozen=True, eq=False)
class Correlogram:
    """Autocorrelation by distance.

    Attributes:
        lag: (L,) 0, 1, 2, … px.
        rho: (L,) autocorrelation at that distance, averaged over all directions.
        variance: of the values.
    """

    lag: Floats
    rho: Floats
    variance: float

    @property
    def length(self) -> float:
        """Distance at which the autocorrelation has fallen to 1 / e, px; NaN if it does not."""
        below = np.flatnonzero(self.rho <= np.exp(-1))
        if not len(below) or below[0] == 0:
            return float("nan")
        k = int(below[0])
        part = (self.rho[k - 1] - np.exp(-1)) / (self.rho[k - 1] - self.rho[k])
        return float(self.lag[k - 1] + part)

    @property
    def integral_range(self) -> float:
        """∫ ρ over the plane up to where ρ first falls to `_END`, px².

        What lies beyond is noise for most: it is 5 % of the range of a Gaussian correlation, and
        20 % of that of an exponential one. Where ρ never falls so far, it is a lower bound.
        """
        low = np.flatnonzero(self.rho <= _END)
        end = int(low[0]) if len(low) else len(self.rho)
        rings = 2 * np.pi * self.lag[:end] * self.rho[:end]
        # The middle pixel is a disk of radius one half.
        return float(np.pi / 4 + rings[1:].sum())


def correlogram(fields: Sequence[tuple[Reals, Flags]]) -> Correlogram | None:
    """Autocorrelation of one texture seen in several places.

    Args:
        fields: values (H, W) and where they count; NaN may stand elsewhere.

    Returns:
        None where there is nothing, or all is alike.
    """
    known = [values[mask] for values, mask in fields if mask.any()]
    if not known:
        return None
    pooled = np.concatenate(known).astype(np.float64)
    mean, variance = float(pooled.mean()), float(pooled.var())
    if variance < 1e-12:
        return None
    reach = max(min(mask.shape) // 2 for _, mask in fields) + 1
    total, many = np.zeros(reach), np.zeros(reach)
    for values, mask in fields:
        products, pairs = _by_lag(np.where(mask, values - mean, 0.0), mask, reach)
        total += products
        many += pairs
    kept = many > _FEW * many[0] * np.maximum(2 * np.pi * np.arange(reach), 1)
    end = int(np.argmin(kept)) if not kept.all() else reach
    return Correlogram(np.arange(end, dtype=float), total[:end] / many[:end] / variance, variance)


def _by_lag(values: Floats, mask: Flags, reach: int) -> tuple[Floats, Floats]:
    """Sum of products, and number of pairs, at each whole distance."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    shape = [next_fast_len(2 * side) for side in mask.shape]
    spectra = [rfft2(one.astype(np.float64), shape) for one in (values, mask)]
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in shape)
    lag = np.rint(np.hypot(rows[:, None], columns[None, :])).astype(np.int64)
    near = lag < reach
    products, pairs = (irfft2(np.abs(one) ** 2, shape) for one in spectra)
    return (
        np.bincount(lag[near], products[near], reach).astype(np.float64),
        np.bincount(lag[near], np.rint(pairs[near]), reach).astype(np.float64),
    )
