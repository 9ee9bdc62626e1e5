"""Which shapes are drawn twice by one reader, exactly or nearly so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import shapely

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

ALIKE = 0.95
"""Intersection over union from which two shapes are nearly the same."""


def same_shapes(shapes: Shapes, bounds: Floats, group: Numbers) -> list[tuple[int, int]]:
    """Shapes that equal an earlier one, wherever their rings begin and however they wind.

    Args:
        shapes: (N,), None for those to leave out.
        bounds: (N, 4).
        group: (N,) only shapes of one group are compared.

    Returns:
        row and the earlier row that it equals, by row.
    """
    rows = np.flatnonzero(~shapely.is_missing(shapes))
    keys = np.column_stack([group[rows], bounds[rows], shapely.area(shapes[rows])])
    order = np.lexsort(keys.T)
    rows, keys = rows[order], keys[order]
    # Two drawings of one outline may differ in the last bit of their area, by rounding.
    equal = (keys[1:, :5] == keys[:-1, :5]).all(axis=1) & np.isclose(keys[1:, 5], keys[:-1, 5])
    suspects = np.unique(np.concatenate([rows[1:][equal], rows[:-1][equal]]))
    seen: dict[tuple[int, bytes], int] = {}
    found = []
    forms = shapely.to_wkb(shapely.normalize(shapes[suspects]))
    for row, form in zip(suspects.tolist(), forms, strict=True):
        first = seen.setdefault((int(group[row]), form), row)
        if first != row:
            found.append((row, first))
    return found


def near_copies(
    shapes: Shapes, bounds: Floats, group: Numbers, candidates: Flags
) -> Iterator[tuple[int, int, float]]:
    """Surfaces that share nearly all with an earlier one whose bounds have nearly its middle.

    Args:
        shapes: (N,).
        bounds: (N, 4).
        group: (N,) only shapes of one group are compared.
        candidates: (N,) bool, which to look at.

    Yields:
        row, the earlier row, and their intersection over union, each row once.
    """
    rows = np.flatnonzero(candidates & (shapely.get_dimensions(shapes) == 2))
    middle = (bounds[rows, :2] + bounds[rows, 2:]) / 2
    reach = (bounds[rows, 2:] - bounds[rows, :2]) * (1 - ALIKE)
    tree = shapely.STRtree(shapely.points(middle))
    low, high = middle - reach, middle + reach
    own, other = tree.query(shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]))
    later = (rows[own] > rows[other]) & (group[rows[own]] == group[rows[other]])
    own, other = rows[own[later]], rows[other[later]]
    near = _box_overlap(bounds[own], bounds[other]) >= ALIKE - 0.1
    own, other = own[near], other[near]
    valid = np.unique(np.concatenate([own, other]))
    sound = dict(zip(valid.tolist(), shapely.is_valid(shapes[valid]).tolist(), strict=True))
    done: set[int] = set()
    for row, first in sorted(zip(own.tolist(), other.tolist(), strict=True)):
        if row in done or not (sound[row] and sound[first]):
            continue
        overlap = shapely.intersection(shapes[row], shapes[first]).area
        union = shapes[row].area + shapes[first].area - overlap
        if union > 0 and overlap / union >= ALIKE:
            done.add(row)
            yield row, first, float(overlap / union)


def _box_overlap(one: Floats, other: Floats) -> Floats:
    """(N,) intersection over union of boxes, which bounds that of shapes but loosely."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (one, other)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-12))
