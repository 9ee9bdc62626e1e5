"""Which shapes are drawn twice by one reader, exactly or nearly so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

ALIKE = 0.95
"""Intersection over union from which two shapes are nearly the same."""
MANY = 10_000
"""Shapes from which on compiled code pays."""
_BOXES_ALIKE = ALIKE - 0.1


@dataclass(frozen=True)
class Drawn:
    """What is known of shapes, one entry for each.

    Attributes:
        bounds: (N, 4).
        areas: (N,) px², 0 for what is no surface.
        group: (N,) only shapes of one group are compared.
        load: gives the shapes of some rows.
    """

    bounds: Floats
    areas: Floats
    group: Numbers
    load: Callable[[Numbers], Shapes]


def same_shapes(drawn: Drawn, there: Flags) -> list[tuple[int, int]]:
    """Shapes that equal an earlier one, wherever their rings begin and however they wind.

    Args:
        drawn: the shapes.
        there: (N,) which of them to look at.

    Returns:
        row and the earlier row that it equals, by row.
    """
    rows = np.flatnonzero(there)
    keys = np.column_stack([drawn.group[rows], drawn.bounds[rows], drawn.areas[rows]])
    order = np.lexsort(keys.T)
    rows, keys = rows[order], keys[order]
    # Two drawings of one outline may differ in the last bit of their area, by rounding.
    equal = (keys[1:, :5] == keys[:-1, :5]).all(axis=1) & np.isclose(keys[1:, 5], keys[:-1, 5])
    suspects = np.unique(np.concatenate([rows[1:][equal], rows[:-1][equal]]))
    seen: dict[tuple[int, bytes], int] = {}
    found = []
    forms = shapely.to_wkb(shapely.normalize(drawn.load(suspects)))
    for row, form in zip(suspects.tolist(), forms, strict=True):
        first = seen.setdefault((int(drawn.group[row]), form), row)
        if first != row:
            found.append((row, first))
    return found


def near_copies(drawn: Drawn, there: Flags) -> Iterator[tuple[int, int, float]]:
    """Surfaces that share nearly all with an earlier one whose bounds have nearly its middle.

    Args:
        drawn: the shapes.
        there: (N,) which of them to look at.

    Yields:
        row, the earlier row, and their intersection over union, each row once.
    """
    rows = np.flatnonzero(there & (drawn.areas > 0))
    own, other = _alike(drawn.bounds[rows], drawn.group[rows])
    own, other = rows[own], rows[other]
    near = np.unique(np.concatenate([own, other]))
    shapes = dict(zip(near.tolist(), drawn.load(near), strict=True))
    sound = {row: bool(shapely.is_valid(shape)) for row, shape in shapes.items()}
    done: set[int] = set()
    for row, first in sorted(zip(own.tolist(), other.tolist(), strict=True)):
        if row in done or not (sound[row] and sound[first]):
            continue
        overlap = shapely.intersection(shapes[row], shapes[first]).area
        union = drawn.areas[row] + drawn.areas[first] - overlap
        if union > 0 and overlap / union >= ALIKE:
            done.add(row)
            yield row, first, float(overlap / union)


def _alike(bounds: Floats, group: Numbers) -> tuple[Numbers, Numbers]:
    """Pairs of a later and an earlier row whose bounds are nearly the same."""
    if len(bounds) >= MANY:
        from curatome.annotations.plain import neighbors

        return neighbors(bounds, group, 1 - ALIKE, _BOXES_ALIKE)
    middle = (bounds[:, :2] + bounds[:, 2:]) / 2
    reach = (bounds[:, 2:] - bounds[:, :2]) * (1 - ALIKE)
    tree = shapely.STRtree(shapely.points(middle))
    low, high = middle - reach, middle + reach
    own, other = tree.query(shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]))
    later = (own > other) & (group[own] == group[other])
    own, other = own[later], other[later]
    near = _box_overlap(bounds[own], bounds[other]) >= _BOXES_ALIKE
    return own[near], other[near]


def _box_overlap(one: Floats, other: Floats) -> Floats:
    """(N,) intersection over union of boxes, which bounds that of shapes but loosely."""
    low, high = np.maximum(one[:, :2], other[:, :2]), np.minimum(one[:, 2:], other[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    areas = [(box[:, 2:] - box[:, :2]).prod(axis=1) for box in (one, other)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-12))
