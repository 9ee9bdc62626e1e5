"""A slide before it is stained or scanned: outlines, nuclei and mishaps in µm, without pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from curatome.phantom import fabric
from curatome.phantom.artifacts import Stroke, make_strokes
from curatome.phantom.noise import Texture, texture
from curatome.phantom.nuclei import Nuclei, jittered_points, make_nuclei
from curatome.phantom.plan import SlidePlan
from curatome.phantom.shapes import Blobs, Form, directions, locate, random_radii

Floats = NDArray[np.float64]

_TISSUE_STEPS = 1024
_GLAND_PITCH_UM = 98.0
_MARGIN_UM = 14.0


@dataclass(frozen=True)
class Scene:
    """What lies on one slide.

    Attributes:
        plan: the plan it was made from.
        look: look numbers (`fabric.look_numbers`).
        tissue: outlines of the pieces of tissue.
        regions: outlines of everything in them that is not stroma; none overlap.
        nuclei: all nuclei.
        strokes: pen marks and folds.
    """

    plan: SlidePlan
    look: Floats
    tissue: Blobs
    regions: Blobs
    nuclei: Nuclei
    strokes: tuple[Stroke, ...]

    @property
    def field(self) -> Texture:
        """The noise texture."""
        return texture(1)

    def tissue_outline(self) -> shapely.Geometry:
        """The union of the pieces of tissue, µm."""
        return shapely.union_all(self.tissue.polygons())


class _Room:
    """Where there is still room in the tissue, on a coarse grid."""

    def __init__(self, tissue: Blobs, width_um: float, height_um: float) -> None:
        self.cell = 4.0 if width_um < 3000 else 8.0
        shape = (math.ceil(height_um / self.cell), math.ceil(width_um / self.cell))
        depth = self._depth(tissue, shape)
        self.free = depth > _MARGIN_UM

    def _depth(self, blobs: Blobs, shape: tuple[int, int]) -> NDArray[np.float32]:
        index = np.full(shape, -1, np.int32)
        depth = np.zeros(shape, np.float32)
        locate(blobs.center, blobs.radii, (self.cell / 2, self.cell / 2, self.cell), index, depth)
        return depth

    def clearance(self) -> Floats:
        """Distance (µm) of each cell from the nearest place that is taken."""
        out: Floats = distance_transform_edt(np.pad(self.free, 1))[1:-1, 1:-1] * self.cell
        return out - self.cell

    def take(self, blobs: Blobs) -> None:
        """Mark outlines as taken."""
        self.free &= self._depth(blobs, self.free.shape) <= 0


def _tissue(plan: SlidePlan, rng: np.random.Generator) -> Blobs:
    size = np.array([plan.width_um, plan.height_um])
    if plan.tissue == "biopsy":
        pieces = 4
        rows = (np.arange(pieces) + 0.7) / (pieces + 0.4)
        center = np.stack([rng.uniform(0.3, 0.7, pieces), rows], axis=1) * size
        largest = rng.uniform(0.08, 0.15, pieces) * size[0]
        form = Form(aspect=3.4, unevenness=0.10, fade=1.2, harmonics=40)
        radii = random_radii(rng, largest, form, _TISSUE_STEPS)
    else:
        center = (size * rng.uniform(0.48, 0.52, 2))[None, :]
        form = Form(aspect=1.22, unevenness=0.105, fade=1.4, harmonics=90)
        radii = random_radii(rng, np.array([0.47 * size[0]]), form, _TISSUE_STEPS)
    return Blobs(center, _kept_on_glass(center, radii, size), np.zeros(len(center), np.int64))


def _kept_on_glass(center: Floats, radii: Floats, size: Floats) -> Floats:
    """Radii (N, K) shortened so that every outline stays 2 % clear of the scan's edges."""
    ways = directions(radii.shape[1])
    low, high = 0.02 * size, 0.98 * size
    with np.errstate(divide="ignore"):
        room = np.where(ways > 0, (high - center[:, None]) / ways, (low - center[:, None]) / ways)
    limit = np.nanmin(np.where(np.abs(ways) < 1e-9, np.inf, room), axis=2)
    # A soft minimum: tissue that meets the limit bends along it instead of being cut straight.
    out: Floats = limit * np.tanh((radii / limit) ** 3) ** (1 / 3)
    return out


