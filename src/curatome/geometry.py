"""Shapes in level-0 pixels: which pixels they cover, and which shapes labelled pixels make."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import shapely

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def rasterize(
    shape: shapely.Geometry, corner: tuple[float, float], step: tuple[float, float], side: int
) -> Mask:
    """Pixels of a square grid whose centers lie in a shape.

    Holes are left out, and where a ring crosses itself the even-odd rule holds. A center on an
    edge belongs to the shape on its right, so that shapes that share an edge share no pixel.

    Args:
        shape: polygon or multipolygon in level-0 pixels; anything without area covers nothing.
        corner: left and top edge of the grid in level-0 pixels.
        step: level-0 pixels per pixel of the grid, along x and y.
        side: pixels of the grid along each axis.

    Returns:
        (side, side) bool.
    """
    mask = np.zeros((side, side), np.bool_)
    edges = _edges(shape)
    if len(edges):
        scaled = (edges - np.array([corner * 2])) / np.array([step * 2])
        _fill(np.ascontiguousarray(scaled), mask)
    return mask


def outlines(labels: npt.NDArray[Any]) -> dict[int, shapely.Geometry]:
    """The exact outline of every label along pixel edges, by label; 0 is background.

    `rasterize` gives the same pixels back. Pixels that touch at a corner only become parts of a
    multipolygon.

    Args:
        labels: (H, W) of whole numbers.
    """
    height, width = labels.shape
    padded = np.zeros((height, width + 2), labels.dtype)
    padded[:, 1:-1] = labels
    rows, ends = np.nonzero(padded[:, 1:] != padded[:, :-1])
    # Between two changes within a row lies a run of one label.
    same = rows[1:] == rows[:-1]
    row, left, right = rows[:-1][same], ends[:-1][same], ends[1:][same]
    label = labels[row, left]
    runs = shapely.box(left, row, right, row + 1)
    return {
        int(one): shapely.normalize(shapely.union_all(runs[label == one]))
        for one in np.unique(label[label != 0])
    }


def _edges(shape: shapely.Geometry) -> Floats:
    """(N, 4): x and y of both ends of every edge of every ring."""
    parts = shapely.get_parts(shape)
    polygons = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    rings = shapely.get_rings(polygons)
    if not len(rings):
        return np.empty((0, 4))
    points = [shapely.get_coordinates(ring) for ring in rings]
    return np.concatenate([np.hstack([ring[:-1], ring[1:]]) for ring in points])


@numba.njit(cache=True, nogil=True)
def _fill(edges: Floats, mask: Mask) -> None:  # pragma: no cover - compiled
    height, width = mask.shape
    crossings = np.empty(len(edges))
    for i in range(height):
        y = i + 0.5
        count = 0
        for k in range(len(edges)):
            x0, y0, x1, y1 = edges[k]
            if (y0 <= y) != (y1 <= y):
                crossings[count] = x0 + (y - y0) / (y1 - y0) * (x1 - x0)
                count += 1
        line = np.sort(crossings[:count])
        for k in range(0, count - 1, 2):
            first = max(0, int(np.ceil(line[k] - 0.5)))
            last = min(width, int(np.ceil(line[k + 1] - 0.5)))
            if last > first:
                mask[i, first:last] = True
