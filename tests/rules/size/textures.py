"""Tissue whose texture is known, and regions on it."""

from __future__ import annotations

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter

from tests.rules.clean.pictures import stained


def textured(scale_px, seed=1, side=600):
    """Tissue whose stain varies over a known distance; 2 µm/px."""
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.standard_normal((side, side)), scale_px, mode="wrap")
    stain = 0.4 + 0.1 * field / field.std()
    return stained(np.maximum(stain, 0.02), np.full((side, side), 0.2), noise=0.0)


def squares(sides_um, mpp=2.0):
    """Squares in a row from the left, and one large one below."""
    out, x = [], 10.0
    for side in sides_um:
        out.append(shapely.box(x, 10, x + side / mpp, 10 + side / mpp))
        x += side / mpp + 10
    return [*out, shapely.box(10, 200, 590, 590)]
