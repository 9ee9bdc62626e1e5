"""Dirt on the glass: specks and fibers, in and out of focus."""

from __future__ import annotations

import math

import numpy as np
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
from curatome.phantom.artifacts.ribbon import Ribbon, along_ribbon, uneven_half
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, ramp, sample

Floats = NDArray[np.float64]

_MOST = 300
_SHARP_UM, _SOFT_UM = 0.5, 9.0
_THREADS = ("#3c4a78", "#5a5550", "#7a4a52", "#404040")


def _softness(rng: np.random.Generator) -> float:
    """How far (µm) an edge is smeared: half of all dirt lies near the plane of focus."""
    return _SHARP_UM if rng.random() < 0.5 else float(rng.uniform(2.0, _SOFT_UM))


def make_dust(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """Specks of 3 to 30 µm, more of the small ones, anywhere on the glass."""
    area_mm2 = ground.size[0] * ground.size[1] / 1e6
    mean = min(_MOST, 3 + area_mm2 * (1.0 + 8.0 * request.strength))
    specks = []
    for _ in range(max(1, int(rng.poisson(mean)))):
        radius = float(np.clip(1.6 * rng.pareto(1.6) + 1.6, 1.6, 16.0))
        center = rng.uniform(0, 1, 2) * ground.size
        blot = uneven_blot(rng, center, radius, 0.28, 9)
        soft = _softness(rng)
        specks.append(
            Artifact(
                kind=request.kind,
                strength=request.strength,
                outline=blot.polygon().intersection(ground.frame),
                shape=blot,
                bounds=around(blot.polygon(), soft + 1.0),
                texture=texture_origin(rng),
                blur_um=soft,
            )
        )
    return specks


def make_fibers(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """One to seven textile fibers, curled, up to a millimeter long."""
    fibers = []
    for _ in range(1 + int(rng.poisson(3 * request.strength))):
        length = float(rng.uniform(0.12, 0.35)) * min(3000.0, *ground.size)
        steps = 80
        curl = np.cumsum(rng.normal(0, 0.10, steps)) + rng.normal(0, 0.02) * np.arange(steps)
        turn = rng.uniform(0, 2 * math.pi) + curl
        way = np.cumsum(np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0) * length / steps
        points = way - way.mean(axis=0) + rng.uniform(0.1, 0.9, 2) * ground.size
        half = float(rng.uniform(2.0, 5.0) + 3.0 * request.strength)
        ribbon, soft = Ribbon(points, uneven_half(rng, half, steps, 0.10, 0.0)), _softness(rng)
        fibers.append(
            Artifact(
                kind=request.kind,
                strength=request.strength,
                outline=ribbon.polygon().intersection(ground.frame),
                shape=ribbon,
                bounds=around(ribbon.polygon(), 2 * soft + half),
                texture=texture_origin(rng),
                color=_THREADS[int(rng.integers(len(_THREADS)))],
                blur_um=soft,
            )
        )
    return fibers


@compiled
def _speck(
    field: Texture, depth: NDArray[np.float32], look: Floats, grid: Grid, pixels: Pixels
) -> None:
    """A speck on (H, W, 3): dark, with a glint where it is in focus."""
    soft, strength, radius = look[0], look[1], look[2]
    u0, v0 = look[3], look[4]
    x0, y0, mpp = grid
    darkest = (0.70 + 0.28 * strength) * min(1.0, radius / (0.7 * soft))
    factor = np.empty(3)
    for j in range(pixels.shape[0]):
        for i in range(pixels.shape[1]):
            d = depth[j, i]
            cover = ramp(-soft, soft, d)
            if cover <= 0.0:
                continue
            cover = cover * cover * (3.0 - 2.0 * cover)
            grain = sample(field, (x0 + i * mpp) / 0.9 + u0, (y0 + j * mpp) / 0.9 + v0)
            glint = 0.55 * ramp(0.55, 0.85, grain) * ramp(0.35 * radius, 0.8 * radius, d)
            dark = darkest * cover * (1.0 - (glint if soft < 1.0 else 0.0))
            halo = 0.10 * ramp(-2.5 * soft, -soft, d) if soft < 1.0 else 0.0
            factor[0] = 1.0 - dark + halo * (1.0 - cover)
            factor[1], factor[2] = 1.0 - 1.01 * dark, 1.0 - 1.04 * dark
            dimmed(pixels, j, i, factor)


@compiled
def _thread(
    field: Texture, where: NDArray[np.float32], look: Floats, tint: Floats, pixels: Pixels
) -> None:
    """A fiber on (H, W, 3): two dark edges and a lighter core, as a glass rod shows them."""
    half, soft, strength, u0, v0 = look[0], look[1], look[2], look[3], look[4]
    spread = soft / half
    factor = np.empty(3)
    for j in range(pixels.shape[0]):
        for i in range(pixels.shape[1]):
            ratio = where[0, j, i]
            cover = ramp(1.0 + spread, max(0.0, 1.0 - spread), ratio)
            if cover <= 0.0:
                continue
            along = where[1, j, i]
            edges = 0.45 + 0.55 * ramp(0.25, 0.75, ratio) if soft < 1.0 else 0.75
            knots = 0.8 + 0.4 * sample(field, along / 5.0 + u0, where[2, j, i] / 3.0 + v0)
            dark = (0.50 + 0.45 * strength) * cover * edges * knots / (1.0 + 0.8 * spread)
            for channel in range(3):
                factor[channel] = max(0.03, 1.0 - dark * (1.0 - 0.5 * tint[channel]))
            dimmed(pixels, j, i, factor)


def settle_dust(artifact: Artifact, field: Texture, grid: Grid, pixels: Pixels) -> None:
    """Draw a speck over the (H, W, 3) pixels of a block."""
    blot = artifact.shape
    assert isinstance(blot, Blot)
    depth = np.empty(pixels.shape[:2], np.float32)
    soft = artifact.blur_um
    if depth_in_blot(blot.center, blot.radii, grid, soft + 1.0, depth):
        radius = float(np.median(blot.radii))
        look = np.array([soft, artifact.strength, radius, *artifact.texture])
        _speck(field, depth, look, grid, pixels)


def settle_fiber(artifact: Artifact, field: Texture, grid: Grid, pixels: Pixels) -> None:
    """Draw a fiber over the (H, W, 3) pixels of a block."""
    ribbon = artifact.shape
    assert isinstance(ribbon, Ribbon)
    half = float(ribbon.half.mean())
    where = np.empty((3, *pixels.shape[:2]), np.float32)
    if along_ribbon(ribbon.points, ribbon.half, grid, 1.05 + artifact.blur_um / half, where):
        look = np.array([half, artifact.blur_um, artifact.strength, *artifact.texture])
        tint = np.array([int(artifact.color[k : k + 2], 16) / 255 for k in (1, 3, 5)])
        _thread(field, where, look, tint, pixels)
