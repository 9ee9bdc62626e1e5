"""Resampling to an exact scale: area averaging where reducing, bilinear where enlarging.

Both are separable and linear, so one axis is described by its taps: for every output pixel the
first input pixel it draws on, and the weights of that one and the next ones. Weights are whole
numbers that add up to 2**15, so that results are the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
import numpy.typing as npt

from curatome.slides.readers.base import Pixels, Region

_BITS = 15
_ONE = 1 << _BITS


@dataclass(frozen=True)
class Taps:
    """How one axis is resampled.

    Attributes:
        first: (N,) int64, the first input pixel of each output pixel.
        weights: (N, K) uint32, weights of K input pixels from there; each row adds up to 2**15.
    """

    first: npt.NDArray[np.int64]
    weights: npt.NDArray[np.uint32]


@lru_cache(maxsize=64)
def axis_taps(start: float, step: float, count: int, size: int) -> Taps:
    """Taps of one axis; the strips of a block share those across.

    Output pixel i covers the input interval from `start + i * step` to `start + (i + 1) * step`,
    in input pixels; input pixel j covers j to j + 1. For step >= 1 a weight is the share of the
    interval that lies in the pixel (exact area averaging); for step < 1 it is that of linear
    interpolation between pixel centers at the interval's center. Beyond its ends the input
    continues with its outermost pixel.

    Args:
        start: left edge of output pixel 0.
        step: input pixels per output pixel.
        count: number of output pixels.
        size: number of input pixels.
    """
    edges = start + step * np.arange(count + 1, dtype=np.float64)
    if step >= 1.0:
        low, high = edges[:-1], edges[1:]
        first = np.floor(low).astype(np.int64)
        pixel = first[:, None] + np.arange(int(np.ceil(step)) + 1)
        share = np.minimum(high[:, None], pixel + 1) - np.maximum(low[:, None], pixel)
        real = np.maximum(share, 0.0) / step
    else:
        center = edges[:-1] + step / 2 - 0.5
        first = np.floor(center).astype(np.int64)
        pixel = first[:, None] + np.arange(2)
        real = np.abs(1.0 - np.abs(center[:, None] - pixel))
    weights = _whole(real)
    used = int(np.flatnonzero(weights.any(axis=0))[-1]) + 1
    return _inside(pixel[:, :used], weights[:, :used], size)


def _whole(real: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    # Rounding the running sum, not the weights, makes every row add up exactly.
    total = np.rint(np.cumsum(real, axis=1) / real.sum(axis=1, keepdims=True) * _ONE)
    return np.asarray(np.diff(total.astype(np.int64), axis=1, prepend=0))


def _inside(pixel: npt.NDArray[np.int64], weights: npt.NDArray[np.int64], size: int) -> Taps:
    # Weights of pixels beyond the ends go to the outermost pixel; then every window is shifted
    # so that it lies inside.
    count, width = pixel.shape
    width = min(width, size)
    clipped = np.clip(pixel, 0, size - 1)
    first = np.clip(pixel[:, 0], 0, size - width)
    moved = np.zeros((count, width), np.int64)
    rows = np.broadcast_to(np.arange(count)[:, None], clipped.shape)
    np.add.at(moved, (rows, np.clip(clipped - first[:, None], 0, width - 1)), weights)
    return Taps(first, moved.astype(np.uint32))


def resample(region: Region, x: float, y: float, step: tuple[float, float], out: Pixels) -> None:
    """Resample a region into `out`.

    Args:
        region: source pixels and where they lie.
        x: left edge of `out` in level-0 pixels.
        y: top edge of `out` in level-0 pixels.
        step: level-0 pixels per pixel of `out`, along x and y.
        out: (H, W, 3) uint8, written; rows may be strided, pixels must be contiguous.
    """
    height, width, _ = region.pixels.shape
    left, step_x = (x - region.x) / region.step_x, step[0] / region.step_x
    top, step_y = (y - region.y) / region.step_y, step[1] / region.step_y
    bottom, right = top + out.shape[0], left + out.shape[1]
    aligned = step_x == step_y == 1 and left.is_integer() and top.is_integer()
    if aligned and left >= 0 and top >= 0 and bottom <= height and right <= width:
        out[:] = region.pixels[int(top) : int(bottom), int(left) : int(right)]
        return
    across = axis_taps(left, step_x, out.shape[1], width)
    down = axis_taps(top, step_y, out.shape[0], height)
    source = np.ascontiguousarray(region.pixels).reshape(height, width * 3)
    _apply(source, down.first, down.weights, across.first, across.weights, out)


@numba.njit(cache=True, nogil=True, boundscheck=False)
def _apply(  # noqa: PLR0917 - plain arrays are what numba compiles
    source: Pixels,
    row_first: npt.NDArray[np.int64],
    row_weights: npt.NDArray[np.uint32],
    column_first: npt.NDArray[np.int64],
    column_weights: npt.NDArray[np.uint32],
    out: Pixels,
) -> None:  # pragma: no cover - compiled
    # Slices that start at 0 and unsigned indices let the compiler drop the test for negative
    # ones; only then does it use vector instructions.
    height, width = out.shape[0], out.shape[1]
    row_taps, column_taps = row_weights.shape[1], column_weights.shape[1]
    left = column_first[0] * 3
    length = (column_first[width - 1] + column_taps) * 3 - left
    first = ((column_first - column_first[0]) * 3).astype(np.uint64)
    line = np.empty(length, np.uint32)
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    for i in range(height):
        top = row_first[i]
        # Down: 16 bits, 8 of them behind the point. Three taps are the usual case.
        if row_taps == 3:
            a = source[top, left : left + length]
            b = source[top + 1, left : left + length]
            c = source[top + 2, left : left + length]
            u, v, w = row_weights[i, 0], row_weights[i, 1], row_weights[i, 2]
            for k in range(length):
                line[k] = (u * a[k] + v * b[k] + w * c[k] + np.uint32(64)) >> np.uint32(7)
        else:
            line[:] = np.uint32(64)
            for t in range(row_taps):
                w = row_weights[i, t]
                if w != 0:
                    a = source[top + t, left : left + length]
                    for k in range(length):
                        line[k] += w * a[k]
            for k in range(length):
                line[k] >>= np.uint32(7)
        # Across: 31 bits, rounded to 8.
        row = out[i]
        for j in range(width):
            at = first[j]
            red = green = blue = np.uint32(1 << 22)
            for t in range(column_taps):
                w = column_weights[j, t]
                red += w * line[at]
                green += w * line[at + one]
                blue += w * line[at + two]
                at += three
            row[j, 0] = red >> np.uint32(23)
            row[j, 1] = green >> np.uint32(23)
            row[j, 2] = blue >> np.uint32(23)
