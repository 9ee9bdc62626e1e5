"""Nuclei as they are stained: outline, membrane, chromatin and what lies inside."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.cells import MITOSIS
from curatome.phantom.compiled import compiled
from curatome.phantom.contours import count_parts, fill_radii, part_of, place_part, tables
from curatome.phantom.noise import Texture, hashed, ramp, sample
from curatome.phantom.nuclei import Nuclei
from curatome.phantom.optics import Planes
from curatome.phantom.shapes import radius_toward

Floats = NDArray[np.float64]
Grid = tuple[float, float, float]
"""x and y of the first pixel's center and the pixel's edge, µm."""
Spot = tuple[float, float, float, float, float]
"""Within a nucleus: along and across its long axis, and depth under its membrane (µm); and the
place of its chromatin in the noise texture, texels."""

_SEEN = 0.08
"""Up to this strength a trait hardly changes a pixel within a nucleus, and is left out."""
_REACH_UM = 36.0
"""No nucleus, with what surrounds it, reaches further from its center."""
# For each class: eosin, strength of the membrane, paleness within, clock-face clumps of chromatin.
_LOOK = np.array(
    [
        [0.24, 0.14, 0.12, 0.0],  # epithelial
        [0.26, 0.20, 0.22, 0.0],  # tumor
        [0.22, 0.10, 0.05, 0.3],  # lymphocyte
        [0.26, 0.15, 0.10, 0.0],  # stromal
        [0.22, 0.00, 0.00, 0.0],  # mitosis
        [0.30, 0.00, 0.00, 0.0],  # debris
        [0.34, 0.00, 0.00, 0.0],  # apoptotic
        [0.30, 0.00, 0.00, 0.0],  # pyknotic
        [0.28, 0.10, 0.00, 0.0],  # hyperchromatic
        [0.24, 0.15, 0.12, 1.0],  # plasma
        [0.20, 0.24, 0.32, 0.0],  # macrophage
        [0.26, 0.15, 0.10, 0.0],  # endothelial
        [0.24, 0.24, 0.24, 0.0],  # spindle
        [0.22, 0.22, 0.20, 0.0],  # lymphoma
    ]
)
# For each class, of the cell around: radius (µm) beyond the nucleus, how far it lies to one side,
# its hematoxylin and eosin, how much of it hides what was there, and of the clear halo around it.
_AROUND = np.zeros((len(_LOOK), 6))
_AROUND[4] = [2.2, 0.0, 0.06, 0.17, 0.55, 0.0]  # mitosis: cleared cytoplasm
_AROUND[6] = [1.9, 0.2, 0.10, 0.66, 0.95, 0.75]  # apoptotic: shrunken, eosinophilic, retracted
_AROUND[7] = [1.2, 0.1, 0.10, 0.46, 0.80, 0.35]  # pyknotic
_AROUND[9] = [2.0, 1.6, 0.28, 0.34, 0.80, 0.0]  # plasma: amphophilic, nucleus to one side
_AROUND[10] = [3.6, 2.4, 0.07, 0.20, 0.60, 0.0]  # macrophage: foamy


@compiled
def _surround(field: Texture, row: Floats, around: Floats, grid: Grid, dyes: Planes) -> None:
    """Paint the cell around one nucleus."""
    x0, y0, mpp = grid
    bits = hashed(int(row[7]), 3, 24)
    turn = 2.0 * math.pi * part_of(bits, 0)
    size = math.sqrt(row[2] * row[3]) if int(row[5]) != MITOSIS else row[2]
    radius, halo = size + around[0], 1.3 if around[5] > 0.0 else 0.0
    cx = row[0] + around[1] * math.cos(turn)
    cy = row[1] + around[1] * math.sin(turn)
    out = 1.25 * radius + halo + 0.5
    _, height, width = dyes.shape
    for j in range(
        max(0, math.ceil((cy - out - y0) / mpp)),
        min(height - 1, math.floor((cy + out - y0) / mpp)) + 1,
    ):
        dy = y0 + j * mpp - cy
        for i in range(
            max(0, math.ceil((cx - out - x0) / mpp)),
            min(width - 1, math.floor((cx + out - x0) / mpp)) + 1,
        ):
            dx = x0 + i * mpp - cx
            grain = sample(field, dx * 1.6 + float(bits & 511), dy * 1.6)
            away = math.sqrt(dx * dx + dy * dy) + 1e-9
            away *= 0.82 + 0.36 * sample(
                field, dx / away * 4.0, float(bits & 511) + dy / away * 4.0
            )
            clear = around[5] * ramp(radius + halo, radius + 0.6 * halo, away) if halo else 0.0
            dyes[0, j, i] *= np.float32(1.0 - 0.9 * clear)
            dyes[1, j, i] *= np.float32(1.0 - 0.9 * clear)
            part = around[4] * ramp(radius + 0.4, radius - 0.4, away)
            tone = 0.55 + 0.9 * grain
            dyes[0, j, i] += np.float32(part * (around[2] * tone - dyes[0, j, i]))
            dyes[1, j, i] += np.float32(part * (around[3] * tone - dyes[1, j, i]))


@compiled
def _chromatin(field: Texture, row: Floats, look: Floats, spot: Spot) -> float:
    """Hematoxylin of chromatin and membrane: texture, ground glass, rim."""
    along, across, depth, u, v = spot
    coarse, dark, glassy = row[8], row[9], row[14]
    fine = sample(field, 2.4 * u, 2.4 * v) - 0.5
    clump = ramp(-0.20, 0.20, sample(field, u, v) - 0.5) - 0.5
    grain = (0.75 - 0.30 * coarse) * fine + 0.85 * coarse * clump
    h = dark * (1.0 + (1.0 - 0.60 * glassy) * grain)
    if look[3] > 0.0:
        spokes = math.cos(7.0 * math.atan2(across, along) + 0.7 * float(int(row[7]) & 7))
        h *= 1.0 + look[3] * (0.30 * spokes * ramp(1.9, 1.1, depth) - 0.25 * ramp(1.0, 2.2, depth))
    h *= 1.0 - look[2] * ramp(0.3, 1.4, depth)
    h *= 1.0 - 0.58 * glassy * ramp(0.25, 0.95, depth)
    rim = max(0.0, 1.0 - abs(depth - 0.28) / 0.34) * (0.5 + sample(field, 0.6 * u, 0.6 * v))
    out: float = h + dark * rim * (look[1] + 0.22 * glassy)
    return out


@compiled
def _fill_marks(row: Floats, marks: Floats) -> None:
    """What a nucleus holds (5, 4): up to three nucleoli and its inclusion, then its groove.

    Nucleoli and inclusion are place along and across, radius (µm) and squareness; the groove's row
    is offset, bend, and where along the axis (-1 to 1) it starts and stops.
    """
    salt, small = int(row[7]), min(1.0, row[3] / 3.5)
    for n in range(int(row[10])):
        bits = hashed(salt, n, 25)
        away, turn = 0.55 * math.sqrt(part_of(bits, 0)), 2.0 * math.pi * part_of(bits, 8)
        marks[n, 0] = away * row[2] * math.cos(turn)
        marks[n, 1] = away * row[3] * math.sin(turn)
        marks[n, 2] = small * (0.55 + 0.50 * part_of(bits, 16))
    bits = hashed(salt, 5, 27)
    away, turn = 0.32 * part_of(bits, 8), 2.0 * math.pi * part_of(bits, 0)
    marks[3, 0] = away * row[2] * math.cos(turn)
    marks[3, 1] = away * row[3] * math.sin(turn)
    marks[3, 2] = row[3] * (0.20 + 0.28 * row[13])
    marks[3, 3] = 0.75 + 0.4 * part_of(bits, 16)
    bits = hashed(salt, 4, 26)
    marks[4, 0] = 0.32 * (part_of(bits, 0) - 0.5) * row[3]
    marks[4, 1] = 0.60 * (part_of(bits, 8) - 0.5) * row[3]
    marks[4, 2] = -0.9 + 0.5 * part_of(bits, 16)
    marks[4, 3] = 0.9 - 0.5 * part_of(bits, 24)


@compiled
def _nucleoli(count: int, marks: Floats, spot: Spot) -> float:
    """How much of a spot is nucleolus, 0 to 1."""
    part = 0.0
    for n in range(count):
        dx, dy = spot[0] - marks[n, 0], spot[1] - marks[n, 1]
        away = math.sqrt(dx * dx + dy * dy)
        part = max(part, ramp(marks[n, 2] + 0.3, marks[n, 2] - 0.3, away))
    return part


@compiled
def _groove(row: Floats, groove: Floats, spot: Spot) -> tuple[float, float]:
    """The dark line of a groove along the long axis, and the pale lips beside it, 0 to 1."""
    place = spot[0] / row[2]
    away = abs(spot[1] - groove[0] - groove[1] * place * place)
    ends = ramp(groove[2] - 0.1, groove[2] + 0.1, place)
    ends *= ramp(groove[3] + 0.1, groove[3] - 0.1, place)
    return ends * max(0.0, 1.0 - away / 0.36), ends * max(0.0, 1.0 - abs(away - 0.75) / 0.5)


@compiled
def _inclusion(strength: float, mark: Floats, spot: Spot) -> tuple[float, float]:
    """Pale cytoplasm within the nucleus and its sharp rim, 0 to 1."""
    dx, dy = spot[0] - mark[0], spot[1] - mark[1]
    beyond = math.sqrt(dx * dx + mark[3] * dy * dy) - mark[2]
    shown = ramp(0.05, 0.75, strength)
    return shown * ramp(0.2, -0.2, beyond), shown * max(0.0, 1.0 - abs(beyond - 0.25) / 0.4)


@compiled
def _interior(
    field: Texture, row: Floats, marks: Floats, look: Floats, spot: Spot
) -> tuple[float, float]:
    """Hematoxylin and eosin within a nucleus."""
    h, e = _chromatin(field, row, look, spot), look[0]
    dark = row[9]
    if row[10] > 0.0:
        part = _nucleoli(int(row[10]), marks, spot)
        h, e = h + part * (0.32 + 0.25 * dark), e + 0.28 * part
    if row[16] > _SEEN:
        u, v = 0.5 * spot[3], 0.5 * spot[4]
        ridge = abs(sample(field, u, v + 77.0) - 0.5)
        h += 0.75 * row[16] ** 2.5 * dark * ramp(0.07, 0.02, ridge)
    if row[12] > _SEEN:
        line, lips = _groove(row, marks[4], spot)
        h += row[12] ** 2 * dark * (0.85 * line - 0.25 * lips)
    if row[13] > _SEEN:
        within, rim = _inclusion(row[13], marks[3], spot)
        h, e = h + within * (0.12 - h) + 0.55 * dark * rim, e + within * (0.30 - e)
    return h, e


@compiled
def _paint_part(
    field: Texture,
    row: Floats,
    place: tuple[float, float, float],
    shape: tuple[Floats, Floats, Floats],
    canvas: tuple[Grid, Planes],
) -> None:
    """Paint one body of a nucleus: its center (µm) and size, its radii, marks and class's look."""
    (x0, y0, mpp), dyes = canvas
    radii, marks, look = shape
    cx, cy, size = place
    a, b = row[2] * size, row[3] * size
    _, height, width = dyes.shape
    out = a * radii.max() + 0.6
    cosine, sine = math.cos(row[4]), math.sin(row[4])
    bits = hashed(int(row[7]), 6, 28)
    place_u, place_v = float(bits & 511), float((bits >> 9) & 511)
    left = max(0, math.ceil((cx - out - x0) / mpp))
    right = min(width - 1, math.floor((cx + out - x0) / mpp))
    for j in range(
        max(0, math.ceil((cy - out - y0) / mpp)),
        min(height - 1, math.floor((cy + out - y0) / mpp)) + 1,
    ):
        dy = y0 + j * mpp - cy
        for i in range(left, right + 1):
            dx = x0 + i * mpp - cx
            along, across = cosine * dx + sine * dy, cosine * dy - sine * dx
            u, v = along / a + 1e-9, across / b
            r = math.sqrt(u * u + v * v)
            if r * min(a, b) > out:
                continue
            # Perpendicular to the membrane: the radial distance over the gradient's length.
            steep = math.sqrt((u / a) ** 2 + (v / b) ** 2) / r
            depth = (radius_toward(radii, 0, u, v) - r) / steep
            cover = ramp(-0.3, 0.3, depth)
            if cover <= 0.0:
                continue
            spot = (along, across, depth, place_u + 2.7 * dx, place_v + 2.7 * dy)
            h, e = _interior(field, row, marks, look, spot)
            # Light goes through both of two nuclei that lie one over the other.
            below = 0.6 * max(0.0, dyes[0, j, i] - 0.42)
            dyes[0, j, i] += np.float32(cover * (h + below - dyes[0, j, i]))
            dyes[1, j, i] += np.float32(cover * (e - dyes[1, j, i]))


