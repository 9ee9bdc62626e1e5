"""Common area of many pairs of shapes, fast for the short outlines of cells."""

from __future__ import annotations

import numba
import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]
Edge = tuple[float, float, float, float]

_LONG = 40_000  # pairs of edges beyond which GEOS is faster


def common_area(shapes: Shapes, first: Whole, second: Whole) -> Floats:
    """(P,) area that two shapes have in common.

    A shape is the signed sum of the strips below its edges, so the area is the sum over pairs of
    edges of what their strips have in common: exact, with holes and parts, and without working out
    the outline of the intersection.

    Args:
        shapes: (M,) valid polygons or multipolygons.
        first: (P,) index into them.
        second: (P,) index into them.
    """
    used, at = np.unique(np.concatenate([first, second]), return_inverse=True)
    own = shapes[used]
    one, other = at[: len(first)], at[len(first) :]
    edges, start = _edges(own)
    length = np.diff(start)
    short = length[one] * length[other] <= _LONG
    out = np.empty(len(first))
    out[~short] = shapely.area(shapely.intersection(own[one[~short]], own[other[~short]]))
    out[short] = _strips(edges, start, one[short], other[short])
    return out


def _edges(shapes: Shapes) -> tuple[Floats, Whole]:
    """(E, 4) x and y of both ends of each edge, the inside on its left; and where shapes begin."""
    parts, part_of = shapely.orient_polygons(shapes), np.arange(len(shapes))
    if (shapely.get_type_id(shapes) != shapely.GeometryType.POLYGON).any():
        parts, part_of = shapely.get_parts(parts, return_index=True)
    rings, ring_of = shapely.get_rings(parts, return_index=True)
    points, at = shapely.get_coordinates(rings, return_index=True)
    within = at[1:] == at[:-1]
    edges = np.hstack([points[:-1], points[1:]])[within]
    shape = part_of[ring_of[at[:-1][within]]]
    return edges, np.searchsorted(shape, np.arange(len(shapes) + 1))


@numba.njit(cache=True, nogil=True)
def _strips(  # pragma: no cover - compiled
    edges: Floats, start: Whole, first: Whole, second: Whole
) -> Floats:
    out = np.zeros(len(first))
    for p in range(len(first)):
        i, j = first[p], second[p]
        ground = min(
            edges[start[i] : start[i + 1], 1].min(), edges[start[j] : start[j + 1], 1].min()
        )
        total = 0.0
        for a in range(start[i], start[i + 1]):
            one = (edges[a, 0], edges[a, 1] - ground, edges[a, 2], edges[a, 3] - ground)
            west, east = min(one[0], one[2]), max(one[0], one[2])
            for b in range(start[j], start[j + 1]):
                left = max(west, min(edges[b, 0], edges[b, 2]))
                right = min(east, max(edges[b, 0], edges[b, 2]))
                if left < right:
                    other = (edges[b, 0], edges[b, 1] - ground, edges[b, 2], edges[b, 3] - ground)
                    total += _both_below(one, other, left, right)
        out[p] = total
    return out


@numba.njit(cache=True, nogil=True)
def _both_below(  # pragma: no cover - compiled
    one: Edge, other: Edge, left: float, right: float
) -> float:
    """Area between 0 and the lower of two edges, positive if both run the same way."""
    slope = (one[3] - one[1]) / (one[2] - one[0])
    tilt = (other[3] - other[1]) / (other[2] - other[0])
    one_left = one[1] + slope * (left - one[0])
    one_right = one[1] + slope * (right - one[0])
    other_left = other[1] + tilt * (left - other[0])
    other_right = other[1] + tilt * (right - other[0])
    low_left, low_right = min(one_left, other_left), min(one_right, other_right)
    area = (low_left + low_right) / 2 * (right - left)
    before, after = one_left - other_left, one_right - other_right
    if before * after < 0:  # they cross: the lower of both has a corner, and lies higher
        cross = before / (before - after)
        height = one_left + cross * (one_right - one_left)
        middle = low_left + cross * (low_right - low_left)
        area += (height - middle) / 2 * (right - left)
    alike = (one[2] > one[0]) == (other[2] > other[0])
    return area if alike else -area
