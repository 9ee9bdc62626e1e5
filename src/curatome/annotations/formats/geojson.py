"""GeoJSON geometries (RFC 7946, https://www.rfc-editor.org/rfc/rfc7946) to kinds and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import shapely

from curatome.annotations.model import ellipse_axes

_KINDS = {
    "Point": "point",
    "MultiPoint": "points",
    "LineString": "line",
    "MultiLineString": "line",
    "Polygon": "polygon",
    "MultiPolygon": "multipolygon",
}
_NESTING = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_ANGLES = np.linspace(0, 2 * np.pi, 65)[:-1]


def shape(kind: str, coordinates: Any) -> shapely.Geometry:
    """A geometry of a type of GeoJSON.

    Rings that are left open are closed, and a polygon that is given as one bare ring (as some
    scripts write it) is read as that ring. A third coordinate is left out.

    Raises:
        ValueError: there is no such type, or the coordinates are not of it; says what is wrong.
    """
    if kind not in _NESTING:
        raise ValueError(f'"{kind}" is not a geometry with coordinates')
    if kind == "Polygon" and _depth(coordinates) == 1:
        coordinates = [coordinates]
    if _depth(coordinates) != _NESTING[kind]:
        raise ValueError(f"coordinates are not nested as in a {kind}")
    made = _MAKERS[kind](coordinates)
    if made.is_empty:
        raise ValueError(f"the {kind} has no coordinates")
    return made


def kind_of(geometry: shapely.Geometry) -> str:
    """The kind of annotation that a geometry is if nothing else is said of it."""
    if geometry.geom_type == "Polygon" and is_box(geometry):
        return "box"
    return _KINDS[geometry.geom_type]


def is_box(polygon: shapely.Polygon) -> bool:
    """Whether it is a rectangle along the axes."""
    if len(polygon.interiors) or len(polygon.exterior.coords) != 5:
        return False
    steps = np.diff(np.asarray(polygon.exterior.coords), axis=0) != 0
    return bool((steps.sum(axis=1) == 1).all() and (steps[0] == steps[2]).all()) and bool(
        (steps[1] == steps[3]).all() and (steps[0] != steps[1]).all()
    )


def is_upright(rectangle: shapely.Polygon) -> bool:
    """Whether the ellipse in a rectangle has its axes along the image's."""
    return ellipse_axes(rectangle)[2] == 0.0


def ellipse_ring(rectangle: shapely.Polygon) -> shapely.Polygon:
    """64 corners of an upright ellipse, whose bounds are exactly the rectangle's."""
    left, top, right, bottom = rectangle.bounds
    x = (left + right) / 2 + (right - left) / 2 * np.cos(_ANGLES)
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(_ANGLES)
    x[0], y[16], x[32], y[48] = right, bottom, left, top
    return shapely.Polygon(np.column_stack([x, y]))


def _depth(coordinates: Any) -> int:
    """How many lists lie around the first position; -1 where there is none."""
    depth = 0
    while isinstance(coordinates, list) and coordinates and isinstance(coordinates[0], list):
        coordinates, depth = coordinates[0], depth + 1
    return depth if isinstance(coordinates, list) and coordinates else -1


def _point(position: Any) -> tuple[float, float]:
    if not isinstance(position, list) or len(position) < 2:
        raise ValueError("a position must be [x, y]")
    x, y = position[0], position[1]
    for value in (x, y):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{value!r} is not a coordinate")
        if not np.isfinite(float(value)):
            raise ValueError(f"{value!r} is not finite")
    return float(x), float(y)


def _points(positions: Any, fewest: int = 1) -> list[tuple[float, float]]:
    if not isinstance(positions, list):
        raise ValueError("positions must be a list")
    if len(positions) < fewest:
        raise ValueError(f"{len(positions)} points are too few, {fewest} are needed")
    return [_point(one) for one in positions]


def _ring(positions: Any) -> list[tuple[float, float]]:
    ring = _points(positions, 3)
    if ring[0] != ring[-1]:
        ring.append(ring[0])
    if len(ring) < 4:
        raise ValueError("a ring needs three different points")
    return ring


def _polygon(rings: Any) -> shapely.Polygon:
    if not isinstance(rings, list):
        raise ValueError("a polygon must be a list of rings")
    outer, *holes = [_ring(one) for one in rings]
    return shapely.Polygon(outer, holes)


def _multi(polygons: Sequence[Any]) -> shapely.MultiPolygon:
    return shapely.MultiPolygon([_polygon(one) for one in polygons])


_MAKERS: dict[str, Any] = {
    "Point": lambda one: shapely.Point(_point(one)),
    "MultiPoint": lambda many: shapely.MultiPoint(_points(many)),
    "LineString": lambda line: shapely.LineString(_points(line, 2)),
    "MultiLineString": lambda many: shapely.MultiLineString([_points(one, 2) for one in many]),
    "Polygon": _polygon,
    "MultiPolygon": _multi,
}
