"""How a level of a pyramid lies on the slide, and how a box lies on a level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from curatome.slides.readers.base import Level, Pixels

_NEARLY = 1e-9  # relative slack for steps that are equal but for their last bits
_AVERAGED = 4.0  # reduced pixels per wanted pixel that hide how a decoder reduces
_FUZZ = 1e-6  # of a pixel; a box computed in floats must not ask for one pixel more


def place_level(full: tuple[int, int], size: tuple[int, int]) -> Level:
    """A level with its true downsample.

    Scanners reduce by whole numbers and cut off what is left over, so that 4443 px become 2221
    and the ratio of the sizes, 2.0005, drifts by a pixel along the slide. If a whole number
    explains both sizes, by rounding down, up or to the nearest, it is the downsample; if several
    do (tiny levels), a power of two goes first, then the one nearest to the ratio. Otherwise each
    axis has its own ratio.

    Args:
        full: width and height of level 0.
        size: width and height of the level.
    """
    ratios = full[0] / size[0], full[1] / size[1]
    whole = [n for n in _whole_downsamples(full[0], size[0]) if _explains(full[1], size[1], n)]
    if not whole:
        return Level(*size, *ratios)
    mean = (ratios[0] + ratios[1]) / 2
    best = min(whole, key=lambda n: ((n & (n - 1)) != 0, abs(n - mean)))
    return Level(*size, float(best), float(best))


def _whole_downsamples(full: int, size: int) -> list[int]:
    lowest = max(1, full // (size + 1))
    highest = full if size == 1 else full // (size - 1) + 1
    return [n for n in range(lowest, highest + 1) if _explains(full, size, n)]


def _explains(full: int, size: int, n: int) -> bool:
    # At least one pixel always remains: a level of 0 px does not exist.
    return size in (max(1, full // n), -(-full // n))


def nearest_finer(levels: Sequence[Level], step_x: float, step_y: float) -> tuple[int, float]:
    """The level, and the factor it is reduced by while decoding, that need the least work.

    That is the coarsest pair that is not coarser than the steps along both axes and gives the
    same picture as averaging would; level 0 as it is, if all are coarser. What a decoder leaves
    out of a reduced picture is not what an average leaves out, so its pixels serve only where at
    least 4 of them are averaged along each axis (41 dB and more on real tissue), or where they
    are block means and a whole number of them makes a pixel (43 dB and more).

    Args:
        levels: the slide's levels.
        step_x: level-0 pixels per wanted pixel, left to right.
        step_y: the same, top to bottom.

    Returns:
        Index of the level, and one of its `shrinks`.
    """
    found = [
        (level.downsample_x * shrink, index, shrink)
        for index, level in enumerate(levels)
        for shrink in level.shrinks
        if _serves(level, shrink, (step_x, step_y))
    ]
    _, index, shrink = max(found, default=(1.0, 0, 1.0))
    return index, shrink


def _serves(level: Level, shrink: float, steps: tuple[float, float]) -> bool:
    ratios = steps[0] / (level.downsample_x * shrink), steps[1] / (level.downsample_y * shrink)
    if min(ratios) < 1 - _NEARLY:
        return False
    if shrink == 1 or min(ratios) >= _AVERAGED:
        return True
    return shrink in level.means and all(abs(ratio - round(ratio)) < _NEARLY for ratio in ratios)


def span(low: float, high: float, step: float, size: int) -> tuple[int, int]:
    """First and one past the last pixel of a level that cover a stretch of level-0 pixels.

    Args:
        low: start, level-0 px.
        high: end, level-0 px.
        step: the level's downsample along this axis.
        size: the level's pixels along this axis.

    Returns:
        (start, stop) with `0 <= start <= stop <= size`; equal where the stretch is off the level.
    """
    start = min(max(math.floor(low / step + _FUZZ), 0), size)
    stop = min(max(math.ceil(high / step - _FUZZ), start), size)
    return start, stop


def over_white(rgba: Pixels, premultiplied: bool = False) -> Pixels:
    """(H, W, 4) uint8 laid over white, (H, W, 3) uint8; fast where nothing is transparent."""
    alpha = rgba[..., 3:]
    color = rgba[..., :3]
    if alpha.size == 0 or alpha.min() == 255:
        return np.ascontiguousarray(color)
    opacity = alpha.astype(np.uint16)
    weighted = color * np.uint16(255) if premultiplied else color * opacity
    mixed = (weighted + np.uint16(255) * (255 - opacity) + np.uint16(127)).astype(np.uint32)
    return np.minimum(mixed // 255, 255).astype(np.uint8)
