"""The outline of a nucleus: one table of radii that is both painted and handed out as truth.

An outline is an ellipse whose radius varies with harmonics and perhaps an indentation, scaled so
that its area is the ellipse's. Mitoses in anaphase and apoptotic cells have several parts.
"""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.cells import ANAPHASE, APOPTOTIC, MITOSIS
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import hashed
from curatome.phantom.nuclei import Nuclei
from curatome.phantom.shapes import directions

Floats = NDArray[np.float64]

STEPS = 80
"""Points of an outline, at even steps of the diamond angle (`shapes`)."""
_WAYS = directions(STEPS)
_TURNS = np.arctan2(_WAYS[:, 1], _WAYS[:, 0])
_ORDERS = np.arange(11)[:, None] * _TURNS
_WAVES = np.stack([np.cos(_ORDERS), np.sin(_ORDERS)])
"""Cosine and sine (2, order, step) of the waves that make an outline uneven."""
_BLUNT, _POINTED = 0.14, 1e9
"""Waves outward stay below this, so that bumps are round and only clefts are sharp; but not in
mitoses, whose chromosomes stick out."""
_AREAS = 0.5 * np.sin(np.diff(np.append(_TURNS, _TURNS[0])) % (2 * math.pi))
# For each class: unevenness in coarse and in fine waves, depth of an indentation at the side, and
# greatest depth of the cleft that half of them have besides.
_FORM = np.array(
    [
        [0.046, 0.012, 0.12, 0.90],  # epithelial
        [0.040, 0.008, 0.00, 0.60],  # tumor
        [0.026, 0.006, 0.00, 0.12],  # lymphocyte
        [0.045, 0.015, 0.00, 0.60],  # stromal
        [0.110, 0.034, 0.00, 0.00],  # mitosis
        [0.150, 0.020, 0.00, 0.00],  # debris
        [0.010, 0.000, 0.00, 0.00],  # apoptotic
        [0.050, 0.008, 0.10, 0.00],  # pyknotic
        [0.060, 0.010, 0.10, 0.10],  # hyperchromatic
        [0.030, 0.013, 0.00, 0.35],  # plasma
        [0.030, 0.010, 0.42, 0.00],  # macrophage
        [0.040, 0.014, 0.05, 0.40],  # endothelial
        [0.040, 0.010, 0.00, 0.25],  # spindle
        [0.040, 0.006, 0.06, 0.30],  # lymphoma
    ]
)


@compiled
def part_of(bits: int, shift: int) -> float:
    """Eight of 32 hashed bits as a number from 0 to 1."""
    return ((bits >> shift) & 255) / 255.0


@compiled
def fill_radii(row: Floats, form: Floats, ways: tuple[Floats, Floats], radii: Floats) -> None:
    """Radii (1, K) of one outline in units of its half axes.

    Args:
        row: a nucleus (`Nuclei.columns`).
        form: per class unevenness, fine unevenness, indentation, cleft.
        ways: (2, order, K) waves and (K,) the area of each sector at radius 1.
        radii: written in place.
    """
    waves, areas = ways
    kind, salt = int(row[5]), int(row[7])
    wrinkled, irregular = row[16], row[18]
    coarse = form[kind, 0] + 0.11 * irregular**2
    fine = form[kind, 1] + 0.020 * wrinkled**2.5
    blunt = _POINTED if kind == MITOSIS else _BLUNT
    steps = radii.shape[1]
    radii[0, :] = 1.0
    for order in range(3, waves.shape[1]):
        bits = hashed(salt, order, 22)
        size = coarse * (3.0 / order) if order < 6 else fine
        size *= 0.5 + part_of(bits, 0)
        phase = 2.0 * math.pi * part_of(bits, 8)
        even, odd = size * math.cos(phase), -size * math.sin(phase)
        # Wrinkles run in bunches: fine waves fade on one side.
        side = 2.0 * math.pi * part_of(bits, 16)
        bunch = 0.0 if order < 6 else 0.8
        near, far = bunch * math.cos(side), bunch * math.sin(side)
        for k in range(steps):
            wave = even * waves[0, order, k] + odd * waves[1, order, k]
            radii[0, k] += wave * (1.0 + near * waves[0, 1, k] + far * waves[1, 1, k])
    for k in range(steps):
        wave = radii[0, k] - 1.0
        if wave > 0.0:
            radii[0, k] = 1.0 + wave / (1.0 + wave / blunt)
    cleft = max(0.0, 2.0 * part_of(hashed(salt, 1, 21), 16) - 1.0) * form[kind, 3]
    _indent(row, (form[kind, 2] + 0.36 * irregular**3, 0.34), waves, radii)
    _indent(row, (cleft, 0.20), waves, radii)
    area = 0.0
    for k in range(steps):
        area += areas[k] * radii[0, k] * radii[0, k + 1 if k + 1 < steps else 0]
    scale = math.sqrt(math.pi / area)
    for k in range(steps):
        radii[0, k] *= scale


