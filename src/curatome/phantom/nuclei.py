"""Nuclei: where they lie in each kind of tissue, of which class, size and direction."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom import fabric
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, texture
from curatome.phantom.shapes import Blobs, radius_toward

Floats = NDArray[np.float64]

CLASSES = ("epithelial", "tumor", "lymphocyte", "stromal", "mitosis", "debris")
EPITHELIAL, TUMOR, LYMPHOCYTE, STROMAL, MITOSIS, DEBRIS = range(len(CLASSES))


@dataclass(frozen=True)
class Nuclei:
    """Nuclei as columns.

    Attributes:
        x: µm.
        y: µm.
        long: whole length of the long axis, µm.
        short: whole length of the short axis, µm.
        angle: of the long axis against x, radians, clockwise as seen.
        kind: index into `CLASSES`.
    """

    x: Floats
    y: Floats
    long: Floats
    short: Floats
    angle: Floats
    kind: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)

    def columns(self) -> Floats:
        """(N, 6): x, y, half long axis, half short axis, angle, class."""
        half = (self.x, self.y, self.long / 2, self.short / 2, self.angle, self.kind)
        return np.stack([np.asarray(c, float) for c in half], axis=1)


Rows = Floats
"""(N, 6): x, y, long, short, angle, class."""


@compiled
def _depths(blobs: tuple[Floats, Floats], index: int, points: Floats) -> Floats:
    """How deep (µm) points lie in outline `index`; negative outside."""
    center, radii = blobs
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        dx, dy = points[n, 0] - center[index, 0], points[n, 1] - center[index, 1]
        away = math.hypot(dx, dy)
        out[n] = radii[index, 0] if away < 1e-6 else radius_toward(radii, index, dx, dy) - away
    return out


@compiled
def _fiber_angles(field: Texture, look: Floats, points: Floats) -> Floats:
    """Direction of the fibers at points (N, 2), radians."""
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        across_x = fabric.along_fibers(field, look, x + 6, y)[1]
        across_x -= fabric.along_fibers(field, look, x - 6, y)[1]
        across_y = fabric.along_fibers(field, look, x, y + 6)[1]
        across_y -= fabric.along_fibers(field, look, x, y - 6)[1]
        out[n] = math.atan2(across_x, -across_y)
    return out


@compiled
def _nest_values(field: Texture, look: Floats, points: Floats) -> Floats:
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        out[n] = fabric.between_nests(field, look, points[n, 0], points[n, 1])
    return out


@compiled
def _holes(look: Floats, points: Floats, depth: Floats) -> Floats:
    out = np.empty(points.shape[0])
    for n in range(points.shape[0]):
        out[n] = fabric.in_hole(look, points[n, 0], points[n, 1], depth[n])
    return out


@compiled
def _walls(look: Floats, points: Floats) -> Floats:
    """(N, 3): distance from the nearest wall between fat cells and its gradient."""
    out = np.empty((points.shape[0], 3))
    for n in range(points.shape[0]):
        x, y = points[n, 0], points[n, 1]
        out[n, 0] = fabric.fat_wall(look, x, y)[0]
        out[n, 1] = fabric.fat_wall(look, x + 1, y)[0] - out[n, 0]
        out[n, 2] = fabric.fat_wall(look, x, y + 1)[0] - out[n, 0]
    return out


@dataclass(frozen=True)
class _Around:
    """What the makers of nuclei need to know."""

    regions: Blobs
    look: Floats
    rng: np.random.Generator

    def grid(self, index: int, pitch: float, jitter: float, inset: float) -> tuple[Floats, Floats]:
        """Jittered points inside region `index`, at least `inset` µm deep, and their depths."""
        center, reach = self.regions.center[index], float(self.regions.radii[index].max())
        box = (*(center - reach), *(center + reach))
        points = jittered_points(self.rng, box, pitch, jitter)
        depth = _depths((self.regions.center, self.regions.radii), index, points)
        keep = depth > inset
        return points[keep], depth[keep]

    def ring(self, index: int, inset: float, pitch: float) -> tuple[Floats, Floats]:
        """Points along the outline of region `index`, `inset` µm inside, and outward angles."""
        radii = self.regions.radii[index]
        count = max(6, int(2 * math.pi * (radii.mean() - inset) / pitch))
        turn = (np.arange(count) + self.rng.uniform(-0.22, 0.22, count)) * 2 * math.pi / count
        way = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        blobs = (self.regions.center, self.regions.radii)
        radius = _depths(blobs, index, self.regions.center[index] + way * 1e-3) + 1e-3
        points = self.regions.center[index] + way * (radius - inset)[:, None]
        return points, turn


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


def _rows(points: Floats, size: tuple[Floats, Floats], angle: Floats, kind: Floats | int) -> Rows:
    count = len(points)
    kinds = np.broadcast_to(np.asarray(kind, float), (count,))
    return np.column_stack([points, size[0], size[1], angle, kinds])


def _sizes(
    rng: np.random.Generator, count: int, length: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Long and short axes: log-normal about `length` = (median, spread), `ratio` uniform."""
    long = length[0] * np.exp(rng.normal(0, length[1], count).clip(-2, 2))
    return long, long * rng.uniform(*ratio, count)


def _turns(rng: np.random.Generator, count: int) -> Floats:
    return rng.uniform(0, math.pi, count)


