"""Outlines as points with normals, and what an image shows along them."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
import shapely

from curatome.rules.clean.likeness import Counts, Floats, Reals, Shapes

POINTS = 48
"""Around each outline."""
STEP = 0.5
"""Between the places along a normal, px."""
REACH = 8.0
"""How far an edge is looked for on both sides of the line, px."""
WINDOW = 2.0
"""What lies within this on both sides of a place decides whether there is an edge, px."""
PLACES = np.arange(-REACH - WINDOW, REACH + WINDOW + STEP / 2, STEP)
"""Along each normal, px from the line; negative is inside."""

_CHORD = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Along the line, px: a point is the mean of these, and its tangent their chord. Lines drawn along
the edges of pixels are smooth at this length."""
_ON_LINE = 0.75
"""Closer to the line than this, a pixel may belong to either side."""


@dataclass(frozen=True, eq=False)
class Contours:
    """M outlines of `POINTS` points each.

    Attributes:
        points: (M, N, 2) x and y, px.
        normals: (M, N, 2) outward, of unit length.
        depth: (M,) how far inside the line an edge may lie, px.
    """

    points: Floats
    normals: Floats
    depth: Floats


def contours(shapes: Shapes) -> Contours:
    """Points at equal distances along the outer rings.

    Args:
        shapes: (M,) polygons, px.
    """
    rings = shapely.get_exterior_ring(shapely.orient_polygons(shapes))
    length = shapely.length(rings)
    start = np.arange(POINTS) / POINTS * length[:, None]
    along = (start[:, :, None] + np.array(_CHORD)) % length[:, None, None]
    places = shapely.line_interpolate_point(rings[:, None, None], along)
    xy = shapely.get_coordinates(places).reshape(*along.shape, 2)
    chord = xy[:, :, -1] - xy[:, :, 0]
    normals = np.stack([chord[..., 1], -chord[..., 0]], axis=-1)
    normals /= np.maximum(np.hypot(*np.moveaxis(normals, -1, 0)), 1e-9)[..., None]
    radius = np.sqrt(shapely.area(shapes) / np.pi)
    return Contours(xy.mean(axis=2), normals, np.maximum(0.7 * radius, 3.0))


def profiles(likeness: Reals, count: Counts, lines: Contours) -> Reals:
    """Likeness along the normals, (M, N, P) at `PLACES`.

    NaN is what cannot be seen: beyond the image, within or behind another outline, and deeper in
    the object than its middle.

    Args:
        likeness: (H, W).
        count: (H, W) outlines over each pixel.
        lines: M outlines.
    """
    out = np.full((*lines.points.shape[:2], len(PLACES)), np.nan, np.float32)
    _sample((likeness, count), (lines.points, lines.normals, lines.depth), PLACES, out)
    return out


@numba.njit(cache=True, nogil=True)
def _sample(
    image: tuple[Reals, Counts],
    lines: tuple[Floats, Floats, Floats],
    places: Floats,
    out: Reals,
) -> None:  # pragma: no cover - compiled
    points, normals, depth = lines
    middle = len(places) // 2
    for m in range(out.shape[0]):
        for n in range(out.shape[1]):
            x, y = points[m, n]
            along, down = normals[m, n]
            for k in range(middle, len(places)):
                t = places[k]
                value = _at(image, x + t * along, y + t * down, 0 if t > _ON_LINE else 255)
                if np.isnan(value):
                    break
                out[m, n, k] = value
            for k in range(middle - 1, -1, -1):
                t = places[k]
                most = 1 if t < -_ON_LINE else 255
                value = _at(image, x + t * along, y + t * down, most)
                if np.isnan(value) or -t > depth[m]:
                    break
                out[m, n, k] = value


@numba.njit(cache=True, nogil=True)
def _at(
    image: tuple[Reals, Counts], x: float, y: float, most: int
) -> float:  # pragma: no cover - compiled
    """Likeness at a place; NaN beyond the image and under more outlines than `most`."""
    likeness, count = image
    height, width = likeness.shape
    if x < 0 or y < 0 or x >= width or y >= height or count[int(y), int(x)] > most:
        return np.nan
    x, y = min(max(x - 0.5, 0.0), width - 1.0), min(max(y - 0.5, 0.0), height - 1.0)
    i, j = min(int(x), max(width - 2, 0)), min(int(y), max(height - 2, 0))
    a, b = x - i, y - j
    right, below = min(i + 1, width - 1), min(j + 1, height - 1)
    upper = (1 - a) * likeness[j, i] + a * likeness[j, right]
    lower = (1 - a) * likeness[below, i] + a * likeness[below, right]
    return float((1 - b) * upper + b * lower)
