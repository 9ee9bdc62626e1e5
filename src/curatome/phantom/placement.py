"""Where nuclei lie in each kind of tissue, of which class and in which direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom import fabric, ground
from curatome.phantom.cells import (
    APOPTOTIC,
    DEBRIS,
    ENDOTHELIAL,
    EPITHELIAL,
    HYPERCHROMATIC,
    LYMPHOCYTE,
    LYMPHOMA,
    MACROPHAGE,
    MITOSIS,
    PLASMA,
    PYKNOTIC,
    SPINDLE,
    STROMAL,
    TUMOR,
)
from curatome.phantom.noise import texture
from curatome.phantom.shapes import Blobs, Regions

Floats = NDArray[np.float64]
Rows = Floats
"""(N, 6): x, y (µm), angle of the long axis, class, size relative to the class's usual one, and
tilt of the long axis out of the section (radians, as where a fascicle is cut across)."""
Mix = dict[int, float]
"""Part of each class among others."""

_IN_TUMOR: Mix = {
    MITOSIS: 0.008,
    APOPTOTIC: 0.006,
    PYKNOTIC: 0.004,
    HYPERCHROMATIC: 0.012,
    LYMPHOCYTE: 0.05,
    PLASMA: 0.004,
    MACROPHAGE: 0.004,
}
_IN_STROMA: Mix = {LYMPHOCYTE: 0.055, PLASMA: 0.015, MACROPHAGE: 0.02}

_OWN = {
    fabric.GLAND: EPITHELIAL,
    fabric.TUMOR: TUMOR,
    fabric.IN_SITU: TUMOR,
    fabric.INFLAMMATION: LYMPHOCYTE,
    fabric.VESSEL: ENDOTHELIAL,
    fabric.ADENOMA: TUMOR,
    fabric.MUCINOUS: TUMOR,
    fabric.SPINDLE: SPINDLE,
    fabric.LYMPHOMA: LYMPHOMA,
}
"""The class that makes up each kind of tissue; in the others nuclei lie far apart."""


@dataclass(frozen=True)
class _Around:
    """What the makers of nuclei need to know."""

    regions: Regions
    look: Floats
    rng: np.random.Generator
    sizes: Floats

    def pitch(self, index: int, usual: float) -> float:
        """The usual spacing (µm) in region `index`, times the size of its own nuclei."""
        return usual * float(self.sizes[_OWN.get(int(self.regions.kind[index]), STROMAL)])

    def grid(
        self, index: int, pitch: float, jitter: float, inset: float, within: Blobs | None = None
    ) -> tuple[Floats, Floats]:
        """Jittered points inside a region (or outline), `inset` µm deep or more, and depths."""
        blobs = self.regions if within is None else within
        pitch = pitch if within is not None else self.pitch(index, pitch)
        center, reach = blobs.center[index], float(blobs.radii[index].max())
        box = (*(center - reach), *(center + reach))
        points = jittered_points(self.rng, box, pitch, jitter)
        depth = ground.depths((blobs.center, blobs.radii), index, points)
        keep = depth > inset
        return points[keep], depth[keep]

    def depths(self, index: int, points: Floats) -> Floats:
        """How deep (µm) points lie in region `index`."""
        return ground.depths((self.regions.center, self.regions.radii), index, points)

    def ring(self, index: int, inset: float, pitch: float) -> tuple[Floats, Floats]:
        """Points along the outline of region `index`, `inset` µm inside, and outward angles."""
        radii, pitch = self.regions.radii[index], self.pitch(index, pitch)
        count = max(6, int(2 * math.pi * (radii.mean() - inset) / pitch))
        turn = (np.arange(count) + self.rng.uniform(-0.22, 0.22, count)) * 2 * math.pi / count
        way = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        radius = self.depths(index, self.regions.center[index] + way * 1e-3) + 1e-3
        points = self.regions.center[index] + way * (radius - inset)[:, None]
        return points, turn

    def mixed(self, count: int, usual: int, mix: Mix) -> Floats:
        """Classes of `count` nuclei: mostly `usual`, others in their parts."""
        kinds, parts = [*mix, usual], [*mix.values(), 1 - sum(mix.values())]
        return self.rng.choice(kinds, count, p=parts).astype(float)

    def turns(self, count: int) -> Floats:
        """Directions without order."""
        return self.rng.uniform(0, math.pi, count)


def jittered_points(
    rng: np.random.Generator, box: tuple[float, ...], pitch: float, jitter: float
) -> Floats:
    """Points (N, 2) of a jittered hexagonal grid of spacing `pitch` within x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    x, y = np.meshgrid(
        np.arange(x0 + pitch / 2, x1, pitch), np.arange(y0 + pitch / 2, y1, pitch * 0.866)
    )
    x[1::2] += pitch / 2
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    out: Floats = points + rng.uniform(-jitter, jitter, points.shape) * pitch
    return out


