"""Slides whose levels are stored as tiles that can be decoded one by one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from curatome.errors import UnreadableSlide
from curatome.slides.readers.base import Level, Pixels, Region, SlideFacts
from curatome.slides.readers.errors import DECODE_ERRORS
from curatome.slides.readers.levels import span

_CACHE_BYTES = 64 << 20
_NEVER_SCANNED = 255  # white, for tiles that a file leaves out


class StoredLevel(Protocol):
    """The tiles of one level, or its strips, which are tiles as wide as the image.

    Attributes:
        tile_width: in pixels of the level.
        tile_height: in pixels of the level.
        shrinks: see `Level.shrinks`.
        means: see `Level.means`.
    """

    tile_width: int
    tile_height: int
    shrinks: tuple[float, ...]
    means: tuple[float, ...]

    def decode(self, column: int, row: int, shrink: float) -> Pixels | None:
        """One tile, (tile_height / shrink, tile_width / shrink, 3) uint8, RGB.

        A tile at the right or lower edge may be whole or cut. None where nothing was scanned.
        """

    def lag(self, shrink: float) -> float:
        """How far left of and above their place reduced pixels lie, in pixels of the level."""

    def jpeg(self, column: int, row: int) -> bytes | None:
        """One tile as a JPEG file of its own, without decoding; None if it is not stored so."""


def with_shrinks(levels: Sequence[Level], stored: Sequence[StoredLevel]) -> tuple[Level, ...]:
    """Levels that say how they can be reduced while they are decoded."""
    return tuple(
        replace(level, shrinks=how.shrinks, means=how.means)
        for level, how in zip(levels, stored, strict=True)
    )


class StoredTileReader:
    """An open slide of stored tiles; see `SlideReader`.

    Args:
        path: its file, for messages.
        facts: what is known about it, with `shrinks` and `means` of its levels.
        levels: its stored levels, one for each of `facts.levels`.
        associated: decodes a label, macro or thumbnail image, by name.
        close: frees the file.
    """

    def __init__(
        self,
        path: Path,
        facts: SlideFacts,
        levels: Sequence[StoredLevel],
        associated: Mapping[str, Callable[[], Pixels]],
        close: Callable[[], None],
    ) -> None:
        self.facts = facts
        self.stored = tuple(levels)
        self._path = path
        self._associated = associated
        self._close = close
        self._cache: OrderedDict[tuple[int, float, int, int], Pixels | None] = OrderedDict()
        self._cached = 0

    def read(
        self, level: int, x0: float, y0: float, x1: float, y1: float, *, shrink: float = 1.0
    ) -> Region:
        """Pixels of a level that cover a box; see `SlideReader.read`."""
        at = self.facts.levels[level]
        step_x, step_y = at.downsample_x * shrink, at.downsample_y * shrink
        lag = self.stored[level].lag(shrink)
        lag_x, lag_y = lag * at.downsample_x, lag * at.downsample_y
        # A reduced pixel at the edge that would lie partly off the level is left out.
        width, height = self._size(level, shrink)
        left, right = span(x0 + lag_x, x1 + lag_x, step_x, width)
        top, bottom = span(y0 + lag_y, y1 + lag_y, step_y, height)
        pixels = np.empty((bottom - top, right - left, 3), np.uint8)
        self._paint(level, (left, top), shrink, pixels)
        return Region(pixels, left * step_x - lag_x, top * step_y - lag_y, step_x, step_y)

    def fill(self, level: int, corner: tuple[int, int], shrink: float, out: Pixels) -> bool:
        """Decode straight into memory where pixels need no resampling, without a region between.

        Args:
            level: number of the level.
            corner: left and top of `out` in reduced pixels of the level.
            shrink: of the level's `shrinks`.
            out: (H, W, 3) uint8, written; rows may be strided, pixels must be contiguous.

        Returns:
            Whether it was done; not where reduced pixels lie beside their place, or where `out`
            reaches beyond the level.

        Raises:
            UnreadableSlide: pixels cannot be decoded.
        """
        width, height = self._size(level, shrink)
        inside = corner[0] + out.shape[1] <= width and corner[1] + out.shape[0] <= height
        if not inside or min(corner) < 0 or self.stored[level].lag(shrink):
            return False
        self._paint(level, corner, shrink, out)
        return True

    def _size(self, level: int, shrink: float) -> tuple[int, int]:
        """Whole reduced pixels of a level, across and down."""
        at = self.facts.levels[level]
        return max(1, int(at.width / shrink)), max(1, int(at.height / shrink))

    def associated(self, name: str) -> Pixels:
        """A label, macro or thumbnail image; see `SlideReader.associated`."""
        decode = self._associated[name]
        try:
            return decode()
        except DECODE_ERRORS as error:
            raise UnreadableSlide(
                f"{self._path.name}: its {name} image cannot be decoded: {error} (reader "
                f"{self.facts.reader}, stage associated {name}). Copy the file again, or leave "
                "it out."
            ) from error

    def close(self) -> None:
        """Free the file."""
        self._cache.clear()
        self._close()

    def _paint(self, level: int, corner: tuple[int, int], shrink: float, canvas: Pixels) -> None:
        """Fill (H, W, 3) uint8 that begins at a corner, in reduced pixels of the level."""
        try:
            self._paint_tiles(level, corner, shrink, canvas)
        except DECODE_ERRORS as error:
            at = self.facts.levels[level]
            step_x, step_y = at.downsample_x * shrink, at.downsample_y * shrink
            x, y = corner[0] * step_x, corner[1] * step_y
            right, bottom = x + canvas.shape[1] * step_x, y + canvas.shape[0] * step_y
            raise UnreadableSlide(
                f"{self._path.name}: level {level} cannot be decoded in the box from "
                f"({x:.0f}, {y:.0f}) to ({right:.0f}, {bottom:.0f}) level-0 px: {error} (reader "
                f"{self.facts.reader}, stage decode). Copy the file again from the scanner or "
                "the archive, or leave it out."
            ) from error

    def _paint_tiles(
        self, level: int, corner: tuple[int, int], shrink: float, canvas: Pixels
    ) -> None:
        stored = self.stored[level]
        left, top = corner
        right, bottom = left + canvas.shape[1], top + canvas.shape[0]
        if canvas.size == 0:
            return
        width, height = int(stored.tile_width / shrink), int(stored.tile_height / shrink)
        for row in range(top // height, -(-bottom // height)):
            y = row * height - top
            for column in range(left // width, -(-right // width)):
                x = column * width - left
                # Only what the box cuts will be asked for again. To keep more would cost time:
                # memory that was just used is faster than memory that was not.
                cut = x < 0 or y < 0 or x + width > right - left or y + height > bottom - top
                tile = self._tile((level, shrink, column, row), cut)
                if not cut and tile is not None:
                    canvas[y : y + height, x : x + width] = tile
                else:
                    _place(canvas, tile, (x, y, x + width, y + height))

    def _tile(self, key: tuple[int, float, int, int], keep: bool) -> Pixels | None:
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        level, shrink, column, row = key
        tile = self.stored[level].decode(column, row, shrink)
        if not keep:
            return tile
        self._cache[key] = tile
        self._cached += 0 if tile is None else tile.nbytes
        while self._cached > _CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached -= 0 if dropped is None else dropped.nbytes
        return tile


def _place(canvas: Pixels, tile: Pixels | None, box: tuple[int, int, int, int]) -> None:
    """Copy the part of a tile that falls on the canvas, where it lies as `box`."""
    x, y, right, bottom = box
    within = canvas[max(y, 0) : bottom, max(x, 0) : right]
    if tile is None:
        within[:] = _NEVER_SCANNED
    else:
        within[:] = tile[max(-y, 0) :, max(-x, 0) :][: within.shape[0], : within.shape[1]]
