"""Tiles as bytes: JPEG of a declared quality, or PNG."""

from __future__ import annotations

import io

import imagecodecs
import numpy as np
import simplejpeg
from PIL import Image, ImageCms

from curatome.protocol import BuildSettings
from curatome.slides.readers.base import Pixels

EXTENSION = {"jpeg": "jpg", "png": "png"}

_SUBSAMPLING = {"4:2:0": "420", "4:2:2": "422", "4:4:4": "444"}


def encode(pixels: Pixels, settings: BuildSettings) -> bytes:
    """A tile as the bytes of an image file.

    Args:
        pixels: (H, W, 3) uint8, RGB.
        settings: codec, quality and chroma subsampling.
    """
    whole = np.ascontiguousarray(pixels)
    if settings.codec == "png":
        return bytes(imagecodecs.png_encode(whole, level=6))
    encoded: bytes = simplejpeg.encode_jpeg(
        whole,
        quality=settings.quality,
        colorspace="RGB",
        colorsubsampling=_SUBSAMPLING[settings.chroma],
        fastdct=False,
    )
    return encoded


def decode(data: bytes | memoryview) -> Pixels:
    """The pixels of a tile's bytes, (H, W, 3) uint8, RGB.

    Raises:
        ValueError: the bytes are no JPEG or PNG image.
    """
    if bytes(data[:2]) == b"\xff\xd8":
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", fastdct=False))
    if bytes(data[:4]) == b"\x89PNG":
        return np.asarray(imagecodecs.png_decode(bytes(data)))
    raise ValueError("neither JPEG nor PNG")


class ToSrgb:
    """Brings pixels from a slide's color profile to sRGB (perceptual intent)."""

    def __init__(self, icc_profile: bytes) -> None:
        self._transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc_profile)),
            ImageCms.createProfile("sRGB"),
            "RGB",
            "RGB",
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
        )

    def __call__(self, pixels: Pixels) -> Pixels:
        """Converted pixels, (H, W, 3) uint8."""
        image = Image.fromarray(np.ascontiguousarray(pixels))
        ImageCms.applyTransform(image, self._transform, inPlace=True)
        return np.asarray(image)
