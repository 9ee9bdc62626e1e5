"""Sections that were laid badly: folds (tissue twice or thrice as thick) and tears."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.artifacts.artifact import (
    Artifact,
    Grid,
    Ground,
    Request,
    around,
    texture_origin,
)
from curatome.phantom.artifacts.ribbon import Ribbon, along_ribbon, bent_line, uneven_half
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, ramp, sample
from curatome.phantom.optics import Planes

Floats = NDArray[np.float64]

_REACH = 1.6
"""Half widths to which a fold changes the tissue beside it."""
_BLUR_UM = 2.6


def _across_tissue(ground: Ground, rng: np.random.Generator, share: float, bend: float) -> Floats:
    """A bent line (28, 2) over `share` of the tissue's diagonal, near its middle."""
    left, top, right, bottom = ground.tissue.bounds
    center = np.array([left + right, top + bottom]) / 2
    turn = rng.uniform(0, math.pi)
    way = np.array([math.cos(turn), math.sin(turn)])
    aside = np.array([-way[1], way[0]]) * rng.uniform(-0.25, 0.25) * (bottom - top)
    length = share * math.hypot(right - left, bottom - top)
    return bent_line(rng, center + aside - 0.05 * length * way, center + aside + length * way, bend)


def make_fold(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A crease across part of the tissue, 18 to 44 µm wide and thinner towards its ends."""
    points = _across_tissue(ground, rng, 0.5, 0.05)
    half = float(rng.uniform(0.9, 1.1)) * (9.0 + 13.0 * request.strength)
    ribbon = Ribbon(points, uneven_half(rng, half, len(points), 0.13, 0.85))
    return [_in_tissue(request, ground, ribbon, rng, _BLUR_UM * request.strength)]


def make_tear(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A rip through part of the tissue, widest in its middle, with glass to be seen in it."""
    points = _across_tissue(ground, rng, 0.3, 0.09)
    half = float(rng.uniform(0.8, 1.2)) * (6.0 + 40.0 * request.strength)
    ribbon = Ribbon(points, uneven_half(rng, half, len(points), 0.22, 0.9))
    return [_in_tissue(request, ground, ribbon, rng, 0.0)]


def _in_tissue(
    request: Request, ground: Ground, ribbon: Ribbon, rng: np.random.Generator, blur_um: float
) -> Artifact:
    return Artifact(
        kind=request.kind,
        strength=request.strength,
        outline=ribbon.polygon().intersection(ground.tissue),
        shape=ribbon,
        bounds=around(ribbon.polygon(), float(ribbon.half.max()) * (_REACH - 1) + 1.0),
        texture=texture_origin(rng),
        blur_um=blur_um,
    )


@compiled
def _crease(
    field: Texture,
    where: NDArray[np.float32],
    look: Floats,
    inside: NDArray[np.int32],
    dyes: Planes,
) -> None:
    """Thicken the (3, H, W) dyes along a fold: layers, wrinkles, dark edges, a gap at one side."""
    half, strength, u0, v0 = look[0], look[1], look[2], look[3]
    edge = min(0.5, 3.5 / half)
    for j in range(inside.shape[0]):
        for i in range(inside.shape[1]):
            ratio = where[0, j, i]
            if ratio >= 1.6 or inside[j, i] < 0:
                continue
            along, across = where[1, j, i], where[2, j, i]
            wavy = ratio + 0.16 * (sample(field, along / 9.0 + u0, v0 + across / 60.0) - 0.5)
            if wavy < 1.0:
                cover = ramp(1.0, 1.0 - 0.6 * edge, wavy)
                wrinkle = sample(field, along / 34.0 + u0, across / 1.6 + v0)
                third = ramp(0.30, 0.36, sample(field, along / 50.0 + v0, across / 9.0 + u0))
                rim = ramp(1.0 - 2.2 * edge, 1.0 - 0.8 * edge, wavy)
                layers = 0.40 + 0.90 * strength * (0.55 + 0.45 * third)
                more = cover * (layers + 0.45 * (wrinkle - 0.35) + (0.2 + 0.4 * strength) * rim)
                dyes[0, j, i] = np.float32((dyes[0, j, i] + 0.14 * cover) * (1.0 + more))
                dyes[1, j, i] = np.float32((dyes[1, j, i] + 0.16 * cover) * (1.0 + more))
            elif across > 0.0:
                wide = 0.55 * strength * ramp(0.35, 0.8, sample(field, along / 26.0 + v0, u0))
                gap = ramp(1.0 + wide, 0.9 + 0.8 * wide, wavy) if wide > 0.05 else 0.0
                dyes[0, j, i] *= np.float32(1.0 - 0.85 * gap)
                dyes[1, j, i] *= np.float32(1.0 - 0.85 * gap)


@compiled
def _rip(
    field: Texture,
    where: NDArray[np.float32],
    look: Floats,
    inside: NDArray[np.int32],
    dyes: Planes,
) -> None:
    """Take the (3, H, W) dyes away along a tear and gather a little at its ragged edges."""
    half, u0, v0 = look[0], look[2], look[3]
    edge = min(0.4, 1.5 / half)
    for j in range(inside.shape[0]):
        for i in range(inside.shape[1]):
            ratio = where[0, j, i]
            if ratio >= 1.6 or inside[j, i] < 0:
                continue
            along, across = where[1, j, i], where[2, j, i]
            side = 0.0 if across > 0.0 else 99.0
            ragged = ratio + 0.34 * (sample(field, along / 4.5 + u0 + side, v0) - 0.5)
            ragged += 0.16 * (sample(field, along / 1.3 + u0 + side, v0 + 50.0) - 0.5)
            keep = ramp(1.0 - edge, 1.0, ragged)
            strand = ramp(0.90, 0.95, sample(field, along / 3.0 + v0, across / 30.0 + u0))
            keep = max(keep, 0.5 * strand * ramp(0.55, 0.8, ragged))
            gathered = keep * (1.0 + 0.5 * ramp(1.0 + 3 * edge, 1.0, ragged))
            dyes[0, j, i] *= np.float32(gathered)
            dyes[1, j, i] *= np.float32(gathered)


def _placed(artifact: Artifact, grid: Grid, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    ribbon = artifact.shape
    assert isinstance(ribbon, Ribbon)
    where = np.empty((3, *shape), np.float32)
    found = along_ribbon(ribbon.points, ribbon.half, grid, _REACH, where)
    return where if found else None


def _look(artifact: Artifact) -> Floats:
    assert isinstance(artifact.shape, Ribbon)
    return np.array([artifact.shape.half.mean(), artifact.strength, *artifact.texture])


def crease(
    artifact: Artifact, field: Texture, grid: Grid, inside: NDArray[np.int32], dyes: Planes
) -> None:
    """Fold the tissue of a block: (H, W) its pieces, -1 for none, and (3, H, W) dyes."""
    where = _placed(artifact, grid, inside.shape)
    if where is not None:
        _crease(field, where, _look(artifact), inside, dyes)


def rip(
    artifact: Artifact, field: Texture, grid: Grid, inside: NDArray[np.int32], dyes: Planes
) -> None:
    """Tear the tissue of a block: (H, W) its pieces, -1 for none, and (3, H, W) dyes."""
    where = _placed(artifact, grid, inside.shape)
    if where is not None:
        _rip(field, where, _look(artifact), inside, dyes)


def lift(artifact: Artifact, grid: Grid, sigma: Planes) -> None:
    """Raise the (H, W) blur (µm) where folded tissue stands above the plane of focus."""
    where = _placed(artifact, grid, sigma.shape)
    if where is not None:
        high = artifact.blur_um * np.clip((_REACH - where[0]) / (_REACH - 0.4), 0, 1)
        np.maximum(sigma, high.astype(np.float32), out=sigma)
