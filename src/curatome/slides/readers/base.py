"""What every reader of slides gives: facts, and pixels at a known place."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Level:
    """One level of a slide's pyramid.

    Attributes:
        width: in pixels of this level.
        height: in pixels of this level.
        downsample_x: level-0 pixels per pixel of this level, left to right.
        downsample_y: the same, top to bottom.
        shrinks: by which factors its pixels can be reduced while they are decoded, 1 first. JPEG
            and JPEG 2000 skip the details then, which costs less than decoding and averaging.
        means: those of them that give block means, as averaging would, or nearly.
    """

    width: int
    height: int
    downsample_x: float
    downsample_y: float
    shrinks: tuple[float, ...] = (1.0,)
    means: tuple[float, ...] = (1.0,)


@dataclass(frozen=True)
class SlideFacts:
    """What a slide's file says about itself; nothing here has been judged.

    Attributes:
        reader: name of the reader in the registry, `openslide`.
        format: the file format as the reader names it, `aperio`.
        levels: from finest to coarsest; level 0 defines the coordinates.
        mpp: µm per pixel (x, y) as recorded, or None. May be absurd.
        objective_power: nominal magnification as recorded, or None.
        scanner: vendor and model as recorded, or None.
        associated: names of label, macro and thumbnail images inside the file.
        icc_profile: the color profile's bytes, or None.
        properties: the file's own metadata, as text.
    """

    reader: str
    format: str
    levels: tuple[Level, ...]
    mpp: tuple[float, float] | None = None
    objective_power: float | None = None
    scanner: str | None = None
    associated: tuple[str, ...] = ()
    icc_profile: bytes | None = None
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Width of level 0 in pixels."""
        return self.levels[0].width

    @property
    def height(self) -> int:
        """Height of level 0 in pixels."""
        return self.levels[0].height


@dataclass(frozen=True)
class Region:
    """Pixels, and where exactly they lie.

    Pixel `pixels[r, c]` covers the level-0 rectangle from
    `(x + c * step_x, y + r * step_y)` to `(x + (c + 1) * step_x, y + (r + 1) * step_y)`.

    Attributes:
        pixels: (H, W, 3) uint8, RGB.
        x: left edge in level-0 pixels; need not be whole on coarser levels.
        y: top edge in level-0 pixels.
        step_x: level-0 pixels per pixel, left to right.
        step_y: level-0 pixels per pixel, top to bottom.
    """

    pixels: Pixels
    x: float
    y: float
    step_x: float
    step_y: float


class SlideReader(Protocol):
    """An open slide.

    A reader is used in a supervised child and by one thread at a time.
    """

    facts: SlideFacts

    def read(
        self, level: int, x0: float, y0: float, x1: float, y1: float, *, shrink: float = 1.0
    ) -> Region:
        """Pixels of a level that cover a box.

        Args:
            level: index into `facts.levels`.
            x0: left edge in level-0 pixels.
            y0: top edge in level-0 pixels.
            x1: right edge in level-0 pixels.
            y1: bottom edge in level-0 pixels.
            shrink: one of the level's `shrinks`.

        Returns:
            A region that covers the box, as far as the box lies on the slide, and may be a
            little larger. Its `x`, `y` and steps are true to the pixels, not to the request.

        Raises:
            UnreadableSlide: the pixels cannot be decoded.
        """

    def associated(self, name: str) -> Pixels:
        """A label, macro or thumbnail image, (H, W, 3) uint8.

        Raises:
            KeyError: the slide holds no image of that name.
            UnreadableSlide: it cannot be decoded.
        """

    def close(self) -> None:
        """Free the file."""


class OpenReader(Protocol):
    """How the registry opens a slide with one reader."""

    def __call__(self, path: Path) -> SlideReader | None:
        """The open slide, or None if the file is not this reader's.

        Raises:
            UnreadableSlide: the file is this reader's, but broken.
            UnsupportedSlide: the file is this reader's, but no bright-field RGB image.
        """
