"""What tissue is made of: for each kind, how much hematoxylin and eosin it takes up at a place.

Concentrations are optical densities along a unit stain vector. `Look` numbers belong to a whole
slide: how its fibers run, how dense and how strongly stained it is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, cell_distances, ramp, sample

Floats = NDArray[np.float64]
Place = tuple[float, float, float, float, float]
"""x, y, depth in the outline (µm), and column and row in the lattice of slow noise."""

STROMA, GLAND, FAT, TUMOR, IN_SITU, INFLAMMATION, NECROSIS, VESSEL = range(8)
KINDS = ("stroma", "gland", "fat", "tumor", "in_situ", "inflammation", "necrosis", "vessel")
"""Region classes; a kind's number is its place here."""
LESIONS = ("tumor", "in_situ", "inflammation", "necrosis")

EPITHELIUM_UM = 19.0
"""Height of a normal gland's epithelium."""
FAT_CELL_UM = 74.0
NODE_UM = 4.0
"""Spacing of the nodes on which slow noise is computed."""
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
def fat_wall(look: Floats, x: float, y: float) -> tuple[float, float]:
    """Distances (µm) from the nearest wall between fat cells and from the cell's seed."""
    first, wall = cell_distances(x / FAT_CELL_UM, y / FAT_CELL_UM, int(look[6]) + 1)
    return wall * FAT_CELL_UM, first * FAT_CELL_UM


@compiled
def lattice(
    field: Texture, look: Floats, grid: tuple[float, float, float], shape: tuple[int, int]
) -> tuple[Floats, int, int]:
    """What changes slowly in stroma, at whole multiples of 4 µm around a block.

    Args:
        field: the noise texture.
        look: look numbers.
        grid: x and y of the block's first pixel center and the pixel's edge, µm.
        shape: the block's rows and columns.

    Returns:
        (rows, columns, 3) along the fibers, across them (µm), tone; and the first node's column
        and row.
    """
    x0, y0, mpp = grid
    left, top = math.floor(x0 / NODE_UM), math.floor(y0 / NODE_UM)
    columns = math.floor((x0 + mpp * shape[1]) / NODE_UM) - left + 2
    rows = math.floor((y0 + mpp * shape[0]) / NODE_UM) - top + 2
    nodes = np.empty((rows, columns, 3))
    for j in range(rows):
        for i in range(columns):
            x, y = (left + i) * NODE_UM, (top + j) * NODE_UM
            nodes[j, i, 0], nodes[j, i, 1] = along_fibers(field, look, x, y)
            nodes[j, i, 2] = sample(field, x / 31.0 + look[3], y / 31.0 + look[2])
    return nodes, left, top


@compiled
def _slow(nodes: Floats, column: float, row: float) -> tuple[float, float, float]:
    """The lattice's three values at a fractional column and row, bilinear."""
    i, j = int(column), int(row)
    fx, fy = column - i, row - j
    a, b, c, d = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    return (
        a * nodes[j, i, 0]
        + b * nodes[j, i + 1, 0]
        + c * nodes[j + 1, i, 0]
        + d * nodes[j + 1, i + 1, 0],
        a * nodes[j, i, 1]
        + b * nodes[j, i + 1, 1]
        + c * nodes[j + 1, i, 1]
        + d * nodes[j + 1, i + 1, 1],
        a * nodes[j, i, 2]
        + b * nodes[j, i + 1, 2]
        + c * nodes[j + 1, i, 2]
        + d * nodes[j + 1, i + 1, 2],
    )


@compiled
def stroma(field: Texture, look: Floats, nodes: Floats, place: Place) -> tuple[float, float]:
    """Hematoxylin and eosin of collagen: bundles of fibers with clefts between them."""
    u, v, tone = _slow(nodes, place[3], place[4])
    fine = sample(field, u / 6.0, v / 0.55)
    bundle = sample(field, u / 12.0 + 131.0, v / 1.9 + 17.0)
    gap = ramp(look[5] + 0.08, look[5] - 0.08, bundle * 0.72 + 0.5 * (tone - 0.5) + 0.24 * fine)
    eosin = look[4] * (0.11 + 0.25 * fine + 0.16 * bundle + 0.06 * tone)
    hematoxylin = 0.02 + 0.06 * (1.0 - fine)
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
    wall, away = fat_wall(look, x, y)
    thick = 0.5 + 1.2 * sample(field, x / 9.0, y / 9.0) + 3.5 * ramp(36.0, 58.0, away)
    part = ramp(thick + 0.7, thick - 0.4, wall)
    return 0.004 + 0.06 * part, 0.006 + 0.40 * look[4] * part


@compiled
def _tumor(field: Texture, look: Floats, nodes: Floats, place: Place) -> tuple[float, float]:
    x, y = place[0], place[1]
    grain = sample(field, x / 0.8 + 50.0, y / 0.8)
    blotch = sample(field, x / 5.0, y / 5.0 + 50.0)
    hematoxylin = 0.10 + 0.08 * grain + 0.08 * blotch
    eosin = 0.20 + 0.12 * grain + 0.12 * (1.0 - blotch)
    crack = ramp(0.24, 0.14, blotch) * 0.75
    hematoxylin, eosin = hematoxylin * (1.0 - crack), eosin * (1.0 - crack)
    septum = ramp(0.13, 0.08, between_nests(field, look, x, y))
    if septum > 0.0:
        other_h, other_e = stroma(field, look, nodes, place)
        hematoxylin += septum * (other_h - hematoxylin)
        eosin += septum * (other_e - eosin)
    return hematoxylin, eosin


@compiled
def _in_situ(field: Texture, look: Floats, x: float, y: float, depth: float) -> tuple[float, float]:
    if depth < 2.0:
        return 0.10, 0.52 * look[4]
    grain = sample(field, x / 0.8 + 90.0, y / 0.8)
    hematoxylin, eosin = 0.11 + 0.10 * grain, 0.20 + 0.12 * grain
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
def _kind(  # noqa: PLR0911 - one line per kind
    field: Texture, look: Floats, nodes: Floats, place: Place, kind: int
) -> tuple[float, float]:
    x, y, depth = place[0], place[1], place[2]
    if kind == 1:
        return _gland(field, look, x, y, depth)
    if kind == 2:
        return _fat(field, look, x, y)
    if kind == 3:
        return _tumor(field, look, nodes, place)
    if kind == 4:
        return _in_situ(field, look, x, y, depth)
    if kind == 5:
        return _inflammation(field, look, x, y)
    if kind == 6:
        return _necrosis(field, look, x, y)
    return _vessel(field, look, x, y, depth)


@compiled
def uptake(
    field: Texture, look: Floats, nodes: Floats, place: Place, kind: int
) -> tuple[float, float]:
    """Hematoxylin and eosin at a place of any kind but stroma.

    Lesions without a wall of their own blend into the stroma over their outermost micrometers.
    """
    x, y, depth = place[0], place[1], place[2]
    h, e = _kind(field, look, nodes, place, kind)
    blend = 1.2
    if kind in (3, 5, 6):
        blend = 3.0 + 26.0 * sample(field, x / 3.1, y / 3.1 + 71.0)
    elif kind == 2:
        blend = 2.0 + 22.0 * sample(field, x / 5.0, y / 5.0)
    if depth < blend:
        part = ramp(0.55 * blend, blend, depth)
        other_h, other_e = stroma(field, look, nodes, place)
        h, e = other_h + part * (h - other_h), other_e + part * (e - other_e)
    return h, e
