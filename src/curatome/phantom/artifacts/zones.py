"""Where the scanner missed the plane of focus: bands along its way, and patches."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.artifacts.artifact import Artifact, Grid, Ground, Request, around
from curatome.phantom.artifacts.blot import Blot, depth_in_blot, uneven_blot
from curatome.phantom.optics import Planes

Floats = NDArray[np.float64]


def _peak(request: Request, rng: np.random.Generator) -> float:
    """Greatest blur, µm: 0.8 at the weakest, 7 at the strongest."""
    return float(rng.uniform(0.9, 1.1)) * (0.8 + 5.6 * request.strength)


def make_band(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A band from edge to edge, with blur that grows over its borders."""
    width, height = ground.size
    upright = rng.random() < 0.5
    across = width if upright else height
    half = across * rng.uniform(0.06, 0.12)
    left, top, right, bottom = ground.tissue.bounds
    low, high = (left, right) if upright else (top, bottom)
    middle = rng.uniform(low + 0.2 * (high - low), high - 0.2 * (high - low))
    box = (middle - half, -1.0, middle + half, height + 1.0)
    if not upright:
        box = (-1.0, middle - half, width + 1.0, middle + half)
    fade = half * rng.uniform(0.3, 0.9)
    outline = shapely.box(*box)
    return [
        Artifact(
            kind=request.kind,
            strength=request.strength,
            outline=outline.intersection(ground.frame),
            shape=None,
            bounds=around(outline, fade),
            blur_um=_peak(request, rng),
        )
    ]


def make_patch(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A patch over the tissue, worst in its middle, as where a section is not flat."""
    left, top, right, bottom = ground.tissue.bounds
    center = np.array([rng.uniform(left, right), rng.uniform(top, bottom)]) * 0.6 + 0.2 * np.array(
        [left + right, top + bottom]
    )
    radius = min(ground.size) * rng.uniform(0.14, 0.26)
    blot = uneven_blot(rng, center, float(radius), 0.16, 5)
    fade = float(blot.radii.min()) * 0.6
    return [
        Artifact(
            kind=request.kind,
            strength=request.strength,
            outline=blot.polygon().intersection(ground.frame),
            shape=blot,
            bounds=around(blot.polygon(), fade),
            blur_um=_peak(request, rng),
        )
    ]


def blur_band(artifact: Artifact, grid: Grid, sigma: Planes) -> None:
    """Raise the (H, W) blur (µm) in a band: half its peak on the outline, fading to both sides."""
    left, top, right, bottom = artifact.bounds
    x = grid[0] + grid[2] * np.arange(sigma.shape[1])
    y = grid[1] + grid[2] * np.arange(sigma.shape[0])
    inner_left, inner_top, inner_right, inner_bottom = artifact.outline.bounds
    if inner_right - inner_left < inner_bottom - inner_top:
        fade, place = inner_left - left, np.minimum(x - left, right - x)[None, :]
    else:
        fade, place = inner_top - top, np.minimum(y - top, bottom - y)[:, None]
    share = np.clip(place / (2 * fade), 0, 1)
    np.maximum(sigma, (artifact.blur_um * share).astype(np.float32), out=sigma)


def blur_patch(artifact: Artifact, grid: Grid, sigma: Planes) -> None:
    """Raise the (H, W) blur (µm) in a patch: half its peak on the outline, fading both ways."""
    blot = artifact.shape
    assert isinstance(blot, Blot)
    fade = float(blot.radii.min()) * 0.6
    depth = np.empty(sigma.shape, np.float32)
    if depth_in_blot(blot.center, blot.radii, grid, fade, depth):
        share = np.clip((depth + fade) / (2 * fade), 0, 1)
        share = 0.5 - 0.5 * np.cos(math.pi * share)
        np.maximum(sigma, (artifact.blur_um * share).astype(np.float32), out=sigma)