def _lesions(plan: SlidePlan, room: _Room, rng: np.random.Generator) -> list[Blobs]:
    scale = plan.width_um / 2500.0
    times, scale = max(1.0, scale), min(scale, math.sqrt(scale))
    placed = []
    wanted = [*plan.lesions, ("fat", 3, 330.0), ("vessel", 6, 42.0)]
    for name, count, radius in wanted:
        kind = fabric.KINDS.index(name)
        wobble = 0.05 if name in ("vessel", "in_situ") else 0.16
        for _ in range(round(count * times)):
            blob = _place(room, rng, radius * scale * rng.uniform(0.7, 1.0), kind, wobble)
            if blob is not None:
                placed.append(blob)
                room.take(blob)
    return placed


def _place(
    room: _Room, rng: np.random.Generator, radius: float, kind: int, wobble: float
) -> Blobs | None:
    """One outline where it fits, made smaller where nothing of its size does."""
    clearance = room.clearance()
    best = float(clearance.max()) - 4.0
    if best < 24.0:
        return None
    radius = min(radius, best)
    rows, columns = np.nonzero(clearance >= radius + 2.0)
    pick = int(rng.integers(len(rows)))
    center = (np.array([[columns[pick], rows[pick]]]) + 0.5) * room.cell
    radii = random_radii(rng, np.array([radius]), Form(1.45, wobble))
    return Blobs(center, radii, np.array([kind]))


def _glands(plan: SlidePlan, look: Floats, room: _Room, rng: np.random.Generator) -> Blobs:
    """Glands in lobules: a jittered grid, thinned where a slow noise is low."""
    points = jittered_points(rng, (0, 0, plan.width_um, plan.height_um), _GLAND_PITCH_UM, 0.18)
    slow = _sampled(texture(1), points / 80.0 + look[fabric.SHIFT_X])
    radius = rng.uniform(30.0, 42.0, len(points))
    cells = np.clip((points / room.cell).astype(int), 0, np.array(room.free.shape)[::-1] - 1)
    clear = room.clearance()[cells[:, 1], cells[:, 0]]
    keep = (slow > 0.40) & (clear > radius + 6.0)
    points, radius = points[keep], radius[keep]
    near = cKDTree(points).query_pairs(2 * radius.max(initial=0.0), output_type="ndarray")
    apart = np.hypot(*(points[near[:, 0]] - points[near[:, 1]]).T)
    alone = np.ones(len(points), bool)
    alone[near[apart < radius[near].sum(axis=1) + 3.0].max(axis=1, initial=-1)] = False
    radii = random_radii(rng, radius[alone], Form(1.4, 0.06))
    return Blobs(points[alone], radii, np.full(int(alone.sum()), fabric.GLAND))


def _sampled(field: Texture, points: Floats) -> Floats:
    whole = np.floor(points).astype(int) % field.shape[0]
    out: Floats = field[whole[:, 1], whole[:, 0]].astype(float)
    return out


def make_scene(plan: SlidePlan) -> Scene:
    """Lay out a slide: the same plan always gives the same scene."""
    streams = [np.random.default_rng([plan.seed, k]) for k in range(6)]
    look = fabric.look_numbers(streams[0])
    tissue = _tissue(plan, streams[1])
    room = _Room(tissue, plan.width_um, plan.height_um)
    lesions = _lesions(plan, room, streams[2])
    glands = _glands(plan, look, room, streams[3])
    regions = Blobs.joined([*lesions, glands])
    nuclei = make_nuclei(tissue, regions, look, streams[4])
    outline = shapely.union_all(tissue.polygons())
    strokes = make_strokes(plan, outline, streams[5])
    return Scene(plan, look, tissue, regions, nuclei, strokes)
