"""Region images (images without a pyramid) as squares of 384 px in three scales.

CPIA brings every region image to 384 x 384 px, by crop and resize, and sorts them into L, M and S
by hand (arXiv 2310.17902: "the ROIs are divided into three scales artificially"; its published
table of processing names "Crop&Resize" for nearly all). Its slides are cut at 0.4942 µm/px into
squares of 3840, 960, 384 and 96 px. The three region scales here are the fields of view of the
latter three, and an image goes with the nearest one on a logarithmic scale:

    L  960 px x 0.4942 µm/px = 474.4 µm     from 300.06 µm on
    M  384 px x 0.4942 µm/px = 189.8 µm     from 94.89 µm on
    S   96 px x 0.4942 µm/px =  47.4 µm     below

A border is the geometric mean of its neighbors and belongs to the larger scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from curatome.protocol import CPIA_SCALES
from curatome.slides.readers.base import Pixels, Region
from curatome.slides.resample import resample

Crop = Literal["center", "tile"]
MppFrom = Literal["user", "table", "registry", "file"]

SIDE_PX = 384
"""Edge of a standardized region."""

FIELDS_UM: Mapping[str, float] = {s.name: s.side_um for s in CPIA_SCALES if s.name != "XL"}
"""Edge of the field of view of each region scale, µm, the largest first."""


@dataclass(frozen=True)
class KnownScale:
    """What is known of an image's scale.

    Attributes:
        mpp: µm per pixel, or None.
        source: who said so: a person, the listing, the registry of sources, or the image file.
        declared: L, M or S as a table says it, or None.
        why: where the declared scale comes from.
    """

    mpp: float | None = None
    source: MppFrom | None = None
    declared: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Sorted:
    """The scale an image was given, and why."""

    scale: str
    reason: str


@dataclass(frozen=True)
class Square:
    """A part of an image that becomes one region.

    Attributes:
        column: place in the grid from left, 0 for a central square.
        row: place in the grid from the top.
        x: left edge in the image's pixels; need not be whole.
        y: top edge.
        side: edge in the image's pixels.
    """

    column: int
    row: int
    x: float
    y: float
    side: float

    @property
    def enlargement(self) -> float:
        """1 where pixels are reduced or kept, above 1 if they are enlarged."""
        return max(1.0, SIDE_PX / self.side)


def borders() -> tuple[tuple[str, float], ...]:
    """The smallest field of view, µm, of each scale, the largest scale first."""
    names = list(FIELDS_UM)
    between = [
        math.sqrt(FIELDS_UM[larger] * FIELDS_UM[smaller]) for larger, smaller in pairwise(names)
    ]
    return tuple(zip(names, [*between, 0.0], strict=True))


def scale_of_field(side_um: float) -> str:
    """The scale whose field of view is nearest on a logarithmic scale."""
    return next(name for name, lowest in borders() if side_um >= lowest)


def sort_image(width: int, height: int, known: KnownScale) -> Sorted | None:
    """The scale of an image, by the field of view of its central square or else as declared.

    Args:
        width: px.
        height: px.
        known: what is known of its scale.

    Returns:
        The scale and the reason, or None if nothing tells.
    """
    if known.mpp is not None:
        side_um = min(width, height) * known.mpp
        return Sorted(
            scale_of_field(side_um),
            f"field of view {side_um:.4g} µm at {known.mpp:g} µm/px ({known.source})",
        )
    if known.declared is not None:
        why = f": {known.why}" if known.why else ""
        return Sorted(known.declared, f"declared{why}")
    return None


def central_square(width: int, height: int) -> Square:
    """The largest square in the middle, at whole pixels; odd remainders go right and down."""
    side = min(width, height)
    return Square(0, 0, float((width - side) // 2), float((height - side) // 2), float(side))


def grid_squares(width: int, height: int, side: float) -> list[Square]:
    """As many squares as fit, without overlap, the grid in the middle of the image.

    Args:
        width: px.
        height: px.
        side: edge of a square, px; one that does not fit is shortened to the image's short edge.
    """
    side = min(side, float(width), float(height))
    columns, rows = _fitting(width, side), _fitting(height, side)
    left, top = (width - columns * side) / 2, (height - rows * side) / 2
    return [
        Square(column, row, left + column * side, top + row * side, side)
        for row in range(rows)
        for column in range(columns)
    ]


def _fitting(length: int, side: float) -> int:
    return max(1, math.floor(length / side + 1e-9))


def squares_of(width: int, height: int, crop: Crop, scale: str, mpp: float | None) -> list[Square]:
    """The squares of an image: its middle, or a grid of its scale's field of view.

    Without µm per pixel there is no field of view to cut by, and the middle is taken.
    """
    if crop == "center" or mpp is None:
        return [central_square(width, height)]
    return grid_squares(width, height, FIELDS_UM[scale] / mpp)


def cut_regions(pixels: Pixels, squares: list[Square]) -> Iterator[tuple[Square, Pixels]]:
    """Each square of an image at 384 px: exact area means, or bilinear where it is enlarged.

    Args:
        pixels: (H, W, 3) uint8.
        squares: within it.

    Yields:
        The square and (384, 384, 3) uint8, valid until the next one.
    """
    out = np.empty((SIDE_PX, SIDE_PX, 3), np.uint8)
    whole = Region(pixels, 0.0, 0.0, 1.0, 1.0)
    for square in squares:
        step = square.side / SIDE_PX
        resample(whole, square.x, square.y, (step, step), out)
        yield square, out
