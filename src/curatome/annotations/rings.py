"""The points of many rings and lines at once: which repeat the one before, which are spikes."""

from __future__ import annotations

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
    before, _, ends = _neighbors(points.ring)
    return np.asarray((points.xy == points.xy[before]).all(axis=1) & ~(ends & _first(points)))


def is_spike(points: Vertices) -> Flags:
    """(V,) bool: tips of rings that go out and come back along the same line.

    Args:
        points: without repeated ones.
    """
    before, after, _ = _neighbors(points.ring)
    leg, other = points.xy[before] - points.xy, points.xy[after] - points.xy
    lengths = np.hypot(*leg.T), np.hypot(*other.T)
    across = np.abs(leg[:, 0] * other[:, 1] - leg[:, 1] * other[:, 0])
    sharp = across <= SHARPEST * lengths[0] * lengths[1]
    folded = (leg * other).sum(axis=1) > 0
    long = np.minimum(*lengths) >= SHORTEST
    corners = np.bincount(points.ring)[points.ring] if len(points.ring) else points.ring
    return np.asarray(points.closed & sharp & folded & long & (corners > 3))


def _neighbors(ring: Numbers) -> tuple[Numbers, Numbers, Flags]:
    """Index of the point before and after on each ring, and whether it is an end of the list."""
    here = np.arange(len(ring))
    first = np.append(True, ring[1:] != ring[:-1])[: len(ring)]
    last = np.append(ring[1:] != ring[:-1], True)[: len(ring)]
    starts, stops = here[first], here[last]
    before, after = here - 1, here + 1
    before[first], after[last] = stops, starts
    return before, after, first


def _first(points: Vertices) -> Flags:
    """Ends that have nothing before them: the first point of a line, and a ring of one point."""
    alone = np.bincount(points.ring)[points.ring] == 1 if len(points.ring) else ~points.closed
    return np.asarray(~points.closed | alone)
