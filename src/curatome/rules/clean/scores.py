"""What the fit of an outline amounts to: too wide, too small, beside its object.

Each score is a logistic function of a few parts of the fit, 0 to 1. Its weights were fitted to
outlines moved on purpose, on every third of the 82 images of dsb2018-brightfield;
`benchmarks/outlines.py` reports it on the others.
"""

from __future__ import annotations

import numpy as np

from curatome.rules.clean.fit import Fit
from curatome.rules.clean.likeness import Floats


def looseness(fit: Fit) -> Floats:
    """(M,) how surely a line runs outside its object, 0 to 1."""
    rise = fit.inner - fit.deeper  # likeness is lower beside the line than a px further in
    band = 0.47 * fit.inner + 12.52 * rise
    return _logistic(1.03 * fit.offset - 11.91 * fit.at_line + band + 1.11)


def tightness(fit: Fit) -> Floats:
    """(M,) how surely a line runs inside its object, 0 to 1."""
    return _logistic(-1.90 * fit.offset - 10.83 * fit.at_line + 2.73)


def displacement(fit: Fit) -> Floats:
    """(M,) how surely a line lies beside its object, 0 to 1."""
    shift = np.hypot(fit.shift[:, 0], fit.shift[:, 1])
    return _logistic(1.55 * shift - 5.36 * fit.at_line + 1.77 * fit.beyond - 0.74)


def doubt(fit: Fit) -> Floats:
    """(M,) how surely a line is wrong in any of these ways, 0 to 1: for ranking."""
    out: Floats = np.maximum.reduce([looseness(fit), tightness(fit), displacement(fit)])
    return out


def _logistic(value: Floats) -> Floats:
    out: Floats = 1 / (1 + np.exp(-np.clip(value, -50, 50)))
    return out
