"""What tissue is made of: its kinds, and how each is built at a place, before any staining.

Everything is a function of the place and of the slide's `look` numbers alone: how its fibers run,
how dense and how strongly stained it is. Nuclei and stains both ask these functions, so that they
agree.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, cell_distances, nearest_cell, ramp, sample

Floats = NDArray[np.float64]
Place = tuple[float, float, float, float, float, float]
"""x, y, depth in the outline (µm), column and row in the lattice of slow noise, and tone."""

STROMA, GLAND, FAT, TUMOR, IN_SITU, INFLAMMATION, NECROSIS, VESSEL = range(8)
ADENOMA, MUCINOUS, SPINDLE, LYMPHOMA = range(8, 12)
KINDS = (
    *("stroma", "gland", "fat", "tumor", "in_situ", "inflammation", "necrosis", "vessel"),
    *("adenoma", "mucinous", "spindle", "lymphoma"),
)
"""Region classes; a kind's number is its place here."""
LESIONS = ("adenoma", "in_situ", "tumor", "mucinous", "spindle", "lymphoma")
"""The classes a classifier is asked about; the others are normal or accompany them."""

EPITHELIUM_UM = 19.0
"""Height of a normal gland's epithelium."""
FAT_CELL_UM = 74.0
GERMINAL_UM = 62.0
"""Depth in a lymphoid aggregate at which its germinal center begins."""
CROWDED_UM = 27.0
"""Height of an adenoma's epithelium."""
_HOLE_CELL_UM = 78.0
_NEST_TEXEL_UM = 17.0

# Places in the array of look numbers.
COS, SIN, SHIFT_X, SHIFT_Y, DENSITY, LOOSE, SALT = range(7)


def look_numbers(rng: np.random.Generator) -> Floats:
    """A slide's look: fiber direction, noise offsets (texels), density, looseness and a salt."""
    turn = rng.uniform(0, np.pi)
    shift = rng.uniform(0, 512, 2)
    return np.array(
        [
            np.cos(turn),
            np.sin(turn),
            *shift,
            rng.uniform(0.9, 1.12),
            rng.uniform(0.21, 0.33),
            float(rng.integers(1, 1 << 20)),
        ]
    )


