"""From a slide's plan to its dyes: which two, how thick the section, which nuclei are brown.

With `H&E` the dyes are hematoxylin and eosin. With `DAB` the second plane means DAB: no eosin, a
pale hematoxylin, and brown in the planted share of epithelial and tumor nuclei or membranes.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curatome.phantom.compiled import compiled
from curatome.phantom.effects import turned
from curatome.phantom.noise import Texture, hashed, ramp, sample
from curatome.phantom.nuclei import CLASSES
from curatome.phantom.optics import DAB, REFERENCE, SITES, Planes
from curatome.phantom.plan import SlidePlan
from curatome.phantom.scene import Scene
from curatome.tables import Column, TableSpec

Floats = NDArray[np.float64]
Grid = tuple[float, float, float]

PATCH_UM = 80.0
"""µm per texel of the noise that makes a section uneven; its patches are some 400 µm wide."""
MEMBRANE_UM = 2.4
"""How far a cell's membrane lies outside its nucleus."""
ELIGIBLE = ("epithelial", "tumor")
"""Classes of nuclei whose cells an immunostain can make brown."""
_COUNTERSTAIN, _GROUND, _FAR = 0.62, 0.06, 1e9
_SALT = 91

POSITIVITY = TableSpec(
    "phantom_positivity",
    (
        Column("slide", pa.string(), "name of the slide"),
        Column("nucleus", pa.int64(), "number within the slide, as in phantom_nuclei"),
        Column("eligible", pa.bool_(), f"whether it can be stained: {', '.join(ELIGIBLE)}"),
        Column("positive", pa.bool_(), "whether its marker (nucleus or membrane) is brown"),
        Column("intensity", pa.float64(), "DAB over the usual, 0 where it is negative"),
    ),
)


def vectors(plan: SlidePlan) -> tuple[Floats, Floats]:
    """Optical density (3,) per unit of hematoxylin and of the second dye in red, green, blue."""
    site = SITES[plan.site] if plan.effects is None else REFERENCE
    first = np.array(site.hematoxylin)
    second = np.array(DAB if plan.stain == "DAB" else site.eosin)
    uptake = np.array(site.strength)
    if plan.effects is None:
        return first * uptake[0], second * uptake[1]
    e = plan.effects
    uptake = uptake * np.exp(np.array([e.hematoxylin, e.second]) + e.thickness)
    return (
        turned(first, second, e.hematoxylin_toward, e.hematoxylin_aside) * uptake[0],
        turned(second, first, e.second_toward, e.second_aside) * uptake[1],
    )


@compiled
def _uneven(field: Texture, grid: Grid, deviation: float, seed: int, dyes: Planes) -> None:
    """Multiply hematoxylin and the second dye by the slowly changing thickness."""
    x0, y0, mpp = grid
    shift_x, shift_y = float(hashed(seed, 1, 7) & 511), float(hashed(seed, 2, 7) & 511)
    for j in range(dyes.shape[1]):
        v = (y0 + j * mpp) / PATCH_UM + shift_y
        for i in range(dyes.shape[2]):
            if dyes[0, j, i] > 0.0 or dyes[1, j, i] > 0.0:
                value = sample(field, (x0 + i * mpp) / PATCH_UM + shift_x, v)
                # Uniform on 0 to 1, whose standard deviation is 1/√12.
                factor = np.float32(math.exp(deviation * 3.4641016 * (value - 0.5)))
                dyes[0, j, i] *= factor
                dyes[1, j, i] *= factor


@compiled
def _window(
    x: float, y: float, out: float, grid: Grid, shape: tuple[int, int]
) -> tuple[int, int, int, int]:
    """First and last row and column of a block within `out` µm of a place."""
    x0, y0, mpp = grid
    top, left = math.ceil((y - out - y0) / mpp), math.ceil((x - out - x0) / mpp)
    bottom, right = math.floor((y + out - y0) / mpp), math.floor((x + out - x0) / mpp)
    return max(0, top), min(shape[0] - 1, bottom), max(0, left), min(shape[1] - 1, right)