def _rows(
    points: Floats,
    angle: Floats,
    kind: Floats | int,
    scale: Floats | float = 1.0,
    tilt: Floats | float = 0.0,
) -> Rows:
    rest = np.broadcast_arrays(points[:, 0], angle, kind, scale, tilt)[1:]
    return np.column_stack([points, *rest]).astype(float)


def _in_gland(around: _Around, index: int) -> Rows:
    points, turn = around.ring(index, 7.2, 10.3)
    points = points + around.rng.normal(0, 0.5, points.shape)
    kind = around.mixed(len(points), EPITHELIAL, {LYMPHOCYTE: 0.05})
    return _rows(points, turn + around.rng.normal(0, 0.12, len(turn)), kind)


def _in_fat(around: _Around, index: int) -> Rows:
    points, _ = around.grid(index, 7.0, 0.4, 10.0)
    walls = ground.fat_walls(around.look, points)
    keep = (walls[:, 0] < 1.2) & (around.rng.random(len(points)) < 0.10)
    return _rows(points[keep], np.arctan2(walls[keep, 1], -walls[keep, 2]), STROMAL, 0.8)


def _in_tumor(around: _Around, index: int) -> Rows:
    points, _ = around.grid(index, 16.8, 0.21, 7.0)
    nest = ground.nest_values(texture(1), around.look, points)
    kind = around.mixed(len(points), TUMOR, _IN_TUMOR)
    septum = nest <= 0.17
    turns = np.where(
        septum, ground.fiber_angles(texture(1), around.look, points), around.turns(len(nest))
    )
    kind = np.where(septum, around.mixed(len(points), STROMAL, _IN_STROMA), kind)
    keep = ~septum | (around.rng.random(len(points)) < 0.35)
    return _rows(points[keep], turns[keep], kind[keep])


def _in_duct(around: _Around, index: int) -> Rows:
    rim, turn = around.ring(index, 2.4, 13.0)
    points, depth = around.grid(index, 14.6, 0.24, 9.0)
    points = points[ground.holes(around.look, points, depth) < -3.5]
    kind = around.mixed(len(points), TUMOR, {MITOSIS: 0.003, APOPTOTIC: 0.004, LYMPHOCYTE: 0.02})
    flat = _rows(rim, turn + math.pi / 2, STROMAL, 0.8)
    return np.concatenate([flat, _rows(points, around.turns(len(points)), kind, 0.84)])


def _in_inflammation(around: _Around, index: int) -> Rows:
    """Lymphocytes; in the middle of a large aggregate the larger cells of a germinal center."""
    rng = around.rng
    points, depth = around.grid(index, 8.1, 0.27, 5.0)
    germinal = depth > fabric.GERMINAL_UM
    crowd = np.where(germinal, 0.55, np.clip(depth / 40.0, 0.35, 0.93))
    keep = (rng.random(len(points)) < crowd) & ~(
        germinal & (ground.macrophages(around.look, points) > -2.0)
    )
    points, germinal = points[keep], germinal[keep]
    outer = around.mixed(
        len(points), LYMPHOCYTE, {PLASMA: 0.08, MACROPHAGE: 0.04, ENDOTHELIAL: 0.015}
    )
    inner = around.mixed(len(points), LYMPHOCYTE, {MITOSIS: 0.008, APOPTOTIC: 0.012})
    kind, scale = np.where(germinal, inner, outer), np.where(germinal, 1.28, 1.0)
    return _rows(points, around.turns(len(points)), kind, np.where(kind == MITOSIS, 0.8, scale))