def _in_gland(around: _Around, index: int) -> Rows:
    points, turn = around.ring(index, 6.2, 6.1)
    points = points + around.rng.normal(0, 0.5, points.shape)
    size = _sizes(around.rng, len(points), (8.2, 0.09), (0.55, 0.72))
    return _rows(points, size, turn + around.rng.normal(0, 0.12, len(turn)), EPITHELIAL)


def _in_fat(around: _Around, index: int) -> Rows:
    points, _ = around.grid(index, 7.0, 0.4, 10.0)
    walls = _walls(around.look, points)
    keep = (walls[:, 0] < 1.2) & (around.rng.random(len(points)) < 0.10)
    angle = np.arctan2(walls[keep, 1], -walls[keep, 2])
    size = _sizes(around.rng, int(keep.sum()), (8.5, 0.15), (0.25, 0.36))
    return _rows(points[keep], size, angle, STROMAL)


def _in_tumor(around: _Around, index: int) -> Rows:
    rng = around.rng
    points, depth = around.grid(index, 11.6, 0.21, 7.0)
    nest = _nest_values(texture(1), around.look, points)
    keep = (nest > 0.17) & ((depth > 20.0) | (rng.random(len(points)) < 0.7))
    points = points[keep]
    draw = rng.random(len(points))
    kind = np.where(draw < 0.008, MITOSIS, np.where(draw < 0.055, LYMPHOCYTE, TUMOR))
    long, short = _sizes(rng, len(points), (9.9, 0.17), (0.62, 0.9))
    long = np.where(kind == LYMPHOCYTE, 5.8, np.where(kind == MITOSIS, 9.5, long))
    short = np.where(kind == LYMPHOCYTE, 5.3, np.where(kind == MITOSIS, 3.8, short))
    return _rows(points, (long, short), _turns(rng, len(points)), kind.astype(float))


def _in_duct(around: _Around, index: int) -> Rows:
    rng = around.rng
    rim, turn = around.ring(index, 2.4, 13.0)
    flat = _rows(rim, _sizes(rng, len(rim), (8.5, 0.12), (0.26, 0.36)), turn + math.pi / 2, STROMAL)
    points, depth = around.grid(index, 9.6, 0.24, 9.0)
    points = points[_holes(around.look, points, depth) < -3.5]
    size = _sizes(rng, len(points), (7.7, 0.10), (0.74, 0.95))
    return np.concatenate([flat, _rows(points, size, _turns(rng, len(points)), TUMOR)])


def _in_inflammation(around: _Around, index: int) -> Rows:
    rng = around.rng
    points, depth = around.grid(index, 7.2, 0.27, 5.0)
    points = points[rng.random(len(points)) < np.clip(depth / 40.0, 0.35, 0.93)]
    size = _sizes(rng, len(points), (5.9, 0.12), (0.80, 1.0))
    return _rows(points, size, _turns(rng, len(points)), LYMPHOCYTE)


def _in_necrosis(around: _Around, index: int) -> Rows:
    rng = around.rng
    points, _ = around.grid(index, 11.0, 0.42, 5.0)
    points = points[rng.random(len(points)) < 0.6]
    size = _sizes(rng, len(points), (2.6, 0.35), (0.5, 1.0))
    return _rows(points, size, _turns(rng, len(points)), DEBRIS)


def _in_vessel(around: _Around, index: int) -> Rows:
    points, turn = around.ring(index, 5.2, 15.0)
    size = _sizes(around.rng, len(points), (8.0, 0.12), (0.28, 0.40))
    return _rows(points, size, turn + math.pi / 2, STROMAL)


_MAKERS: dict[int, Callable[[_Around, int], Rows]] = {
    fabric.GLAND: _in_gland,
    fabric.FAT: _in_fat,
    fabric.TUMOR: _in_tumor,
    fabric.IN_SITU: _in_duct,
    fabric.INFLAMMATION: _in_inflammation,
    fabric.NECROSIS: _in_necrosis,
    fabric.VESSEL: _in_vessel,
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


def _in_stroma(tissue: Blobs, around: _Around, piece: int) -> Rows:
    whole = _Around(tissue, around.look, around.rng)
    points, _ = whole.grid(piece, 19.5, 0.40, 12.0)
    rng = around.rng
    points = points[_free_of(around.regions, points, 5.0)]
    points = points[rng.random(len(points)) < 0.82]
    immune = rng.random(len(points)) < 0.10
    long, short = _sizes(rng, len(points), (11.0, 0.20), (0.20, 0.36))
    long, short = np.where(immune, 5.8, long), np.where(immune, 5.2, short)
    angle = _fiber_angles(texture(1), around.look, points) + rng.normal(0, 0.16, len(points))
    return _rows(points, (long, short), angle, np.where(immune, LYMPHOCYTE, STROMAL).astype(float))


def make_nuclei(tissue: Blobs, regions: Blobs, look: Floats, rng: np.random.Generator) -> Nuclei:
    """All nuclei of a slide: stroma first, then region by region."""
    around = _Around(regions, look, rng)
    rows = [_in_stroma(tissue, around, piece) for piece in range(len(tissue))]
    rows += [_MAKERS[int(kind)](around, index) for index, kind in enumerate(regions.kind)]
    table = np.concatenate(rows)
    x, y, long, short, angle, kind = table.T.copy()
    return Nuclei(x, y, long, short, np.mod(angle, math.pi), kind.astype(np.int64))