@compiled
def along_fibers(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    """Coordinates along and across the collagen fibers, µm, bent at several lengths."""
    sx, sy = look[2], look[3]
    bent_x = x + 170.0 * (sample(field, x / 62.0 + sx, y / 62.0 + sy) - 0.5)
    bent_y = y + 170.0 * (sample(field, x / 62.0 + sy + 211.0, y / 62.0 + sx + 83.0) - 0.5)
    u = look[0] * bent_x + look[1] * bent_y
    v = look[0] * bent_y - look[1] * bent_x
    return u, v + 9.0 * (sample(field, u / 7.0 + sx, v / 24.0 + sy) - 0.5)


@compiled
def between_nests(field: Texture, look: Floats, x: float, y: float) -> float:
    """Distance from the middle of a septum between tumor nests, about 0 to 1 (septum: < 0.1)."""
    value = sample(field, x / _NEST_TEXEL_UM + look[3], y / _NEST_TEXEL_UM + look[2])
    return abs(value - 0.5) * 2.0


@compiled
def in_hole(look: Floats, x: float, y: float, depth: float) -> float:
    """How deep (µm) a place lies in one of the punched-out lumens of an in-situ lesion, or < 0."""
    first, _ = cell_distances(x / _HOLE_CELL_UM, y / _HOLE_CELL_UM, int(look[6]) + 3)
    return min(15.0 - first * _HOLE_CELL_UM, depth - 24.0)


@compiled
def fat_wall(look: Floats, x: float, y: float) -> tuple[float, float]:
    """Distances (µm) from the nearest wall between fat cells and from the cell's seed."""
    bent_x = x + 7.0 * math.sin(y / 21.0 + look[2]) + 2.5 * math.sin(y / 7.3 + x / 17.0)
    bent_y = y + 7.0 * math.sin(x / 24.0 + look[3]) + 2.5 * math.sin(x / 8.1 - y / 19.0)
    first, wall = cell_distances(bent_x / FAT_CELL_UM, bent_y / FAT_CELL_UM, int(look[6]) + 1)
    return wall * FAT_CELL_UM, first * FAT_CELL_UM


@compiled
def crowded_gland(field: Texture, look: Floats, x: float, y: float) -> float:
    """How deep (µm) a place of an adenoma lies in one of its glands; < 0 in the strips between.

    The epithelium is `CROWDED_UM` high; what is deeper is lumen. Nuclei stand along the gradient.
    """
    bent_x = x + 60.0 * (sample(field, x / 17.0 + look[2], y / 17.0) - 0.5)
    bent_y = y + 60.0 * (sample(field, x / 17.0, y / 17.0 + look[3]) - 0.5)
    u, v = look[0] * bent_x + look[1] * bent_y, look[0] * bent_y - look[1] * bent_x
    _, wall = cell_distances(u / 118.0, v / 92.0, int(look[6]) + 5)
    return wall * 105.0 - 3.5


@compiled
def in_mucin(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    """How deep (µm) a place of a mucinous lesion lies in a floating cluster, and in a septum.

    Both are < 0 outside; what is in neither is a lake of mucin.
    """
    bent_x = x + 34.0 * (sample(field, x / 9.0 + look[3], y / 9.0) - 0.5)
    bent_y = y + 34.0 * (sample(field, x / 9.0, y / 9.0 + look[2]) - 0.5)
    first, _, own = nearest_cell(bent_x / 112.0, bent_y / 112.0, int(look[6]) + 6)
    size = 44.0 * ((own >> 3) & 255) / 255.0
    # A ridge of slow noise, wider where the noise is steep; about 14 µm.
    ridge = abs(sample(field, x / 42.0 + look[2], y / 42.0 + look[3]) - 0.5)
    septum = 15.0 - 260.0 * ridge
    cluster = min(size if size > 12.0 else 0.0, 36.0) - first * 112.0
    return min(cluster, -septum - 5.0), septum


@compiled
def fascicle(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float, float]:
    """Place along and across the fascicle of a spindle-cell lesion (µm), and its direction.

    Returns:
        Along, across, and the direction of the cells against x (radians); fascicles that are cut
        across have a direction below -9 and no fibers to follow.
    """
    bent_x = x + 90.0 * (sample(field, x / 22.0 + look[2], y / 22.0 + 60.0) - 0.5)
    bent_y = y + 90.0 * (sample(field, x / 22.0 + 60.0, y / 22.0 + look[3]) - 0.5)
    bent_x += 26.0 * (sample(field, x / 4.0, y / 4.0 + 20.0) - 0.5)
    bent_y += 26.0 * (sample(field, x / 4.0 + 20.0, y / 4.0) - 0.5)
    _, _, own = nearest_cell(bent_x / 210.0, bent_y / 150.0, int(look[6]) + 7)
    turn = math.atan2(look[1], look[0]) + 0.9 * (own & 3) + 0.5 * ((own >> 8) & 255) / 255.0
    cosine, sine = math.cos(turn), math.sin(turn)
    u, v = cosine * x + sine * y, cosine * y - sine * x
    wave = 16.0 * (sample(field, u / 19.0 + look[2], v / 60.0) - 0.5)
    if (own >> 20) & 7 == 0:
        return u, v + wave, -10.0
    slope = 16.0 * (
        sample(field, (u + 3.0) / 19.0 + look[2], v / 60.0)
        - sample(field, (u - 3.0) / 19.0 + look[2], v / 60.0)
    )
    return u, v + wave, turn - math.atan2(slope, 6.0)


@compiled
def in_macrophage(look: Floats, x: float, y: float) -> float:
    """How deep (µm) a place of a lymphoma or germinal center lies in a pale macrophage, or < 0."""
    first, _, own = nearest_cell(x / 96.0, y / 96.0, int(look[6]) + 8)
    return 7.0 + 5.0 * ((own >> 5) & 255) / 255.0 - first * 96.0


@compiled
def lesion_share(field: Texture, transition: float, x: float, y: float, depth: float) -> float:
    """How much of a place `depth` µm inside an outline is the lesion, 0 to 1.

    Over the outermost `transition` µm a lesion gives way to its surroundings, in tongues.
    """
    if depth >= transition:
        return 1.0
    rough = sample(field, x / 6.0, y / 6.0 + 71.0) + 0.5 * sample(field, x / 2.2, y / 2.2 + 9.0)
    middle = transition * (0.10 + 0.53 * rough)
    soft = 0.12 * transition + 0.6
    return ramp(middle - soft, middle + soft, depth)
