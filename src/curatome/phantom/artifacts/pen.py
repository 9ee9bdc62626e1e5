"""Marker on the coverslip: strokes, circles around lesions, dots, scribble, in any ink.

The ink lies above the plane of focus, so its own edges are soft; light passes it after it has
passed the tissue, and each stroke has an ink of its own.
"""

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
from curatome.phantom.artifacts.ribbon import Ribbon, along_ribbon, bent_line, uneven_half
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, ramp, sample

Floats = NDArray[np.float64]

INKS = {
    "black": "#191819",
    "blue": "#142da8",
    "green": "#177924",
    "red": "#c8142d",
    "purple": "#5b2a8c",
    "turquoise": "#0f8f9c",
    "orange": "#e8731a",
}
"""Inks at full strength on clean glass, the usual ones first."""
_SHARES = (0.30, 0.26, 0.18, 0.12, 0.06, 0.04, 0.04)
_DARKEST = 5.0
_REACH = 1.12
"""Half widths to which the frayed edge of a stroke can extend."""


def ink_density(color: str) -> Floats:
    """Optical density (3,) of ink that looks like #rrggbb on clean glass."""
    levels = np.array([int(color[k : k + 2], 16) for k in (1, 3, 5)], float)
    out: Floats = -np.log10(np.maximum(levels, _DARKEST) / 255)
    return out


def _inked(request: Request, rng: np.random.Generator) -> str:
    """The color asked for, or one of the inks by lot."""
    drawn = rng.choice(len(_SHARES), p=_SHARES)
    return request.color or tuple(INKS.values())[int(drawn)]


def _stroke(
    request: Request, ground: Ground, ribbon: Ribbon, color: str, rng: np.random.Generator
) -> Artifact:
    outline = ribbon.polygon().intersection(ground.frame)
    margin = float(ribbon.half.max()) * (_REACH - 1) + 1.0
    return Artifact(
        kind=request.kind,
        strength=request.strength,
        outline=outline,
        shape=ribbon,
        bounds=around(ribbon.polygon(), margin),
        texture=texture_origin(rng),
        color=color,
    )


