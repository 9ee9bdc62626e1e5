"""How two readers' regions differ: the same, not there, or cut up in another way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from curatome.agreement.matching.order import Column, numbers_of
from curatome.agreement.matching.points import sides
from curatome.agreement.matching.shapes import Outlines, Shapes, checked, covers, touching
from curatome.tables import Column as Field
from curatome.tables import TableSpec

Whole = npt.NDArray[np.int64]

MATCHED, MISSED, ADDED = "matched", "missed", "added"
SPLIT, MERGED, TANGLED = "split", "merged", "tangled"

_ROWS = pa.list_(pa.field("item", pa.int64(), nullable=False))

DIFFERENCES = TableSpec(
    "differences",
    (
        Field("kind", pa.string(), "matched, missed, added, split, merged or tangled"),
        Field("first", _ROWS, "rows of the first reader's regions, the reference"),
        Field("second", _ROWS, "rows of the second reader's regions"),
        Field("common", pa.float64(), "common area of both, 0 if one of them has none", "unit²"),
        Field("iou", pa.float64(), "common over joint area of both, each taken together"),
    ),
)


def compare_regions(
    first: Shapes,
    second: Shapes,
    threshold: float = 0.5,
    *,
    images: tuple[Column, Column] | None = None,
) -> pa.Table:
    """Sort out how a second reader's regions differ from those of a first one.

    Two regions belong together where their common area is at least `threshold` of the smaller
    one. What hangs together so is one difference:

        matched   one region of each
        missed    one of the first reader alone
        added     one of the second alone
        split     one of the first, several of the second
        merged    several of the first, one of the second
        tangled   several of each

    Regions are compared whatever they are called; give those of one class to compare them alone.

    Args:
        first: (N,) shapely polygons of the first reader, or of the reference.
        second: (M,) of the second, in the same unit.
        threshold: least share of the smaller region, above 0 and up to 1.
        images: (N,) and (M,) where they lie; on one image by default.

    Returns:
        Table `DIFFERENCES`, by the least row of `first`, then those that were added.

    Raises:
        TableError: as `match_shapes`.
    """
    both = checked(
        np.concatenate([np.asarray(first, object), np.asarray(second, object)]), threshold
    )
    reader, image = sides(len(first), len(second), images)
    group = _together(both, reader, numbers_of(image, "image")[0], threshold)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(np.bincount(group))[:-1])
    rows = [_difference(both, own, len(first)) for own in members if len(own)]
    return DIFFERENCES.from_rows(rows)


def _together(shapes: Shapes, reader: Whole, image: Whole, threshold: float) -> Whole:
    """(N + M,) number of the group that each region hangs together with, by its first region."""
    order = np.argsort(image, kind="stable")
    ones, others = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    outlines = Outlines.of(shapes)
    for near in touching(shapes[order], image[order]):
        one, other = order[near[0]], order[near[1]]
        apart = reader[one] != reader[other]
        one, other = one[apart], other[apart]
        hit, _ = covers(outlines, one, other, threshold, "overlap")
        ones.append(one[hit])
        others.append(other[hit])
    ends = np.concatenate(ones), np.concatenate(others)
    graph = coo_array((np.ones(len(ends[0]), np.int8), ends), (len(shapes),) * 2)
    found = connected_components(graph, directed=False)[1]
    _, begin, group = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(begin))[group]


def _difference(shapes: Shapes, own: Whole, count: int) -> dict[str, object]:
    first, second = own[own < count], own[own >= count]
    common, iou = 0.0, 0.0
    if len(first) and len(second):
        one, other = shapely.union_all(shapes[first]), shapely.union_all(shapes[second])
        common = float(shapely.intersection(one, other).area)
        iou = common / (one.area + other.area - common)
    return {
        "kind": _kind(len(first), len(second)),
        "first": first.tolist(),
        "second": (second - count).tolist(),
        "common": common,
        "iou": iou,
    }


def _kind(first: int, second: int) -> str:
    if not second:
        return MISSED
    if not first:
        return ADDED
    if first == second == 1:
        return MATCHED
    if first == 1:
        return SPLIT
    return MERGED if second == 1 else TANGLED
