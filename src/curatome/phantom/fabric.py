"""What tissue is made of: for each kind, how much hematoxylin and eosin it takes up at a place.

Concentrations are optical densities along a unit stain vector. `Look` numbers belong to a whole
slide: how its fibers run, how dense and how strongly stained it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, cell_distances, ramp, sample

Floats = NDArray[np.float64]

STROMA, GLAND, FAT, TUMOR, IN_SITU, INFLAMMATION, NECROSIS, VESSEL = range(8)
KINDS = ("stroma", "gland", "fat", "tumor", "in_situ", "inflammation", "necrosis", "vessel")
"""Region classes; a kind's number is its place here."""
LESIONS = ("tumor", "in_situ", "inflammation", "necrosis")

EPITHELIUM_UM = 19.0
"""Height of a normal gland's epithelium."""
FAT_CELL_UM = 74.0
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
            rng.uniform(0.24, 0.38),
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
def fat_wall(look: Floats, x: float, y: float) -> float:
    """Distance (µm) from the nearest wall between fat cells."""
    first, second = cell_distances(x / FAT_CELL_UM, y / FAT_CELL_UM, int(look[6]) + 1)
    return (second - first) * FAT_CELL_UM * 0.5


@compiled
def _stroma(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    u, v = along_fibers(field, look, x, y)
    fine = sample(field, u / 7.0, v / 0.62)
    bundle = sample(field, u / 15.0 + 131.0, v / 2.3 + 17.0)
    tone = sample(field, x / 31.0 + look[3], y / 31.0 + look[2])
    gap = ramp(look[5] + 0.09, look[5] - 0.10, bundle * 0.8 + 0.35 * (tone - 0.5) + 0.2 * fine)
    eosin = look[4] * (0.19 + 0.20 * fine + 0.20 * bundle + 0.08 * tone)
    hematoxylin = 0.025 + 0.05 * (1.0 - fine)
    return hematoxylin * (1.0 - 0.85 * gap), eosin * (1.0 - 0.90 * gap)


@compiled
def _gland(field: Texture, look: Floats, x: float, y: float, depth: float) -> tuple[float, float]:
    grain = sample(field, x / 0.9, y / 0.9)
    if depth < 1.6:
        return 0.10, 0.50 * look[4]
    lumen = ramp(EPITHELIUM_UM - 0.6, EPITHELIUM_UM + 0.8, depth)
    hematoxylin, eosin = 0.17 + 0.08 * grain, 0.27 + 0.10 * grain
    if 10.0 < depth < EPITHELIUM_UM:
        first, _ = cell_distances(x / 10.5, y / 10.5, int(look[6]) + 2)
        goblet = ramp(0.47, 0.38, first) * ramp(10.0, 11.5, depth)
        hematoxylin += goblet * (0.07 + 0.05 * grain - hematoxylin)
        eosin += goblet * (0.05 - eosin)
    slime = 0.10 * ramp(0.62, 0.9, sample(field, x / 4.0, y / 4.0))
    return hematoxylin + lumen * (0.3 * slime - hematoxylin), eosin + lumen * (slime - eosin)


@compiled
def _fat(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    wall = fat_wall(look, x, y)
    thick = 0.6 + 1.3 * sample(field, x / 9.0, y / 9.0)
    part = ramp(thick + 0.7, thick - 0.4, wall)
    return 0.004 + 0.06 * part, 0.006 + 0.40 * look[4] * part


@compiled
def _tumor(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    grain = sample(field, x / 0.8 + 50.0, y / 0.8)
    blotch = sample(field, x / 5.0, y / 5.0 + 50.0)
    hematoxylin = 0.20 + 0.08 * grain + 0.08 * blotch
    eosin = 0.30 + 0.10 * grain + 0.10 * (1.0 - blotch)
    crack = ramp(0.24, 0.14, blotch) * 0.75
    hematoxylin, eosin = hematoxylin * (1.0 - crack), eosin * (1.0 - crack)
    septum = ramp(0.13, 0.08, between_nests(field, look, x, y))
    if septum > 0.0:
        other_h, other_e = _stroma(field, look, x, y)
        hematoxylin += septum * (other_h - hematoxylin)
        eosin += septum * (other_e - eosin)
    return hematoxylin, eosin


@compiled
def _in_situ(field: Texture, look: Floats, x: float, y: float, depth: float) -> tuple[float, float]:
    if depth < 2.0:
        return 0.10, 0.52 * look[4]
    grain = sample(field, x / 0.8 + 90.0, y / 0.8)
    hematoxylin, eosin = 0.21 + 0.10 * grain, 0.27 + 0.10 * grain
    hole = ramp(-0.6, 0.6, in_hole(look, x, y, depth))
    slime = 0.12 * ramp(0.5, 0.9, sample(field, x / 3.0, y / 3.0))
    return hematoxylin * (1.0 - hole), eosin + hole * (slime - eosin)


@compiled
def _inflammation(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    grain = sample(field, x / 1.6, y / 1.6 + 9.0)
    gap = ramp(0.34, 0.22, grain)
    return 0.13 * (1.0 - gap) + 0.02, (0.13 + 0.14 * grain) * (1.0 - 0.8 * gap) * look[4]


@compiled
def _necrosis(field: Texture, look: Floats, x: float, y: float) -> tuple[float, float]:
    grain = sample(field, x / 0.9, y / 0.9 + 31.0)
    smudge = sample(field, x / 8.0 + 31.0, y / 8.0)
    ghost = ramp(0.70, 0.85, sample(field, x / 2.1, y / 2.1)) * 0.10
    eosin = 0.16 + 0.13 * grain + 0.16 * smudge
    return 0.04 + 0.07 * (1.0 - smudge) + ghost, eosin * look[4]


@compiled
def _vessel(field: Texture, look: Floats, x: float, y: float, depth: float) -> tuple[float, float]:
    grain = sample(field, x / 1.1, y / 1.1)
    wall = ramp(6.8, 5.8, depth)
    filled = ramp(0.40, 0.55, sample(field, x / 6.0 + look[2], y / 6.0))
    first, _ = cell_distances(x / 6.6, y / 6.6, int(look[6]) + 4)
    cells = filled * ramp(0.50, 0.42, first) * (0.75 + 0.25 * ramp(0.0, 0.3, first))
    return 0.08 * wall, (0.36 + 0.22 * grain) * wall + (1.0 - wall) * (0.01 + 0.78 * cells)


@compiled
def _kind(
    field: Texture, look: Floats, place: tuple[float, float, float], kind: int
) -> tuple[float, float]:
    x, y, depth = place
    if kind == 1:
        return _gland(field, look, x, y, depth)
    if kind == 2:
        return _fat(field, look, x, y)
    if kind == 3:
        return _tumor(field, look, x, y)
    if kind == 4:
        return _in_situ(field, look, x, y, depth)
    if kind == 5:
        return _inflammation(field, look, x, y)
    if kind == 6:
        return _necrosis(field, look, x, y)
    return _vessel(field, look, x, y, depth)


@compiled
def uptake(
    field: Texture, look: Floats, place: tuple[float, float, float], kind: int
) -> tuple[float, float]:
    """Hematoxylin and eosin of kind `kind` at (x, y, depth), µm.

    Lesions without a wall of their own blend into the stroma over their outermost micrometers.
    """
    x, y, depth = place
    if kind == 0:
        return _stroma(field, look, x, y)
    h, e = _kind(field, look, place, kind)
    blend = 1.2
    if kind in (3, 5, 6):
        blend = 3.0 + 26.0 * sample(field, x / 3.1, y / 3.1 + 71.0)
    elif kind == 2:
        blend = 2.0 + 22.0 * sample(field, x / 5.0, y / 5.0)
    if depth < blend:
        part = ramp(0.55 * blend, blend, depth)
        other_h, other_e = _stroma(field, look, x, y)
        h, e = other_h + part * (h - other_h), other_e + part * (e - other_e)
    return h, e
