"""The edge of the coverslip: a straight line, squeezed-out mounting medium, bare tissue beyond."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.artifacts.artifact import (
    Artifact,
    Grid,
    Ground,
    Pixels,
    Request,
    around,
    texture_origin,
)
from curatome.phantom.artifacts.light import dimmed
from curatome.phantom.artifacts.ribbon import Ribbon
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, ramp, sample
from curatome.phantom.optics import Planes

Floats = NDArray[np.float64]

_BLUR_UM = 3.0


def make_edge(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A nearly straight cut along one side of the scan; what lies beyond it is not covered."""
    width, height = ground.size
    side = int(rng.integers(4))
    far = rng.uniform(0.05, 0.10 + 0.08 * request.strength) * (width if side < 2 else height)
    lean = math.tan(math.radians(rng.normal(0, 0.8)))
    if side < 2:
        x = far if side == 0 else width - far
        ends = np.array([[x, 0.0], [x + lean * height, height]])
    else:
        y = far if side == 2 else height - far
        ends = np.array([[0.0, y], [width, y + lean * width]])
    # The covered part lies to the right of the line as it runs.
    way = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
    aside = np.array([-way[1], way[0]])
    if (np.array([width, height]) / 2 - ends[0]) @ aside < 0:
        ends, aside = ends[::-1], -aside
    beyond = shapely.Polygon([*ends, ends[1] - 2 * far * aside, ends[0] - 2 * far * aside])
    return [
        Artifact(
            kind=request.kind,
            strength=request.strength,
            outline=beyond.buffer(1.0).intersection(ground.frame),
            shape=Ribbon(ends, np.full(2, 12.0)),
            bounds=around(beyond, 40.0),
            texture=texture_origin(rng),
            blur_um=_BLUR_UM * request.strength,
        )
    ]


def _covered(artifact: Artifact) -> Floats:
    """The line as (4,): a point on it and the unit vector towards the covered part."""
    assert isinstance(artifact.shape, Ribbon)
    start, end = artifact.shape.points
    way = (end - start) / np.hypot(*(end - start))
    return np.array([start[0], start[1], -way[1], way[0]])


@compiled
def _edge(field: Texture, line: Floats, look: Floats, grid: Grid, pixels: Pixels) -> None:
    """Glass edge, rim of mounting medium and bare, veiled tissue on (H, W, 3)."""
    strength, u0, v0 = look[0], look[1], look[2]
    x0, y0, mpp = grid
    factor = np.empty(3)
    for j in range(pixels.shape[0]):
        for i in range(pixels.shape[1]):
            x, y = x0 + i * mpp, y0 + j * mpp
            d = (x - line[0]) * line[2] + (y - line[1]) * line[3]
            if d > 30.0:
                continue
            along = (x - line[0]) * line[3] - (y - line[1]) * line[2]
            chips = 3.0 * ramp(0.72, 0.95, sample(field, along / 5.0 + u0, v0))
            d += chips + 1.5 * (sample(field, along / 40.0 + u0, v0 + 9.0) - 0.5)
            cut = ramp(-5.0, -1.0, d) * ramp(5.0, 1.0, d)
            fringe = ramp(4.0, 8.0, d) * ramp(16.0, 9.0, d)
            value = 1.0 - (0.35 + 0.45 * strength) * cut + 0.05 * fringe
            amber, veil = 0.0, 0.0
            if d < 0.0:
                swell = sample(field, along / 130.0 + u0, v0) + 0.35 * sample(
                    field, along / 31.0 + u0, v0
                )
                rim = -18.0 - (60.0 + 120.0 * strength) * swell
                medium = ramp(rim - 2.0, rim + 3.0, d)
                line_dark = ramp(rim - 3.5, rim, d) * ramp(rim + 6.0, rim + 1.0, d)
                glow = ramp(rim + 5.0, rim + 10.0, d) * ramp(rim + 24.0, rim + 12.0, d)
                value *= 1.0 - (0.25 + 0.35 * strength) * line_dark
                value += 0.05 * glow
                amber = strength * medium * (0.55 + 0.45 * ramp(rim + 60.0, rim, d))
                veil = (0.06 + 0.20 * strength) * (1.0 - medium)
                value *= 1.0 - 0.07 * strength * (1.0 - medium)
            tint_g, tint_b = 1.0 - 0.035 * amber, 1.0 - 0.11 * amber
            for channel in range(3):
                level = pixels[j, i, channel]
                veiled = level + veil * (200.0 - level)
                factor[channel] = value * veiled / max(1.0, float(level))
            factor[1] *= tint_g
            factor[2] *= tint_b
            dimmed(pixels, j, i, factor)


def draw_edge(artifact: Artifact, field: Texture, grid: Grid, pixels: Pixels) -> None:
    """Draw the edge and what lies beyond it over the (H, W, 3) pixels of a block."""
    look = np.array([artifact.strength, *artifact.texture])
    _edge(field, _covered(artifact), look, grid, pixels)


def unfocus_bare(artifact: Artifact, grid: Grid, sigma: Planes) -> None:
    """Raise the (H, W) blur (µm) where no glass covers the tissue."""
    line = _covered(artifact)
    x = grid[0] + grid[2] * np.arange(sigma.shape[1])
    y = grid[1] + grid[2] * np.arange(sigma.shape[0])
    d = (x[None, :] - line[0]) * line[2] + (y[:, None] - line[1]) * line[3]
    bare = artifact.blur_um * np.clip(-d / 30.0, 0, 1)
    np.maximum(sigma, bare.astype(np.float32), out=sigma)
