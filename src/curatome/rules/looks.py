"""What annotated objects look like, as numbers that need no weights from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
from scipy.ndimage import gaussian_gradient_magnitude

from curatome.rules.rule import PixelsOf
from curatome.stain import optical_density

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

MPP = 0.5
"""Scale at which objects are looked at, µm/px."""
SIDE = 48
"""Pixels along a crop: 24 µm, a nucleus and what surrounds it."""
_POINT_UM = 4.0
"""Radius of what a point stands for."""


def looks_of(table: pa.Table, shapes: Shapes, mpp: Floats, pixels: PixelsOf) -> Floats:
    """(N, 16) color, texture and size of each object.

    Per channel of optical density the mean and standard deviation within the object, and the
    median and median deviation around it, which a neighbor does not change; edges within; area
    and extent. Few numbers, since few objects are learned from.

    Args:
        table: rows of `tables.ANNOTATIONS`.
        shapes: (N,) of them, level-0 px.
        mpp: (N, 2) µm per px of each.
        pixels: reads pixels.
    """
    images = table["image"].to_pylist()
    rows = [
        _look(shape, scale, pixels, image)
        for shape, scale, image in zip(shapes, mpp, images, strict=True)
    ]
    return np.stack(rows) if rows else np.zeros((0, 16))


def _look(shape: shapely.Geometry, scale: Floats, pixels: PixelsOf, image: str) -> Floats:
    left, top, right, bottom = shape.bounds
    center = np.array([left + right, top + bottom]) / 2
    half = SIDE * MPP / 2 / scale
    box = (*(center - half).tolist(), *(center + half).tolist())
    density = optical_density(pixels(image, box, MPP)).astype(np.float64)
    inside = _inside(shape, center, scale, density.shape[:2])
    ring = ~inside
    own, around = density[inside], density[ring if ring.any() else inside]
    middle = np.median(around, axis=0)
    spread = np.median(np.abs(around - middle), axis=0)
    parts = [own.mean(axis=0), own.std(axis=0), middle, spread]
    edges = gaussian_gradient_magnitude(density.mean(axis=2), 1.0)
    size = np.array([(right - left) * scale[0], (bottom - top) * scale[1]])
    area = shape.area * scale[0] * scale[1]
    parts += [np.array([edges[inside].mean(), np.log(max(area, 1.0))]), np.log(size + 1.0)]
    return np.concatenate(parts)


def _inside(
    shape: shapely.Geometry, center: Floats, scale: Floats, size: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """(H, W) the pixels of the crop that are the object's."""
    rows, columns = size
    y, x = (
        (np.mgrid[:rows, :columns][k] + 0.5 - (rows, columns)[k] / 2) * MPP / scale[1 - k]
        + center[1 - k]
        for k in (0, 1)
    )
    found = np.asarray(shapely.contains_xy(shape, x, y))
    if not found.any():
        found = np.hypot((x - center[0]) * scale[0], (y - center[1]) * scale[1]) <= _POINT_UM
    return found


def pieces(box: tuple[float, float, float, float], side: Floats) -> Iterator[tuple[float, ...]]:
    """A box cut into pieces of at most a side, level-0 px."""
    left, top, right, bottom = box
    for y in np.arange(top, bottom, side[1]):
        for x in np.arange(left, right, side[0]):
            yield (float(x), float(y), min(x + side[0], right), min(y + side[1], bottom))
