"""The levels of a slide, made while its finest one passes by, with memory bounded by strips.

All writers encode the same JPEG tiles in the same order; they differ in what they wrap them in.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled

Pixels = NDArray[np.uint8]
ReadBlock = Callable[[int, int, int, int], Pixels]
"""(x, y, width, height) in level-0 px to (height, width, 3) uint8."""

Box = tuple[int, int, int, int]
_THREADS = min(4, os.cpu_count() or 1)

STEP = 4
"""Each level is this many times smaller than the one before, as in Aperio's files."""


@dataclass(frozen=True)
class Coding:
    """How tiles are cut and encoded.

    Attributes:
        tile: edge of a tile, px, a multiple of 16.
        quality: JPEG quality.
        blocks: how many tiles are read at once from left to right.
    """

    tile: int = 256
    quality: int = 80
    blocks: int = 8


def check_size(size: tuple[int, int], tile: int) -> None:
    """Refuse what cannot be a slide.

    Raises:
        ValueError: the size is not positive, or the tile no multiple of 16.
    """
    if min(size) < 1:
        raise ValueError(f"a slide must have at least one pixel. Got {size[0]} × {size[1]}.")
    if tile < 16 or tile % 16:
        raise ValueError(f"tile must be a positive multiple of 16. Got {tile}.")


@compiled
def shrink(block: Pixels, out: Pixels) -> None:
    """Mean of each 4 × 4 square of (H, W, 3) into (H // 4, W // 4, 3), rounded."""
    for j in range(out.shape[0]):
        for i in range(out.shape[1]):
            for c in range(3):
                total = 0
                for dj in range(4):
                    for di in range(4):
                        total += block[4 * j + dj, 4 * i + di, c]
                out[j, i, c] = (total + 8) >> 4


