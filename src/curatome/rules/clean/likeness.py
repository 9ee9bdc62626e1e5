"""How much each pixel looks like the objects of its image, and how much like what lies around."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from curatome.geometry import rasterize
from curatome.stain import optical_density

Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Counts = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Shapes = npt.NDArray[np.object_]

_SMOOTH_PX = 0.6
"""Blur before colors are compared: below it, noise and JPEG's blocks decide."""
_CORE = 0.5
"""A pixel is surely inside an object that deep, as a part of the deepest place in it."""
_CLEAR_PX = 4.0
"""A pixel is surely outside that far from every outline."""
_FEW = 20
_MOST = 20_000
"""Pixels of each kind that are looked at; more say nothing new."""
_RIDGE = 1e-4
"""Optical density squared, added to the variances so that gray images can be inverted."""


@dataclass(frozen=True, eq=False)
class Cover:
    """Where the outlines of a field lie.

    Attributes:
        count: (H, W) outlines over each pixel.
        core: (H, W) surely inside an object.
    """

    count: Counts
    core: Flags


@dataclass(frozen=True, eq=False)
class Contrast:
    """The direction in color that tells objects from what lies around them.

    Attributes:
        weights: (3,) per optical density of red, green and blue.
        outside: the median of what lies around, in that direction.
        inside: the median of the cores of the objects.
    """

    weights: Floats
    outside: float
    inside: float

    def of(self, rgb: Pixels) -> Reals:
        """(H, W): 0 looks like what lies around, 1 like the cores of the objects."""
        value = colors(rgb) @ self.weights.astype(np.float32)
        out: Reals = (value - np.float32(self.outside)) / np.float32(self.inside - self.outside)
        return out


def colors(rgb: Pixels) -> Reals:
    """(H, W, 3) optical density, slightly blurred."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(optical_density(rgb), (_SMOOTH_PX, _SMOOTH_PX, 0)))


def cover(shapes: Shapes, size: tuple[int, int]) -> Cover:
    """Where outlines lie on a field.

    Args:
        shapes: (N,) polygons in px of the field.
        size: height and width of the field, px.
    """
    from scipy.ndimage import distance_transform_edt

    count, core = np.zeros(size, np.uint8), np.zeros(size, np.bool_)
    for shape in shapes:
        left, top, right, bottom = shapely.bounds(shape)
        x, y = int(np.floor(left)), int(np.floor(top))
        side = int(max(np.ceil(right) - x, np.ceil(bottom) - y))
        mask = rasterize(shape, (x, y), (1, 1), side)
        own = mask[max(-y, 0) : max(size[0] - y, 0), max(-x, 0) : max(size[1] - x, 0)]
        if not own.any():
            continue
        here = np.s_[max(y, 0) : max(y, 0) + own.shape[0], max(x, 0) : max(x, 0) + own.shape[1]]
        depth = distance_transform_edt(np.pad(own, 1))[1:-1, 1:-1]
        count[here] += own & (count[here] < 255)
        core[here] |= depth > _CORE * depth.max()
    return Cover(count, core)


def samples(rgb: Pixels, where: Cover) -> tuple[Reals, Reals]:
    """Colors (N, 3) of pixels surely inside objects, and (M, 3) surely outside of all."""
    from scipy.ndimage import distance_transform_edt

    seen = colors(rgb)
    free = where.count == 0
    clear = distance_transform_edt(free) > _CLEAR_PX if not free.all() else free
    core = where.core & (where.count == 1)
    return _thinned(seen[core]), _thinned(seen[clear if clear.sum() >= _FEW else free])


def contrast(inside: Reals, outside: Reals) -> Contrast | None:
    """Fisher's linear discriminant between two sets of colors (10.1111/j.1469-1809.1936.tb02137.x).

    Args:
        inside: (N, 3) colors of the cores of objects.
        outside: (M, 3) colors of what lies around.

    Returns:
        None where there are too few pixels, or both kinds look the same.
    """
    if min(len(inside), len(outside)) < _FEW:
        return None
    within = (np.cov(inside.T) + np.cov(outside.T)) / 2 + _RIDGE * np.eye(3)
    weights = np.linalg.solve(within, (inside.mean(axis=0) - outside.mean(axis=0)).astype(float))
    low, high = float(np.median(outside @ weights)), float(np.median(inside @ weights))
    return Contrast(weights, low, high) if high - low > 1e-6 else None


def _thinned(values: Reals) -> Reals:
    return values[:: max(1, len(values) // _MOST)]
