"""What an annotation is: a shape in level-0 pixels, or a word about a whole image.

All stages pass annotations as `tables.ANNOTATIONS`. `geometry` is WKB, and `kind` says how to
read it:

    point         a point
    points        a multipoint: several points that are one annotation
    line          a line, or a multiline
    box           a rectangle along the axes
    circle        the square around it
    ellipse       the rectangle around it, which may be turned
    polygon       a polygon, with holes
    multipolygon  several polygons that are one annotation
    mask          the box over which the pixels of `mask`, a 1-bit PNG, are spread
    whole         none: labels of a whole image, slide or cell
"""

from __future__ import annotations

import os
import uuid

import numpy as np
import pyarrow as pa
import shapely
from shapely import affinity

KINDS = (
    "point",
    "points",
    "line",
    "box",
    "circle",
    "ellipse",
    "polygon",
    "multipolygon",
    "mask",
    "whole",
)
BASES = ("imported", "drawn", "proposed", "adjudicated")
"""Where an annotation comes from; `parents` names what it was adjudicated or copied from."""

_QUARTER = 16
"""Edges per quarter of a circle when it must become a polygon."""
_DIGITS = [place for place in range(36) if place not in (8, 13, 18, 23)]
"""Where a UUID has digits."""


def new_id() -> str:
    """An annotation's identity, which survives export and re-import."""
    return str(uuid.uuid4())


def new_ids(count: int) -> pa.Array:
    """Many identities at once, as `new_id` makes them (RFC 9562, version 4)."""
    raw = np.frombuffer(os.urandom(16 * count), np.uint8).reshape(count, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    text = np.full((count, 36), ord("-"), np.uint8)
    text[:, _DIGITS] = digits[np.stack([raw >> 4, raw & 0x0F], axis=2).reshape(count, 32)]
    offsets = np.arange(0, 36 * count + 1, 36, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )


def ellipse_rectangle(
    center: tuple[float, float], half_axes: tuple[float, float], angle: float = 0.0
) -> shapely.Polygon:
    """The rectangle around an ellipse, as `geometry` of kind `circle` or `ellipse`.

    Args:
        center: x and y, level-0 px.
        half_axes: along x and y before it is turned, level-0 px.
        angle: radians, from x toward y.
    """
    (x, y), (a, b) = center, half_axes
    upright = shapely.box(x - a, y - b, x + a, y + b, ccw=True)
    turned: shapely.Polygon = affinity.rotate(upright, angle, origin=center, use_radians=True)
    return turned


def ellipse_axes(
    rectangle: shapely.Polygon,
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Center, half axes and angle (radians) of the ellipse in a rectangle.

    The inverse of `ellipse_rectangle` but for turns by whole quarters, which swap the axes.
    """
    corners = np.asarray(rectangle.exterior.coords)[:4]
    center = corners.mean(axis=0)
    along, across = (corners[2] - corners[1]) / 2, (corners[1] - corners[0]) / 2
    angle = float(np.arctan2(along[1], along[0]))
    half = (float(np.hypot(*along)), float(np.hypot(*across)))
    # An angle in (-90°, 90°] says all there is to say of an ellipse.
    angle = (angle + np.pi / 2) % np.pi - np.pi / 2
    return (float(center[0]), float(center[1])), half, angle


def outline(kind: str, geometry: shapely.Geometry) -> shapely.Geometry:
    """The shape as it lies on the image: circles and ellipses become polygons of 64 corners.

    Args:
        kind: of `KINDS`.
        geometry: as stored, level-0 px.
    """
    if kind not in ("circle", "ellipse"):
        return geometry
    (x, y), (a, b), angle = ellipse_axes(geometry)
    unit = shapely.Point(0, 0).buffer(1, quad_segs=_QUARTER)
    cosine, sine = np.cos(angle), np.sin(angle)
    return affinity.affine_transform(unit, [a * cosine, -b * sine, a * sine, b * cosine, x, y])
