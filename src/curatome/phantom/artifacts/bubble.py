"""Air under the coverslip: a dark rim, a bright line within it, and tissue out of focus."""

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
from curatome.phantom.artifacts.blot import Blot, depth_in_blot, uneven_blot
from curatome.phantom.artifacts.light import dimmed
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, ramp, sample
from curatome.phantom.optics import Planes

Floats = NDArray[np.float64]

_OUTSIDE_UM = 8.0
_BLUR_UM = 5.0
_SMALLEST_UM = 18.0


def _rim_width(radius: float) -> float:
    """Width of the dark rim, µm: it grows with the bubble's height, so with its size."""
    return min(26.0, 3.0 + 0.055 * radius)


def make_bubbles(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """One large bubble over the tissue's middle or border and up to five small ones near it."""
    side = min(ground.size)
    radius = min(900.0, (0.05 + 0.11 * request.strength) * side) * rng.uniform(0.8, 1.1)
    left, top, right, bottom = ground.tissue.bounds
    turn, far = rng.uniform(0, 2 * math.pi), rng.uniform(0.15, 0.8)
    center = np.array([left + right, top + bottom]) / 2
    center = center + far * np.array([right - left, bottom - top]) / 2 * [
        math.cos(turn),
        math.sin(turn),
    ]
    blots = [uneven_blot(rng, center, float(radius), 0.05 + 0.10 * rng.random(), 4)]
    for _ in range(int(rng.integers(0, 6))):
        turn, small = rng.uniform(0, 2 * math.pi), radius * rng.uniform(0.07, 0.3)
        away = radius * rng.uniform(1.5, 2.6)
        place = center + away * np.array([math.cos(turn), math.sin(turn)])
        blot = uneven_blot(rng, place, max(_SMALLEST_UM, float(small)), 0.02, 3)
        if all(not blot.polygon().intersects(other.polygon()) for other in blots):
            blots.append(blot)
    return [
        _bubble(request, ground, blot, rng)
        for blot in blots
        if blot.polygon().intersects(ground.frame)
    ]


def _bubble(request: Request, ground: Ground, blot: Blot, rng: np.random.Generator) -> Artifact:
    outline: shapely.Geometry = blot.polygon()
    return Artifact(
        kind=request.kind,
        strength=request.strength,
        outline=outline.intersection(ground.frame),
        shape=blot,
        bounds=around(outline, _OUTSIDE_UM),
        texture=texture_origin(rng),
        blur_um=_BLUR_UM * (0.4 + 0.6 * request.strength),
    )


@compiled
def _refract(
    field: Texture, depth: NDArray[np.float32], look: Floats, grid: Grid, pixels: Pixels
) -> None:
    """Rim, bright line and haze of a bubble on (H, W, 3)."""
    rim, strength, u0, v0 = look[0], look[1], look[2], look[3]
    x0, y0, mpp = grid
    factor = np.empty(3)
    for j in range(pixels.shape[0]):
        for i in range(pixels.shape[1]):
            d = depth[j, i]
            if d <= -8.0:
                continue
            x, y = x0 + i * mpp, y0 + j * mpp
            wide = rim * (0.75 + 0.5 * sample(field, x / 60.0 + u0, y / 60.0 + v0))
            if d < 0.0:
                # The halo of Becke's line: a little light is lost outside, then gained.
                value = 1.0 - 0.35 * ramp(-2.5, 0.0, d) + 0.05 * ramp(-8, -5, d) * ramp(-2, -5, d)
            else:
                dark = ramp(1.15 * wide, 0.35 * wide, d)
                value = 1.0 - (0.62 + 0.30 * strength) * dark * dark * (3.0 - 2.0 * dark)
                value *= 0.65 + 0.35 * ramp(0.0, 1.2, d)
                bright = ramp(1.0 * wide, 1.35 * wide, d) * ramp(1.9 * wide, 1.45 * wide, d)
                value += 0.10 * bright
                value -= 0.08 * ramp(1.7 * wide, 2.1 * wide, d) * ramp(2.9 * wide, 2.2 * wide, d)
            haze = 0.10 * strength * ramp(wide, 2.5 * wide, d)
            for channel in range(3):
                level = pixels[j, i, channel]
                veiled = level + haze * (236.0 - level)
                factor[channel] = value * veiled / max(1.0, float(level))
            factor[2] *= 1.0 - 0.03 * ramp(2.0 * wide, wide, d) * ramp(-2.0, 0.0, d)
            dimmed(pixels, j, i, factor)


def refract(artifact: Artifact, field: Texture, grid: Grid, pixels: Pixels) -> None:
    """Draw a bubble's optics over the (H, W, 3) pixels of a block."""
    blot = artifact.shape
    assert isinstance(blot, Blot)
    depth = np.empty(pixels.shape[:2], np.float32)
    if depth_in_blot(blot.center, blot.radii, grid, _OUTSIDE_UM, depth):
        rim = _rim_width(float(np.median(blot.radii)))
        _refract(field, depth, np.array([rim, artifact.strength, *artifact.texture]), grid, pixels)


def unfocus(artifact: Artifact, grid: Grid, sigma: Planes) -> None:
    """Raise the (H, W) blur (µm) of the tissue that is seen through a bubble."""
    blot = artifact.shape
    assert isinstance(blot, Blot)
    depth = np.empty(sigma.shape, np.float32)
    if depth_in_blot(blot.center, blot.radii, grid, _OUTSIDE_UM, depth):
        rim = _rim_width(float(np.median(blot.radii)))
        np.maximum(sigma, artifact.blur_um * np.clip(depth / (2 * rim), 0, 1), out=sigma)
