"""A slide seen at one scale: which level is read, and how its pixels map to the scale's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curatome.errors import BuildError
from curatome.protocol import BuildSettings
from curatome.slides.readers.base import Level
from curatome.slides.readers.levels import nearest_finer
from curatome.units import Mpp

_NEARLY = 1e-9  # relative slack for scales that are equal but for their last bit


@dataclass(frozen=True)
class Plane:
    """The canvas that tiles of one scale are cut from. It starts at the slide's top-left corner.

    Attributes:
        mpp_x: true µm per canvas pixel, left to right.
        mpp_y: true µm per canvas pixel, top to bottom.
        step_x: level-0 pixels per canvas pixel, left to right.
        step_y: level-0 pixels per canvas pixel, top to bottom.
        extent_x: width of the slide in canvas pixels; need not be whole.
        extent_y: height of the slide in canvas pixels; need not be whole.
        level: the slide's level that is read.
        shrink: by which factor its pixels are reduced while they are decoded.
        enlargement: how much coarser that level is than the canvas; 1 if it is not.
    """

    mpp_x: float
    mpp_y: float
    step_x: float
    step_y: float
    extent_x: float
    extent_y: float
    level: int
    shrink: float
    enlargement: float

    @property
    def width(self) -> int:
        """Canvas pixels in a row that have their center on the slide."""
        return math.floor(self.extent_x + 0.5)

    @property
    def height(self) -> int:
        """Canvas pixels in a column that have their center on the slide."""
        return math.floor(self.extent_y + 0.5)


class TooCoarse(BuildError):  # noqa: N818
    """The slide's finest level is coarser than the scale by more than the protocol allows."""

    def __init__(self, target: float, finest: float, enlargement: float) -> None:
        super().__init__(f"{finest:.4g} µm/px would have to be enlarged {enlargement:.3g}-fold")
        self.target = target
        self.finest = finest
        self.enlargement = enlargement


def choose_plane(
    levels: Sequence[Level], mpp: Mpp, target: float, settings: BuildSettings
) -> Plane:
    """The plane of a slide at a scale.

    Exact by default: the canvas has the target's MPP and is computed from the coarsest level that
    is not coarser than it. With `mpp_tolerance`, a level whose pixels, or whole blocks of n x n
    of them, come within the tolerance of the target on both axes is taken as it is, and the
    canvas has the true MPP of these.

    Args:
        levels: the slide's levels.
        mpp: µm per pixel of level 0.
        target: the scale's µm per pixel.
        settings: tolerance and largest enlargement.

    Raises:
        TooCoarse: level 0 would have to be enlarged by more than `max_enlargement`.
    """
    step_x, step_y = target / mpp.x, target / mpp.y
    step_x, step_y = _native_step(levels, mpp, target, settings.mpp_tolerance) or (step_x, step_y)
    level, shrink = nearest_finer(levels, step_x, step_y)
    coarser = max(levels[level].downsample_x / step_x, levels[level].downsample_y / step_y)
    if coarser > settings.max_enlargement * (1 + _NEARLY):
        raise TooCoarse(target, max(mpp.x, mpp.y), coarser)
    return Plane(
        mpp_x=mpp.x * step_x,
        mpp_y=mpp.y * step_y,
        step_x=step_x,
        step_y=step_y,
        extent_x=levels[0].width / step_x,
        extent_y=levels[0].height / step_y,
        level=level,
        shrink=shrink,
        enlargement=coarser if coarser > 1 + _NEARLY else 1.0,
    )


def _native_step(
    levels: Sequence[Level], mpp: Mpp, target: float, tolerance: float
) -> tuple[float, float] | None:
    for level in reversed(levels) if tolerance > 0 else ():
        step_x, step_y = level.downsample_x, level.downsample_y
        blocks = max(1, round(target / math.sqrt(mpp.x * step_x * mpp.y * step_y)))
        step_x, step_y = step_x * blocks, step_y * blocks
        if max(abs(mpp.x * step_x / target - 1), abs(mpp.y * step_y / target - 1)) <= tolerance:
            return step_x, step_y
    return None
