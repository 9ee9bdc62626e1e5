"""Write pyramidal OME-TIFFs from a callback, with memory bounded by strips.

The lower levels are SubIFDs of the first page, as OME's specification 6 has them; label and macro
are images of their own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from curatome.phantom.labels import Label, blank_label
from curatome.phantom.macro import macro_image
from curatome.phantom.pyramid import Coding, Pixels, Pyramid, ReadBlock, check_size

_BIG = 2**32


@dataclass(frozen=True)
class OmeOptions:
    """How an OME-TIFF is written.

    Attributes:
        mpp: µm per pixel, or None to leave it out.
        name: name of the image; it also decides the file's UUID.
        tile: edge of a tile, px, a multiple of 16.
        quality: JPEG quality.
        blocks: how many tiles are read at once from left to right.
        label: the slide's label, which the macro image shows, too.
    """

    mpp: float | None = 0.499
    name: str = "PHANTOM"
    tile: int = 256
    quality: int = 80
    blocks: int = 8
    label: Label = field(default_factory=blank_label)


def _metadata(options: OmeOptions) -> dict[str, Any]:
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"curatome phantom {options.name}")
    said: dict[str, Any] = {"axes": "YXS", "Name": options.name, "UUID": str(identity)}
    if options.mpp is not None:
        unit = dict.fromkeys(("PhysicalSizeXUnit", "PhysicalSizeYUnit"), "µm")
        said |= {"PhysicalSizeX": options.mpp, "PhysicalSizeY": options.mpp, **unit}
    return said


def _jpeg(tile: int) -> dict[str, Any]:
    """What all tiled levels have in common."""
    return {
        "dtype": np.uint8,
        "tile": (tile, tile),
        "compression": "jpeg",
        "photometric": "ycbcr",
        "subsampling": (2, 2),
    }


def _write(
    out: tifffile.TiffWriter, pyramid: Pyramid, tiles: Iterator[bytes], options: OmeOptions
) -> None:
    width, height = pyramid.size
    resolution: dict[str, Any] = {}
    if options.mpp is not None:
        per_cm = 10_000 / options.mpp
        resolution = {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    out.write(
        tiles,
        shape=(height, width, 3),
        subifds=len(pyramid.levels),
        metadata=_metadata(options),
        **resolution,
        **_jpeg(options.tile),
    )
    for level in pyramid.levels:
        shape = (level.height, level.width, 3)
        out.write(iter(level.tiles), shape=shape, subfiletype=1, **_jpeg(options.tile))
    extras: dict[str, Pixels] = {
        "label": options.label.pixels,
        "macro": macro_image(options.label, pyramid.overview.pixels),
    }
    for name, pixels in extras.items():
        out.write(
            np.ascontiguousarray(pixels),
            photometric="rgb",
            compression="zlib",
            metadata={"axes": "YXS", "Name": name},
        )


def write_ome_tiff(
    path: Path,
    size: tuple[int, int],
    read_block: ReadBlock,
    options: OmeOptions | None = None,
) -> None:
    """Write a pyramidal OME-TIFF, asking for its pixels strip by strip.

    Args:
        path: the file to write, named `*.ome.tif` or `*.ome.tiff`.
        size: width and height of level 0, px.
        read_block: gives the pixels of (x, y, width, height).
        options: scale, tile, quality, label.

    Raises:
        ValueError: the size is not positive, or the tile no multiple of 16.
        OSError: the file cannot be written.
    """
    options = options or OmeOptions()
    check_size(size, options.tile)
    pyramid = Pyramid(size, Coding(options.tile, options.quality, options.blocks))
    try:
        with tifffile.TiffWriter(path, ome=True, bigtiff=size[0] * size[1] > _BIG) as out:
            _write(out, pyramid, pyramid.level0(read_block), options)
    finally:
        pyramid.close()
