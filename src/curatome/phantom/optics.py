"""Light through stained tissue and through a scanner: Beer-Lambert, blur, sharpening, white."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, hashed, sample

Planes = NDArray[np.float32]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Site:
    """A laboratory's stain and its usual scanner.

    Attributes:
        hematoxylin: unit vector of optical density in red, green, blue.
        eosin: likewise.
        strength: how strongly each is taken up, 1 as usual.
        scanner: key of `SCANNERS`.
    """

    hematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    strength: tuple[float, float]
    scanner: str


@dataclass(frozen=True)
class Scanner:
    """What a scanner does to the light.

    Attributes:
        name: ScanScope ID in the file.
        mpp: µm per pixel.
        objective: nominal magnification.
        blur_um: standard deviation of the optical blur.
        sharpen: strength of the unsharp mask.
        white: red, green, blue of clean glass at the middle of the field, 0 to 1.
        noise: standard deviation of the sensor's grain, gray levels.
        quality: JPEG quality.
        vividness: how much the color matrix spreads colors from gray, 0 not at all.
    """

    name: str
    mpp: float
    objective: int
    blur_um: float
    sharpen: float
    white: tuple[float, float, float]
    noise: float
    quality: int
    vividness: float = 0.0

    def matrix(self) -> Floats:
        """Color matrix (3, 3) on light: away from gray by `vividness`; gray stays as it is."""
        gray = np.array([0.299, 0.587, 0.114])
        return (1 + self.vividness) * np.eye(3) - self.vividness * np.tile(gray, (3, 1))


def _unit(r: float, g: float, b: float) -> tuple[float, float, float]:
    length = math.sqrt(r * r + g * g + b * b)
    return r / length, g / length, b / length


SITES: dict[str, Site] = {
    "north": Site(_unit(0.62, 0.69, 0.36), _unit(0.15, 0.82, 0.54), (1.0, 1.0), "aria"),
    "south": Site(_unit(0.57, 0.73, 0.37), _unit(0.23, 0.85, 0.44), (0.90, 0.94), "boreal"),
    "east": Site(_unit(0.66, 0.68, 0.32), _unit(0.11, 0.84, 0.53), (1.12, 1.05), "dune"),
    "west": Site(_unit(0.55, 0.74, 0.39), _unit(0.20, 0.80, 0.56), (1.0, 1.18), "ember"),
}
REFERENCE = Site(_unit(0.60, 0.71, 0.36), _unit(0.15, 0.84, 0.52), (1.05, 1.29), "aria")
"""The stain that the random effects of a designed cohort start from."""
DAB = _unit(0.268, 0.570, 0.776)
"""Unit vector of diaminobenzidine (Ruifrok and Johnston, Anal Quant Cytol Histol 2001, 23:291)."""
SCANNERS: dict[str, Scanner] = {
    "aria": Scanner("aria", 0.4990, 20, 0.27, 1.00, (0.957, 0.955, 0.960), 1.6, 80),
    "boreal": Scanner("boreal", 0.5032, 20, 0.38, 0.70, (0.940, 0.935, 0.922), 1.2, 85),
    "cirrus": Scanner("cirrus", 0.2522, 40, 0.24, 1.10, (0.962, 0.958, 0.968), 2.0, 78),
    "dune": Scanner("dune", 0.2200, 40, 0.22, 1.40, (0.975, 0.970, 0.972), 1.6, 82, 0.12),
    "ember": Scanner("ember", 0.5050, 20, 0.33, 0.90, (0.930, 0.940, 0.950), 2.4, 75, 0.06),
}


def kernel(scanner: Scanner) -> Planes:
    """The scanner's separable point spread: a blur, then an unsharp mask twice as wide."""
    sigma = max(scanner.blur_um / scanner.mpp, 0.3)
    wide = math.hypot(sigma, 1.0)
    reach = max(2, math.ceil(2.5 * wide))
    offset = np.arange(-reach, reach + 1)
    narrow_part, wide_part = (np.exp(-0.5 * (offset / s) ** 2) for s in (sigma, wide))
    taps = (1 + scanner.sharpen / 2) * narrow_part / narrow_part.sum()
    taps -= scanner.sharpen / 2 * wide_part / wide_part.sum()
    out: Planes = (taps / taps.sum()).astype(np.float32)
    return out


