"""A slide seen at one scale: which level is read, and how its pixels map to the scale's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curatome.errors import BuildError
from curatome.protocol import BuildSettings
from curatome.slides.readers.base import Level
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
        enlargement: how much coarser that level is than the canvas; 1 if it is not.
    """

    mpp_x: float
    mpp_y: float
    step_x: float
    step_y: float
    extent_x: float
    extent_y: float
    level: int
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
    native = _native_steps(levels, mpp, target, settings.mpp_tolerance)
    if native is not None:
        level, step_x, step_y = native
        return _plane(levels, mpp, (step_x, step_y), level)
    level = _nearest_finer(levels, mpp, target)
    plane = _plane(levels, mpp, (target / mpp.x, target / mpp.y), level)
    if plane.enlargement > settings.max_enlargement * (1 + _NEARLY):
        raise TooCoarse(target, max(mpp.x, mpp.y), plane.enlargement)
    return plane


def _native_steps(
    levels: Sequence[Level], mpp: Mpp, target: float, tolerance: float
) -> tuple[int, float, float] | None:
    for index in reversed(range(len(levels))):
        step_x, step_y = levels[index].downsample_x, levels[index].downsample_y
        blocks = max(1, round(target / math.sqrt(mpp.x * step_x * mpp.y * step_y)))
        step_x, step_y = step_x * blocks, step_y * blocks
        off = max(abs(mpp.x * step_x / target - 1), abs(mpp.y * step_y / target - 1))
        if tolerance > 0 and off <= tolerance:
            return index, step_x, step_y
    return None


def _nearest_finer(levels: Sequence[Level], mpp: Mpp, target: float) -> int:
    limit = target * (1 + _NEARLY)
    fine = [
        index
        for index, level in enumerate(levels)
        if mpp.x * level.downsample_x <= limit and mpp.y * level.downsample_y <= limit
    ]
    return max(fine, key=lambda index: levels[index].downsample_x, default=0)


def _plane(levels: Sequence[Level], mpp: Mpp, step: tuple[float, float], level: int) -> Plane:
    step_x, step_y = step
    coarser = max(levels[level].downsample_x / step_x, levels[level].downsample_y / step_y)
    return Plane(
        mpp_x=mpp.x * step_x,
        mpp_y=mpp.y * step_y,
        step_x=step_x,
        step_y=step_y,
        extent_x=levels[0].width / step_x,
        extent_y=levels[0].height / step_y,
        level=level,
        enlargement=coarser if coarser > 1 + _NEARLY else 1.0,
    )