def make_pen(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A stroke that comes in from an edge of the glass and runs over the border of the tissue."""
    size = np.array(ground.size)
    left, top, right, _ = ground.tissue.bounds
    side = left if rng.random() < 0.5 else right
    x = side + (0.10 if side == left else -0.10) * (right - left)
    start = np.array([x + rng.normal(0, 0.03) * size[0], -0.02 * size[1]])
    end = np.array([x + rng.normal(0, 0.06) * size[0], top + rng.uniform(0.5, 0.9) * size[1]])
    points = bent_line(rng, start, end, 0.06)
    half = min(float(rng.uniform(0.045, 0.06) * size[0]), 900.0) / 2
    ribbon = Ribbon(points, uneven_half(rng, half, len(points), 0.05, 0.15))
    return [_stroke(request, ground, ribbon, _inked(request, rng), rng)]


def _fine_half(ground: Ground, rng: np.random.Generator) -> float:
    """Half the width of a fine marker, µm, thinner on scans that are a small part of a glass."""
    return float(rng.uniform(0.9, 1.3)) * min(260.0, 0.016 * ground.size[0])


def make_circle(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A loop around the largest lesion, or around a part of the tissue where there is none."""
    half = _fine_half(ground, rng)
    area = max(ground.lesions, key=lambda lesion: float(lesion.area), default=None)
    if area is None:
        x, y = ground.tissue.representative_point().coords[0]
        area = shapely.Point(x, y).buffer(0.16 * min(ground.size))
    # The lesion's hull: a hand follows no bay.
    ring = area.convex_hull.buffer(3.5 * half + 0.01 * ground.size[0]).exterior
    first = rng.random()
    way = (first + np.linspace(0, 1.06, 72)) % 1.0
    points = shapely.get_coordinates(shapely.line_interpolate_point(ring, way, normalized=True))
    t = np.linspace(0, 2 * math.pi * 1.06, 72)
    for k in (1, 2, 3, 4):
        push = rng.normal(0, 0.7 * half / k, 2).clip(-half / k, half / k)
        points = points + push * np.sin(k * t / 1.06 + rng.uniform(0, 6))[:, None]
    # Where a loop is closed by hand, its end misses the start.
    points = points + np.linspace(0, 1, 72)[:, None] ** 3 * rng.uniform(-1.2, 1.2, 2) * half
    ribbon = Ribbon(points, uneven_half(rng, half, 72, 0.07, 0.0))
    return [_stroke(request, ground, ribbon, _inked(request, rng), rng)]


def make_dots(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """Three to seven dots in one ink along the border of what is to be seen."""
    color, half = _inked(request, rng), 1.3 * _fine_half(ground, rng)
    area = max(ground.lesions, key=lambda lesion: float(lesion.area), default=ground.tissue)
    ring = area.convex_hull.buffer(1.5 * half).exterior
    count, first = int(rng.integers(3, 8)), rng.random()
    pitch = rng.uniform(0.03, 0.05) if area is ground.tissue else 1 / count
    dots = []
    for n in range(count):
        way = (first + n * pitch * rng.uniform(0.85, 1.15)) % 1.0
        x, y = ring.interpolate(way, normalized=True).coords[0]
        smear = rng.normal(0, 0.35 * half, 2)
        points = np.array([[x, y], [x + smear[0], y + smear[1] + 0.5]])
        ribbon = Ribbon(points, half * rng.uniform(0.8, 1.15, 2))
        dots.append(_stroke(request, ground, ribbon, color, rng))
    return dots


def make_scribble(request: Request, ground: Ground, rng: np.random.Generator) -> list[Artifact]:
    """A word in a running hand, unreadable, on the glass beside or over the tissue."""
    half = 0.55 * _fine_half(ground, rng)
    letter, count = 11.0 * half, int(rng.integers(4, 8))
    t = np.linspace(0, count, 36 * count)
    tall = rng.uniform(0.5, 1.0, count + 1)
    loop = rng.uniform(0.25, 0.5, count + 1)
    height = np.interp(t, np.arange(count + 1), tall)
    width = np.interp(t, np.arange(count + 1), loop)
    turn = 2 * math.pi * t + rng.uniform(0, 6)
    pen = np.stack([t + width * np.sin(turn), height * np.cos(turn) * (1 + 0.3 * np.sin(3 * t))], 1)
    pen = letter * (pen + np.stack([0.25 * pen[:, 1], 0.10 * np.sin(t)], axis=1))
    lean = rng.uniform(-0.25, 0.25)
    pen = pen @ np.array([[math.cos(lean), math.sin(lean)], [-math.sin(lean), math.cos(lean)]])
    low, high = pen.min(axis=0), pen.max(axis=0)
    pen *= min(1.0, 0.8 * float(np.min(np.array(ground.size) / (high - low))))
    room = np.array(ground.size) - (pen.max(axis=0) - pen.min(axis=0))
    pen += room * [rng.uniform(0.1, 0.9), rng.choice([0.04, 0.96])] - pen.min(axis=0)
    ribbon = Ribbon(pen, uneven_half(rng, half, len(pen), 0.12, 0.4))
    return [_stroke(request, ground, ribbon, _inked(request, rng), rng)]


@compiled
def _lay(
    field: Texture,
    where: NDArray[np.float32],
    look: Floats,
    grid: Grid,
    job: tuple[Floats, Pixels],
) -> None:
    """Ink of density (3,) on (H, W, 3): streaky along the stroke, pooled at its rim."""
    density, pixels = job
    half, strength, u0, v0 = look[0], look[1], look[2], look[3]
    x0, y0, mpp = grid
    soft = min(0.35, 7.0 / half)
    factor = np.empty(3)
    for j in range(pixels.shape[0]):
        y = y0 + j * mpp
        for i in range(pixels.shape[1]):
            ratio, along, across = where[0, j, i], where[1, j, i], where[2, j, i]
            if ratio >= 1.12:
                continue
            x = x0 + i * mpp
            frayed = ratio + 0.11 * (sample(field, along / 22.0 + u0, v0 + across / 40.0) - 0.5)
            frayed += 0.05 * (sample(field, x / 7.0 + u0, y / 7.0 + v0) - 0.5)
            cover = ramp(1.0, 1.0 - soft, frayed)
            if cover <= 0.0:
                continue
            streak = sample(field, along / 160.0 + u0, 2.0 + across / 4.0 + v0)
            cloud = sample(field, x / 26.0 + u0, y / 26.0 + v0)
            clot = ramp(0.55, 1.0, sample(field, x / 1.9 + v0, y / 1.9 + u0))
            dry = ramp(0.93, 0.99, sample(field, along / 60.0 + v0, across / 3.0 + u0))
            tone = 0.40 + 0.62 * strength + 0.34 * (streak - 0.5) + 0.30 * (cloud - 0.5)
            tone += 0.14 * clot + 0.30 * ramp(0.70, 0.93, frayed)
            tone = max(0.12, tone) * (1.0 - 0.55 * (1.0 - strength) * dry)
            tone *= cover * (0.35 + 0.65 * cover)
            for channel in range(3):
                factor[channel] = 10.0 ** (-tone * density[channel])
            dimmed(pixels, j, i, factor)


def lay_ink(artifact: Artifact, field: Texture, grid: Grid, pixels: Pixels) -> None:
    """Lay a stroke over the (H, W, 3) pixels of a block."""
    ribbon = artifact.shape
    assert isinstance(ribbon, Ribbon)
    where = np.empty((3, *pixels.shape[:2]), np.float32)
    if along_ribbon(ribbon.points, ribbon.half, grid, _REACH, where):
        look = np.array([ribbon.half.mean(), artifact.strength, *artifact.texture])
        _lay(field, where, look, grid, (ink_density(artifact.color), pixels))
