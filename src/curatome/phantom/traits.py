"""Nine features of a nucleus, graded and co-occurring as pathologists marked them in thyroid.

A Gaussian copula: nine normal variables whose correlations are the tetrachoric ones of the
dataset's 0/1 marks, so that marks have its frequencies and its (phi) correlations.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
Strengths = NDArray[np.float32]

TRAITS = (
    "elongation",
    "grooves",
    "inclusion",
    "glassy",
    "crowding",
    "wrinkled",
    "enlargement",
    "irregular",
    "overlapping",
)
ELONGATION, GROOVES, INCLUSION, GLASSY, CROWDING, WRINKLED, ENLARGEMENT, IRREGULAR, OVERLAPPING = (
    range(len(TRAITS))
)
MARKED = 0.5
"""A pathologist marks a trait from this strength on."""

CELLS = 3491
TOGETHER = np.array(
    [
        [2445, 1837, 143, 446, 629, 512, 957, 136, 735],
        [1837, 2176, 131, 544, 639, 605, 990, 309, 712],
        [143, 131, 212, 26, 76, 74, 114, 29, 42],
        [446, 544, 26, 659, 78, 216, 566, 182, 379],
        [629, 639, 76, 78, 783, 315, 367, 114, 169],
        [512, 605, 74, 216, 315, 841, 627, 307, 304],
        [957, 990, 114, 566, 367, 627, 1568, 375, 677],
        [136, 309, 29, 182, 114, 307, 375, 449, 216],
        [735, 712, 42, 379, 169, 304, 677, 216, 1259],
    ]
)
"""Cells of the thyroid dataset that carry both features, on the diagonal those that carry one.

Counted over all 3,491 cells of the authors' labels.json (article: 10.1371/journal.pdig.0001120);
frequencies and phi correlations follow from these counts alone. There, each cell has at least one
feature; nine correlated features leave 3.7 % of nuclei with
none.
"""
_GRADE_SPREAD = 1.1
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)


def correlations(together: NDArray[np.int64], cells: int) -> Floats:
    """Phi, the correlation of 0/1 marks, (K, K), from the (K, K) counts of joint marks."""
    part = np.diag(together) / cells
    spread = np.sqrt(part * (1 - part))
    out: Floats = (together / cells - np.outer(part, part)) / np.outer(spread, spread)
    return out


FREQUENCIES = np.diag(TOGETHER) / CELLS
"""Part of the cells that carry each trait, (9,)."""
PHI = correlations(TOGETHER, CELLS)
"""Correlation of the marks, (9, 9)."""


def both(first: Floats, second: Floats, correlation: Floats) -> Floats:
    """Probability that two standard normals of a correlation exceed two thresholds.

    By Gauss-Legendre quadrature over the correlation's arcsine: Drezner and Wesolowsky 1990
    (10.1080/00949659008811236) as rearranged by Genz 2004 (10.1023/B:STCO.0000035304.20635.31).
    """
    half = np.arcsin(correlation)[..., None] / 2
    sine, square = np.sin(half * (_NODES + 1)), np.cos(half * (_NODES + 1)) ** 2
    h, k = np.asarray(first)[..., None], np.asarray(second)[..., None]
    density = np.exp(-(h * h + k * k - 2 * h * k * sine) / (2 * square))
    area = (density * _WEIGHTS).sum(axis=-1) * half[..., 0] / (2 * np.pi)
    out: Floats = ndtr(-first) * ndtr(-second) + area
    return out


def tetrachoric(frequencies: Floats, phi: Floats) -> Floats:
    """Correlations (K, K) of normals whose marks have these frequencies (K,) and phi (K, K).

    Solved pair by pair by bisection. The result may fail to be positive definite.

    Raises:
        ValueError: two marks of these frequencies cannot be correlated so strongly.
    """
    i, j = np.triu_indices(len(frequencies), 1)
    p, q = frequencies[i], frequencies[j]
    h, k = -ndtri(p), -ndtri(q)
    wanted = phi[i, j] * np.sqrt(p * (1 - p) * q * (1 - q)) + p * q
    impossible = (wanted <= np.maximum(0, p + q - 1)) | (wanted >= np.minimum(p, q))
    if impossible.any():
        a, b = i[impossible][0], j[impossible][0]
        raise ValueError(
            f"marks {a} and {b} cannot have a phi correlation of {phi[a, b]:.3f} "
            f"at frequencies {frequencies[a]:.3f} and {frequencies[b]:.3f}."
        )
    low, high = np.full(len(i), -1.0), np.full(len(i), 1.0)
    for _ in range(52):
        middle = (low + high) / 2
        above = both(h, k, middle) > wanted
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    out = np.eye(len(frequencies))
    out[i, j] = out[j, i] = (low + high) / 2
    return out


@lru_cache(maxsize=1)
def latent_root() -> Floats:
    """Lower Cholesky root (9, 9) of the latent correlations.

    They are positive definite as they come (least eigenvalue 0.017), so nothing is repaired.
    """
    return np.asarray(np.linalg.cholesky(tetrachoric(FREQUENCIES, PHI)), float)


def draw_traits(rng: np.random.Generator, count: int, frequencies: Floats) -> Strengths:
    """Strengths (count, 9) from 0 to 1 of traits; `MARKED` and above counts as present.

    Args:
        rng: source of randomness.
        count: how many nuclei.
        frequencies: (9,) how often each trait is present. At `FREQUENCIES` the marks correlate
            as `PHI`; at others the latent correlations stay, and none is present at 0.
    """
    latent = rng.standard_normal((count, len(TRAITS))) @ latent_root().T
    with np.errstate(invalid="ignore"):
        out: Strengths = ndtr((latent + ndtri(frequencies)) / _GRADE_SPREAD).astype(np.float32)
    return out
