"""Which classes a tile shows: what the annotations within it say.

A shape with an area labels a tile that holds half of the shape, or a quarter of which the shape
covers: so a nucleus belongs to one tile, and a region to all that show a good part of it. A point
labels the tile it lies in. What was said of a whole slide is no label of its tiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.annotations.masks import mask_outline
from curatome.annotations.model import outline

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

OF_SHAPE, OF_TILE = 0.5, 0.25
_UNSURE = ("line", "points", "whole")


def reference_of(annotations: pa.Table) -> pa.Table:
    """The annotations that labels come from: of each image those that were adjudicated, if any.

    Proposals of models are left out, and what the reader could not judge.
    """
    kept = pc.and_(
        pc.not_equal(annotations["basis"], "proposed"), pc.invert(annotations["cannot_judge"])
    )
    table = annotations.filter(pc.and_(kept, pc.is_valid(annotations["image"])))
    decided = pc.equal(table["basis"], "adjudicated")
    images = pc.unique(table.filter(decided)["image"])
    return table.filter(pc.or_(decided, pc.invert(pc.is_in(table["image"], images))))


def shapes_of(annotations: pa.Table) -> tuple[Shapes, list[list[str]]]:
    """(M,) valid shapes of annotations that label places, level-0 px, and their labels."""
    rows = annotations.filter(
        pc.invert(pc.is_in(annotations["kind"], pa.array(_UNSURE, pa.string())))
    )
    shapes = shapely.from_wkb(rows["geometry"].to_numpy(zero_copy_only=False))
    kinds = rows["kind"].to_pylist()
    for row, (kind, png) in enumerate(zip(kinds, rows["mask"].to_pylist(), strict=True)):
        if kind == "mask" and png is not None:
            shapes[row] = mask_outline(png, shapes[row])
        elif kind in ("circle", "ellipse"):
            shapes[row] = outline(kind, shapes[row])
    return shapely.make_valid(shapes), rows["labels"].to_pylist()


def labels_in(boxes: Floats, shapes: Shapes, labels: Sequence[Sequence[str]]) -> list[list[str]]:
    """The classes of each tile, sorted.

    Args:
        boxes: (N, 4) left, top, right, bottom, level-0 px.
        shapes: (M,) of one image, valid, level-0 px.
        labels: (M,) their classes.
    """
    found: list[set[str]] = [set() for _ in range(len(boxes))]
    if not len(shapes):
        return [[] for _ in found]
    tiles = shapely.box(*boxes.T)
    tile, shape = shapely.STRtree(shapes).query(tiles, predicate="intersects")
    common = shapely.area(shapely.intersection(tiles[tile], shapes[shape]))
    area = shapely.area(shapes)[shape]
    held = (area > 0) & (
        (common >= OF_SHAPE * area) | (common >= OF_TILE * shapely.area(tiles)[tile])
    )
    point = shapely.get_type_id(shapes)[shape] == shapely.GeometryType.POINT
    held |= point & _inside(boxes[tile], shapes[shape], point)
    for row, one in zip(tile[held].tolist(), shape[held].tolist(), strict=True):
        found[row].update(labels[one])
    return [sorted(one) for one in found]


def _inside(boxes: Floats, shapes: Shapes, point: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Whether points lie in boxes; one on a shared edge lies in the box to its right or below."""
    inside = np.zeros(len(shapes), np.bool_)
    x, y = shapely.get_coordinates(shapes[point]).T
    left, top, right, bottom = boxes[point].T
    inside[point] = (left <= x) & (x < right) & (top <= y) & (y < bottom)
    return inside
