"""Write SVS-like pyramidal TIFFs of any size from a callback, with memory bounded by strips.

The layout is Aperio's: level 0, thumbnail, lower levels, label, macro; JPEG tiles in YCbCr 4:2:0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
import tifffile

from curatome.phantom.labels import Label, blank_label
from curatome.phantom.macro import macro_image
from curatome.phantom.pyramid import Coding, Pixels, Pyramid, ReadBlock, check_size

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
        label: the slide's label, which the macro image shows, too.
    """

    mpp: float | None = 0.499
    objective: int | None = 20
    scanner: str = "PHANTOM"
    tile: int = 256
    quality: int = 80
    blocks: int = 8
    properties: dict[str, str] = field(default_factory=dict)
    label: Label = field(default_factory=blank_label)


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
            description=_description(self.size, level, self.options).encode(),
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
        options: scale, scanner, tile, quality, label.

    Raises:
        ValueError: the size is not positive, or the tile no multiple of 16.
        OSError: the file cannot be written.
    """
    options = options or SvsOptions()
    check_size(size, options.tile)
    pyramid = Pyramid(size, Coding(options.tile, options.quality, options.blocks))
    with tifffile.TiffWriter(path, bigtiff=size[0] * size[1] > _BIG) as out:
        writer = _Writer(out, size, options)
        try:
            writer.tiled(pyramid.level0(read_block), size)
            overview, label = pyramid.overview.pixels, options.label
            shape = f"{overview.shape[1]}x{overview.shape[0]}"
            writer.extra(overview, f"{size[0]}x{size[1]} -> {shape} - ")
            for level in pyramid.levels:
                writer.tiled(iter(level.tiles), (level.width, level.height))
            height, width, _ = label.pixels.shape
            writer.extra(label.pixels, f"label {width}x{height}", 1)
            macro = macro_image(label, overview)
            writer.extra(macro, f"macro {macro.shape[1]}x{macro.shape[0]}", 9)
        finally:
            pyramid.close()
