"""Masks of annotations: 1-bit PNG over the bounds of their geometry."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import shapely
from PIL import Image
from shapely import affinity

from curatome.geometry import outlines

Mask = npt.NDArray[np.bool_]


def mask_png(mask: Mask) -> bytes:
    """A mask as a 1-bit PNG.

    Args:
        mask: (H, W) bool.
    """
    stream = io.BytesIO()
    Image.fromarray(mask).convert("1").save(stream, "PNG")
    return stream.getvalue()


def mask_pixels(png: bytes) -> Mask:
    """(H, W) bool of a mask's PNG, of 1 bit or of gray levels of which only 0 is off."""
    with Image.open(io.BytesIO(png)) as image:
        pixels = image if image.mode in ("1", "L", "I", "I;16") else image.convert("L")
        found: Mask = np.asarray(pixels, np.int64) != 0
        return found


def mask_outline(png: bytes, box: shapely.Geometry) -> shapely.Geometry:
    """The outline of a mask's pixels on the image, level-0 px.

    Args:
        png: the mask.
        box: over which its pixels are spread.
    """
    mask = mask_pixels(png)
    left, top, right, bottom = box.bounds
    height, width = mask.shape
    shape = outlines(mask.astype(np.uint8)).get(1, shapely.Polygon())
    step_x, step_y = (right - left) / width, (bottom - top) / height
    return affinity.affine_transform(shape, [step_x, 0, 0, step_y, left, top])
