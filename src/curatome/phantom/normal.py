"""Hematoxylin and eosin of normal tissue and of what accompanies lesions.

Concentrations are optical densities along a unit stain vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.fabric import EPITHELIUM_UM, GERMINAL_UM, fat_wall, in_macrophage
from curatome.phantom.noise import Texture, cell_distances, ramp, sample

Floats = NDArray[np.float64]
Uptake = tuple[float, float]


@compiled
def secretion(field: Texture, x: float, y: float) -> float:
    """Eosin of what floats in a lumen: wisps and a few clots."""
    wisp = abs(sample(field, x / 5.0 + 40.0, y / 5.0) - 0.5)
    clot = ramp(0.70, 0.86, sample(field, x / 7.0, y / 7.0 + 140.0))
    grain = sample(field, x / 0.7, y / 0.7)
    return 0.05 * ramp(0.06, 0.0, wisp) + clot * (0.10 + 0.10 * grain) + 0.006


@compiled
def gland(field: Texture, look: Floats, x: float, y: float, depth: float) -> Uptake:
    """A normal gland: basement membrane, tall cells with goblet cells among them, lumen."""
    grain = sample(field, x / 0.55, y / 0.55)
    if depth < 1.3:
        return 0.09, 0.30 * look[4] * (0.7 + 0.6 * grain)
    top = EPITHELIUM_UM + 3.0 * (sample(field, x / 2.6, y / 2.6 + 17.0) - 0.5)
    lumen = ramp(top - 0.5, top + 0.7, depth)
    high = ramp(6.0, top, depth)
    hematoxylin = (0.20 - 0.09 * high) * (0.6 + 0.8 * grain)
    eosin = (0.20 + 0.06 * high) * (0.65 + 0.7 * grain)
    border = ramp(top - 1.6, top - 0.8, depth) * (1.0 - lumen)
    eosin += 0.14 * border
    if 8.0 < depth < top:
        first, wall = cell_distances(x / 9.5, y / 9.5, int(look[6]) + 2)
        goblet = ramp(0.50, 0.42, first) * ramp(8.0, 9.5, depth)
        mucin = 0.03 + 0.09 * sample(field, x / 0.8 + 20.0, y / 0.8)
        hematoxylin += goblet * (mucin - hematoxylin)
        eosin += goblet * (0.03 - eosin)
        eosin += 0.07 * ramp(0.07, 0.02, wall) * (1.0 - goblet)
    slime = secretion(field, x, y)
    return (
        hematoxylin + lumen * (0.25 * slime - hematoxylin),
        eosin + lumen * (slime - eosin),
    )


@compiled
def fat(field: Texture, look: Floats, x: float, y: float) -> Uptake:
    """Fat: empty cells within thin, bent walls."""
    wall, away = fat_wall(look, x, y)
    grain = sample(field, x / 0.6, y / 0.6)
    body = sample(field, x / 8.0, y / 8.0)
    thick = 0.25 + 1.1 * body * body + 2.4 * ramp(36.0, 62.0, away)
    part = ramp(thick + 0.7, thick - 0.4, wall) * ramp(0.06, 0.22, body)
    veil = 0.025 * ramp(0.55, 0.95, sample(field, x / 17.0 + 9.0, y / 17.0)) * (0.5 + grain)
    return 0.004 + 0.06 * part * (0.5 + grain), veil + 0.36 * look[4] * part * (0.55 + 0.9 * grain)


@compiled
def inflammation(field: Texture, look: Floats, x: float, y: float, depth: float) -> Uptake:
    """A lymphoid aggregate; a large one has a paler germinal center with macrophages."""
    grain = sample(field, x / 0.7, y / 0.7 + 9.0)
    mesh = sample(field, x / 1.8, y / 1.8 + 9.0)
    gap = ramp(0.36, 0.24, mesh)
    hematoxylin, eosin = 0.10 + 0.10 * grain, 0.12 + 0.14 * grain
    center = ramp(GERMINAL_UM - 8.0, GERMINAL_UM + 8.0, depth)
    if center > 0.0:
        pale = center * (0.35 + 0.5 * ramp(-1.5, 1.5, in_macrophage(look, x, y)))
        hematoxylin, eosin = hematoxylin * (1.0 - 0.7 * pale), eosin * (1.0 - 0.35 * pale)
        gap *= 1.0 - center
    return 0.015 + hematoxylin * (1.0 - 0.9 * gap), eosin * (1.0 - 0.85 * gap) * look[4]


@compiled
def necrosis(field: Texture, look: Floats, x: float, y: float) -> Uptake:
    """Necrosis: granular, smudged, with ghosts of cells and cracks from shrinking."""
    grain = sample(field, x / 0.6, y / 0.6 + 31.0)
    clump = sample(field, x / 1.9 + 11.0, y / 1.9 + 31.0)
    smudge = sample(field, x / 8.0 + 31.0, y / 8.0)
    ghost = ramp(0.70, 0.85, clump) * 0.12
    crack = ramp(0.05, 0.01, abs(sample(field, x / 11.0, y / 11.0 + 5.0) - 0.5)) * smudge
    eosin = (0.11 + 0.13 * grain + 0.10 * clump + 0.12 * smudge) * (1.0 - 0.7 * crack)
    hematoxylin = 0.03 + 0.06 * (1.0 - smudge) + 0.06 * grain + ghost
    return hematoxylin * (1.0 - 0.8 * crack), eosin * look[4]


@compiled
def vessel(field: Texture, look: Floats, x: float, y: float, depth: float) -> Uptake:
    """A vessel: a wall, and red cells where the lumen is filled."""
    grain = sample(field, x / 0.6, y / 0.6)
    wall = ramp(6.8, 5.8, depth + 1.6 * (sample(field, x / 2.2, y / 2.2 + 50.0) - 0.5))
    filled = ramp(0.36, 0.50, sample(field, x / 6.0 + look[2], y / 6.0))
    first, between = cell_distances(x / 6.4, y / 6.4, int(look[6]) + 4)
    disk = filled * ramp(0.02, 0.07, between) * ramp(0.50, 0.43, first)
    cells = disk * (0.62 + 0.38 * ramp(0.0, 0.34, first)) * (0.85 + 0.3 * grain)
    plasma = 0.012 + 0.05 * filled * grain
    return 0.08 * wall * (0.5 + grain), (0.22 + 0.26 * grain) * wall + (1.0 - wall) * (
        plasma + 0.62 * cells
    )
