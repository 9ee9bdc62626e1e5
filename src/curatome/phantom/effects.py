"""What differs from slide to slide: random effects of site, scanner and slide on stain and optics.

A slide's effects are the sum of its site's, its scanner's and its own. The first seven belong to
the glass (stain vectors, uptake, thickness), the last four to the scan.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.optics import Scanner

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effects:
    """What is added to the reference stain and to a scanner; all 0 changes nothing.

    Attributes:
        hematoxylin_toward: turn of hematoxylin's vector toward the second dye's, degrees.
        hematoxylin_aside: its turn out of the plane of both, degrees.
        second_toward: turn of the second dye's vector toward hematoxylin's, degrees.
        second_aside: its turn out of the plane, degrees.
        hematoxylin: natural logarithm of uptake over the reference's.
        second: likewise for eosin or DAB.
        thickness: natural logarithm of the section's thickness over the usual.
        blur: natural logarithm of the blur's width over the scanner's.
        sharpen: natural logarithm of the unsharp mask's strength over the scanner's.
        warmth: natural logarithm of red over blue gain.
        scale: natural logarithm of MPP over the scanner's nominal one.
    """

    hematoxylin_toward: float = 0.0
    hematoxylin_aside: float = 0.0
    second_toward: float = 0.0
    second_aside: float = 0.0
    hematoxylin: float = 0.0
    second: float = 0.0
    thickness: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    warmth: float = 0.0
    scale: float = 0.0


NAMES = tuple(field.name for field in dataclasses.fields(Effects))
GLASS = 7
"""How many of the effects belong to the glass."""


@dataclass(frozen=True)
class Spread:
    """Standard deviations of one level's random effects.

    Attributes:
        turn: of each of the four turns of stain vectors, degrees.
        uptake: of both logarithms of uptake.
        thickness: of the logarithm of thickness.
        blur: of the logarithm of blur.
        sharpen: of the logarithm of sharpening.
        warmth: of the logarithm of red over blue gain.
        scale: of the logarithm of MPP.
    """

    turn: float = 0.0
    uptake: float = 0.0
    thickness: float = 0.0
    blur: float = 0.0
    sharpen: float = 0.0
    warmth: float = 0.0
    scale: float = 0.0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be a standard deviation of 0 or more. Got {value}.")

    def deviations(self) -> Floats:
        """Standard deviations (11,) in the order of `NAMES`."""
        scan = (self.blur, self.sharpen, self.warmth, self.scale)
        return np.array([*[self.turn] * 4, self.uptake, self.uptake, self.thickness, *scan])

    def draw(self, rng: np.random.Generator, count: int) -> Floats:
        """Effects (count, 11), normal and independent."""
        return rng.standard_normal((count, len(NAMES))) * self.deviations()


def turned(vector: Floats, other: Floats, toward: float, aside: float) -> Floats:
    """A unit vector (3,) turned toward another and out of their plane.

    Args:
        vector: (3,), any length.
        other: (3,), not parallel to it.
        toward: degrees toward `other`.
        aside: degrees along the cross product of both.

    Returns:
        (3,) of length 1, no part below 0.01: no dye gives off light.
    """
    start = vector / np.linalg.norm(vector)
    along = other - start * (start @ other)
    along /= np.linalg.norm(along)
    tangent = math.radians(toward) * along + math.radians(aside) * np.cross(start, along)
    angle = float(np.linalg.norm(tangent))
    way = tangent / angle if angle > 0 else along
    out: Floats = np.maximum(math.cos(angle) * start + math.sin(angle) * way, 0.01)
    return out / np.linalg.norm(out)


def rescanned(scanner: Scanner, effects: Effects) -> Scanner:
    """A scanner as it was on the day of the scan: focus, sharpening, color and scale."""
    red, green, blue = scanner.white
    gain = math.exp(effects.warmth / 2)
    return dataclasses.replace(
        scanner,
        mpp=scanner.mpp * math.exp(effects.scale),
        blur_um=scanner.blur_um * math.exp(effects.blur),
        sharpen=scanner.sharpen * math.exp(effects.sharpen),
        white=(min(1.0, red * gain), green, min(1.0, blue / gain)),
    )
