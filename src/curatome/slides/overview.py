"""A whole slide at a low scale, by area averaging, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from curatome.slides.readers.base import Level, Pixels, SlideReader
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
    returned at its own scale. Values are rounded to the nearest integer, ties to even.

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
    for name, value in (("mpp.x", mpp.x), ("mpp.y", mpp.y), ("target_mpp", target_mpp)):
        if not value > 0:
            raise ValueError(f"{name} must be positive. Got {value}.")
    facts = slide.facts
    width = _output_length(facts.width, target_mpp / mpp.x)
    height = _output_length(facts.height, target_mpp / mpp.y)
    step_x, step_y = facts.width / width, facts.height / height
    index = coarsest_finer_level(facts.levels, step_x, step_y)
    level = facts.levels[index]
    columns = _blocks(width, step_x / level.downsample_x)
    result = np.empty((height, width, 3), np.uint8)
    for top, bottom in _blocks(height, step_y / level.downsample_y):
        for left, right in columns:
            x_edges = np.arange(left, right + 1) * step_x
            y_edges = np.arange(top, bottom + 1) * step_y
            region = slide.read(index, x_edges[0], y_edges[0], x_edges[-1], y_edges[-1])
            result[top:bottom, left:right] = area_average(
                region.pixels,
                (x_edges - region.x) / region.step_x,
                (y_edges - region.y) / region.step_y,
            )
    return result, step_x, step_y


def coarsest_finer_level(levels: tuple[Level, ...], step_x: float, step_y: float) -> int:
    """The coarsest level that is no coarser than the steps along both axes, else level 0."""
    tolerance = 1 + 1e-6
    fine_enough = [
        i
        for i, level in enumerate(levels)
        if level.downsample_x <= step_x * tolerance and level.downsample_y <= step_y * tolerance
    ]
    return max(fine_enough, key=lambda i: levels[i].downsample_x, default=0)


def area_average(
    pixels: Pixels, x_edges: npt.NDArray[np.floating], y_edges: npt.NDArray[np.floating]
) -> Pixels:
    """Means over a grid of rectangles, pixels counted by the area that lies inside.

    Args:
        pixels: (H, W, 3) uint8.
        x_edges: (N + 1,) borders between output columns, in pixels of the input.
        y_edges: (M + 1,) borders between output rows.

    Returns:
        (M, N, 3) uint8. A rectangle that only partly lies on the input is the mean of that part,
        one that lies outside has the value of the nearest pixel.
    """
    height, width, channels = pixels.shape
    rows = _weights(y_edges, height) @ pixels.reshape(height, -1).astype(np.float32)
    rows = rows.reshape(len(y_edges) - 1, width, channels).transpose(1, 0, 2)
    both = _weights(x_edges, width) @ np.ascontiguousarray(rows).reshape(width, -1)
    means = both.reshape(len(x_edges) - 1, len(y_edges) - 1, channels).transpose(1, 0, 2)
    return np.asarray(np.clip(np.rint(means), 0, 255), np.uint8)


def _output_length(length: int, step: float) -> int:
    return min(max(round(length / step), 1), length)


def _blocks(length: int, level_pixels_per_output: float) -> list[tuple[int, int]]:
    size = max(1, int(_BLOCK_PX / level_pixels_per_output))
    return [(start, min(start + size, length)) for start in range(0, length, size)]


def _weights(edges: npt.NDArray[np.floating], length: int) -> Any:
    """A sparse (N, length) matrix whose rows are shares of area, summing to 1."""
    from scipy.sparse import csr_matrix

    low = np.clip(edges[:-1], 0, length)
    high = np.clip(edges[1:], 0, length)
    outside = high - low < 1e-6
    low = np.where(outside, np.clip(np.floor(edges[:-1]), 0, length - 1), low)
    high = np.where(outside, low + 1, high)
    first = np.floor(low).astype(np.int64)
    counts = np.ceil(high).astype(np.int64) - first
    row = np.repeat(np.arange(len(low)), counts)
    column = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    share = np.minimum(column + 1, high[row]) - np.maximum(column, low[row])
    share /= (high - low)[row]
    return csr_matrix((share.astype(np.float32), (row, column)), shape=(len(low), length))
