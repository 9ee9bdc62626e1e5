"""Write SVS-like pyramidal TIFFs of any size from a callback, with memory bounded by strips.

The layout is Aperio's: level 0, thumbnail, lower levels, label, macro; JPEG tiles in YCbCr 4:2:0.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import simplejpeg
import tifffile
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled

Pixels = NDArray[np.uint8]
ReadBlock = Callable[[int, int, int, int], Pixels]
"""(x, y, width, height) in level-0 px to (height, width, 3) uint8."""

STEP = 4
"""Each level is this many times smaller than the one before, as in Aperio's files."""
_LIBRARY = "Aperio Image Library v12.0.15 \r\n"
_BIG = 2**32


@dataclass(frozen=True)
class SvsOptions:
    """How an SVS is written.

    Attributes:
        mpp: µm per pixel for the description, or None to leave it out.
        objective: nominal magnification, or None to leave it out.
        scanner: ScanScope ID.
        tile: edge of a tile, px, a multiple of 16.
        quality: JPEG quality.
        blocks: how many tiles are read at once from left to right.
        properties: further `key = value` pairs of the description.
    """

    mpp: float | None = 0.499
    objective: int | None = 20
    scanner: str = "PHANTOM"
    tile: int = 256
    quality: int = 80
    blocks: int = 8
    properties: dict[str, str] = field(default_factory=dict)


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


class _Level:
    """A lower level: takes reduced blocks, hands finished tile rows on, keeps tiles in a file."""

    def __init__(self, size: tuple[int, int], options: SvsOptions, child: _Level | None) -> None:
        self.width, self.height = size
        self.options, self.child = options, child
        self.rows = np.zeros((options.tile, self.width, 3), np.uint8)
        self.top = 0
        self.spill: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self.lengths: list[int] = []

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
        if done <= self.top or (done - self.top < self.options.tile and done < self.height):
            return
        strip = self.rows[: done - self.top]
        for data in encoded_row(strip, self.options):
            self.lengths.append(len(data))
            self.spill.write(data)
        if self.child is not None:
            self.child.put(strip, 0, self.top)
            self.child.advance(self.top + len(strip))
        self.top = done

    def tiles(self) -> Iterator[bytes]:
        self.spill.seek(0)
        for length in self.lengths:
            yield self.spill.read(length)

    def close(self) -> None:
        self.spill.close()


