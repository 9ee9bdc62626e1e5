"""The same cell twice: drawn twice on one image, or the same crop again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely

from curatome.hashes import bytes_hash
from curatome.slides.readers.base import Pixels
from curatome.units import Mpp

Indices = npt.NDArray[np.int64]


def drawn_twice(
    shapes: Sequence[shapely.Geometry], mpp: Mpp, iou: float = 0.5, distance_um: float = 3.0
) -> Indices:
    """Which cells of one image are other drawings of the same cell.

    Two areas are the same cell if their intersection over union is at least `iou`; a point and
    another shape, if the middles of their bounds are at most `distance_um` apart. The cell with
    the most such partners (then the closest ones) stands for them all, then the next among those
    that are left; so every duplicate matches the one that stands for it, chains of neighbours do
    not grow into one cell, and the order of the shapes does not matter.

    Args:
        shapes: outlines, boxes or points in level-0 pixels.
        mpp: the image's µm per pixel.
        iou: smallest overlap of areas.
        distance_um: largest distance of points, µm.

    Returns:
        (N,) int64, for each shape the position of the one that stands for it, or -1 if it stands
        for itself.

    Raises:
        ValueError: `iou` is not above 0 and at most 1, or `distance_um` is negative.
    """
    if not 0 < iou <= 1 or distance_um < 0:
        raise ValueError(
            "iou must be above 0 and at most 1, and distance_um not negative. "
            f"Got {iou} and {distance_um}."
        )
    scaled = [
        shapely.transform(shapely.make_valid(shape), lambda at: at * (mpp.x, mpp.y))
        for shape in shapes
    ]
    partners = _partners(np.array(scaled, dtype=object), iou, distance_um)
    names = [shapely.to_wkb(shapely.normalize(shape)) for shape in scaled]
    # Of equal merit, the one that comes first by its own coordinates: never by its position.
    merit = {
        i: (-len(found), -round(sum(found.values()), 9), names[i]) for i, found in partners.items()
    }
    stands_for = np.full(len(shapes), -1, np.int64)
    free = set(partners)
    for i in sorted(partners, key=lambda i: (*merit[i], i)):
        if i in free:
            free.discard(i)
            for other in partners[i].keys() & free:
                stands_for[other] = i
                free.discard(other)
    return stands_for


def _partners(
    shapes: npt.NDArray[np.object_], iou: float, distance_um: float
) -> dict[int, dict[int, float]]:
    """For each shape that has any, the others that are the same cell, and how close they are."""
    areas = shapely.area(shapes)
    bounds = shapely.bounds(shapes).reshape(-1, 4)
    middles = (bounds[:, :2] + bounds[:, 2:]) / 2
    # A shape's middle lies in its bounds, though not always in itself; so bounds are compared.
    reach = bounds + np.array([-distance_um, -distance_um, distance_um, distance_um])
    first, second = shapely.STRtree(shapely.box(*reach.T)).query(shapes)
    keep = first < second
    first, second = first[keep], second[keep]
    both = (areas[first] > 0) & (areas[second] > 0)
    common = np.zeros(len(first))
    common[both] = shapely.area(shapely.intersection(shapes[first[both]], shapes[second[both]]))
    overlap = common / np.maximum(areas[first] + areas[second] - common, 1e-12)
    apart = np.hypot(*(middles[first] - middles[second]).T)
    same = np.where(both, overlap >= iou, apart <= distance_um)
    closeness = np.where(both, overlap, 1 - apart / max(distance_um, 1e-12))
    partners: dict[int, dict[int, float]] = defaultdict(dict)
    for i, j, close in zip(first[same], second[same], closeness[same], strict=True):
        partners[int(i)][int(j)] = partners[int(j)][int(i)] = float(close)
    return dict(partners)


def turned_hash(pixels: Pixels) -> str:
    """A content hash that the eight rotations and reflections of a square crop share.

    It finds exact copies, also of crops that were turned before they were stored; a copy that was
    compressed again has another one.

    Args:
        pixels: (S, S, 3) uint8.
    """
    turns = [np.rot90(side, k) for side in (pixels, pixels[:, ::-1]) for k in range(4)]
    return min(bytes_hash(np.ascontiguousarray(turn).data) for turn in turns)


def same_pixels(hashes: Sequence[str]) -> Indices:
    """Which crops are exact copies of others, by `turned_hash` or another content hash.

    Returns:
        (N,) int64, for each crop the position of the first one with its hash, or -1 for itself.
    """
    first: dict[str, int] = {}
    found = [first.setdefault(one, i) for i, one in enumerate(hashes)]
    return np.array([-1 if one == i else one for i, one in enumerate(found)], np.int64)
