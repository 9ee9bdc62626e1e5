"""Regions as pixels: what an image shows within a shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from curatome.geometry import rasterize
from curatome.rules.rule import PixelsOf

Pixels = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

MOST_PX = 1024
"""A region is looked at no larger than this, px."""


@dataclass(frozen=True, eq=False)
class View:
    """A region as it is seen.

    Attributes:
        rgb: (H, W, 3) uint8 of the box around it.
        mask: (H, W) within its outline.
        step: µm per px.
    """

    rgb: Pixels
    mask: Flags
    step: float


def view(
    pixels: PixelsOf,
    image: str,
    shape: shapely.Geometry,
    mpp: tuple[float, float],
    *,
    step: float,
    around: float = 0.0,
) -> View:
    """A region, and what lies around it.

    Args:
        pixels: reads the image.
        image: its name.
        shape: level-0 px.
        mpp: µm per level-0 px along x and y.
        step: µm per px wanted; large regions are seen more coarsely.
        around: how much is seen on every side of the region, as a part of its longer one.
    """
    left, top, right, bottom = (float(v) for v in shapely.bounds(shape))
    more = around * max((right - left) * mpp[0], (bottom - top) * mpp[1])
    left, right = left - more / mpp[0], right + more / mpp[0]
    top, bottom = top - more / mpp[1], bottom + more / mpp[1]
    extent = max((right - left) * mpp[0], (bottom - top) * mpp[1])
    step = max(step, extent / MOST_PX)
    rgb = pixels(image, (left, top, right, bottom), step)
    each = (step / mpp[0], step / mpp[1])
    mask = rasterize(shape, (left, top), each, max(rgb.shape[:2]))
    return View(rgb, mask[: rgb.shape[0], : rgb.shape[1]], step)