def _in_necrosis(around: _Around, index: int) -> Rows:
    points, _ = around.grid(index, 11.0, 0.42, 5.0)
    points = points[around.rng.random(len(points)) < 0.6]
    kind = around.mixed(len(points), DEBRIS, {PYKNOTIC: 0.10, APOPTOTIC: 0.03, MACROPHAGE: 0.02})
    return _rows(points, around.turns(len(points)), kind)


def _in_vessel(around: _Around, index: int) -> Rows:
    points, turn = around.ring(index, 5.2, 15.0)
    return _rows(points, turn + math.pi / 2, ENDOTHELIAL)


def _in_adenoma(around: _Around, index: int) -> Rows:
    """Crowded columns of nuclei along the walls of back-to-back glands, stroma in the strips."""
    rng = around.rng
    points, _ = around.grid(index, 12.3, 0.22, 4.0)
    glands = ground.crowded_glands(texture(1), around.look, points)
    basal = (glands[:, 0] > 3.5) & (glands[:, 0] < fabric.CROWDED_UM - 8.0)
    own, upright = points[basal], np.arctan2(glands[basal, 2], glands[basal, 1])
    kind = around.mixed(len(own), TUMOR, {MITOSIS: 0.008, APOPTOTIC: 0.006, LYMPHOCYTE: 0.04})
    cells = _rows(own, upright + rng.normal(0, 0.12, len(own)), kind, 0.84)
    strip = points[(glands[:, 0] < -2.0) & (rng.random(len(points)) < 0.3)]
    angle = ground.fiber_angles(texture(1), around.look, strip)
    kind = around.mixed(len(strip), STROMAL, {LYMPHOCYTE: 0.25, PLASMA: 0.2})
    return np.concatenate([cells, _rows(strip, angle, kind, 0.9)])


def _in_mucinous(around: _Around, index: int) -> Rows:
    """Clusters that float in lakes of mucin, and thin septa between the lakes."""
    rng = around.rng
    points, _ = around.grid(index, 13.5, 0.22, 4.0)
    mucin = ground.mucin(texture(1), around.look, points)
    cluster = points[mucin[:, 0] > 3.0]
    kind = around.mixed(len(cluster), TUMOR, {APOPTOTIC: 0.008, MITOSIS: 0.003})
    in_septum = (mucin[:, 1] > 1.5) & (rng.random(len(points)) < 0.45)
    septum, angle = points[in_septum], np.arctan2(mucin[in_septum, 2], -mucin[in_septum, 3])
    immune = around.mixed(len(septum), STROMAL, {LYMPHOCYTE: 0.15, MACROPHAGE: 0.05})
    cells = _rows(cluster, around.turns(len(cluster)), kind, 0.9)
    return np.concatenate([cells, _rows(septum, angle, immune)])


def _in_spindle(around: _Around, index: int) -> Rows:
    rng = around.rng
    points, _ = around.grid(index, 14.0, 0.34, 4.0)
    turn = ground.fascicles(texture(1), around.look, points)
    across = turn < -9.0
    mix = {MITOSIS: 0.006, LYMPHOCYTE: 0.05, HYPERCHROMATIC: 0.006, APOPTOTIC: 0.003}
    angle = np.where(across, around.turns(len(points)), turn + rng.normal(0, 0.10, len(points)))
    kind = around.mixed(len(points), SPINDLE, mix)
    return _rows(points, angle, kind, 1.0, across * rng.uniform(0.9, 1.5, len(points)))


