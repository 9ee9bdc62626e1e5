"""Independent readings of slides: OpenSlide at level 0, NumPy in float64, nothing of Curatome."""

import math
from functools import lru_cache

import numpy as np
import openslide


def level0(path):
    """The whole of level 0, (H, W, 3) float64."""
    with openslide.OpenSlide(path) as slide:
        return np.asarray(slide.read_region((0, 0), 0, slide.dimensions).convert("RGB"), np.float64)


def exact_tile(pixels, x, y, step, side):
    """The tile at level-0 place (x, y), and which of its pixels lie on the slide.

    Reducing, a pixel is the area-weighted mean of what it covers; enlarging, it is interpolated
    between the centers of the four pixels around its own center. A pixel belongs to the slide if
    its center does.
    """
    rows, down = _axis(y, step[1], side, pixels.shape[0])
    columns, across = _axis(x, step[0], side, pixels.shape[1])
    window = pixels[np.ix_(rows, columns)]
    tile = np.einsum("ij,jkc,lk->ilc", down, window, across, optimize=True)
    inside = np.outer(
        _on_slide(y, step[1], side, pixels.shape[0]), _on_slide(x, step[0], side, pixels.shape[1])
    )
    return tile, inside


def _on_slide(start, step, side, size):
    return (start + (np.arange(side) + 0.5) * step) <= size + 1e-9


@lru_cache(maxsize=4096)
def _axis(start, step, side, size):
    low = max(0, math.floor(start) - 2)
    high = min(size, math.ceil(start + side * step) + 2)
    weights = np.zeros((side, high - low))
    for i in range(side):
        a, b = start + i * step, start + (i + 1) * step
        if step >= 1:
            for j in range(math.floor(a), math.ceil(b)):
                share = min(b, j + 1) - max(a, j)
                weights[i, min(max(j, low), high - 1) - low] += share / step
        else:
            center = (a + b) / 2 - 0.5
            left = math.floor(center)
            for j, share in ((left, 1 - (center - left)), (left + 1, center - left)):
                weights[i, min(max(j, low), high - 1) - low] += share
    return np.arange(low, high), weights


def psnr(found, wanted):
    """Peak signal-to-noise ratio in dB for 8-bit pixels."""
    error = np.mean((np.asarray(found, np.float64) - wanted) ** 2)
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def shift(found, wanted):
    """By how many pixels (x, y) `found` lies off `wanted`: least squares on the gradient."""
    a, b = found.mean(axis=-1), wanted.mean(axis=-1)
    gy, gx = np.gradient(b)
    difference = a - b
    inner = (slice(2, -2), slice(2, -2))
    matrix = np.stack([gx[inner].ravel(), gy[inner].ravel()], axis=1)
    (dx, dy), *_ = np.linalg.lstsq(matrix, -difference[inner].ravel(), rcond=None)
    return dx, dy
