"""Mishaps on the glass: pen strokes and folds, as bent lines with a width."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, ramp, sample
from curatome.phantom.optics import INKS
from curatome.phantom.plan import SlidePlan

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stroke:
    """A bent line.

    Attributes:
        kind: `pen` or `fold`.
        points: (N, 2), µm.
        width: µm.
        outline: what it covers, a shapely polygon in µm; a fold covers tissue only.
        ink: key of `optics.INKS`, or empty.
    """

    kind: str
    points: Floats
    width: float
    outline: shapely.Geometry
    ink: str = ""


def _bent_line(rng: np.random.Generator, start: Floats, end: Floats, bend: float) -> Floats:
    t = np.linspace(0, 1, 28)[:, None]
    across = np.array([-(end - start)[1], (end - start)[0]])
    waves = sum(
        rng.normal(0, bend / k) * np.sin(k * math.pi * t + rng.uniform(0, 1)) for k in (1, 2, 3)
    )
    out: Floats = start + t * (end - start) + waves * across
    return out


def _pen(plan: SlidePlan, tissue: shapely.Geometry, rng: np.random.Generator) -> Stroke:
    """A stroke that comes in from an edge of the glass and runs over the border of the tissue."""
    size = np.array([plan.width_um, plan.height_um])
    left, top, right, _ = tissue.bounds
    side = left if rng.random() < 0.5 else right
    x = side + (0.10 if side == left else -0.10) * (right - left)
    start = np.array([x + rng.normal(0, 0.03) * size[0], -0.02 * size[1]])
    end = np.array([x + rng.normal(0, 0.06) * size[0], top + rng.uniform(0.5, 0.9) * size[1]])
    points = _bent_line(rng, start, end, 0.06)
    width = float(rng.uniform(0.045, 0.06) * plan.width_um)
    frame = shapely.box(0, 0, *size)
    outline = shapely.LineString(points).buffer(width / 2).intersection(frame)
    return Stroke("pen", points, width, outline, tuple(INKS)[int(rng.integers(len(INKS)))])


def _fold(tissue: shapely.Geometry, rng: np.random.Generator) -> Stroke:
    """A crease across part of the tissue."""
    left, top, right, bottom = tissue.bounds
    center = np.array([left + right, top + bottom]) / 2
    turn = rng.uniform(0, math.pi)
    way = np.array([math.cos(turn), math.sin(turn)])
    aside = np.array([-way[1], way[0]]) * rng.uniform(-0.25, 0.25) * (bottom - top)
    length = 0.5 * math.hypot(right - left, bottom - top)
    start, end = center + aside - 0.05 * length * way, center + aside + length * way
    points = _bent_line(rng, start, end, 0.05)
    width = float(rng.uniform(26.0, 40.0))
    outline = shapely.LineString(points).buffer(width / 2).intersection(tissue)
    return Stroke("fold", points, width, outline)


def make_strokes(
    plan: SlidePlan, tissue: shapely.Geometry, rng: np.random.Generator
) -> tuple[Stroke, ...]:
    """The plan's pen marks and folds."""
    makers = {"pen": lambda: _pen(plan, tissue, rng), "fold": lambda: _fold(tissue, rng)}
    return tuple(makers[kind]() for kind in plan.artifacts)


@compiled
def line_distance(
    points: Floats, grid: tuple[float, float, float], limit: float, out: NDArray[np.float32]
) -> bool:
    """Distance (µm) of each pixel from a bent line, where below `limit`; else `limit`.

    Args:
        points: (N, 2), µm.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        limit: how far to look, µm.
        out: (H, W), written.

    Returns:
        Whether any pixel is nearer than `limit`.
    """
    height, width = out.shape
    x0, y0, mpp = grid
    out[:] = np.float32(limit)
    found = False
    for n in range(points.shape[0] - 1):
        ax, ay, bx, by = points[n, 0], points[n, 1], points[n + 1, 0], points[n + 1, 1]
        left = max(0, math.floor((min(ax, bx) - limit - x0) / mpp))
        right = min(width - 1, math.ceil((max(ax, bx) + limit - x0) / mpp))
        top = max(0, math.floor((min(ay, by) - limit - y0) / mpp))
        bottom = min(height - 1, math.ceil((max(ay, by) + limit - y0) / mpp))
        squared = (bx - ax) ** 2 + (by - ay) ** 2
        for j in range(top, bottom + 1):
            for i in range(left, right + 1):
                px, py = x0 + i * mpp - ax, y0 + j * mpp - ay
                t = (px * (bx - ax) + py * (by - ay)) / squared
                t = min(1.0, max(0.0, t))
                distance = math.hypot(px - t * (bx - ax), py - t * (by - ay))
                if distance < out[j, i]:
                    out[j, i] = np.float32(distance)
                    found = True
    return found


@compiled
def lay_ink(
    field: Texture,
    distance: NDArray[np.float32],
    grid: tuple[float, float, float],
    half: float,
    ink: NDArray[np.float32],
) -> None:
    """Ink (H, W) within `half` µm of the line: streaky, stronger at the rim, with soft edges."""
    x0, y0, mpp = grid
    for j in range(ink.shape[0]):
        y = y0 + j * mpp
        for i in range(ink.shape[1]):
            d = distance[j, i]
            if d < half:
                x = x0 + i * mpp
                tone = 0.42 + 0.30 * sample(field, x / 5.0, y / 40.0)
                tone += 0.22 * ramp(0.7 * half, half, d)
                ink[j, i] = np.float32(tone * ramp(half, half - 4.0, d))


@compiled
def crease(
    distance: NDArray[np.float32], half: float, inside: NDArray[np.int32], dyes: NDArray[np.float32]
) -> None:
    """Double and darken the (3, H, W) dyes within `half` µm of the line, in tissue."""
    for j in range(distance.shape[0]):
        for i in range(distance.shape[1]):
            d = distance[j, i]
            if d < half and inside[j, i] >= 0:
                thick = ramp(half, 0.86 * half, d)
                more = 1.0 + thick * (1.05 + 0.5 * ramp(0.55 * half, 0.9 * half, d))
                dyes[0, j, i] = np.float32((dyes[0, j, i] + 0.10 * thick) * more)
                dyes[1, j, i] = np.float32((dyes[1, j, i] + 0.08 * thick) * more)
