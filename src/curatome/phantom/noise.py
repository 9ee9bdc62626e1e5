"""Noise that is a function of the place alone: the same µm give the same value in any block.

One tileable texture of smooth noise is sampled at many stretches; a hash of whole numbers gives
cells (fat, goblet cells, red cells) and the sensor's grain.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from curatome.phantom.compiled import compiled

Texture = NDArray[np.float32]

SIZE = 512
"""Edge of the texture in texels, a power of two."""
_MASK = np.uint32(SIZE - 1)
_OFFSET = float(SIZE << 14)
# A multiple of SIZE that makes any coordinate positive, so that rounding down is a plain cast.


@lru_cache(maxsize=4)
def texture(seed: int) -> Texture:
    """A tileable field (512, 512), uniform on 0 to 1, with features about five texels wide."""
    rng = np.random.default_rng([seed, 0x7E47])
    field = gaussian_filter(rng.standard_normal((SIZE, SIZE)), 1.8, mode="wrap")
    out: Texture = ndtr((field - field.mean()) / field.std()).astype(np.float32)
    out.setflags(write=False)
    return out


@compiled
def sample(field: Texture, u: float, v: float) -> float:
    """The texture at (u, v) texels, repeated without seams, bilinear."""
    right, down = u + _OFFSET, v + _OFFSET
    left, top = np.uint32(right), np.uint32(down)
    fu, fv = np.float32(right - left), np.float32(down - top)
    i, j = np.uint64(left & _MASK), np.uint64(top & _MASK)
    i1, j1 = np.uint64((left + np.uint32(1)) & _MASK), np.uint64((top + np.uint32(1)) & _MASK)
    upper = field[j, i] + fu * (field[j, i1] - field[j, i])
    lower = field[j1, i] + fu * (field[j1, i1] - field[j1, i])
    out: float = upper + fv * (lower - upper)
    return out


@compiled
def hashed(i: int, j: int, salt: int) -> int:
    """32 well mixed bits of two whole numbers and a salt."""
    h = np.uint32(i) * np.uint32(0x9E3779B1) ^ np.uint32(j) * np.uint32(0x85EBCA77)
    h = np.uint32(h ^ np.uint32(salt) * np.uint32(0xC2B2AE3D))
    h = np.uint32((h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
    h = np.uint32((h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39))
    return int(h ^ (h >> np.uint32(15)))


@compiled
def cell_distances(x: float, y: float, salt: int) -> tuple[float, float]:
    """Distances to the nearest seed of a jittered grid of edge 1, and to the cell's nearest wall.

    The cells are S. Worley's (SIGGRAPH 1996, 10.1145/237170.237267); the wall is the bisector of
    the two nearest seeds.
    """
    column, row = math.floor(x), math.floor(y)
    first, second = 9.0, 9.0
    first_x, first_y, second_x, second_y = 0.0, 0.0, 1.0, 1.0
    for j in range(row - 1, row + 2):
        for i in range(column - 1, column + 2):
            bits = hashed(i, j, salt)
            dx = i + 0.1 + 0.8 * ((bits & 0xFFFF) / 65536.0) - x
            dy = j + 0.1 + 0.8 * ((bits >> 16) / 65536.0) - y
            squared = dx * dx + dy * dy
            if squared < first:
                second, second_x, second_y = first, first_x, first_y
                first, first_x, first_y = squared, dx, dy
            elif squared < second:
                second, second_x, second_y = squared, dx, dy
    apart = math.hypot(first_x - second_x, first_y - second_y)
    return math.sqrt(first), (second - first) / (2.0 * apart)


@compiled
def ramp(low: float, high: float, value: float) -> float:
    """0 below `low`, 1 above `high`, straight between; `high` may be the smaller one."""
    t = (value - low) / (high - low)
    return min(1.0, max(0.0, t))
