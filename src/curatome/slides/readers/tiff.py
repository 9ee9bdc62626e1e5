"""TIFF and OME-TIFF through tifffile, decoding only the tiles or strips that a box needs.

Levels are read as they are stored, without interpolation. An orientation recorded in the file is
kept among the properties and never applied: coordinates are those of the stored pixels.
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from curatome.errors import UnreadableSlide, UnsupportedSlide
from curatome.slides.readers.base import Pixels, Region, SlideFacts
from curatome.slides.readers.levels import over_white, place_level, span
from curatome.slides.readers.tiff_kind import (
    check_page,
    check_series,
    main_series,
    ome_pixels,
    recorded_mpp,
    recorded_objective,
)

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# What tifffile and imagecodecs raise on broken files; imagecodecs' errors are RuntimeErrors.
_DECODE_ERRORS = (
    OSError,
    ValueError,
    RuntimeError,
    LookupError,
    TypeError,
    struct.error,
    zlib.error,
)
_CACHE_BYTES = 64 << 20
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


def open_ome_tiff(path: Path) -> TiffReader | None:
    """An OME-TIFF, or None for any other file.

    Raises:
        UnreadableSlide: it is broken.
        UnsupportedSlide: it is no bright-field RGB image; the message says what it is.
    """
    if not _is_tiff(path):
        return None
    try:
        file = tifffile.TiffFile(path)
    except _DECODE_ERRORS:
        return None  # a TIFF that is broken this early is reported by `open_tiff`
    if not file.is_ome:
        file.close()
        return None
    return _open(file, path, "ome-tiff")


def open_tiff(path: Path) -> TiffReader | None:
    """A TIFF of any other flavor, or None if the file is no TIFF.

    Raises:
        UnreadableSlide: it is broken.
        UnsupportedSlide: it is no bright-field RGB image; the message says what it is.
    """
    if not _is_tiff(path):
        return None
    try:
        file = tifffile.TiffFile(path)
    except _DECODE_ERRORS as error:
        raise _broken(path, "tiff", error) from error
    return _open(file, path, "tiff")


class TiffReader:
    """An open TIFF; see `SlideReader`."""

    def __init__(self, file: tifffile.TiffFile, path: Path, reader: str) -> None:
        self._file = file
        self._path = path
        series = main_series(file)
        check_series(series, file, path)
        self._pages = [_page(level) for level in series.levels]
        for page in self._pages:
            check_page(page, path)
            _check_size(page, path)
        self._cache: OrderedDict[tuple[int, int], Pixels | None] = OrderedDict()
        self._cached = 0
        self._associated = _associated_pages(file, series)
        self.facts = _facts(self, file, reader)

    @property
    def pages(self) -> list[Any]:
        """One tifffile page for each level, from finest to coarsest."""
        return self._pages

    @property
    def associated_names(self) -> tuple[str, ...]:
        """Names of label, macro and thumbnail images."""
        return tuple(sorted(self._associated))

    def read(self, level: int, x0: float, y0: float, x1: float, y1: float) -> Region:
        """Pixels of a level that cover a box; see `SlideReader.read`."""
        at = self.facts.levels[level]
        left, right = span(x0, x1, at.downsample_x, at.width)
        top, bottom = span(y0, y1, at.downsample_y, at.height)
        try:
            pixels = self._paint(level, (left, top, right, bottom))
        except _DECODE_ERRORS as error:
            raise UnreadableSlide(
                f"{self._path.name}: level {level} cannot be decoded in the box from "
                f"({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f}) level-0 px: {error} (reader "
                f"{self.facts.reader}, stage decode). Copy the file again, or leave it out."
            ) from error
        step_x, step_y = at.downsample_x, at.downsample_y
        return Region(pixels, left * step_x, top * step_y, step_x, step_y)

    def associated(self, name: str) -> Pixels:
        """A label, macro or thumbnail image; see `SlideReader.associated`."""
        page = self._associated[name]
        try:
            whole = np.asarray(page.asarray())
        except _DECODE_ERRORS as error:
            raise _broken(self._path, self.facts.reader, error, f"associated {name}") from error
        if page.axes == "SYX":
            whole = np.moveaxis(whole, 0, -1)
        return _opaque(whole, page)

    def close(self) -> None:
        """Free the file."""
        self._cache.clear()
        self._file.close()

    def _paint(self, level: int, box: tuple[int, int, int, int]) -> Pixels:
        """(H, W, 3) uint8 of a box (left, top, right, bottom) in pixels of the level."""
        page = self._pages[level]
        left, top, right, bottom = box
        samples = page.samplesperpixel
        # What a file leaves out was never scanned: white, and opaque.
        canvas = np.full((bottom - top, right - left, samples), 255, np.uint8)
        if canvas.size == 0:
            return canvas[..., :3]
        width = page.tilewidth if page.is_tiled else page.imagewidth
        height = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
        across, down = -(-page.imagewidth // width), -(-page.imagelength // height)
        planes = samples if page.planarconfig == 2 else 1
        for row in range(top // height, -(-bottom // height)):
            for column in range(left // width, -(-right // width)):
                for plane in range(planes):
                    part = self._segment(level, (plane * down + row) * across + column)
                    if part is None:
                        continue
                    bands = slice(plane, plane + 1) if planes > 1 else slice(None)
                    _place(canvas[..., bands], part, (column * width - left, row * height - top))
        return _opaque(canvas, page)

    def _segment(self, level: int, index: int) -> Pixels | None:
        """One decoded tile or strip, (H, W, S) uint8, or None where the file stores nothing."""
        key = level, index
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key]
        page = self._pages[level]
        part: Pixels | None = None
        if page.databytecounts[index] > 0:
            stream = page.parent.filehandle
            stream.seek(page.dataoffsets[index])
            data = stream.read(page.databytecounts[index])
            if len(data) < page.databytecounts[index]:
                raise ValueError(f"the file ends within tile or strip {index}")
            decoded, _, _ = page.decode(
                data, index, jpegtables=page.jpegtables, jpegheader=page.jpegheader
            )
            if decoded is not None:
                part = decoded[0]  # tiles at the edge may be whole; `_place` cuts them
        self._remember(key, part)
        return part

    def _remember(self, key: tuple[int, int], part: Pixels | None) -> None:
        self._cache[key] = part
        self._cached += 0 if part is None else part.nbytes
        while self._cached > _CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached -= 0 if dropped is None else dropped.nbytes


def _open(file: tifffile.TiffFile, path: Path, reader: str) -> TiffReader:
    try:
        return TiffReader(file, path, reader)
    except _DECODE_ERRORS as error:
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


def _place(canvas: Pixels, part: Pixels, at: tuple[int, int]) -> None:
    """Copy the part of a tile that falls on the canvas; `at` is its left and top there."""
    x, y = max(at[0], 0), max(at[1], 0)
    piece = part[y - at[1] : canvas.shape[0] - at[1], x - at[0] : canvas.shape[1] - at[0]]
    canvas[y : y + piece.shape[0], x : x + piece.shape[1]] = piece


def _opaque(pixels: Pixels, page: Any) -> Pixels:
    if pixels.shape[-1] == 4:
        premultiplied = int(page.extrasamples[0]) == 1
        return over_white(pixels, premultiplied)
    return np.ascontiguousarray(pixels)


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


def _facts(opened: TiffReader, file: tifffile.TiffFile, reader: str) -> SlideFacts:
    first = opened.pages[0]
    ome = ome_pixels(file)
    full = first.imagewidth, first.imagelength
    sizes = [(page.imagewidth, page.imagelength) for page in opened.pages]
    icc = first.iccprofile
    scanner = " ".join(_tag(first, name) for name in ("Make", "Model")).strip()
    return SlideFacts(
        reader=reader,
        format=reader,
        levels=tuple(place_level(full, size) for size in sizes),
        mpp=recorded_mpp(file, first, ome),
        objective_power=recorded_objective(file),
        scanner=scanner or None,
        associated=opened.associated_names,
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
