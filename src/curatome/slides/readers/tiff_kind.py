"""What kind of image a TIFF holds, and what it records about its scale."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile

from curatome.errors import UnsupportedSlide

_REMEDY = "Curatome standardizes bright-field RGB; leave it out, or export it as 8-bit RGB."
_MICROMETERS = {
    "": 1.0, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "\\u00b5m": 1.0,
    "nm": 1e-3, "pm": 1e-6, "å": 1e-4, "mm": 1e3, "cm": 1e4, "m": 1e6, "in": 25400.0,
    "inch": 25400.0,
}  # fmt: skip
_PER_UNIT = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}  # inch, centimeter, millimeter, µm
_NAMES = {"Z": "focal planes", "T": "time points", "C": "separate channels", "I": "pages"}
_COMPRESSED_YCBCR = {6, 7, 33003, 33007, 34712, 34892, 34933, 34934, 50001, 50002}


def main_series(file: tifffile.TiffFile) -> Any:
    """The series with the largest image; the first of several."""
    if not file.series:
        raise ValueError("it holds no image")
    return max(file.series, key=_area)


def _area(series: Any) -> int:
    sizes = dict(zip(series.axes, series.shape, strict=False))
    return int(sizes.get("X", 1)) * int(sizes.get("Y", 1))


def check_series(series: Any, file: tifffile.TiffFile, path: Path) -> None:
    """Refuses what has more than one plane, or light of single wavelengths.

    Raises:
        UnsupportedSlide: with the reason.
    """
    sizes = dict(zip(series.axes, series.shape, strict=False))
    names = _channel_names(file)
    for axis, size in sizes.items():
        if axis in "YXS" or size == 1:
            continue
        what = _NAMES.get(axis, "pages")
        if axis == "C":
            listed = f" ({', '.join(names)})" if names else ""
            what += f"{listed}, as fluorescence is stored,"
            raise _refused(path, f"{size} {what} and no RGB")
        raise _refused(path, f"{size} {what} of one size")
    signs = _fluorescence(file)
    if signs:
        raise _refused(path, f"a fluorescence channel ({signs} in its OME-XML)")


def check_page(page: Any, path: Path) -> None:
    """Refuses a page that is not 8-bit RGB, with or without opacity.

    Raises:
        UnsupportedSlide: with the reason.
    """
    photometric, samples = page.photometric, page.samplesperpixel
    if photometric in (0, 1):
        what = "a grayscale image" if samples == 1 else f"{samples} channels and no RGB"
        raise _refused(path, f"{what} ({photometric.name.lower()})")
    if photometric == 3:
        raise _refused(path, "a palette of colors, as masks and drawings have")
    if photometric not in (2, 6):
        raise _refused(path, f"{photometric.name} pixels")
    if photometric == 6 and int(page.compression) not in _COMPRESSED_YCBCR:
        raise _refused(path, f"YCbCr pixels under {page.compression.name} compression")
    if page.dtype != np.uint8 or page.bitspersample not in (8, (8,) * samples):
        kind = "unknown" if page.dtype is None else page.dtype.name
        raise _refused(path, f"{kind} samples of {page.bitspersample} bits instead of 8-bit ones")
    extra = [int(value) for value in page.extrasamples]
    if samples != 3 and not (samples == 4 and extra in ([1], [2])):
        raise _refused(path, f"{samples} channels instead of red, green and blue")
    if page.imagedepth > 1:
        raise _refused(path, f"{page.imagedepth} focal planes")


def _refused(path: Path, what: str) -> UnsupportedSlide:
    return UnsupportedSlide(f"{path.name} holds {what} (stage open). {_REMEDY}")


def _xml(file: tifffile.TiffFile) -> ElementTree.Element | None:
    if not file.is_ome or not file.ome_metadata:
        return None
    try:
        return ElementTree.fromstring(file.ome_metadata)
    except ElementTree.ParseError as error:
        raise ValueError(f"its OME-XML cannot be parsed, {error}") from error


def ome_pixels(file: tifffile.TiffFile) -> ElementTree.Element | None:
    """The OME-XML element that describes the largest image, or None without one."""
    root = _xml(file)
    if root is None:
        return None
    found = [e for e in root.iter() if e.tag.rpartition("}")[2] == "Pixels"]
    return max(found, key=_declared_area, default=None)


def _declared_area(pixels: ElementTree.Element) -> int:
    try:
        return int(pixels.get("SizeX", "0")) * int(pixels.get("SizeY", "0"))
    except ValueError:
        return 0


def _channels(file: tifffile.TiffFile) -> list[ElementTree.Element]:
    pixels = ome_pixels(file)
    if pixels is None:
        return []
    return [child for child in pixels if child.tag.rpartition("}")[2] == "Channel"]


def _channel_names(file: tifffile.TiffFile) -> list[str]:
    named = [channel.get("Name") or channel.get("Fluor") or "" for channel in _channels(file)]
    return [name for name in named if name][:8]


def _fluorescence(file: tifffile.TiffFile) -> str:
    """The attributes of a channel that only fluorescence has, as text."""
    for channel in _channels(file):
        signs = [f"{k} {channel.get(k)}" for k in ("EmissionWavelength", "Fluor") if channel.get(k)]
        if channel.get("ContrastMethod") == "Fluorescence":
            signs.append("ContrastMethod Fluorescence")
        if signs:
            return ", ".join(signs)
    return ""


def recorded_mpp(
    file: tifffile.TiffFile, page: Any, ome: ElementTree.Element | None
) -> tuple[float, float] | None:
    """µm per pixel (x, y) as OME-XML, ImageJ or the resolution tags record it."""
    if ome is not None:
        x, y = _physical(ome, "X"), _physical(ome, "Y")
        if x is not None and y is not None:
            return x, y
    per_pixel = _resolution(page)
    if per_pixel is None:
        return None
    unit = _PER_UNIT.get(_unit(page))
    if unit is None and file.imagej_metadata:
        named = str(file.imagej_metadata.get("unit", "?")).lower()
        unit = _MICROMETERS.get(named)
    return None if unit is None else (per_pixel[0] * unit, per_pixel[1] * unit)


def _physical(ome: ElementTree.Element, axis: str) -> float | None:
    size = ome.get(f"PhysicalSize{axis}")
    factor = _MICROMETERS.get(ome.get(f"PhysicalSize{axis}Unit", "µm").strip().lower())
    if size is None or factor is None:
        return None  # "pixel" and "reference frame" are units of OME, and no lengths
    try:
        return float(size) * factor
    except ValueError:
        return None


def _unit(page: Any) -> int:
    tag = page.tags.get("ResolutionUnit")
    return 2 if tag is None else int(tag.value)  # inch is the default of TIFF 6.0


def _resolution(page: Any) -> tuple[float, float] | None:
    """Units per pixel (x, y), or None where a tag is missing or says nothing."""
    values = []
    for name in ("XResolution", "YResolution"):
        tag = page.tags.get(name)
        if tag is None:
            return None
        over, under = tag.value
        if over == 0 or under == 0 or not math.isfinite(over / under):
            return None
        values.append(under / over)
    return values[0], values[1]


def recorded_objective(file: tifffile.TiffFile) -> float | None:
    """Nominal magnification of the first objective in the OME-XML, or None."""
    root = _xml(file)
    for element in [] if root is None else root.iter():
        if element.tag.rpartition("}")[2] == "Objective" and element.get("NominalMagnification"):
            try:
                return float(element.get("NominalMagnification", ""))
            except ValueError:
                return None
    return None
