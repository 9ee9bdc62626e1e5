"""Slides that OpenSlide reads: Aperio, Hamamatsu, Leica, MIRAX, Philips, Ventana, Zeiss, DICOM.

Plain tiled TIFF, which OpenSlide calls `generic-tiff`, is left to `tiff.py`: there every level is
read without interpolation, and a gray or multi-channel image is recognized for what it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openslide
from openslide.lowlevel import OpenSlideError, OpenSlideUnsupportedFormatError

from curatome.errors import UnreadableSlide
from curatome.slides.readers.base import Pixels, Region, SlideFacts
from curatome.slides.readers.levels import over_white, place_level, span

_CHUNK = 4096  # OpenSlide cuts larger requests itself, and truncates where each piece starts

_SCANNER: dict[str, tuple[str, ...]] = {
    "aperio": ("aperio.ScanScope ID",),
    "dicom": ("dicom.Manufacturer", "dicom.ManufacturerModelName", "dicom.DeviceSerialNumber"),
    "hamamatsu": ("tiff.Make", "tiff.Model", "hamamatsu.Product", "hamamatsu.NDP.S/N"),
    "leica": ("leica.device-model",),
    "mirax": ("mirax.NONHIERLAYER_1_SECTION.SCANNER_HARDWARE_ID",),
    "philips": ("philips.DICOM_MANUFACTURER", "philips.DICOM_MANUFACTURERS_MODEL_NAME"),
    "ventana": ("ventana.ScannerModel", "ventana.UnitNumber"),
}
_NAMES_ITS_MAKER = {"dicom", "philips"}


def open_openslide(path: Path) -> OpenSlideReader | None:
    """The slide as OpenSlide opens it, or None where it does not know the format.

    Raises:
        UnreadableSlide: OpenSlide knows the format, but the file is broken.
    """
    try:
        if openslide.OpenSlide.detect_format(str(path)) in (None, "generic-tiff"):
            return None
        return OpenSlideReader(path)
    except OpenSlideUnsupportedFormatError:
        return None
    except OpenSlideError as error:
        raise UnreadableSlide(
            f"{path.name} is broken: {error} (reader openslide, stage open). "
            "Copy it again from the scanner or the archive, or leave it out."
        ) from error


class OpenSlideReader:
    """An open slide; see `SlideReader`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slide = openslide.OpenSlide(str(path))
        self._downsamples = self._slide.level_downsamples
        self.facts = _facts(self._slide)

    def read(
        self,
        level: int,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        *,
        shrink: float = 1.0,  # noqa: ARG002 - its levels offer no other
    ) -> Region:
        """Pixels of a level that cover a box; see `SlideReader.read`."""
        at = self.facts.levels[level]
        own = self._downsamples[level]
        columns = span(x0, x1, at.downsample_x, at.width)
        rows = span(y0, y1, at.downsample_y, at.height)
        left, start_x = _location(columns[0], own)
        top, start_y = _location(rows[0], own)
        size = (
            math.ceil(columns[1] - start_x) if columns[1] > columns[0] else 0,
            math.ceil(rows[1] - start_y) if rows[1] > rows[0] else 0,
        )
        try:
            pixels = self._paint(level, (left, top), size)
        except OpenSlideError as error:
            self._reopen()
            raise UnreadableSlide(
                f"{self._path.name}: level {level} cannot be decoded in the box from "
                f"({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f}) level-0 px: {error} (reader "
                "openslide, stage decode). Copy the file again from the scanner or the archive, "
                "or leave it out."
            ) from error
        step_x, step_y = at.downsample_x, at.downsample_y
        return Region(pixels, start_x * step_x, start_y * step_y, step_x, step_y)

    def associated(self, name: str) -> Pixels:
        """A label, macro or thumbnail image; see `SlideReader.associated`."""
        if name not in self.facts.associated:
            raise KeyError(name)
        try:
            return over_white(np.asarray(self._slide.associated_images[name].convert("RGBA")))
        except OpenSlideError as error:
            self._reopen()
            raise UnreadableSlide(
                f"{self._path.name}: its {name} image cannot be decoded: {error} (reader "
                "openslide, stage associated). Copy the file again, or leave it out."
            ) from error

    def close(self) -> None:
        """Free the file."""
        self._slide.close()

    def _paint(self, level: int, location: tuple[int, int], size: tuple[int, int]) -> Pixels:
        """(H, W, 3) uint8; in pieces where OpenSlide's own pieces would not line up."""
        own = self._downsamples[level]
        if max(size) <= _CHUNK or (own * _CHUNK).is_integer():
            return over_white(np.asarray(self._slide.read_region(location, level, size)))
        piece = min(range(_CHUNK, _CHUNK // 2, -1), key=lambda n: abs(n * own - round(n * own)))
        pixels = np.empty((size[1], size[0], 3), np.uint8)
        for row in range(0, size[1], piece):
            for column in range(0, size[0], piece):
                part = min(piece, size[0] - column), min(piece, size[1] - row)
                at = location[0] + round(column * own), location[1] + round(row * own)
                rgba = np.asarray(self._slide.read_region(at, level, part))
                pixels[row : row + part[1], column : column + part[0]] = over_white(rgba)
        return pixels

    def _reopen(self) -> None:
        # After one error OpenSlide answers every call on the same handle with that error.
        self._slide.close()
        self._slide = openslide.OpenSlide(str(self._path))


def _location(pixel: int, downsample: float) -> tuple[int, float]:
    """Where to ask OpenSlide to start, so that its array begins at or before a level's pixel.

    OpenSlide takes whole level-0 pixels and divides by its own downsample; where the quotient is
    not whole it interpolates. Among the locations less than one and a half pixels before the
    wanted pixel, the one whose quotient is nearest to a whole number is taken.

    Returns:
        The location in OpenSlide's level-0 px, and the level's pixel it stands for.
    """
    last = math.floor(pixel * downsample + 1e-6)
    first = max(0, math.ceil((pixel - 1.5) * downsample))

    def blur(location: int) -> float:
        quotient = location / downsample
        return round(abs(quotient - round(quotient)), 6)

    best = min(range(last, first - 1, -1), key=blur)
    return best, best / downsample


def _facts(slide: openslide.OpenSlide) -> SlideFacts:
    properties = dict(slide.properties)
    vendor = properties.get(openslide.PROPERTY_NAME_VENDOR, "")
    x = _number(properties, openslide.PROPERTY_NAME_MPP_X)
    y = _number(properties, openslide.PROPERTY_NAME_MPP_Y)
    # An empty region decodes nothing, and carries the profile's bytes as the file holds them.
    icc = slide.read_region((0, 0), 0, (0, 0)).info.get("icc_profile")
    return SlideFacts(
        reader="openslide",
        format=vendor,
        levels=tuple(place_level(slide.dimensions, size) for size in slide.level_dimensions),
        mpp=None if x is None or y is None else (x, y),
        objective_power=_number(properties, openslide.PROPERTY_NAME_OBJECTIVE_POWER),
        scanner=_scanner(vendor, properties),
        associated=tuple(sorted(slide.associated_images)),
        icc_profile=icc,
        properties=properties,
    )


def _number(properties: Mapping[str, str], name: str) -> float | None:
    try:
        return float(properties[name])
    except (KeyError, ValueError):
        return None


def _scanner(vendor: str, properties: Mapping[str, str]) -> str | None:
    parts = [properties.get(name, "").strip() for name in _SCANNER.get(vendor, ())]
    known = [part for part in parts if part]
    if not known:
        return None
    maker = [] if vendor in _NAMES_ITS_MAKER else [vendor.capitalize()]
    return " ".join(maker + [part for part in known if part.lower() != vendor])
