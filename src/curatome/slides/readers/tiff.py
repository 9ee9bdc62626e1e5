"""TIFF and OME-TIFF through tifffile, decoding only the tiles or strips that a box needs.

Levels are read as they are stored, without interpolation. An orientation recorded in the file is
kept among the properties and never applied: coordinates are those of the stored pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from curatome.errors import UnreadableSlide, UnsupportedSlide
from curatome.slides.readers.base import Pixels, SlideFacts
from curatome.slides.readers.errors import DECODE_ERRORS
from curatome.slides.readers.levels import place_level
from curatome.slides.readers.stored import StoredTileReader, with_shrinks
from curatome.slides.readers.tiff_kind import (
    check_page,
    check_series,
    main_series,
    ome_pixels,
    recorded_mpp,
    recorded_objective,
)
from curatome.slides.readers.tiff_level import TiffLevel

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SEGMENT_BYTES = 1 << 30  # what one strip or tile may need when decoded
_RECORDED = (
    "ImageDescription",
    "DocumentName",
    "Software",
    "DateTime",
    "Make",
    "Model",
    "Orientation",
    "XResolution",
    "YResolution",
    "ResolutionUnit",
)
_ASSOCIATED = ("label", "macro", "overview", "thumbnail")


def open_ome_tiff(path: Path) -> StoredTileReader | None:
    """An OME-TIFF, or None for any other file.

    Raises:
        UnreadableSlide: it is broken.
        UnsupportedSlide: it is no bright-field RGB image; the message says what it is.
    """
    if not _is_tiff(path):
        return None
    try:
        file = tifffile.TiffFile(path)
    except DECODE_ERRORS:
        return None  # a TIFF that is broken this early is reported by `open_tiff`
    if not file.is_ome:
        file.close()
        return None
    return _open(file, path, "ome-tiff")


def open_tiff(path: Path) -> StoredTileReader | None:
    """A TIFF of any other flavor, or None if the file is no TIFF.

    Raises:
        UnreadableSlide: it is broken.
        UnsupportedSlide: it is no bright-field RGB image; the message says what it is.
    """
    if not _is_tiff(path):
        return None
    try:
        file = tifffile.TiffFile(path)
    except DECODE_ERRORS as error:
        raise _broken(path, "tiff", error) from error
    return _open(file, path, "tiff")


def tiff_levels(series: Any, path: Path) -> list[TiffLevel]:
    """The levels of a series, from finest to coarsest.

    Raises:
        UnsupportedSlide: a level is no 8-bit RGB image, or random access cannot serve it.
    """
    pages = [_page(level) for level in series.levels]
    for page in pages:
        check_page(page, path)
        _check_size(page, path)
    return [TiffLevel(page) for page in pages]


def _open(file: tifffile.TiffFile, path: Path, reader: str) -> StoredTileReader:
    try:
        series = main_series(file)
        check_series(series, file, path)
        levels = tiff_levels(series, path)
        associated = _associated_pages(file, series)
        facts = _facts(file, levels, tuple(sorted(associated)), reader)
        decoders = {name: partial(_whole, page) for name, page in associated.items()}
        return StoredTileReader(path, facts, levels, decoders, file.close)
    except DECODE_ERRORS as error:
        file.close()
        raise _broken(path, reader, error) from error
    except UnsupportedSlide:
        file.close()
        raise


def _broken(path: Path, reader: str, error: Exception, stage: str = "open") -> UnreadableSlide:
    return UnreadableSlide(
        f"{path.name} is a broken TIFF: {error} (reader {reader}, stage {stage}). "
        "Copy it again from where it came, or leave it out."
    )


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in _MAGIC


def _page(level: Any) -> Any:
    return level.pages[0].aspage()


def _check_size(page: Any, path: Path) -> None:
    """Refuses a page that random access cannot serve."""
    rows = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    columns = page.tilewidth if page.is_tiled else page.imagewidth
    if rows * columns * page.samplesperpixel > _SEGMENT_BYTES:
        raise UnsupportedSlide(
            f"{path.name} stores {columns} x {rows} px in one piece, which takes more than 1 GiB "
            "to decode. Convert it to a tiled pyramid, for example with "
            "`vips tiffsave in.tif out.tif --tile --pyramid --compression jpeg --bigtiff`."
        )


def _whole(page: Any) -> Pixels:
    """All of a page, (H, W, 3) uint8."""
    pixels = np.asarray(page.asarray())
    return np.moveaxis(pixels, 0, -1) if page.axes == "SYX" else pixels


def _associated_pages(file: tifffile.TiffFile, main: Any) -> dict[str, Any]:
    """Label, macro and thumbnail pages, by name; only those that are 8-bit RGB."""
    pages: dict[str, Any] = {}
    for series in file.series:
        name = str(series.name).lower()
        known = next((word for word in _ASSOCIATED if word in name), None)
        if series is main or known is None or series.axes not in ("YXS", "SYX"):
            continue
        page = _page(series)
        if page.dtype == np.uint8 and page.samplesperpixel == 3:
            pages.setdefault(known, page)
    return pages


def _facts(
    file: tifffile.TiffFile, levels: Sequence[TiffLevel], associated: tuple[str, ...], reader: str
) -> SlideFacts:
    first = levels[0].page
    ome = ome_pixels(file)
    icc = first.iccprofile
    scanner = " ".join(_tag(first, name) for name in ("Make", "Model")).strip()
    sizes = [(level.page.imagewidth, level.page.imagelength) for level in levels]
    return SlideFacts(
        reader=reader,
        format=reader,
        levels=with_shrinks([place_level(sizes[0], size) for size in sizes], levels),
        mpp=recorded_mpp(file, first, ome),
        objective_power=recorded_objective(file),
        scanner=scanner or None,
        associated=associated,
        icc_profile=bytes(icc) if icc else None,
        properties=_properties(first),
    )


def _tag(page: Any, name: str) -> str:
    tag = page.tags.get(name)
    return "" if tag is None else str(tag.value).strip()


def _properties(page: Any) -> dict[str, str]:
    """The short tags of the first page, `tiff.Software` and so on."""
    found = {f"tiff.{name}": _tag(page, name) for name in _RECORDED}
    return {name: value for name, value in found.items() if value} | {
        "tiff.Compression": page.compression.name,
        "tiff.Photometric": page.photometric.name,
    }
