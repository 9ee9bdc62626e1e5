"""Pixels of a plane, computed strip by strip from one level of the slide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curatome.jobs import progress
from curatome.slides.readers.base import Pixels, SlideReader
from curatome.slides.readers.stored import StoredTileReader
from curatome.slides.resample import resample
from curatome.tiles.plane import Plane

PAD_VALUE = 255
"""What lies beyond the slide: white in all channels."""

_STRIP_PX = 256
_READ_PIXELS = 8 << 20  # source pixels held at once, at the most
_MARGIN = 1.0  # source pixels around a box that interpolation draws on

Boxes = npt.NDArray[np.int64]
"""(N, 4): left, top, right, bottom in canvas pixels."""


@dataclass(frozen=True)
class Rendered:
    """A canvas that is finished down to a row.

    Attributes:
        canvas: (H, W, 3) uint8.
        left: canvas coordinate of its left edge.
        top: canvas coordinate of its top edge.
        done: rows above this canvas coordinate are finished.
    """

    canvas: Pixels
    left: int
    top: int
    done: int


class Canvas:
    """Memory for canvases that are rendered one after the other.

    Fresh memory costs about as much as a copy of it, so a canvas is valid until the next one.

    Args:
        convert: brings colors to another space, if given.
    """

    def __init__(self, convert: Callable[[Pixels], Pixels] | None = None) -> None:
        self._convert = convert
        self._memory = np.empty(0, np.uint8)

    def render(self, slide: SlideReader, plane: Plane, boxes: Boxes) -> Iterator[Rendered]:
        """The canvas under a set of boxes, strip by strip from the top.

        Only what the boxes need is read; what lies between them has any content.

        Args:
            slide: the open slide.
            plane: the canvas.
            boxes: what is needed.

        Yields:
            The smallest canvas that holds all boxes, each time with more finished rows. Tiles
            are best taken as soon as they are finished, while the processor still holds them.

        Raises:
            UnreadableSlide: pixels cannot be decoded.
        """
        left, top = boxes[:, :2].min(axis=0).tolist()
        right, bottom = boxes[:, 2:].max(axis=0).tolist()
        canvas = self._shaped(bottom - top, right - left)
        if right > plane.width:
            canvas[:, plane.width - left :] = PAD_VALUE
        lowest = min(bottom, plane.height)
        for y0, y1, pieces in _strips(plane, boxes, _reduction(slide, plane)):
            for x0, x1 in pieces:
                out = canvas[y0 - top : y1 - top, x0 - left : x1 - left]
                _render_piece(slide, plane, (x0, y0), out)
                if self._convert is not None:
                    out[:] = self._convert(out)
                progress(blocks=1)
            if y1 < lowest:
                yield Rendered(canvas, left, top, y1)
        canvas[lowest - top :] = PAD_VALUE
        yield Rendered(canvas, left, top, bottom)

    def tile(self, slide: SlideReader, plane: Plane, corner: tuple[int, int], side: int) -> Pixels:
        """One tile, (side, side, 3) uint8, valid until the next one.

        Args:
            slide: the open slide.
            plane: the canvas.
            corner: left and top of the tile in canvas pixels.
            side: its edge in canvas pixels.

        Raises:
            UnreadableSlide: pixels cannot be decoded.
        """
        out = self._shaped(side, side)
        if side > _STRIP_PX or not _fill(slide, plane, corner, out):
            x, y = corner
            *_, last = self.render(slide, plane, np.array([[x, y, x + side, y + side]], np.int64))
            return last.canvas
        if self._convert is not None:
            out[:] = self._convert(out)
        progress(blocks=1)
        return out

    def _shaped(self, height: int, width: int) -> Pixels:
        size = height * width * 3
        if self._memory.size < size:
            self._memory = np.empty(size, np.uint8)
        return self._memory[:size].reshape(height, width, 3)


def as_stored(slide: SlideReader, plane: Plane) -> bool:
    """Whether the plane's pixels are those that the slide's level gives, without resampling."""
    level = slide.facts.levels[plane.level]
    source = level.downsample_x * plane.shrink, level.downsample_y * plane.shrink
    return source == (plane.step_x, plane.step_y) and isinstance(slide, StoredTileReader)


def _fill(slide: SlideReader, plane: Plane, corner: tuple[int, int], out: Pixels) -> bool:
    """Decode straight into `out`; whether that could be done."""
    return (
        as_stored(slide, plane)
        and isinstance(slide, StoredTileReader)
        and slide.fill(plane.level, corner, plane.shrink, out)
    )


def _reduction(slide: SlideReader, plane: Plane) -> float:
    """Source pixels per canvas pixel along the axis where they are more."""
    level = slide.facts.levels[plane.level]
    source_x, source_y = level.downsample_x * plane.shrink, level.downsample_y * plane.shrink
    return max(plane.step_x / source_x, plane.step_y / source_y, 1.0)


def _render_piece(slide: SlideReader, plane: Plane, corner: tuple[int, int], out: Pixels) -> None:
    if _fill(slide, plane, corner, out):
        return
    level = slide.facts.levels[plane.level]
    x, y = corner[0] * plane.step_x, corner[1] * plane.step_y
    source_x, source_y = level.downsample_x * plane.shrink, level.downsample_y * plane.shrink
    margin_x = _MARGIN * source_x if source_x > plane.step_x else 0.0
    margin_y = _MARGIN * source_y if source_y > plane.step_y else 0.0
    # The level may end a little before the canvas does; its last pixel continues then.
    last_x = (int(level.width / plane.shrink) - 1) * source_x
    last_y = (int(level.height / plane.shrink) - 1) * source_y
    region = slide.read(
        plane.level,
        min(x - margin_x, last_x),
        min(y - margin_y, last_y),
        x + out.shape[1] * plane.step_x + margin_x,
        y + out.shape[0] * plane.step_y + margin_y,
        shrink=plane.shrink,
    )
    resample(region, x, y, (plane.step_x, plane.step_y), out)


def _strips(
    plane: Plane, boxes: Boxes, reduction: float
) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Strips from top to bottom, each with the stretches of it that the boxes need.

    Strips and stretches lie on the slide and are small enough to be read at once.
    """
    rows = max(8, min(_STRIP_PX, int(2 * _STRIP_PX / reduction)))
    columns = max(8, int(_READ_PIXELS / (rows * reduction**2)))
    bottom = min(int(boxes[:, 3].max()), plane.height)
    for y0 in range(int(boxes[:, 1].min()), bottom, rows):
        y1 = min(y0 + rows, bottom)
        crossing = boxes[(boxes[:, 1] < y1) & (boxes[:, 3] > y0)]
        pieces = []
        for start, end in _runs(crossing[:, 0], crossing[:, 2]):
            stop = min(end, plane.width)
            pieces += [(x0, min(x0 + columns, stop)) for x0 in range(start, stop, columns)]
        yield y0, y1, pieces


def _runs(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    """Unions of intervals, from left to right."""
    if not len(starts):
        return []
    order = np.argsort(starts, kind="stable")
    starts, reached = starts[order], np.maximum.accumulate(ends[order])
    gaps = np.flatnonzero(starts[1:] > reached[:-1])
    first = starts[np.concatenate([[0], gaps + 1])]
    last = reached[np.concatenate([gaps, [len(starts) - 1]])]
    return list(zip(first.tolist(), last.tolist(), strict=True))
