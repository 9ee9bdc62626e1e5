"""Hematoxylin and eosin of the six classes of lesions.

Concentrations are optical densities along a unit stain vector.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.collagen import stroma
from curatome.phantom.compiled import compiled
from curatome.phantom.fabric import (
    CROWDED_UM,
    Place,
    between_nests,
    crowded_gland,
    fascicle,
    in_hole,
    in_macrophage,
    in_mucin,
)
from curatome.phantom.noise import Texture, cell_distances, ramp, sample
from curatome.phantom.normal import secretion

Floats = NDArray[np.float64]
Uptake = tuple[float, float]


@compiled
def _mixed(a: Uptake, b: Uptake, part: float) -> Uptake:
    return a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])


@compiled
def _cytoplasm(field: Texture, look: Floats, x: float, y: float) -> Uptake:
    """Granular cytoplasm of tumor cells, with faint borders between the cells."""
    grain = sample(field, x / 0.45 + 50.0, y / 0.45)
    blotch = sample(field, x / 4.0, y / 4.0 + 50.0)
    _, wall = cell_distances(x / 12.5, y / 12.5, int(look[6]) + 9)
    border = ramp(0.07, 0.015, wall)
    hematoxylin = (0.11 + 0.07 * blotch) * (0.4 + 1.2 * grain)
    eosin = (0.25 - 0.08 * blotch) * (0.4 + 1.2 * grain)
    return hematoxylin, eosin + 0.05 * border - 0.08 * border * ramp(0.6, 0.9, blotch)


@compiled
def tumor(field: Texture, look: Floats, nodes: Floats, place: Place) -> Uptake:
    """Solid invasive nests with strands of stroma between them."""
    x, y = place[0], place[1]
    cells = _cytoplasm(field, look, x, y)
    septum = ramp(0.13, 0.08, between_nests(field, look, x, y))
    if septum == 0.0:
        return cells
    # Nests shrink away from their stroma: a thin cleft at some of the borders.
    cleft = ramp(0.85, 1.0, 1.0 - abs(2.0 * septum - 1.0)) * ramp(
        0.55, 0.75, sample(field, x / 12.0, y / 12.0)
    )
    h, e = _mixed(cells, stroma(field, look, nodes, place, 0.2), septum)
    return h * (1.0 - 0.8 * cleft), e * (1.0 - 0.8 * cleft)


@compiled
def in_situ(field: Texture, look: Floats, x: float, y: float, depth: float) -> Uptake:
    """A duct full of cells with punched-out lumens, within a basement membrane."""
    if depth < 1.6:
        return 0.10, 0.40 * look[4]
    cells = _cytoplasm(field, look, x, y)
    hole = ramp(-0.6, 0.6, in_hole(look, x, y, depth))
    slime = secretion(field, x, y)
    return _mixed(cells, (0.2 * slime, slime), hole)


@compiled
def adenoma(field: Texture, look: Floats, nodes: Floats, place: Place) -> Uptake:
    """Glands back to back: dark tall epithelium, slit-like lumens, next to no stroma between."""
    x, y = place[0], place[1]
    depth = crowded_gland(field, look, x, y)
    if depth < 0.0:
        return stroma(field, look, nodes, place, 0.2)
    grain = sample(field, x / 0.55 + 70.0, y / 0.55)
    if depth < 1.0:
        return 0.10, 0.28 * look[4] * (0.7 + 0.6 * grain)
    top = CROWDED_UM + 4.0 * (sample(field, x / 2.4, y / 2.4 + 37.0) - 0.5)
    lumen = ramp(top - 0.6, top + 0.6, depth)
    high = ramp(12.0, top, depth)
    vacuole = ramp(0.62, 0.78, sample(field, x / 1.5 + 5.0, y / 1.5)) * high
    hematoxylin = (0.25 - 0.12 * high) * (0.6 + 0.8 * grain) * (1.0 - 0.5 * vacuole)
    eosin = (0.17 + 0.08 * high) * (0.6 + 0.8 * grain) * (1.0 - 0.7 * vacuole)
    slime = secretion(field, x, y)
    return _mixed((hematoxylin, eosin), (0.3 * slime, slime), lumen)


@compiled
def mucinous(field: Texture, look: Floats, nodes: Floats, place: Place) -> Uptake:
    """Pale lakes of mucin between thin septa, with clusters of tumor cells afloat."""
    x, y = place[0], place[1]
    cluster, septum = in_mucin(field, look, x, y)
    if cluster > 0.8:
        return _cytoplasm(field, look, x, y)
    # Mucin lies in sheets and threads that bend around what floats in it.
    bend = 7.0 * sample(field, x / 14.0 + 3.0, y / 14.0)
    thread = abs(sample(field, x / 13.0 + bend, y / 13.0 - bend) - 0.5)
    fine = abs(sample(field, x / 4.5 - bend, y / 4.5 + bend) - 0.5)
    cloud = sample(field, x / 26.0, y / 26.0 + 33.0)
    mesh = abs(sample(field, x / 1.7 + bend, y / 1.7 - bend) - 0.5)
    mucin = 0.03 + 0.06 * cloud + 0.14 * ramp(0.05, 0.0, thread)
    mucin += 0.09 * ramp(0.09, 0.0, fine) + 0.07 * ramp(0.16, 0.0, mesh)
    lake = (mucin, 0.015 + 0.02 * cloud)
    # A cluster shrinks: there is a clear rim around it.
    rim = ramp(-7.0, -3.0, cluster)
    lake = (lake[0] * (1.0 - 0.75 * rim), lake[1] * (1.0 - 0.75 * rim))
    if cluster > -0.8:
        lake = _mixed(lake, _cytoplasm(field, look, x, y), ramp(-0.8, 0.8, cluster))
    if septum > -1.0:
        lake = _mixed(lake, stroma(field, look, nodes, place, 0.2), ramp(-1.0, 1.0, septum))
    return lake


@compiled
def spindle(field: Texture, look: Floats, x: float, y: float) -> Uptake:
    """Fascicles of spindle cells: fibrillar cytoplasm along each, dots where one is cut across."""
    u, v, turn = fascicle(field, look, x, y)
    if turn > -9.0:
        fibril = sample(field, u / 4.0, v / 0.32)
        strand = sample(field, u / 8.0 + 91.0, v / 1.3)
    else:
        fibril = sample(field, u / 0.5, v / 0.5)
        strand = sample(field, u / 1.4 + 91.0, v / 1.4)
    gap = ramp(0.14, 0.04, strand) * 0.75
    hematoxylin = 0.05 + 0.10 * strand + 0.05 * fibril
    eosin = look[4] * (0.10 + 0.17 * fibril + 0.15 * strand)
    return hematoxylin * (1.0 - gap), eosin * (1.0 - gap)


@compiled
def lymphoma(field: Texture, look: Floats, x: float, y: float) -> Uptake:
    """Sheets of small round cells with next to no cytoplasm, and pale macrophages among them."""
    grain = sample(field, x / 0.7, y / 0.7 + 109.0)
    mesh = sample(field, x / 1.5, y / 1.5 + 19.0)
    gap = ramp(0.30, 0.22, mesh)
    hematoxylin = (0.10 + 0.14 * grain) * (1.0 - 0.9 * gap)
    eosin = (0.10 + 0.12 * grain) * (1.0 - 0.85 * gap)
    pale = ramp(-1.0, 1.0, in_macrophage(look, x, y))
    foam = 0.05 + 0.10 * sample(field, x / 1.1, y / 1.1 + 60.0)
    return _mixed((hematoxylin, eosin), (0.3 * foam, foam), pale)
