"""A part of a slide at any scale, by area averaging; white where it reaches beyond the slide."""

from __future__ import annotations

import math

import numpy as np

from curatome.jobs import progress
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.slides.readers.levels import nearest_finer
from curatome.units import Mpp

_BLOCK_PX = 2048
"""Edge of what is read at once, pixels of the level."""


def read_window(
    slide: SlideReader, mpp: Mpp, box: tuple[float, float, float, float], target_mpp: float
) -> Pixels:
    """The pixels of a box.

    Args:
        slide: any open slide.
        mpp: µm per level-0 pixel.
        box: left, top, right, bottom, level-0 px.
        target_mpp: µm per pixel of the result.

    Returns:
        (H, W, 3) uint8, W = round(width · mpp / target_mpp) and at least 1, H likewise.

    Raises:
        ValueError: a scale is not positive, or the box is empty.
        UnreadableSlide: the pixels cannot be decoded.
    """
    from curatome.slides.resample import resample  # compiled: not for those who only plan

    left, top, right, bottom = box
    if not (right > left and bottom > top and min(mpp.x, mpp.y, target_mpp) > 0):
        raise ValueError(f"a window needs a scale and an area. Got {box} at {target_mpp} µm/px.")
    step = (target_mpp / mpp.x, target_mpp / mpp.y)
    width, height = (
        max(1, round(length / one))
        for length, one in zip((right - left, bottom - top), step, strict=True)
    )
    out = np.full((height, width, 3), 255, np.uint8)
    index, shrink = nearest_finer(slide.facts.levels, *step)
    level = slide.facts.levels[index]
    columns = _blocks((left, step[0], width), slide.facts.width, level.downsample_x * shrink)
    rows = _blocks((top, step[1], height), slide.facts.height, level.downsample_y * shrink)
    for y0, y1 in rows:
        for x0, x1 in columns:
            x, y = left + x0 * step[0], top + y0 * step[1]
            ends = left + x1 * step[0], top + y1 * step[1]
            region = slide.read(index, x, y, *ends, shrink=shrink)
            resample(region, x, y, step, out[y0:y1, x0:x1])
            progress(windows=1)
    return out


def _blocks(axis: tuple[float, float, int], size: int, reduced: float) -> list[tuple[int, int]]:
    """Output pixels that lie on the slide, in blocks.

    Args:
        axis: where it begins and how far a pixel reaches, level-0 px, and how many pixels.
        size: of the slide, level-0 px.
        reduced: level-0 px for each pixel that is read.
    """
    start, step, count = axis
    first = max(0, math.ceil(-start / step - 1e-6))
    last = min(count, math.floor((size - start) / step + 1e-6))
    block = max(1, int(_BLOCK_PX * reduced / step))
    return [(at, min(at + block, last)) for at in range(first, last, block)]