_STEPS_PER_DENSITY = 2048
_TRANSMISSION = np.power(10.0, -np.arange(5 * _STEPS_PER_DENSITY) / _STEPS_PER_DENSITY).astype(
    np.float32
)


@compiled
def _transmit(dyes: Planes, vectors: Floats, table: Planes, light: Planes) -> None:
    """Beer-Lambert: (D, H, W) dyes and (D, 3) vectors to (3, H, W) light, 0 to 1."""
    _, height, width = dyes.shape
    scale = np.float32(2048.0)
    last = np.float32(table.shape[0] - 1)
    for channel in range(3):
        a = np.float32(vectors[0, channel]) * scale
        b = np.float32(vectors[1, channel]) * scale
        c = np.float32(vectors[2, channel]) * scale
        for j in range(height):
            for i in range(width):
                density = a * dyes[0, j, i] + b * dyes[1, j, i] + c * dyes[2, j, i]
                light[channel, j, i] = table[int(min(density + np.float32(0.5), last))]


@compiled
def _spread(light: Planes, taps: Planes) -> Planes:
    """Convolve (3, H, W) along both axes, keeping only whole windows."""
    reach = taps.shape[0] // 2
    _, height, width = light.shape
    rows, columns = height - 2 * reach, width - 2 * reach
    out = np.empty((3, rows, columns), np.float32)
    line = np.empty(width, np.float32)
    for channel in range(3):
        for j in range(rows):
            line[:] = np.float32(0.0)
            for k in range(2 * reach + 1):
                for i in range(width):
                    line[i] += taps[k] * light[channel, j + k, i]
            for i in range(columns):
                out[channel, j, i] = np.float32(0.0)
            for k in range(2 * reach + 1):
                for i in range(columns):
                    out[channel, j, i] += taps[k] * line[i + k]
    return out


@compiled
def _expose(
    light: Planes, color: Floats, field: Texture, origin: tuple[int, int], noise: float
) -> NDArray[np.uint8]:
    """(3, H, W) light to (H, W, 3) gray levels: lamp, lanes, (3, 3) color matrix, grain."""
    _, height, width = light.shape
    out = np.empty((height, width, 3), np.uint8)
    for j in range(height):
        y = origin[1] + j
        lamp = 1.0
        for i in range(width):
            x = origin[0] + i
            if i == 0 or x % 16 == 0:
                even = x - x % 16
                lane = (even % 2040) / 2040.0 - 0.5
                lamp = 0.991 + 0.012 * sample(field, even / 700.0, y / 700.0 + 40.0)
                lamp -= 0.020 * lane * lane
            bits = hashed(x, y, 77)
            red, green, blue = light[0, j, i], light[1, j, i], light[2, j, i]
            for channel in range(3):
                value = (bits >> (10 * channel)) & 1023
                grain = noise * 3.46 * (value / 1023.0 - 0.5)
                mixed = color[channel, 0] * red + color[channel, 1] * green
                mixed += color[channel, 2] * blue
                level = 255.0 * lamp * mixed + grain + 0.5
                out[j, i, channel] = np.uint8(min(255.0, max(0.0, level)))
    return out


def reach(scanner: Scanner) -> int:
    """How many pixels beyond a block its own pixels depend on."""
    return len(kernel(scanner)) // 2


def scan(
    dyes: Planes, vectors: Floats, scanner: Scanner, field: Texture, origin: tuple[int, int]
) -> NDArray[np.uint8]:
    """What the scanner records of the dyes in a block.

    Args:
        dyes: (3, H + 2r, W + 2r), hematoxylin, eosin and ink with a margin of `reach(scanner)`.
        vectors: (3, 3), optical density of each in red, green, blue.
        scanner: the scanner.
        field: the noise texture.
        origin: x and y of the block's first pixel (without margin), px.

    Returns:
        (H, W, 3) uint8.
    """
    taps = kernel(scanner)
    if dyes.any():
        light = np.empty_like(dyes)
        _transmit(dyes, vectors, _TRANSMISSION, light)
        spread = _spread(light, taps)
    else:
        # Clean glass: what `_spread` makes of it, to the last bit, without the work.
        clear = _spread(np.ones((3, len(taps), len(taps)), np.float32), taps)[0, 0, 0]
        margin = len(taps) - 1
        spread = np.full((3, dyes.shape[1] - margin, dyes.shape[2] - margin), clear, np.float32)
    color = np.array(scanner.white)[:, None] * scanner.matrix()
    return _expose(spread, color, field, origin, scanner.noise)