@compiled
def _paint_nuclei(
    field: Texture,
    rows: Floats,
    looks: tuple[Floats, Floats],
    contours: tuple[Floats, tuple[Floats, Floats]],
    canvas: tuple[Grid, Planes],
) -> None:
    """First what surrounds nuclei, then the nuclei, in the order of the table."""
    look, around = looks
    form, ways = contours
    radii, marks = np.empty((1, len(ways[1]))), np.zeros((5, 4))
    for n in range(rows.shape[0]):
        kind = int(rows[n, 5])
        if around[kind, 0] > 0.0:
            _surround(field, rows[n], around[kind], canvas[0], canvas[1])
    for n in range(rows.shape[0]):
        fill_radii(rows[n], form, ways, radii)
        _fill_marks(rows[n], marks)
        for part in range(count_parts(rows[n])):
            dx, dy, size = place_part(rows[n], part)
            place = (rows[n, 0] + dx, rows[n, 1] + dy, size)
            _paint_part(field, rows[n], place, (radii, marks, look[int(rows[n, 5])]), canvas)


def paint_nuclei(field: Texture, nuclei: Nuclei, grid: Grid, dyes: Planes) -> None:
    """Paint nuclei over the (3, H, W) dyes of a block, later ones above earlier ones.

    Args:
        field: the noise texture.
        nuclei: all nuclei of the slide.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        dyes: hematoxylin, eosin and ink, changed in place.
    """
    x0, y0, mpp = grid
    _, height, width = dyes.shape
    near = (nuclei.x > x0 - _REACH_UM) & (nuclei.x < x0 + mpp * width + _REACH_UM)
    near &= (nuclei.y > y0 - _REACH_UM) & (nuclei.y < y0 + mpp * height + _REACH_UM)
    if near.any():
        rows = nuclei.chosen(np.flatnonzero(near)).columns()
        _paint_nuclei(field, rows, (_LOOK, _AROUND), tables(), (grid, dyes))