def _in_lymphoma(around: _Around, index: int) -> Rows:
    """Sheets of one cell, and starry macrophages with apoptotic bodies in them."""
    points, _ = around.grid(index, 12.0, 0.24, 4.0)
    star = ground.macrophages(around.look, points)
    points, star = points[(star < -2.5) | (star > 2.0)], star[(star < -2.5) | (star > 2.0)]
    kind = around.mixed(len(points), LYMPHOMA, {MITOSIS: 0.012, APOPTOTIC: 0.006, LYMPHOCYTE: 0.10})
    kind = np.where(star > 0, around.mixed(len(points), APOPTOTIC, {MACROPHAGE: 0.4}), kind)
    return _rows(points, around.turns(len(points)), kind, np.where(kind == MITOSIS, 0.85, 1.0))


_MAKERS: dict[int, Callable[[_Around, int], Rows]] = {
    fabric.GLAND: _in_gland,
    fabric.FAT: _in_fat,
    fabric.TUMOR: _in_tumor,
    fabric.IN_SITU: _in_duct,
    fabric.INFLAMMATION: _in_inflammation,
    fabric.NECROSIS: _in_necrosis,
    fabric.VESSEL: _in_vessel,
    fabric.ADENOMA: _in_adenoma,
    fabric.MUCINOUS: _in_mucinous,
    fabric.SPINDLE: _in_spindle,
    fabric.LYMPHOMA: _in_lymphoma,
}


def _free_of(regions: Blobs, points: Floats, gap: float) -> NDArray[np.bool_]:
    """Which points lie further than `gap` µm outside of every region."""
    free = np.ones(len(points), bool)
    if not len(regions):
        return free
    tree = shapely.STRtree(shapely.points(points))
    hits = tree.query(shapely.buffer(regions.polygons(), gap, quad_segs=2), predicate="intersects")
    free[hits[1]] = False
    return free


def _of_stroma(around: _Around, points: Floats) -> Rows:
    kind = around.mixed(len(points), STROMAL, _IN_STROMA)
    angle = ground.fiber_angles(texture(1), around.look, points)
    return _rows(points, angle + around.rng.normal(0, 0.16, len(points)), kind)


def _in_stroma(tissue: Blobs, around: _Around, piece: int) -> Rows:
    points, _ = around.grid(piece, 19.5, 0.40, 12.0, tissue)
    points = points[_free_of(around.regions, points, 5.0)]
    return _of_stroma(around, points[around.rng.random(len(points)) < 0.82])


def _in_region(around: _Around, index: int) -> Rows:
    """A region's nuclei, giving way to those of stroma over its transition."""
    rows = _MAKERS[int(around.regions.kind[index])](around, index)
    transition = around.regions.transition[index]
    if transition <= 0.0 or not len(rows):
        return rows
    points = rows[:, :2]
    share = ground.lesion_shares(texture(1), transition, points, around.depths(index, points))
    draw = around.rng.random(len(rows))
    stays = draw < share
    instead = points[~stays & (around.rng.random(len(rows)) < 0.25)]
    return np.concatenate([rows[stays], _of_stroma(around, instead)])


def lay_out(
    tissue: Blobs, regions: Regions, look: Floats, rng: np.random.Generator, sizes: Floats
) -> Rows:
    """Places of all nuclei of a slide: stroma first, then region by region.

    Args:
        tissue: outlines of the pieces of tissue.
        regions: outlines of what lies in them.
        look: look numbers (`fabric.look_numbers`).
        rng: source of randomness.
        sizes: (C,), diameter of each class over the usual; nuclei are spaced accordingly.
    """
    around = _Around(regions, look, rng, sizes)
    rows = [_in_stroma(tissue, around, piece) for piece in range(len(tissue))]
    rows += [_in_region(around, index) for index in range(len(regions))]
    out = np.concatenate(rows)
    out[:, 4] *= sizes[out[:, 3].astype(np.int64)]
    return out
