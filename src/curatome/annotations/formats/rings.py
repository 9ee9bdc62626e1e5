"""Drawings of tools that know single rings only: which are holes, and which belong together.

ASAP, ImageScope and HALO have neither holes nor annotations of several parts. A hole is a ring
of its own, marked as negative. What Curatome writes carries an attribute `Curatome` with the
annotation's id and kind, which these tools pass over; by it the rings find together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely

from curatome.annotations.formats.entries import Row
from curatome.annotations.model import KINDS, outline

MARK = "Curatome"
Points = Sequence[tuple[float, float]]

_SEVERAL = ("points", "line", "polygon", "multipolygon")
"""Kinds that may be written as several rings."""


@dataclass(frozen=True)
class Ring:
    """One drawing of the file.

    Attributes:
        row: what it would be if it stood alone.
        place: file and line.
        layer: rings of one layer may be holes in each other.
        negative: whether it is a hole.
        mark: the attribute `Curatome`.
    """

    row: Row
    place: str
    layer: str = ""
    negative: bool = False
    mark: str = ""


def mark_of(row: Row) -> str:
    """What the attribute `Curatome` says of a row."""
    return f"{row['annotation']} {row['kind']}"


def rings_of(row: Row) -> list[tuple[shapely.Geometry, bool]]:
    """The drawings that a row is made of, and which of them are holes."""
    found: list[tuple[shapely.Geometry, bool]] = []
    for part in shapely.get_parts(row["shape"]):
        if part.geom_type != "Polygon":
            found.append((part, False))
            continue
        found.append((shapely.Polygon(part.exterior), False))
        found += [(shapely.Polygon(ring), True) for ring in part.interiors]
    return found


def corners(shape: shapely.Geometry) -> Points:
    """The points of a drawing, a ring's first point not said twice."""
    points = shapely.get_coordinates(shape)
    closed = shape.geom_type == "Polygon" and len(points) > 1
    return [(float(x), float(y)) for x, y in (points[:-1] if closed else points)]


def closed(points: Points) -> shapely.Polygon | None:
    """The polygon through points, or None if they are fewer than three places."""
    return shapely.Polygon(points) if len(set(points)) >= 3 else None


def upright(points: Points) -> shapely.Polygon | None:
    """The box of two opposite or four corners along the axes, or None."""
    array = np.asarray(points)
    if len(array) == 5 and (array[0] == array[4]).all():
        array = array[:4]
    if len(array) not in (2, 4):
        return None
    (left, top), (right, bottom) = array.min(axis=0), array.max(axis=0)
    wanted = {(left, top), (right, top), (right, bottom), (left, bottom)}
    if len(array) == 4 and {(x, y) for x, y in array} != wanted:
        return None
    return shapely.box(left, top, right, bottom) if right > left and bottom > top else None


def join(rings: Sequence[Ring]) -> tuple[list[Row], list[str]]:
    """Annotations from drawings, and what a person should know of them.

    Rings with a mark of Curatome become the annotation they were. Any other negative ring becomes
    a hole of the smallest shape of its layer that it lies in; one that lies in none stays an
    annotation.
    """
    groups: dict[str, list[Ring]] = {}
    for number, ring in enumerate(rings):
        name, _, kind = ring.mark.rpartition(" ")
        again = ring.mark in groups and kind not in _SEVERAL
        key = ring.mark if name and kind in KINDS and not again else f"#{number}"
        groups.setdefault(key, []).append(ring)
    wholes = [_whole(key, members) for key, members in groups.items()]
    shells = [ring for ring in wholes if not ring.negative]
    notes = []
    for ring in (ring for ring in wholes if ring.negative):
        shell = _around(ring, shells)
        if shell is not None:
            _cut(shell.row, ring.row)
            continue
        shells.append(ring)
        notes.append(f"{ring.place}: a region to leave out lies in no other; it stays by itself.")
    return [ring.row for ring in shells], notes


def _whole(key: str, members: Sequence[Ring]) -> Ring:
    """The annotation that Curatome once wrote as these rings, or the one ring that it is."""
    first = members[0]
    if key.startswith("#"):
        return first
    name, _, kind = key.rpartition(" ")
    row = {**first.row, "annotation": name, "kind": kind}
    shapes = [ring.row["shape"] for ring in members]
    if kind == "points":
        row["shape"] = shapely.MultiPoint(shapely.get_coordinates(shapes))
    elif kind == "line" and len(shapes) > 1:
        row["shape"] = shapely.MultiLineString(shapes)
    elif kind in ("polygon", "multipolygon"):
        row["shape"] = _polygons(members, kind)
        row["kind"] = "polygon" if row["shape"].geom_type == "Polygon" else "multipolygon"
    return Ring(row, first.place, first.layer)


def _polygons(members: Sequence[Ring], kind: str) -> shapely.Geometry:
    """Shells, each followed by its holes, as `rings_of` orders them."""
    parts: list[tuple[shapely.Polygon, list[shapely.LinearRing]]] = []
    for ring in members:
        if ring.negative and parts:
            parts[-1][1].append(ring.row["shape"].exterior)
        else:
            parts.append((ring.row["shape"], []))
    polygons = [shapely.Polygon(shell.exterior, holes) for shell, holes in parts]
    if kind == "polygon" and len(polygons) == 1:
        return polygons[0]
    return shapely.MultiPolygon(polygons)


def _around(hole: Ring, shells: Sequence[Ring]) -> Ring | None:
    """The smallest shape of its layer that a hole lies in."""
    inner = shapely.make_valid(hole.row["shape"])
    fitting = []
    for shell in shells:
        if shell.layer != hole.layer or shell.negative or shell.row["kind"] in ("point", "line"):
            continue
        area = shapely.make_valid(outline(shell.row["kind"], shell.row["shape"]))
        if area.covers(inner):
            fitting.append((area.area, shell))
    return min(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _cut(row: Row, hole: Row) -> None:
    """Gives a row a hole; whatever it was, it is a polygon then."""
    area = outline(row["kind"], row["shape"])
    ring = outline(hole["kind"], hole["shape"]).exterior
    if row["kind"] == "multipolygon":
        parts = [
            shapely.Polygon(part.exterior, [*part.interiors, ring])
            if shapely.make_valid(part).covers(shapely.Polygon(ring))
            else part
            for part in shapely.get_parts(area)
        ]
        row["shape"] = shapely.MultiPolygon(parts)
        return
    row["kind"] = "polygon"
    row["shape"] = shapely.Polygon(area.exterior, [*area.interiors, ring])