@compiled
def _brown_nuclei(cells: Floats, grid: Grid, dyes: Planes, dab: NDArray[np.float32]) -> None:
    """DAB (H, W) in the nuclei of cells (N, 6): x, y, half axes, angle, intensity.

    Nuclei are where hematoxylin shows them, so that the brown has their very outline.
    """
    x0, y0, mpp = grid
    for n in range(cells.shape[0]):
        cx, cy, a, b = cells[n, 0], cells[n, 1], 1.25 * cells[n, 2], 1.25 * cells[n, 3]
        cosine, sine = math.cos(cells[n, 4]), math.sin(cells[n, 4])
        top, bottom, left, right = _window(cx, cy, a, grid, dab.shape)
        for j in range(top, bottom + 1):
            dy = y0 + j * mpp - cy
            for i in range(left, right + 1):
                dx = x0 + i * mpp - cx
                u, v = (cosine * dx + sine * dy) / a, (cosine * dy - sine * dx) / b
                if u * u + v * v < 1.0:
                    seen = ramp(0.22, 0.50, dyes[0, j, i])
                    tone = 0.8 * seen * (0.45 + 0.55 * min(dyes[0, j, i], 1.2))
                    dab[j, i] = max(dab[j, i], np.float32(cells[n, 5] * tone))


@compiled
def _cell_borders(field: Texture, cells: Floats, grid: Grid, nearest: NDArray[np.float32]) -> None:
    """For each pixel the two cells whose outlines it lies deepest in.

    Args:
        field: the noise texture.
        cells: (N, 6) x, y, half axes of the nucleus, angle, intensity.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        nearest: (4, H, W), large at first: distances (µm) from the outlines of the nearest and the
            second nearest cell, negative within; and the two intensities.
    """
    x0, y0, mpp = grid
    for n in range(cells.shape[0]):
        cx, cy = cells[n, 0], cells[n, 1]
        a, b = cells[n, 2] + MEMBRANE_UM, cells[n, 3] + MEMBRANE_UM
        cosine, sine = math.cos(cells[n, 4]), math.sin(cells[n, 4])
        top, bottom, left, right = _window(cx, cy, a + 2.0, grid, nearest.shape[1:])
        for j in range(top, bottom + 1):
            y = y0 + j * mpp
            for i in range(left, right + 1):
                x = x0 + i * mpp
                dx, dy = x - cx, y - cy
                u, v = (cosine * dx + sine * dy) / a, (cosine * dy - sine * dx) / b
                r = max(math.sqrt(u * u + v * v), 0.1)
                # Along a ray, the ellipse is |(dx, dy)| / r away from the center.
                away = math.sqrt(dx * dx + dy * dy) * (1.0 - 1.0 / r)
                off = np.float32(away + 1.4 * (sample(field, x / 1.4, y / 1.4) - 0.5))
                if off < nearest[0, j, i]:
                    nearest[1, j, i], nearest[3, j, i] = nearest[0, j, i], nearest[2, j, i]
                    nearest[0, j, i], nearest[2, j, i] = off, np.float32(cells[n, 5])
                elif off < nearest[1, j, i]:
                    nearest[1, j, i], nearest[3, j, i] = off, np.float32(cells[n, 5])


@compiled
def _brown_membranes(nearest: NDArray[np.float32], dyes: Planes, dab: NDArray[np.float32]) -> None:
    """DAB (H, W) along cell borders: free ones, and those between neighbors, where both add."""
    for j in range(dab.shape[0]):
        for i in range(dab.shape[1]):
            off, other = nearest[0, j, i], nearest[1, j, i]
            if off < 1.0:
                free = nearest[2, j, i] * ramp(0.80, 0.20, abs(off))
                both = max(nearest[2, j, i], nearest[3, j, i]) if other < 1.0 else 0.0
                between = both * ramp(0.80, 0.20, (other - off) / 2)
                if other < 0.0:
                    free = 0.0
                tone = 0.8 * max(free, between) * (1.0 - ramp(0.22, 0.50, dyes[0, j, i]))
                dab[j, i] = max(dab[j, i], np.float32(tone))


