"""What the fit of an outline amounts to: too wide, too small, beside its object.

Each score is a logistic function of what `parts` gives. Its weights were fitted to outlines moved
on purpose, on every third of the 82 images of dsb2018-brightfield (logistic regression with a
ridge of 10 on standardized parts, outlines with the fault and without it of equal weight in all;
those moved the other way have it not);
`python -m benchmarks.outlines --fit` fits them again, and without it reports what they do on the
other images.
"""

from __future__ import annotations

import numpy as np

from curatome.rules.clean.fit import Fit
from curatome.rules.clean.likeness import Floats

# fmt: off
_LOOSE = np.array([
    -0.35,
    0.95, -0.25, -9.77, 2.60,
    3.44, 0.64, -6.06, 4.57, 2.31, -7.16, -2.75, 1.47,
])
_TIGHT = np.array([
    -0.01,
    -1.25, -0.19, -1.97, 1.72,
    -0.09, -1.63, 1.59, -4.05, -2.06, 11.20, 0.89, -0.21,
])
_BESIDE = np.array([
    -0.64,
    -0.16, -0.44, -7.28, 6.78,
    -0.76, 3.50, -5.69, -4.77, 6.18, 2.63, -1.83, 0.85,
    1.09, 0.99,
])
# fmt: on


def parts(fit: Fit) -> Floats:
    """(M, 12) offset and misfit in px, drops of likeness across line and edge, likeness across."""
    return np.column_stack([fit.offset, fit.misfit, fit.at_line, fit.at_edge, fit.across])


def parts_beside(fit: Fit) -> Floats:
    """(M, 14) `parts`, how far the line is shifted in px, and likeness beyond a quarter of it."""
    return np.column_stack([parts(fit), np.hypot(fit.shift[:, 0], fit.shift[:, 1]), fit.beyond])


def looseness(fit: Fit) -> Floats:
    """(M,) how surely a line runs outside its object, 0 to 1."""
    return _logistic(_LOOSE[0] + parts(fit) @ _LOOSE[1:])


def tightness(fit: Fit) -> Floats:
    """(M,) how surely a line runs inside its object, 0 to 1."""
    return _logistic(_TIGHT[0] + parts(fit) @ _TIGHT[1:])


def displacement(fit: Fit) -> Floats:
    """(M,) how surely a line lies beside its object, 0 to 1."""
    return _logistic(_BESIDE[0] + parts_beside(fit) @ _BESIDE[1:])


def doubt(fit: Fit) -> Floats:
    """(M,) how much of an edge is lacking along a line, 0 to 1: ranks outlines for whatever fault.

    It ranks better than the scores do, which know the three faults only: what people corrected was
    as often no object at all, or two.
    """
    out: Floats = np.clip(1 - fit.at_line, 0, 1)
    return out


def _logistic(value: Floats) -> Floats:
    out: Floats = 1 / (1 + np.exp(-np.clip(value, -50, 50)))
    return out
