"""One outline from the outlines that readers drew around an object, two or more of them.

The majority area is where most readers were: the Vorob'ev median of the outlines taken as random
sets (Molchanov, Theory of Random Sets, 2005, 10.1007/1-84628-150-4). Two readers have no majority,
so theirs is what both drew, which is too small; the median outline lies between the two.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from curatome.agreement.consensus.marks import Floats, Marks, Shapes, by_item, fused_table

DIRECTIONS = 72
"""Rays from the middle on which the median outline is found."""
_TURNS = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
_WAYS = np.stack([np.cos(_TURNS), np.sin(_TURNS)], axis=1)

_ONE, _AREA, _OUTLINE = "one reader", "majority area", "median outline"


def fuse_polygons(
    shapes: Shapes,
    of: Marks,
    *,
    how: Literal["area", "outline"] = "area",
    share: float = 0.5,
) -> pa.Table:
    """Fuse the outlines of each object.

    Args:
        shapes: (M,) polygons and multipolygons, level-0 pixels.
        of: the marks; weights of readers count for the area.
        how: `area` keeps what more than `share` of those who marked the object drew; `outline`
            takes the median of the distances from a middle that all of them drew, in 72
            directions, which suits cells and nuclei. Without such a middle, the area.
        share: 0 to below 1; 0 keeps what anybody drew.

    Returns:
        The table `tables.FUSED`; an object on which no place has enough readers has an empty
        shape.

    Raises:
        AnnotationError: a shape crosses itself.
    """
    fused, ways = [], []
    for index in by_item(of, shapes):
        weights = of.weight[of.reader[index]]
        shape, way = _fused(shapes[index], weights, how, share)
        fused.append(shape)
        ways.append(way)
    return fused_table(of, shapes, np.array(fused, object), ways)


def _fused(
    shapes: Shapes, weights: Floats, how: str, share: float
) -> tuple[shapely.Geometry | None, str]:
    if len(shapes) < 2:
        return (shapes[0] if len(shapes) else None), _ONE
    found = median_outline(shapes) if how == "outline" else None
    if found is not None:
        return found, _OUTLINE
    return majority_area(shapes, weights, share), _AREA


def majority_area(shapes: Shapes, weights: Floats, share: float = 0.5) -> shapely.Geometry:
    """Where shapes of more than a share of the total weight overlap, exactly.

    Args:
        shapes: (N,) valid polygons and multipolygons.
        weights: (N,) of each.
        share: 0 to below 1.
    """
    lines = shapely.union_all(shapely.boundary(shapes))
    faces = shapely.get_parts(shapely.polygonize([lines]))
    inside = shapely.contains(shapes[:, None], shapely.point_on_surface(faces)[None])
    enough = weights @ inside > share * weights.sum() * (1 + 1e-12)
    return shapely.union_all(faces[enough])


def median_outline(shapes: Shapes) -> shapely.Geometry | None:
    """The outline at the median distance from a middle that lies in all shapes.

    Args:
        shapes: (N,) valid polygons and multipolygons.

    Returns:
        A polygon, or None without such a middle.
    """
    common = shapely.intersection_all(shapes)
    if shapely.area(common) == 0:
        return None
    middle = shapely.centroid(common)
    if not shapely.contains(common, middle):
        middle = shapely.point_on_surface(common)
    at: npt.NDArray[np.float64] = shapely.get_coordinates(middle)[0]
    far = _reach(shapes, at)
    rays = shapely.linestrings(np.stack([np.broadcast_to(at, _WAYS.shape), at + far * _WAYS], 1))
    radii = shapely.length(shapely.intersection(shapes[:, None], rays[None]))
    return shapely.polygons(at + np.median(radii, axis=0)[:, None] * _WAYS)


def _reach(shapes: Shapes, at: Floats) -> float:
    left, top, right, bottom = shapely.total_bounds(shapes)
    return float(np.hypot(max(right - at[0], at[0] - left), max(bottom - at[1], at[1] - top))) + 1