@compiled
def _indent(row: Floats, notch: tuple[float, float], waves: Floats, radii: Floats) -> None:
    """Press a notch, so deep and so wide (sine of half the angle), into one of the long sides."""
    deep, wide = notch
    if deep < 0.004:
        return
    bits = hashed(int(row[7]), 1, 21)
    at = 1.2 + 0.7 * part_of(bits, 0) + math.pi * ((bits >> 9) & 1)
    cosine, sine = math.cos(at), math.sin(at)
    for k in range(radii.shape[1]):
        # The squared sine of half the angle between.
        away = 0.5 - 0.5 * (cosine * waves[0, 1, k] + sine * waves[1, 1, k])
        radii[0, k] = max(0.3, radii[0, k] - deep * math.exp(-away / (wide * wide)))


@compiled
def count_parts(row: Floats) -> int:
    """How many separate bodies a nucleus consists of."""
    if int(row[6]) == ANAPHASE:
        return 2
    if int(row[5]) == APOPTOTIC:
        return 1 + int(hashed(int(row[7]), 2, 21) % 4)
    return 1


@compiled
def place_part(row: Floats, part: int) -> tuple[float, float, float]:
    """Center of a part (µm from the nucleus's) and its size relative to the row's axes."""
    if int(row[6]) == ANAPHASE:
        away = (2.0 * part - 1.0) * (1.3 * row[3] + 1.3)
        return -away * math.sin(row[4]), away * math.cos(row[4]), 1.0
    if part == 0:
        return 0.0, 0.0, 1.0
    bits = hashed(int(row[7]), part, 23)
    turn = 2.1 * part + 0.9 * part_of(bits, 0) + float(int(row[7]) & 7)
    size = 0.30 + 0.30 * part_of(bits, 8)
    away = row[2] * (1.08 + size)
    return away * math.cos(turn), away * math.sin(turn), size


def tables() -> tuple[Floats, tuple[Floats, Floats]]:
    """What `fill_radii` needs besides a row: form by class, and waves with sectors' areas."""
    return _FORM, (_WAVES, _AREAS)


def areas_um2(nuclei: Nuclei) -> Floats:
    """Area (N,) within each outline, all parts together, µm²."""
    area = math.pi / 4 * nuclei.long * nuclei.short
    several = np.flatnonzero((nuclei.phase == ANAPHASE) | (nuclei.kind == APOPTOTIC))
    rows = nuclei.chosen(several).columns()
    for index, row in zip(several, rows, strict=True):
        area[index] *= sum(place_part(row, p)[2] ** 2 for p in range(count_parts(row)))
    return area


@compiled
def _turned(
    rows: Floats, form: Floats, ways: tuple[Floats, Floats], unit: Floats, points: Floats
) -> None:
    """Write outlines (N, K, 2) about their own centers, µm."""
    radii = np.empty((1, unit.shape[0]))
    for n in range(rows.shape[0]):
        fill_radii(rows[n], form, ways, radii)
        cosine, sine = math.cos(rows[n, 4]), math.sin(rows[n, 4])
        for k in range(unit.shape[0]):
            u = rows[n, 2] * radii[0, k] * unit[k, 0]
            v = rows[n, 3] * radii[0, k] * unit[k, 1]
            points[n, k, 0], points[n, k, 1] = cosine * u - sine * v, sine * u + cosine * v


def outlines(nuclei: Nuclei) -> NDArray[np.object_]:
    """The outlines (N,) as they are painted, shapely, µm: a polygon, or one for each part."""
    rows, center = nuclei.columns(), np.column_stack([nuclei.x, nuclei.y])
    local = np.empty((len(nuclei), STEPS, 2))
    _turned(rows, *tables(), _WAYS, local)
    shapes: NDArray[np.object_] = shapely.polygons(local + center[:, None])
    for n in np.flatnonzero([count_parts(row) > 1 for row in rows]):
        parts = [place_part(rows[n], p) for p in range(count_parts(rows[n]))]
        bodies = [shapely.Polygon(local[n] * s + center[n] + (x, y)) for x, y, s in parts]
        shapes[n] = shapely.MultiPolygon(bodies)
    return shapes


def outline(nuclei: Nuclei, index: int) -> shapely.Geometry:
    """The outline of nucleus `index` as it is painted, µm: a polygon, or one for each part."""
    return outlines(nuclei.chosen(np.array([index])))[0]
