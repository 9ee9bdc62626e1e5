"""Bounds and areas of all shapes of a table: several rules ask for them, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.annotations.check import FARTHEST, load_shapes
from curatome.annotations.masks import mask_outline
from curatome.annotations.model import outline
from curatome.annotations.plain import glance
from curatome.annotations.rings import THINNEST
from curatome.rules.remembered import Remembered

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

FILLED = ("polygon", "multipolygon", "ellipse", "circle", "mask", "box")
"""Kinds that have an area."""
_POLYGON = 3
"""GEOS's number of that type."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of N annotations; NaN of whole images and of what cannot be read.

    Circles, ellipses and masks are measured as they lie on the image.

    Attributes:
        bounds: (N, 4) left, top, right, bottom, level-0 px.
        area: (N,) level-0 px².
        filled: (N,) whether the shape is valid and of a kind with an area.
    """

    bounds: Floats
    area: Floats
    filled: npt.NDArray[np.bool_]


@Remembered
def measured(annotations: pa.Table) -> Measured:
    """Bounds and areas.

    Args:
        annotations: `tables.ANNOTATIONS`.
    """
    count = len(annotations)
    bounds, area = np.full((count, 4), np.nan), np.full(count, np.nan)
    filled = np.zeros(count, np.bool_)
    there = np.flatnonzero(pc.is_valid(annotations["geometry"]).to_numpy(zero_copy_only=False))
    of_kind = pc.is_in(annotations["kind"], pa.array(FILLED)).to_numpy(zero_copy_only=False)
    wkb = annotations["geometry"].drop_null()
    start = 0
    for chunk in wkb.chunks:
        rows = there[start : start + len(chunk)]
        start += len(chunk)
        if not len(chunk):
            continue
        seen = glance(chunk, FARTHEST, THINNEST)
        plain = seen.plain & ~_is_round(annotations, rows)
        bounds[rows], area[rows] = seen.bounds, seen.area
        filled[rows] = of_kind[rows]
        rest = rows[~plain]
        shapes = _on_image(annotations.take(pa.array(rest)))
        bounds[rest], area[rest] = shapely.bounds(shapes), shapely.area(shapes)
        filled[rest] &= shapely.is_valid(shapes) & (shapely.area(shapes) > 0)
        area[rest[shapely.is_missing(shapes)]] = np.nan
    return Measured(bounds, area, filled)


def _is_round(annotations: pa.Table, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether a shape is stored as something else than its outline."""
    kinds = pc.is_in(annotations["kind"], pa.array(["circle", "ellipse", "mask"]))
    found: npt.NDArray[np.bool_] = kinds.to_numpy(zero_copy_only=False)[rows]
    return found


def _on_image(table: pa.Table) -> Shapes:
    """Shapes as they lie on the image; None where there is no reading them."""
    shapes, _ = load_shapes(table["geometry"].to_numpy(zero_copy_only=False).astype(object))
    boxes = (shapely.get_type_id(shapes) == _POLYGON) & (shapely.get_num_coordinates(shapes) > 4)
    kinds = table["kind"].to_pylist()
    for row in np.flatnonzero(boxes).tolist():
        if kinds[row] in ("circle", "ellipse"):
            shapes[row] = outline(kinds[row], shapes[row])
        elif kinds[row] == "mask":
            shapes[row] = _of_mask(table["mask"][row].as_py(), shapes[row])
    return shapes


def _of_mask(png: bytes | None, box: shapely.Geometry) -> shapely.Geometry | None:
    try:
        return None if png is None else mask_outline(png, box)
    except (OSError, ValueError):
        return None  # no picture: SYN004 and its like tell of shapes that are not sound