def encoded_row(strip: Pixels, options: SvsOptions) -> Iterator[bytes]:
    """One row of tiles as JPEG, edge tiles filled up by repeating their last pixels."""
    tile = options.tile
    for x in range(0, strip.shape[1], tile):
        piece = strip[:, x : x + tile]
        missing = (tile - piece.shape[0], tile - piece.shape[1])
        if any(missing):
            piece = np.pad(piece, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")
        yield simplejpeg.encode_jpeg(
            np.ascontiguousarray(piece),
            quality=options.quality,
            colorspace="RGB",
            colorsubsampling="420",
            fastdct=True,
        )


class _Overview:
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


def _label() -> Pixels:
    """A label without text: a frame and a pattern of squares, the same on every slide."""
    label = np.full((400, 380, 3), 246, np.uint8)
    label[12:16, 12:-12] = label[-16:-12, 12:-12] = 120
    label[12:-12, 12:16] = label[12:-12, -16:-12] = 120
    squares = np.random.default_rng(7).random((14, 14)) < 0.5
    label[60:228, 106:274] = np.where(np.kron(squares, np.ones((12, 12)))[..., None] > 0, 30, 246)
    return label


def _macro(overview: Pixels) -> Pixels:
    """A photograph of the glass: label at the left, tissue at the right."""
    macro = np.full((430, 1280, 3), 222, np.uint8)
    macro[6:-6, 6:-6] = 236
    label = _label()[::1, ::1]
    macro[16 : 16 + 398, 16 : 16 + 378] = label[:398, :378]
    step = max(1, -(-overview.shape[0] // 380), -(-overview.shape[1] // 780))
    small = overview[::step, ::step].astype(np.uint16) * 236 // 246
    top, left = (430 - small.shape[0]) // 2, 430 + (800 - small.shape[1]) // 2
    macro[top : top + small.shape[0], left : left + small.shape[1]] = small
    return macro


def _description(size: tuple[int, int], level: tuple[int, int], options: SvsOptions) -> str:
    tile, full = options.tile, f"{size[0]}x{size[1]}"
    reduced = "" if level == size else f" -> {level[0]}x{level[1]}"
    text = f"{_LIBRARY}{full} [0,0 {full}] ({tile}x{tile}){reduced} JPEG/YCC Q={options.quality}"
    pairs: dict[str, Any] = {}
    if options.objective is not None:
        pairs["AppMag"] = options.objective
    if options.mpp is not None:
        pairs["MPP"] = f"{options.mpp:.4f}"
    pairs |= {"ScanScope ID": options.scanner, **options.properties}
    return "|".join([text, *(f"{key} = {value}" for key, value in pairs.items())])


class _Writer:
    """One file in the making."""

    def __init__(self, out: tifffile.TiffWriter, size: tuple[int, int], options: SvsOptions):
        self.out, self.size, self.options = out, size, options
        self.overview = _Overview(*size)
        self.levels: list[_Level] = []
        for smaller in reversed(level_sizes(*size, options.tile)[1:]):
            self.levels.insert(0, _Level(smaller, options, self.levels[0] if self.levels else None))

    def level0(self, read_block: ReadBlock) -> Iterator[bytes]:
        """Tiles of level 0 in order, feeding the levels below as they pass."""
        width, height = self.size
        tile = self.options.tile
        across = tile * self.options.blocks
        for y in range(0, height, tile):
            rows = min(tile, height - y)
            for x in range(0, width, across):
                block = read_block(x, y, min(across, width - x), rows)
                self.overview.put(block, x, y)
                if self.levels:
                    self.levels[0].put(block, x, y)
                    if x + across >= width:
                        # Before the last tiles: nobody asks again once these have been taken.
                        self.levels[0].advance(y + rows)
                yield from encoded_row(block, self.options)

    def tiled(self, tiles: Iterator[bytes], level: tuple[int, int]) -> None:
        """Add one level."""
        self.out.write(
            tiles,
            shape=(level[1], level[0], 3),
            dtype=np.uint8,
            tile=(self.options.tile, self.options.tile),
            compression="jpeg",
            photometric="ycbcr",
            subsampling=(2, 2),
            description=_description(self.size, level, self.options),
            metadata=None,
            software=False,
        )

    def extra(self, pixels: Pixels, text: str, subfile: int = 0) -> None:
        """Add a thumbnail, label or macro: one strip."""
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=88, colorspace="RGB", colorsubsampling="420"
        )
        self.out.write(
            iter([data]),
            shape=pixels.shape,
            dtype=np.uint8,
            rowsperstrip=pixels.shape[0],
            compression="jpeg",
            photometric="ycbcr",
            subsampling=(2, 2),
            subfiletype=subfile,
            description=_LIBRARY + text,
            metadata=None,
            software=False,
        )

    def close(self) -> None:
        """Drop the temporary files."""
        for level in self.levels:
            level.close()


def write_svs(
    path: Path,
    size: tuple[int, int],
    read_block: ReadBlock,
    options: SvsOptions | None = None,
) -> None:
    """Write an SVS-like pyramidal TIFF, asking for its pixels strip by strip.

    Blocks are asked for once each, from the top left in rows. Memory stays near one strip of
    tiles per level; lower levels wait, encoded, in temporary files.

    Args:
        path: the file to write.
        size: width and height of level 0, px.
        read_block: gives the pixels of (x, y, width, height).
        options: scale, scanner, tile, quality.

    Raises:
        ValueError: the size is not positive, or the tile no multiple of 16.
        OSError: the file cannot be written.
    """
    options = options or SvsOptions()
    if min(size) < 1:
        raise ValueError(f"a slide must have at least one pixel. Got {size[0]} × {size[1]}.")
    if options.tile < 16 or options.tile % 16:
        raise ValueError(f"tile must be a positive multiple of 16. Got {options.tile}.")
    with tifffile.TiffWriter(path, bigtiff=size[0] * size[1] > _BIG) as out:
        writer = _Writer(out, size, options)
        try:
            writer.tiled(writer.level0(read_block), size)
            overview = writer.overview.pixels
            shape = f"{overview.shape[1]}x{overview.shape[0]}"
            writer.extra(overview, f"{size[0]}x{size[1]} -> {shape} - ")
            for level in writer.levels:
                writer.tiled(level.tiles(), (level.width, level.height))
            writer.extra(_label(), "label 380x400", 1)
            writer.extra(_macro(overview), "macro 1280x430", 9)
        finally:
            writer.close()
