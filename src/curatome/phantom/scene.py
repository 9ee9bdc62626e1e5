"""A slide before it is stained or scanned: outlines, nuclei and mishaps in µm, without pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from curatome.phantom import fabric, uptake
from curatome.phantom.artifacts import Artifact, make_artifacts
from curatome.phantom.noise import LONGEST_UM, Texture, texture
from curatome.phantom.nuclei import Nuclei, jittered_points, make_nuclei
from curatome.phantom.plan import SlidePlan
from curatome.phantom.shapes import Blobs, Form, Regions, directions, locate, random_radii
from curatome.phantom.sizes import class_factors

Floats = NDArray[np.float64]

_TISSUE_STEPS = 1024
_GLAND_PITCH_UM = 98.0
_MARGIN_UM = 14.0
_BUDS = 14
_UNEVEN = Form(1.5, 0.15, 1.25, 40, 0.10)
_FORMS = {
    fabric.VESSEL: Form(1.5, 0.06),
    fabric.IN_SITU: Form(1.5, 0.07, 1.3, 16, 0.06, 4),
    fabric.TUMOR: Form(1.7, 0.16, 1.0, 60, 0.30, 9),
    fabric.SPINDLE: Form(1.8, 0.12, 1.2, 40, 0.10, 5),
    fabric.ADENOMA: Form(1.5, 0.10, 1.3, 30, 0.34, 8),
    fabric.MUCINOUS: Form(1.5, 0.13, 1.2, 40, 0.26, 8),
    fabric.NECROSIS: Form(1.6, 0.18, 1.0, 50, 0.20, 6),
}


@dataclass(frozen=True)
class Scene:
    """What lies on one slide.

    Attributes:
        plan: the plan it was made from.
        look: look numbers (`fabric.look_numbers`).
        tissue: outlines of the pieces of tissue.
        regions: outlines of everything in them that is not stroma; none overlap.
        correlation: correlation length of the stroma's tone, µm.
        nuclei: all nuclei.
        artifacts: what went wrong on glass and in the scanner.
    """

    plan: SlidePlan
    look: Floats
    tissue: Blobs
    regions: Regions
    correlation: float
    nuclei: Nuclei
    artifacts: tuple[Artifact, ...]

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
        form = Form(aspect=3.4, unevenness=0.10, fade=1.1, harmonics=70)
        radii = random_radii(rng, largest, form, _TISSUE_STEPS)
    else:
        center = (size * rng.uniform(0.48, 0.52, 2))[None, :]
        form = Form(aspect=1.22, unevenness=0.105, fade=1.25, harmonics=160, lobes=0.03)
        radii = random_radii(rng, np.array([0.50 * size[0]]), form, _TISSUE_STEPS)
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
        for _ in range(round(count * times)):
            blob = _place(room, rng, radius * scale * rng.uniform(0.7, 1.0), kind)
            if blob is not None:
                placed.append(blob)
                room.take(blob)
    for blob in [b for b in placed if b.kind[0] == fabric.TUMOR]:
        placed += _buds(room, rng, blob)
    return placed


def _buds(room: _Room, rng: np.random.Generator, front: Blobs) -> list[Blobs]:
    """Small nests that have broken away from a tumor's front."""
    ways = directions(front.radii.shape[1])
    clearance = room.clearance()
    limit = np.array(clearance.shape)[::-1] - 1
    buds: list[Blobs] = []
    for _ in range(_BUDS):
        step = int(rng.integers(len(ways)))
        size, gap = rng.uniform(13.0, 34.0), rng.exponential(45.0)
        center = front.center[0] + ways[step] * (front.radii[0, step] + size + 6.0 + gap)
        column, row = np.clip((center / room.cell).astype(int), 0, limit)
        apart = [float(np.hypot(*(b.center[0] - center))) - b.radii.max() for b in buds]
        if clearance[row, column] < size + 4.0 or min(apart, default=np.inf) < size + 4.0:
            continue
        radii = random_radii(rng, np.array([size]), Form(1.9, 0.14))
        buds.append(Blobs(center[None, :], radii, front.kind))
    for bud in buds:
        room.take(bud)
    return buds


def _place(room: _Room, rng: np.random.Generator, radius: float, kind: int) -> Blobs | None:
    """One outline where it fits, made smaller where nothing of its size does."""
    clearance = room.clearance()
    best = float(clearance.max()) - 4.0
    if best < 24.0:
        return None
    radius = min(radius, best)
    rows, columns = np.nonzero(clearance >= radius + 2.0)
    pick = int(rng.integers(len(rows)))
    center = (np.array([[columns[pick], rows[pick]]]) + 0.5) * room.cell
    radii = random_radii(rng, np.array([radius]), _FORMS.get(kind, _UNEVEN))
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


def _regions(blobs: Blobs, lengths: Floats, rng: np.random.Generator) -> Regions:
    """The outlines with widths of their borders and lengths of their textures."""
    reach = blobs.radii.mean(axis=1)
    usual = uptake.TRANSITION_UM[blobs.kind]
    transition = np.minimum(usual * rng.uniform(0.6, 1.5, len(blobs)), 0.45 * reach)
    return Regions(blobs.center, blobs.radii, blobs.kind, transition, lengths[blobs.kind])


def _lengths(wanted: Mapping[str, float]) -> Floats:
    """Correlation length (µm) of each kind's texture."""
    lengths = uptake.CORRELATION_UM.copy()
    for kind, length in wanted.items():
        if kind not in fabric.KINDS:
            raise ValueError(f"tissue must be one of {', '.join(fabric.KINDS)}. Got {kind!r}.")
        if not 1.0 <= length <= LONGEST_UM:
            raise ValueError(
                f"the correlation length of {kind} must be 1 to {LONGEST_UM:g} µm. Got {length}."
            )
        lengths[fabric.KINDS.index(kind)] = length
    return lengths


def make_scene(plan: SlidePlan, correlation_um: Mapping[str, float] | None = None) -> Scene:
    """Lay out a slide: the same plan always gives the same scene.

    Args:
        plan: the plan.
        correlation_um: correlation length (µm) of the texture of some kinds of tissue, up to 48;
            the others keep that of `uptake.CORRELATION_UM`.

    Raises:
        ValueError: there is no such kind, or a length is not within 1 to 48 µm.
    """
    lengths = _lengths(correlation_um or {})
    streams = [np.random.default_rng([plan.seed, k]) for k in range(7)]
    look = fabric.look_numbers(streams[0])
    tissue = _tissue(plan, streams[1])
    room = _Room(tissue, plan.width_um, plan.height_um)
    lesions = _lesions(plan, room, streams[2])
    glands = _glands(plan, look, room, streams[3])
    regions = _regions(Blobs.joined([*lesions, glands]), lengths, streams[6])
    sizes = class_factors(plan.nuclear_size, plan.grade)
    nuclei = make_nuclei(tissue, regions, look, streams[4], sizes)
    outline = shapely.union_all(tissue.polygons())
    shown = np.isin(regions.kind, [fabric.KINDS.index(name) for name in fabric.LESIONS])
    artifacts = make_artifacts(plan, outline, streams[5], tuple(regions.polygons()[shown]))
    correlation = float(lengths[fabric.STROMA])
    return Scene(plan, look, tissue, regions, correlation, nuclei, artifacts)
