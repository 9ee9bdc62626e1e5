"""Bent lines whose width changes along them: pen strokes, folds, tears, fibers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ribbon:
    """A bent line with a width.

    Attributes:
        points: (N, 2), µm.
        half: (N,), half the width at each point, µm.
    """

    points: Floats
    half: Floats

    def polygon(self) -> shapely.Geometry:
        """What it covers, µm."""
        disks = shapely.buffer(shapely.points(self.points), self.half, quad_segs=6)
        pairs = shapely.geometrycollections(np.stack([disks[:-1], disks[1:]], axis=1))
        return shapely.union_all(shapely.convex_hull(pairs))


def bent_line(rng: np.random.Generator, start: Floats, end: Floats, bend: float) -> Floats:
    """28 points (28, 2) from start to end, swerving by about `bend` of the length."""
    t = np.linspace(0, 1, 28)[:, None]
    across = np.array([-(end - start)[1], (end - start)[0]])
    waves = sum(
        rng.normal(0, bend / k) * np.sin(k * math.pi * t + rng.uniform(0, 1)) for k in (1, 2, 3)
    )
    out: Floats = start + t * (end - start) + waves * across
    return out


def uneven_half(
    rng: np.random.Generator, half: float, points: int, uneven: float, taper: float
) -> Floats:
    """Half widths (N,): `half`, unsteady by the fraction `uneven`, thinner towards both ends.

    Args:
        rng: decides.
        half: µm.
        points: how many.
        uneven: standard deviation as a fraction of `half`.
        taper: 0 for blunt ends, 1 for ends that run out to a point.
    """
    t = np.linspace(0, 1, points)
    waves = sum(np.sin(2 * math.pi * (k * t + rng.random())) / k for k in (1, 2, 3, 5))
    ends = 1 - taper * (1 - np.sqrt(np.sin(math.pi * np.clip(t, 0.02, 0.98))))
    out: Floats = half * ends * np.clip(1 + uneven * waves, 0.3, 1.7)
    return out


@compiled
def along_ribbon(
    points: Floats,
    half: Floats,
    grid: tuple[float, float, float],
    limit: float,
    out: NDArray[np.float32],
) -> bool:
    """Where each pixel lies with respect to a ribbon.

    Args:
        points: (N, 2), µm.
        half: (N,), µm.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        limit: how far to look, in half widths.
        out: (3, H, W), written: distance from the line in half widths (`limit` beyond it), way
            along the line and signed distance from the straight on through its nearest part, µm.

    Returns:
        Whether any pixel is nearer than `limit`.
    """
    _, height, width = out.shape
    x0, y0, mpp = grid
    out[0] = np.float32(limit)
    found, passed, last = False, 0.0, points.shape[0] - 2
    for n in range(points.shape[0] - 1):
        ax, ay, bx, by = points[n, 0], points[n, 1], points[n + 1, 0], points[n + 1, 1]
        wide = limit * max(half[n], half[n + 1])
        left = max(0, math.floor((min(ax, bx) - wide - x0) / mpp))
        right = min(width - 1, math.ceil((max(ax, bx) + wide - x0) / mpp))
        top = max(0, math.floor((min(ay, by) - wide - y0) / mpp))
        bottom = min(height - 1, math.ceil((max(ay, by) + wide - y0) / mpp))
        squared = (bx - ax) ** 2 + (by - ay) ** 2
        length = math.sqrt(squared)
        for j in range(top, bottom + 1):
            for i in range(left, right + 1):
                px, py = x0 + i * mpp - ax, y0 + j * mpp - ay
                straight = (px * (bx - ax) + py * (by - ay)) / squared
                t = min(1.0, max(0.0, straight))
                distance = math.hypot(px - t * (bx - ax), py - t * (by - ay))
                ratio = distance / (half[n] + t * (half[n + 1] - half[n]))
                if ratio < out[0, j, i]:
                    if (n == 0 and straight < t) or (n == last and straight > t):
                        t = straight  # beyond the ends the way goes on, so that no seam shows
                    out[0, j, i] = np.float32(ratio)
                    out[1, j, i] = np.float32(passed + t * length)
                    out[2, j, i] = np.float32((px * (by - ay) - py * (bx - ax)) / length)
                    found = True
        passed += length
    return found