def level_sizes(width: int, height: int, tile: int = 256) -> list[tuple[int, int]]:
    """Widths and heights of all levels: each a quarter of the last, none smaller than a tile."""
    sizes = [(width, height)]
    while min(sizes[-1]) // STEP >= tile:
        sizes.append((sizes[-1][0] // STEP, sizes[-1][1] // STEP))
    return sizes


class Spill:
    """Encoded tiles that wait in a temporary file."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.lengths: list[int] = []

    def put(self, tile: bytes) -> None:
        """Take one more tile."""
        self.lengths.append(len(tile))
        self.file.write(tile)

    def __iter__(self) -> Iterator[bytes]:
        """The tiles, in the order in which they came."""
        self.file.seek(0)
        for length in self.lengths:
            yield self.file.read(length)

    def close(self) -> None:
        """Drop the file."""
        self.file.close()


class Level:
    """A lower level: takes reduced blocks, hands finished tile rows on, keeps its tiles."""

    def __init__(self, size: tuple[int, int], coding: Coding, child: Level | None) -> None:
        self.width, self.height = size
        self.coding, self.child = coding, child
        self.rows = np.zeros((coding.tile, self.width, 3), np.uint8)
        self.top = 0
        self.tiles = Spill()

    def put(self, block: Pixels, x: int, y: int) -> None:
        """Take a block of the level above, at (x, y) of that level."""
        height = min(block.shape[0] // STEP, self.height - y // STEP)
        width = min(block.shape[1] // STEP, self.width - x // STEP)
        if height > 0 and width > 0:
            top, left = y // STEP - self.top, x // STEP
            shrink(block, self.rows[top : top + height, left : left + width])

    def advance(self, bottom: int) -> None:
        """Say that the level above is finished down to row `bottom`."""
        done = min(bottom // STEP, self.height)
        if done <= self.top or (done - self.top < self.coding.tile and done < self.height):
            return
        strip = self.rows[: done - self.top]
        for tile in encoded_row(strip, self.coding):
            self.tiles.put(tile)
        if self.child is not None:
            self.child.put(strip, 0, self.top)
            self.child.advance(self.top + len(strip))
        self.top = done


def encoded_row(strip: Pixels, coding: Coding) -> Iterator[bytes]:
    """One row of tiles as JPEG, edge tiles filled up by repeating their last pixels."""
    tile = coding.tile
    for x in range(0, strip.shape[1], tile):
        piece = strip[:, x : x + tile]
        missing = (tile - piece.shape[0], tile - piece.shape[1])
        if any(missing):
            piece = np.pad(piece, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        yield simplejpeg.encode_jpeg(
            np.ascontiguousarray(piece),
            quality=coding.quality,
            colorspace="RGB",
            colorsubsampling="420",
            fastdct=True,
        )


class Overview:
    """The whole slide, at most about 1,000 px wide, gathered while level 0 passes by."""

    def __init__(self, width: int, height: int) -> None:
        self.step = max(1, -(-max(width, height) // 1024))
        rows, columns = height // self.step or 1, width // self.step or 1
        self.pixels = np.full((rows, columns, 3), 240, np.uint8)

    def put(self, block: Pixels, x: int, y: int) -> None:
        """Take every `step`-th pixel, each the mean of its 4 × 4 neighborhood within the block."""
        first_row, first_column = -y % self.step, -x % self.step
        total: Any = 0
        for dj in (0, self.step // 2):
            for di in (0, self.step // 2):
                j = np.arange(first_row, block.shape[0], self.step) + dj
                i = np.arange(first_column, block.shape[1], self.step) + di
                j, i = j.clip(max=block.shape[0] - 1), i.clip(max=block.shape[1] - 1)
                total = total + block[j[:, None], i[None, :]].astype(np.uint16)
        top, left = (y + first_row) // self.step, (x + first_column) // self.step
        place = self.pixels[top : top + total.shape[0], left : left + total.shape[1]]
        place[:] = ((total + 2) // 4)[: place.shape[0], : place.shape[1]]


def _ahead(read_block: ReadBlock, boxes: Iterator[Box]) -> Iterator[tuple[Box, Pixels]]:
    """Blocks in order, while threads draw the next ones: drawing leaves the interpreter free."""
    waiting: deque[tuple[Box, Future[Pixels]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for box in boxes:
                waiting.append((box, pool.submit(read_block, *box)))
                if len(waiting) > _THREADS:
                    first, block = waiting.popleft()
                    yield first, block.result()
            while waiting:
                first, block = waiting.popleft()
                yield first, block.result()
        finally:
            for _, block in waiting:
                block.cancel()


class Pyramid:
    """All levels of a slide in the making.

    Attributes:
        levels: the lower levels, complete once `level0` has run out.
        overview: the whole slide, complete at the same time.
    """

    def __init__(self, size: tuple[int, int], coding: Coding) -> None:
        self.size, self.coding = size, coding
        self.overview = Overview(*size)
        self.levels: list[Level] = []
        for smaller in reversed(level_sizes(*size, coding.tile)[1:]):
            self.levels.insert(0, Level(smaller, coding, self.levels[0] if self.levels else None))

    def level0(self, read_block: ReadBlock) -> Iterator[bytes]:
        """Tiles of level 0 in order, feeding the levels below as they pass."""
        width, height = self.size
        tile = self.coding.tile
        across = tile * self.coding.blocks
        boxes = (
            (x, y, min(across, width - x), min(tile, height - y))
            for y in range(0, height, tile)
            for x in range(0, width, across)
        )
        for (x, y, columns, rows), block in _ahead(read_block, boxes):
            self.overview.put(block, x, y)
            if self.levels:
                self.levels[0].put(block, x, y)
                if x + columns >= width:
                    # Before the last tiles: nobody asks again once these have been taken.
                    self.levels[0].advance(y + rows)
            yield from encoded_row(block, self.coding)

    def close(self) -> None:
        """Drop the temporary files."""
        for level in self.levels:
            level.tiles.close()
