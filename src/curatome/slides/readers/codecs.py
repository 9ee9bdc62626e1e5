"""Decoding one stored tile, whole or reduced while it is decoded."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import simplejpeg
from PIL import Image

from curatome.slides.readers.base import Pixels

_SOI = b"\xff\xd8"
_JFIF = b"\xff\xe0"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"  # and one byte: 0 for RGB, 1 for YCbCr
_ADOBE_NAME, _ADOBE_BYTES = _ADOBE[:9], len(_ADOBE) + 1
_NEAR_START = 1 << 10
_COD = b"\xff\x52"


def colored_jpeg(data: bytes, rgb: bool) -> bytes:
    """A JPEG file that says itself whether it holds RGB or YCbCr.

    Decoders go by the JFIF and Adobe segments; what these say is replaced, because the container
    of a tile knows better.
    """
    start = 2
    if data[2:4] == _JFIF:  # it stands for YCbCr, whatever an Adobe segment says
        start += 2 + int.from_bytes(data[4:6], "big")
    at = data.find(_ADOBE_NAME, start, _NEAR_START)
    kept = [data[start:]] if at < 0 else [data[start:at], data[at + _ADOBE_BYTES :]]
    return b"".join((_SOI, _ADOBE, b"\0" if rgb else b"\1", *kept))


def decode_jpeg(data: bytes, size: tuple[int, int], shrink: float) -> Pixels:
    """A JPEG tile as (H / shrink, W / shrink, 3) uint8, RGB.

    Args:
        data: a JPEG file.
        size: width and height of the tile, multiples of `shrink`.
        shrink: 1, 2, 4 or 8.
    """
    if shrink == 1:
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"))
    width, height = round(size[0] / shrink), round(size[1] / shrink)
    return np.asarray(
        simplejpeg.decode_jpeg(data, colorspace="RGB", min_height=height, min_width=width)
    )


def decode_jpeg2000(data: bytes, size: tuple[int, int], shrink: float) -> Pixels:  # noqa: ARG001
    """A JPEG 2000 tile, high-throughput or not; see `decode_jpeg`."""
    with Image.open(io.BytesIO(data), formats=["JPEG2000"]) as image:
        # Pillow's plugin takes the number of halvings under a name that is a method elsewhere.
        setattr(image, "reduce", round(shrink).bit_length() - 1)  # noqa: B010
        return np.asarray(image.convert("RGB"))


def decode_jpeg_ls(data: bytes, size: tuple[int, int], shrink: float) -> Pixels:  # noqa: ARG001
    """A JPEG-LS tile, (H, W, 3) uint8; it cannot be reduced."""
    return np.asarray(imagecodecs.jpegls_decode(data))


def jpeg2000_halvings(start: bytes) -> int:
    """How often a JPEG 2000 codestream can be halved, from its COD segment (ISO 15444-1, A.6.1).

    Args:
        start: the first kilobyte of the codestream, or all of it.
    """
    at = start.find(_COD)
    return start[at + 9] if 0 <= at < len(start) - 9 else 0
