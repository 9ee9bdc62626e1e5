"""Matching by how far shapes cover each other: IoU, or overlap with the smaller one for regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely

from curatome.agreement.matching.area import common_area
from curatome.agreement.matching.graph import Candidates, items_of
from curatome.agreement.matching.order import Column, Objects, hashed, in_order
from curatome.agreement.matching.points import pairs_in, sides
from curatome.errors import TableError

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]
By = Literal["iou", "overlap"]

_AT_ONCE = 1 << 15  # shapes whose neighbors are looked at together
_ROUNDED = 1 - 1e-9  # a cover equal to the threshold matches, however its areas were rounded


def match_shapes(
    shapes: Shapes,
    reader: Column,
    image: Column,
    threshold: float = 0.5,
    by: By = "iou",
    *,
    label: Column | None = None,
    same_label: bool = False,
) -> Whole:
    """Match what several readers outlined into items.

    An item holds at most one object of a reader, and any two of its objects reach the threshold.
    As many pairs as possible are matched, then at the greatest total IoU or overlap; exactly so
    for two readers, and as `cliques` says for more. The result does not depend on the order of
    the rows, nor on names.

    Args:
        shapes: (M,) shapely polygons, multipolygons or boxes, in one unit.
        reader: (M,) who outlined it.
        image: (M,) where; objects of different images never match.
        threshold: least IoU or overlap of a match, above 0 and up to 1.
        by: `iou`, common area over joint area (Jaccard), or `overlap`, common area over that of the
            smaller shape (Szymkiewicz-Simpson).
        label: (M,) what it is called. Of equal covers, equal labels are matched first.
        same_label: only objects of one label match.

    Returns:
        (M,) number of the item of each object, from 0, by image and from left to right.

    Raises:
        TableError: a shape has no area or is not valid, the threshold is out of range, columns
            differ in length, or a reader or image has no value.
    """
    shapes = checked(shapes, threshold)
    if not len(shapes):
        return np.empty(0, np.int64)
    objects = in_order(_keys(shapes), reader, image, label, same_label)
    return items_of(objects, _alike(shapes[objects.row], objects, threshold, by))


def pair_shapes(
    first: Shapes,
    second: Shapes,
    threshold: float = 0.5,
    by: By = "iou",
    *,
    images: tuple[Column, Column] | None = None,
) -> Whole:
    """Match the shapes of two readers one to one: most matches, then the greatest total cover.

    Args:
        first: (N,) shapely polygons of one reader.
        second: (M,) of the other.
        threshold: least IoU or overlap of a match.
        by: `iou` or `overlap`, as in `match_shapes`.
        images: (N,) and (M,) where they lie; on one image by default.

    Returns:
        (P, 2) rows of `first` and of `second`, by the rows of `first`.

    Raises:
        TableError: as `match_shapes`.
    """
    both = np.concatenate([np.asarray(first, object), np.asarray(second, object)])
    reader, image = sides(len(first), len(second), images)
    return pairs_in(match_shapes(both, reader, image, threshold, by), len(first))


@dataclass(frozen=True, eq=False)
class Outlines:
    """Shapes with what is asked of each of them many times.

    Attributes:
        shapes: (M,) valid polygons or multipolygons.
        area: (M,) of each.
        bounds: (M, 4) left, upper, right and lower end.
    """

    shapes: Shapes
    area: Floats
    bounds: Floats

    @classmethod
    def of(cls, shapes: Shapes) -> Outlines:
        """Measure shapes."""
        return cls(shapes, shapely.area(shapes), shapely.bounds(shapes))


def covers(
    outlines: Outlines, first: Whole, second: Whole, least: float, by: By
) -> tuple[Whole, Floats]:
    """Which pairs of shapes reach a cover, and that cover.

    What the bounds of two shapes rule out is not worked out.

    Args:
        outlines: of all shapes.
        first: (P,) index into them.
        second: (P,) index into them.
        least: least IoU or overlap.
        by: `iou` or `overlap`.

    Returns:
        (Q,) positions among the pairs, ascending, and (Q,) their IoU or overlap.
    """
    one, other = outlines.area[first], outlines.area[second]
    low = np.maximum(outlines.bounds[first, :2], outlines.bounds[second, :2])
    high = np.minimum(outlines.bounds[first, 2:], outlines.bounds[second, 2:])
    most = np.minimum(np.maximum(high - low, 0).prod(axis=1), np.minimum(one, other))
    near = np.flatnonzero(_share(most, one, other, by) >= least * _ROUNDED)
    common = common_area(outlines.shapes, first[near], second[near])
    share = _share(common, one[near], other[near], by)
    hit = share >= least * _ROUNDED
    return near[hit], share[hit]


def touching(shapes: Shapes, image: Whole) -> Iterator[tuple[Whole, Whole]]:
    """Pairs of shapes on one image whose bounds meet, the earlier one first, in blocks.

    Args:
        shapes: (M,) sorted by image.
        image: (M,) number of the image, ascending.
    """
    edges = np.flatnonzero(np.diff(image, prepend=-1, append=-1))
    for begin, end in pairwise(edges.tolist()):
        if end - begin < 2:
            continue
        own = shapes[begin:end]
        tree = shapely.STRtree(own)
        for at in range(0, len(own), _AT_ONCE):
            one, other = tree.query(own[at : at + _AT_ONCE])
            one = one + at
            earlier = one < other
            yield begin + one[earlier], begin + other[earlier]


def checked(shapes: Shapes, threshold: float) -> Shapes:
    """Shapes as an array, of which each is valid and has an area.

    Raises:
        TableError: one has not, or the threshold is not above 0 and up to 1.
    """
    if not 0 < threshold <= 1:
        raise TableError(f"the threshold must be above 0 and at most 1. Got {threshold:g}.")
    array = np.asarray(shapes, object)
    flat = np.flatnonzero(~(shapely.area(array) > 0))
    if len(flat):
        raise TableError(
            f"shape in row {flat[0] + 1} has no area. Match points and lines by the distance of "
            "their centers."
        )
    broken = np.flatnonzero(~shapely.is_valid(array))
    if len(broken):
        reason = shapely.is_valid_reason(array[broken[0]])
        raise TableError(
            f"shape in row {broken[0] + 1} is not valid: {reason}. Repair shapes before they are "
            "compared."
        )
    return array


def _share(common: Floats, one: Floats, other: Floats, by: By) -> Floats:
    of = one + other - common if by == "iou" else np.minimum(one, other)
    out: Floats = common / of
    return out


def _alike(shapes: Shapes, objects: Objects, threshold: float, by: By) -> Candidates:
    blocks = [Candidates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    outlines = Outlines.of(shapes)
    for first, second in touching(shapes, objects.image):
        fits = objects.may_match(first, second)
        one, other = first[fits], second[fits]
        hit, share = covers(outlines, one, other, threshold, by)
        blocks.append(Candidates(one[hit], other[hit], 1 - np.minimum(share, 1)))
    return Candidates(
        np.concatenate([b.first for b in blocks]),
        np.concatenate([b.second for b in blocks]),
        np.concatenate([b.cost for b in blocks]),
    )


def _keys(shapes: Shapes) -> Floats:
    """(M, 5) bounds, and a number that all vertices in their order make."""
    points, shape = shapely.get_coordinates(shapes, return_index=True)
    first = np.searchsorted(shape, shape)  # the first vertex of each one's shape
    nth = np.arange(len(shape)) - first
    mark = hashed(np.column_stack([points, nth]))
    total = np.zeros(len(shapes), np.uint64)
    np.add.at(total, shape, mark)
    return np.column_stack([shapely.bounds(shapes), (total >> np.uint64(12)).astype(np.float64)])
