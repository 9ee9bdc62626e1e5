"""A whole slide at a low scale, by area averaging, in bounded memory."""

from __future__ import annotations

import numpy as np

from curatome.jobs import progress
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.slides.readers.levels import nearest_finer
from curatome.units import Mpp

_BLOCK_PX = 2048
"""Edge of the blocks that are read at once, pixels of the level: 13 MB of RGB, 50 MB as floats.

Blocks, not full-width strips, because a tiled file decodes every tile that a strip touches; a
strip of few rows would decode each tile many times over.
"""


def read_overview(slide: SlideReader, mpp: Mpp, target_mpp: float) -> tuple[Pixels, float, float]:
    """The whole slide at about `target_mpp`, each pixel the mean of the area it covers.

    The overview covers the slide exactly, without padding: its width is
    `round(slide width * mpp / target_mpp)`, at least 1 and at most the slide's own width, and the
    step is the slide's width over it. The step therefore differs from the wished one by at most
    half an overview pixel over the whole slide; rows alike. A slide coarser than the target is
    returned at its own scale. Values are rounded to the nearest integer.

    Args:
        slide: any open slide.
        mpp: µm per level-0 pixel.
        target_mpp: µm per overview pixel.

    Returns:
        Pixels (H, W, 3) uint8, and the level-0 pixels per overview pixel along x and y.

    Raises:
        ValueError: a scale is not positive.
        UnreadableSlide: the pixels cannot be decoded.
    """
    from curatome.slides.resample import resample  # compiled: not for those who only plan

    for name, value in (("mpp.x", mpp.x), ("mpp.y", mpp.y), ("target_mpp", target_mpp)):
        if not value > 0:
            raise ValueError(f"{name} must be positive. Got {value}.")
    facts = slide.facts
    width = _output_length(facts.width, target_mpp / mpp.x)
    height = _output_length(facts.height, target_mpp / mpp.y)
    step_x, step_y = facts.width / width, facts.height / height
    index, shrink = nearest_finer(facts.levels, step_x, step_y)
    level = facts.levels[index]
    result = np.empty((height, width, 3), np.uint8)
    columns = _blocks(width, step_x / (level.downsample_x * shrink))
    for top, bottom in _blocks(height, step_y / (level.downsample_y * shrink)):
        for left, right in columns:
            x0, y0 = left * step_x, top * step_y
            region = slide.read(index, x0, y0, right * step_x, bottom * step_y, shrink=shrink)
            resample(region, x0, y0, (step_x, step_y), result[top:bottom, left:right])
            progress(blocks=1)
    return result, step_x, step_y


def _output_length(length: int, step: float) -> int:
    return min(max(round(length / step), 1), length)


def _blocks(length: int, level_pixels_per_output: float) -> list[tuple[int, int]]:
    size = max(1, int(_BLOCK_PX / level_pixels_per_output))
    return [(start, min(start + size, length)) for start in range(0, length, size)]
