"""Aperio and Philips slides, read by their stored tiles: faster than OpenSlide, the same pixels.

What the file says about itself comes from OpenSlide; only pixels come from here. A file whose
TIFF levels are not those that OpenSlide shows is left to OpenSlide.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import openslide
import tifffile
from openslide.lowlevel import OpenSlideError

from curatome.errors import UnsupportedSlide
from curatome.slides.readers.errors import DECODE_ERRORS
from curatome.slides.readers.openslide import OpenSlideReader
from curatome.slides.readers.stored import StoredTileReader, with_shrinks
from curatome.slides.readers.tiff import tiff_levels
from curatome.slides.readers.tiff_kind import main_series
from curatome.slides.readers.tiff_level import TiffLevel

_FORMATS = ("aperio", "philips")


def open_direct(path: Path) -> StoredTileReader | None:
    """The slide by its stored tiles, or None if it must be left to OpenSlide."""
    try:
        if openslide.OpenSlide.detect_format(str(path)) not in _FORMATS:
            return None
        slide = OpenSlideReader(path)
    except OpenSlideError:
        return None  # the next reader says what is wrong
    try:
        file = tifffile.TiffFile(path)
    except DECODE_ERRORS:
        slide.close()
        return None
    levels = _levels(file, slide, path)
    if levels is None:
        file.close()
        slide.close()
        return None
    shown = with_shrinks(slide.facts.levels, levels)
    facts = replace(slide.facts, reader="direct", levels=shown)

    def close() -> None:
        file.close()
        slide.close()

    associated = {name: partial(slide.associated, name) for name in facts.associated}
    return StoredTileReader(path, facts, levels, associated, close)


def _levels(file: tifffile.TiffFile, slide: OpenSlideReader, path: Path) -> list[TiffLevel] | None:
    try:
        levels = tiff_levels(main_series(file), path)
    except (*DECODE_ERRORS, UnsupportedSlide):
        return None
    shown = [(level.width, level.height) for level in slide.facts.levels]
    stored = [(level.page.imagewidth, level.page.imagelength) for level in levels]
    tiled = all(level.page.is_tiled for level in levels)
    return levels if tiled and shown == stored else None
