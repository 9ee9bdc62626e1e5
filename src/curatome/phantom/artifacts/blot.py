"""Closed spots seen from their middle: bubbles, dust, blurred patches, blood."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled

Floats = NDArray[np.float64]

STEPS = 128


@dataclass(frozen=True)
class Blot:
    """A spot.

    Attributes:
        center: (2,), µm.
        radii: (128,), distance of the rim at equal angles from the x axis, µm.
    """

    center: Floats
    radii: Floats

    def polygon(self) -> shapely.Geometry:
        """What it covers, µm."""
        turn = 2 * math.pi * np.arange(STEPS) / STEPS
        rim = self.center + self.radii[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return shapely.make_valid(shapely.Polygon(rim))


def uneven_blot(
    rng: np.random.Generator, center: Floats, radius: float, rough: float, harmonics: int
) -> Blot:
    """A spot of about `radius` µm whose rim sways by about the fraction `rough`."""
    turn = 2 * math.pi * np.arange(STEPS) / STEPS
    sway = np.zeros(STEPS)
    for k in range(2, 2 + harmonics):
        sway += rng.normal(0, 1) / (k - 1) * np.cos(k * turn + rng.uniform(0, 2 * math.pi))
    return Blot(np.asarray(center, float), radius * np.exp(np.clip(rough * sway, -1.0, 1.0)))


@compiled
def depth_in_blot(
    center: Floats,
    radii: Floats,
    grid: tuple[float, float, float],
    limit: float,
    out: NDArray[np.float32],
) -> bool:
    """How deep (µm) each pixel lies within a spot; below zero outside, `-limit` beyond it.

    The distance is measured towards the middle and set right by the rim's slope.

    Args:
        center: (2,), µm.
        radii: (K,), µm.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        limit: how far to look outside, µm.
        out: (H, W), written.

    Returns:
        Whether any pixel lies less than `limit` outside.
    """
    height, width = out.shape
    x0, y0, mpp = grid
    steps = radii.shape[0]
    out[:] = np.float32(-limit)
    reach = 0.0
    for k in range(steps):
        reach = max(reach, radii[k])
    reach += limit
    left = max(0, math.floor((center[0] - reach - x0) / mpp))
    right = min(width - 1, math.ceil((center[0] + reach - x0) / mpp))
    top = max(0, math.floor((center[1] - reach - y0) / mpp))
    bottom = min(height - 1, math.ceil((center[1] + reach - y0) / mpp))
    found = False
    for j in range(top, bottom + 1):
        dy = y0 + j * mpp - center[1]
        for i in range(left, right + 1):
            dx = x0 + i * mpp - center[0]
            place = (math.atan2(dy, dx) / (2.0 * math.pi) % 1.0) * steps
            k = int(place) % steps
            low, high = radii[k], radii[(k + 1) % steps]
            rim = low + (place - math.floor(place)) * (high - low)
            slope = (high - low) * steps / (2.0 * math.pi * rim)
            depth = (rim - math.hypot(dx, dy)) / math.sqrt(1.0 + slope * slope)
            if depth > -limit:
                out[j, i] = np.float32(depth)
                found = True
    return found
