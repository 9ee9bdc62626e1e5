"""One mishap on a slide, how strong it is, and what a plan may ask for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.artifacts.blot import Blot
from curatome.phantom.artifacts.ribbon import Ribbon

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Grid = tuple[float, float, float]
"""x and y of the first pixel's center and the pixel's edge, µm."""

_REQUEST = re.compile(r"(?P<kind>[a-z_]+)(@(?P<strength>\d*\.?\d+))?(?P<color>#[0-9a-fA-F]{6})?")


@dataclass(frozen=True)
class Request:
    """What a plan asks for: `fold`, `fold@0.3` or `pen@0.8#c01030`.

    Attributes:
        kind: key of `artifacts.KINDS`.
        strength: 0 (barely to be seen) to 1 (as bad as it gets).
        color: ink as #rrggbb, or empty for one that is drawn by lot.
    """

    kind: str
    strength: float = 0.5
    color: str = ""

    @classmethod
    def parsed(cls, text: str) -> Request:
        """A request from its text.

        Raises:
            ValueError: the text is none, or its strength is not within 0 to 1.
        """
        found = _REQUEST.fullmatch(text)
        strength = float(found["strength"] or 0.5) if found else -1.0
        if found is None or not 0 <= strength <= 1:
            raise ValueError(
                "an artifact must read kind, kind@strength or kind@strength#rrggbb, "
                f"with a strength of 0 to 1. Got {text!r}."
            )
        return cls(found["kind"], strength, (found["color"] or "").lower())


@dataclass(frozen=True)
class Ground:
    """What an artifact is laid out on.

    Attributes:
        size: width and height of the scan, µm.
        mpp: µm per pixel of level 0.
        tissue: outline of the tissue, µm.
        lesions: outlines of what a pathologist would mark, µm.
    """

    size: tuple[float, float]
    mpp: float
    tissue: shapely.Geometry
    lesions: tuple[shapely.Geometry, ...] = ()

    @property
    def frame(self) -> shapely.Polygon:
        """The whole scan."""
        return shapely.box(0, 0, *self.size)


@dataclass(frozen=True)
class Artifact:
    """One mishap.

    Attributes:
        kind: key of `artifacts.KINDS`.
        strength: 0 to 1.
        outline: what it covers, µm.
        shape: the line or spot that it is painted from; None where the outline is all.
        bounds: left, top, right, bottom of everything that it changes, µm.
        texture: x and y from which its noise is taken, texels.
        color: ink on clean glass as #rrggbb, or empty.
        blur_um: greatest standard deviation of the blur that it adds, µm.
        shift: what is seen at (x, y) belongs at (x + first, y + second), level-0 px.
        gain: factor on the brightness.
    """

    kind: str
    strength: float
    outline: shapely.Geometry
    shape: Ribbon | Blot | None
    bounds: tuple[float, float, float, float]
    texture: tuple[float, float] = (0.0, 0.0)
    color: str = ""
    blur_um: float = 0.0
    shift: tuple[int, int] = (0, 0)
    gain: float = 1.0

    def meets(self, grid: Grid, shape: tuple[int, ...]) -> bool:
        """Whether it changes anything in a block of `shape` rows and columns."""
        left, top, right, bottom = self.bounds
        x, y, mpp = grid
        across = left <= x + shape[1] * mpp and right >= x - mpp
        return across and top <= y + shape[0] * mpp and bottom >= y - mpp


def around(geometry: shapely.Geometry, margin: float) -> tuple[float, float, float, float]:
    """The bounds of a geometry, widened by `margin` on each side."""
    left, top, right, bottom = geometry.bounds
    return left - margin, top - margin, right + margin, bottom + margin


def texture_origin(rng: np.random.Generator) -> tuple[float, float]:
    """A place in the noise texture, so that no two artifacts look the same."""
    x, y = rng.uniform(0, 512, 2)
    return float(x), float(y)