@compiled
def _intensities(places: NDArray[np.int64], seed: int, positive: float, out: Floats) -> None:
    """For each nucleus its DAB, 0 where negative: a hash of its number and the slide's seed."""
    for n in range(places.shape[0]):
        bits = hashed(places[n], seed, 91)
        if (bits & 0xFFFF) < positive * 65536.0:
            out[n] = 0.45 + 1.1 * ((bits >> 16) / 65536.0)
        else:
            out[n] = 0.0


def intensities(scene: Scene) -> Floats:
    """DAB (N,) of each nucleus over the usual, 0.45 to 1.55, and 0 where it is negative."""
    plan = scene.plan
    out = np.zeros(len(scene.nuclei))
    if plan.stain == "DAB":
        chosen = np.flatnonzero(_eligible(scene))
        values = np.empty(len(chosen))
        _intensities(chosen, plan.seed & 0x7FFFFFFF, plan.positive, values)
        out[chosen] = values
    return out


def stain(scene: Scene, grid: Grid, dyes: Planes) -> None:
    """Turn (3, H, W) tissue dyes into this slide's: immunostain, then uneven thickness.

    Args:
        scene: the scene.
        grid: x and y of the first pixel's center and the pixel's edge, µm.
        dyes: hematoxylin, eosin and ink; the first two are changed in place.
    """
    plan = scene.plan
    if plan.stain == "DAB":
        dab = _GROUND * dyes[1]
        cells = _eligible_cells(scene, grid, dyes.shape[1:])
        if plan.marker == "membrane":
            nearest = np.full((4, *dyes.shape[1:]), _FAR, np.float32)
            _cell_borders(scene.field, cells, grid, nearest)
            _brown_membranes(nearest, dyes, dab)
        else:
            _brown_nuclei(cells[cells[:, 5] > 0], grid, dyes, dab)
        # Brown hides blue: little counterstain gets into a nucleus full of DAB.
        dyes[0] *= _COUNTERSTAIN * (1.0 - 0.6 * np.minimum(dab, 1.0))
        dyes[1] = dab
    if plan.unevenness > 0:
        _uneven(scene.field, grid, plan.unevenness, plan.seed & 0x7FFFFFFF, dyes)


def _eligible_cells(scene: Scene, grid: Grid, shape: tuple[int, ...]) -> Floats:
    """Cells near a block (N, 6): x, y, half axes of the nucleus, angle, intensity or 0."""
    nuclei, value = scene.nuclei, intensities(scene)
    x0, y0, mpp = grid
    reach = 0.7 * nuclei.long + MEMBRANE_UM + 2.0
    near = (nuclei.x > x0 - reach) & (nuclei.x < x0 + shape[1] * mpp + reach)
    near &= (nuclei.y > y0 - reach) & (nuclei.y < y0 + shape[0] * mpp + reach) & _eligible(scene)
    columns = (nuclei.x, nuclei.y, nuclei.long / 2, nuclei.short / 2, nuclei.angle, value)
    return np.stack([np.asarray(c, float)[near] for c in columns], axis=1)


def _eligible(scene: Scene) -> NDArray[np.bool_]:
    return np.isin(scene.nuclei.kind, [CLASSES.index(name) for name in ELIGIBLE])


def positivity_table(scene: Scene) -> pa.Table:
    """The slide's part of `POSITIVITY`: nothing where the stain is not DAB."""
    if scene.plan.stain != "DAB":
        return POSITIVITY.from_rows([])
    value = intensities(scene)
    return POSITIVITY.from_columns(
        {
            "slide": [scene.plan.name] * len(value),
            "nucleus": np.arange(len(value)),
            "eligible": _eligible(scene),
            "positive": value > 0,
            "intensity": value,
        }
    )
