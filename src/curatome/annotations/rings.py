"""The rings and lines of many shapes at once: repeated points, spikes, slivers, winding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

Shapes = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

SHARPEST = float(np.sin(np.radians(1)))
"""A corner of less than 1° is a spike …"""
SHORTEST = 1.0
"""… if both its legs are at least so long, level-0 px."""
THINNEST = 0.5
"""Mean width, level-0 px, below which a polygon is a sliver."""


@dataclass(frozen=True)
class Vertices:
    """Points of rings and lines; a ring's last point, which is its first, is left out.

    Attributes:
        xy: (V, 2) level-0 px.
        ring: (V,) number of the ring or line that each belongs to, ascending.
        shape: (V,) number of the shape.
        closed: (V,) bool, whether it belongs to a ring.
    """

    xy: npt.NDArray[np.float64]
    ring: Numbers
    shape: Numbers
    closed: Flags

    def only(self, keep: Flags) -> Vertices:
        """Those marked."""
        return Vertices(*(part[keep] for part in vars(self).values()))


def vertices(shapes: Shapes) -> Vertices:
    """The points of polygons and lines; points, and None, have none.

    Args:
        shapes: (N,).
    """
    parts, owner = shapely.get_parts(shapes, return_index=True)
    types = shapely.get_type_id(parts)
    surface = types == shapely.GeometryType.POLYGON
    line = types == shapely.GeometryType.LINESTRING
    rings, of = shapely.get_rings(parts[surface], return_index=True)
    curves = np.concatenate([rings, parts[line]])
    curve_owner = np.concatenate([owner[surface][of], owner[line]])
    xy, ring = shapely.get_coordinates(curves, return_index=True)
    closed = ring < len(rings)
    last = np.append(ring[1:] != ring[:-1], True)[: len(ring)]
    keep = ~(closed & last)
    return Vertices(xy, ring, curve_owner[ring], closed).only(keep)


def repeats(points: Vertices) -> Flags:
    """(V,) bool: points that lie where the one before on their ring or line lies."""
    step, ends = _steps(points)
    return np.asarray((step[:, 0] == 0) & (step[:, 1] == 0) & ~(ends & _first(points)))


def is_spike(points: Vertices) -> Flags:
    """(V,) bool: tips of rings that go out and come back along the same line.

    Args:
        points: without repeated ones.
    """
    before, after, _ = _neighbors(points.ring)
    tips = np.zeros(len(points.xy), np.bool_)
    step, ends = _steps(points)
    on = np.roll(step, -1, axis=0)
    on[np.roll(ends, -1)] = step[ends]
    some = np.flatnonzero((np.einsum("ij,ij->i", step, on) < 0) & points.closed)
    leg, other = (points.xy[at[some]] - points.xy[some] for at in (before, after))
    across = np.abs(leg[:, 0] * other[:, 1] - leg[:, 1] * other[:, 0])
    lengths = np.hypot(*leg.T), np.hypot(*other.T)
    sharp = across <= SHARPEST * lengths[0] * lengths[1]
    # A triangle has no point to spare.
    spare = points.ring[before[before[some]]] == points.ring[after[some]]
    spare &= before[before[some]] != after[some]
    tips[some] = sharp & (np.minimum(*lengths) >= SHORTEST) & spare
    return tips


def slender(polygons: Shapes) -> Flags:
    """(N,) bool: polygons whose mean width, twice area by perimeter, is below `THINNEST`."""
    return np.asarray(2 * shapely.area(polygons) < THINNEST * shapely.length(polygons))


def wound(shapes: Shapes) -> Flags:
    """(N,) bool: all shells of a shape wind one way, and all its holes the other."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    surface = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    parts, owner = parts[surface], owner[surface]
    rings, of = shapely.get_rings(parts, return_index=True)
    hole = np.append(False, of[1:] == of[:-1])[: len(of)]
    left = shapely.is_ccw(rings) != hole
    lefts = np.bincount(owner[of], left, len(shapes))
    return np.asarray((lefts == 0) | (lefts == np.bincount(owner[of], minlength=len(shapes))))


def redrawn(shape: shapely.Geometry, change: Callable[[Vertices], Vertices]) -> shapely.Geometry:
    """A shape with some points left out of its rings or lines.

    Args:
        shape: a polygon or line, or several.
        change: gives the points to keep of each ring or line; a ring of which less than three
            remain, or a line of less than two, stays as it is.
    """
    if shape.geom_type == "Polygon":
        shell, *holes = (_kept(ring, change, closed=True) for ring in shapely.get_rings(shape))
        return shapely.Polygon(shell, holes)
    if shape.geom_type == "LineString":
        return shapely.LineString(_kept(shape, change, closed=False))
    if shape.geom_type in ("MultiPolygon", "MultiLineString"):
        return type(shape)([redrawn(part, change) for part in shape.geoms])
    return shape


def _kept(
    curve: shapely.Geometry, change: Callable[[Vertices], Vertices], *, closed: bool
) -> npt.NDArray[np.float64]:
    xy = shapely.get_coordinates(curve)
    points = xy[:-1] if closed else xy
    none = np.zeros(len(points), np.int64)
    kept = change(Vertices(points, none, none, np.full(len(points), closed))).xy
    return kept if len(kept) >= (3 if closed else 2) else xy


def _neighbors(ring: Numbers) -> tuple[Numbers, Numbers, Flags]:
    """Index of the point before and after on each ring, and whether it is an end of the list."""
    here = np.arange(len(ring))
    first = np.append(True, ring[1:] != ring[:-1])[: len(ring)]
    last = np.append(ring[1:] != ring[:-1], True)[: len(ring)]
    starts, stops = here[first], here[last]
    before, after = here - 1, here + 1
    before[first], after[last] = stops, starts
    return before, after, first


def _steps(points: Vertices) -> tuple[npt.NDArray[np.float64], Flags]:
    """(V, 2) from the point before on the ring to each, and whether it is the ring's first."""
    before, _, first = _neighbors(points.ring)
    step = np.empty_like(points.xy)
    step[1:] = points.xy[1:] - points.xy[:-1]
    step[first] = points.xy[first] - points.xy[before[first]]
    return step, first


def _first(points: Vertices) -> Flags:
    """Ends that have nothing before them: the first point of a line, and a ring of one point."""
    alone = np.bincount(points.ring)[points.ring] == 1 if len(points.ring) else ~points.closed
    return np.asarray(~points.closed | alone)
