"""Plain images (PNG, JPEG, JPEG 2000, BMP, WebP) through Pillow, held in memory as a whole.

An orientation recorded by a camera (EXIF) is kept among the properties and never applied:
coordinates are those of the stored pixels, which is also what annotation tools write down.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from curatome.errors import UnreadableSlide, UnsupportedSlide
from curatome.slides.readers.base import Level, Pixels, Region, SlideFacts
from curatome.slides.readers.levels import over_white, span

_FORMATS = ("PNG", "JPEG", "JPEG2000", "BMP", "WEBP")
_DECODE_ERRORS = (OSError, ValueError, SyntaxError, struct.error, EOFError)
_UM_PER_INCH = 25400.0
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT, _ORIENTATION = 282, 283, 296, 274
_MAKE, _MODEL = 271, 272
_PER_UNIT = {2: 25400.0, 3: 10000.0}
_WHY_NOT = {
    "1": "black and white",
    "L": "grayscale",
    "LA": "grayscale",
    "La": "grayscale",
    "I": "grayscale of more than 8 bits",
    "F": "grayscale of floating-point numbers",
    "CMYK": "CMYK, made for print",
    "LAB": "CIELAB",
    "HSV": "HSV",
}


def open_image(path: Path) -> ImageReader | None:
    """A plain image, or None where Pillow knows no such format.

    Raises:
        UnreadableSlide: it is broken.
        UnsupportedSlide: it is not 8-bit RGB, or too large to be held in memory.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns at half of what it refuses; up to there one child holds the image.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=_FORMATS) as image:
                _check(image, path)
                return ImageReader(image, path)
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError as error:
        raise UnsupportedSlide(
            f"{path.name} is too large for a plain image: {error} (stage open). Convert it to a "
            "tiled pyramid, for example with `vips tiffsave in.png out.tif --tile --pyramid`."
        ) from error
    except _DECODE_ERRORS as error:
        raise UnreadableSlide(
            f"{path.name} cannot be decoded: {error} (reader image, stage open). "
            "Copy it again from where it came, or leave it out."
        ) from error


class ImageReader:
    """A decoded image; see `SlideReader`."""

    def __init__(self, image: Image.Image, path: Path) -> None:
        image.load()
        self._pixels = _rgb(image)
        height, width = self._pixels.shape[:2]
        exif = image.getexif()
        scanner = " ".join(str(exif.get(tag, "")).strip() for tag in (_MAKE, _MODEL)).strip()
        properties = {
            f"image.{key}": str(value)
            for key, value in image.info.items()
            if isinstance(value, str | int | float | tuple) and isinstance(key, str)
        }
        if _ORIENTATION in exif:
            properties["exif.Orientation"] = str(exif[_ORIENTATION])
        self.facts = SlideFacts(
            reader="image",
            format=(image.format or path.suffix.lstrip(".")).lower(),
            levels=(Level(width, height, 1.0, 1.0),),
            mpp=_recorded_mpp(image, exif),
            scanner=scanner or None,
            icc_profile=image.info.get("icc_profile") or None,
            properties=properties,
        )

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
        """Pixels that cover a box; see `SlideReader.read`."""
        at = self.facts.levels[level]
        left, right = span(x0, x1, 1.0, at.width)
        top, bottom = span(y0, y1, 1.0, at.height)
        pixels = np.ascontiguousarray(self._pixels[top:bottom, left:right])
        return Region(pixels, float(left), float(top), 1.0, 1.0)

    def associated(self, name: str) -> Pixels:
        """A plain image holds no others; see `SlideReader.associated`."""
        raise KeyError(name)

    def close(self) -> None:
        """Free the memory."""
        self._pixels = np.empty((0, 0, 3), np.uint8)


def _check(image: Image.Image, path: Path) -> None:
    """Refuses what is not 8-bit color."""
    why = _WHY_NOT.get(image.mode)
    if why is None and image.mode.startswith("I;16"):
        why = "grayscale of 16 bits"
    if why is None and image.format == "PNG" and _png_bits(path) == 16:
        why = "color of 16 bits per channel"
    if why is None and getattr(image, "n_frames", 1) > 1:
        why = f"an animation of {getattr(image, 'n_frames', 1)} frames"
    if why is not None:
        raise UnsupportedSlide(
            f"{path.name} is {why} ({image.format}, mode {image.mode}; stage open). Curatome "
            "standardizes bright-field RGB of 8 bits; leave it out, or export it as 8-bit RGB."
        )


def _png_bits(path: Path) -> int:
    with path.open("rb") as stream:
        return stream.read(25)[24]  # signature, then IHDR: length, name, width, height, depth


def _rgb(image: Image.Image) -> Pixels:
    if image.mode == "RGB" and "transparency" not in image.info:
        return np.asarray(image)
    return over_white(np.asarray(image.convert("RGBA")))


def _recorded_mpp(image: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    """µm per pixel as PNG pHYs, JFIF density, BMP header or EXIF tags record it."""
    if image.format in ("JPEG", "MPO"):
        # Pillow's own dpi is 72 where nothing is recorded, so the density is read itself.
        unit = {1: _UM_PER_INCH, 2: 10000.0}.get(image.info.get("jfif_unit", 0))
        density = image.info.get("jfif_density")
        if unit is not None and density is not None:
            return _per_pixel(density, unit)
    elif "dpi" in image.info:
        return _per_pixel(image.info["dpi"], _UM_PER_INCH)
    if _X_RESOLUTION not in exif or _Y_RESOLUTION not in exif:
        return None
    unit = _PER_UNIT.get(exif.get(_RESOLUTION_UNIT, 2))
    return None if unit is None else _per_pixel((exif[_X_RESOLUTION], exif[_Y_RESOLUTION]), unit)


def _per_pixel(density: tuple[float, float], unit: float) -> tuple[float, float] | None:
    x, y = float(density[0]), float(density[1])
    return (unit / x, unit / y) if x > 0 and y > 0 else None
