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


TONE_SIZE = 1024
"""Edge of a tone in texels, a power of two."""
TONE_LENGTHS = (8.0, 16.0, 32.0, 64.0)
"""Correlation length of each tone in texels."""
_TEXEL_UM = 0.75
LONGEST_UM = _TEXEL_UM * TONE_LENGTHS[-1]
"""Greatest correlation length that is drawn in full detail."""


def _tone(length: float, rng: np.random.Generator) -> Texture:
    """A field whose autocorrelation falls as exp(-r / length), r in texels."""
    frequency = np.fft.fftfreq(TONE_SIZE)
    squared = frequency[:, None] ** 2 + frequency[None, :] ** 2
    power = (1.0 + squared * (2 * math.pi * length) ** 2) ** -1.5
    power[0, 0] = 0.0
    noise = np.fft.fft2(rng.standard_normal((TONE_SIZE, TONE_SIZE)))
    field = np.fft.ifft2(noise * np.sqrt(power)).real
    out: Texture = (field / field.std()).astype(np.float32)
    return out


@lru_cache(maxsize=1)
def tones() -> Texture:
    """(4, 1024, 1024) tileable fields of zero mean and unit variance, one for each length.

    Their autocorrelation is exponential, which in the plane has the spectrum (1 + (2πkl)²)^-1.5:
    flat above the length l, a power law below it (M. L. Stein, Interpolation of Spatial Data,
    Springer 1999, 10.1007/978-1-4612-1494-6, Matérn's family with ν = 1/2).
    """
    rng = np.random.default_rng(0x70E5)
    out = np.stack([_tone(length, rng) for length in TONE_LENGTHS])
    out.setflags(write=False)
    return out


def tone_scale(length_um: float) -> tuple[int, float]:
    """Which tone to take for a correlation length, and how many µm its texel measures.

    The texel is at most 0.75 µm wide up to `LONGEST_UM`.
    """
    fits = [k for k, length in enumerate(TONE_LENGTHS) if length_um / length <= _TEXEL_UM]
    level = fits[0] if fits else len(TONE_LENGTHS) - 1
    return level, length_um / TONE_LENGTHS[level]


@compiled
def sample_tone(tone: Texture, u: float, v: float) -> float:
    """A tone (1024, 1024) at (u, v) texels, repeated without seams, bilinear."""
    right, down = u + 16777216.0, v + 16777216.0
    left, top = np.uint32(right), np.uint32(down)
    fu, fv = np.float32(right - left), np.float32(down - top)
    last = np.uint32(1023)
    i, j = np.uint64(left & last), np.uint64(top & last)
    i1, j1 = np.uint64((left + np.uint32(1)) & last), np.uint64((top + np.uint32(1)) & last)
    upper = tone[j, i] + fu * (tone[j, i1] - tone[j, i])
    lower = tone[j1, i] + fu * (tone[j1, i1] - tone[j1, i])
    out: float = upper + fv * (lower - upper)
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
def nearest_cell(x: float, y: float, salt: int) -> tuple[float, float, int]:
    """Distances to the nearest seed of a jittered grid of edge 1 and to the cell's nearest wall.

    The cells are S. Worley's (SIGGRAPH 1996, 10.1145/237170.237267); the wall is the bisector of
    the two nearest seeds.

    Returns:
        Both distances, and 32 bits that are the cell's own.
    """
    column, row = math.floor(x), math.floor(y)
    first, second = 9.0, 9.0
    first_x, first_y, second_x, second_y = 0.0, 0.0, 1.0, 1.0
    own = hashed(column, row, salt)
    for j in range(row - 1, row + 2):
        for i in range(column - 1, column + 2):
            bits = hashed(i, j, salt)
            dx = i + 0.1 + 0.8 * ((bits & 0xFFFF) / 65536.0) - x
            dy = j + 0.1 + 0.8 * ((bits >> 16) / 65536.0) - y
            squared = dx * dx + dy * dy
            if squared < first:
                second, second_x, second_y = first, first_x, first_y
                first, first_x, first_y, own = squared, dx, dy, bits
            elif squared < second:
                second, second_x, second_y = squared, dx, dy
    apart = math.hypot(first_x - second_x, first_y - second_y)
    return math.sqrt(first), (second - first) / (2.0 * apart), own


@compiled
def cell_distances(x: float, y: float, salt: int) -> tuple[float, float]:
    """The two distances of `nearest_cell`."""
    first, wall, _ = nearest_cell(x, y, salt)
    return first, wall


@compiled
def ramp(low: float, high: float, value: float) -> float:
    """0 below `low`, 1 above `high`, straight between; `high` may be the smaller one."""
    t = (value - low) / (high - low)
    return min(1.0, max(0.0, t))
