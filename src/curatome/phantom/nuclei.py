"""Nuclei of a slide as columns: place, class, size, chromatin and graded traits."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.cells import (
    ANAPHASE,
    CHROMATIN,
    CLASSES,
    EPITHELIAL,
    LYMPHOCYTE,
    METAPHASE,
    MITOSIS,
    PHASE_SIZES,
    PHASES,
    PROMETAPHASE,
    SIZES,
    STROMAL,
    TRAIT_FREQUENCIES,
    TUMOR,
)
from curatome.phantom.fabric import GLAND
from curatome.phantom.ground import depths
from curatome.phantom.neighbors import settle, spaced
from curatome.phantom.placement import Rows, jittered_points, lay_out
from curatome.phantom.sectioning import heights, profiles
from curatome.phantom.shapes import Blobs, Regions
from curatome.phantom.traits import (
    ELONGATION,
    ENLARGEMENT,
    IRREGULAR,
    TRAITS,
    WRINKLED,
    Strengths,
    draw_traits,
)

__all__ = [
    "CLASSES",
    "LYMPHOCYTE",
    "MITOSIS",
    "PHASES",
    "STROMAL",
    "TUMOR",
    "Nuclei",
    "jittered_points",
    "make_nuclei",
    "shaped",
    "spread_out",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_KEPT_UM = 3.0
"""Centers of epithelial nuclei lie at least so deep in their gland."""


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
        phase: index into `PHASES`, 0 for all but mitoses.
        salt: decides what is left open: the outline's waves, where chromatin lies.
        coarse: coarseness of the chromatin, 0 fine to 1 clumped.
        dark: uptake of hematoxylin, optical density.
        nucleoli: how many.
        strength: (N, 9), strength of each of `TRAITS`, 0 to 1; NaN where a class is not graded.
    """

    x: Floats
    y: Floats
    long: Floats
    short: Floats
    angle: Floats
    kind: Integers
    phase: Integers
    salt: NDArray[np.uint32]
    coarse: Floats
    dark: Floats
    nucleoli: Integers
    strength: Strengths

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Nuclei:
        """The nuclei with these numbers, or where a mask says so."""
        return Nuclei(*(getattr(self, column.name)[which] for column in fields(self)))

    def columns(self) -> Floats:
        """(N, 20): x, y, half axes, angle, class and what else decides how a nucleus is painted.

        After the class come phase, salt, coarseness, darkness, nucleoli and the nine traits, 0
        where they are not graded.
        """
        place = (self.x, self.y, self.long / 2, self.short / 2, self.angle, self.kind)
        look = (self.phase, self.salt, self.coarse, self.dark, self.nucleoli)
        columns = np.stack([np.asarray(c, float) for c in (*place, *look)], axis=1)
        return np.concatenate([columns, np.nan_to_num(self.strength)], axis=1)


def _traits(rng: np.random.Generator, rows: Rows) -> tuple[Strengths, Integers]:
    """Strengths (N, 9) and the partners of those that overlap, -1 for others."""
    strength = np.full((len(rows), len(TRAITS)), np.nan, np.float32)
    partner = np.full(len(rows), -1, np.int64)
    for kind, frequencies in TRAIT_FREQUENCIES.items():
        own = np.flatnonzero(rows[:, 3] == kind)
        drawn = draw_traits(rng, len(own), frequencies)
        strength[own], beside = settle(rows[own, :2], drawn)
        partner[own] = np.where(beside >= 0, own[beside], -1)
    return strength, partner


def _whole(rng: np.random.Generator, rows: Rows, strength: Strengths) -> tuple[Floats, Floats]:
    """Half axes (N, 2), long first, and tilts (N,) of nuclei before they are cut.

    Elongation is graded as it is seen, so graded nuclei lie flat; in normal epithelium, which
    nobody grades closely, it follows the strength less strictly.
    """
    size, count = SIZES[rows[:, 3].astype(np.int64)], len(rows)
    diameter = size[:, 0] * np.exp(size[:, 1] * rng.normal(0, 1, count).clip(-2, 2)) * rows[:, 4]
    ratio, tilt = (
        rng.uniform(size[:, 2], size[:, 3]),
        rows[:, 5] + size[:, 4] * rng.normal(0, 1, count),
    )
    elongation, jitter = strength[:, ELONGATION].astype(float), rng.normal(0, 1, count)
    graded = ~np.isnan(elongation)
    spread = np.where(rows[:, 3] == EPITHELIAL, 0.045, 0.012)
    slim = 1.0 - 0.28 * elongation - 0.28 * elongation**2 + jitter.clip(-2.5, 2.5) * spread
    ratio = np.where(graded, slim.clip(0.40, 1.0), ratio)
    diameter *= np.where(graded, 1 + 0.72 * strength[:, ENLARGEMENT], 1.0)
    form = diameter[:, None] / 2 * np.stack([ratio**-0.5, ratio**0.5], axis=1)
    return form, np.where(graded, 0.0, tilt)


def shaped(
    rng: np.random.Generator, rows: Rows, strength: Strengths, phase: Integers | None = None
) -> Nuclei:
    """Nuclei of given class and traits, with sizes and chromatin drawn as befits them.

    Args:
        rng: source of randomness.
        rows: (N, 6), see `placement.Rows`.
        strength: (N, 9), NaN where not graded.
        phase: (N,), of mitoses; drawn unless given.
    """
    count, kind = len(rows), rows[:, 3].astype(np.int64)
    form, tilt = _whole(rng, rows, strength)
    half = profiles(form, tilt, heights(rng, form, tilt))
    # Light goes through less chromatin where a cap was cut off.
    thin = 0.80 + 0.20 * half[:, 1] / form[:, 1]
    drawn = rng.choice([PROMETAPHASE, METAPHASE, METAPHASE, ANAPHASE], count)
    phase = np.where(kind == MITOSIS, drawn if phase is None else phase, 0)
    divides = (phase > 0)[:, None]
    axes = np.where(divides, 2 * form[:, :1] * PHASE_SIZES[phase], 2 * half)
    chromatin = CHROMATIN[kind]
    return Nuclei(
        x=rows[:, 0].copy(),
        y=rows[:, 1].copy(),
        long=axes.max(axis=1),
        short=axes.min(axis=1),
        angle=np.mod(rows[:, 2], math.pi),
        kind=kind,
        phase=phase,
        salt=rng.integers(0, 1 << 32, count, dtype=np.uint32),
        coarse=(chromatin[:, 1] + rng.normal(0, 0.12, count)).clip(0, 1),
        dark=thin * chromatin[:, 0] * np.exp(rng.normal(0, 0.10, count).clip(-0.25, 0.25)),
        nucleoli=rng.poisson(chromatin[:, 2]).clip(0, 3).astype(np.int64),
        strength=strength,
    )


def _excess(nuclei: Nuclei) -> Floats:
    """How far (µm) an outline may exceed its ellipse."""
    uneven = np.nan_to_num(nuclei.strength[:, [IRREGULAR, WRINKLED]].astype(float)) ** 2
    out: Floats = nuclei.long / 2 * (0.045 + 0.16 * uneven[:, 0] + 0.06 * uneven[:, 1])
    return out


def spread_out(nuclei: Nuclei, partner: Integers) -> Nuclei:
    """The same nuclei where their crowding and overlap with their partners (N,) put them."""
    form = np.column_stack([nuclei.long / 2, nuclei.short / 2, nuclei.angle, _excess(nuclei)])
    points = np.column_stack([nuclei.x, nuclei.y])
    x, y = spaced(points, form, nuclei.strength, partner).T.copy()
    return replace(nuclei, x=x, y=y)


def make_nuclei(
    tissue: Blobs,
    regions: Regions,
    look: Floats,
    rng: np.random.Generator,
    sizes: Floats | None = None,
) -> Nuclei:
    """All nuclei of a slide: stroma first, then region by region.

    Args:
        tissue: outlines of the pieces of tissue.
        regions: outlines of what lies in them.
        look: look numbers (`fabric.look_numbers`).
        rng: source of randomness.
        sizes: (C,), diameter of each class over the usual (`sizes.class_factors`); None: 1.
    """
    rows = lay_out(tissue, regions, look, rng, np.ones(len(CLASSES)) if sizes is None else sizes)
    strength, partner = _traits(rng, rows)
    return _kept_in_glands(spread_out(shaped(rng, rows, strength), partner), regions)


def _kept_in_glands(nuclei: Nuclei, regions: Regions) -> Nuclei:
    """The same nuclei; those of normal epithelium that were pushed out lie in their gland again."""
    glands = np.flatnonzero(regions.kind == GLAND)
    own = np.flatnonzero(nuclei.kind == EPITHELIAL)
    if not len(glands) or not len(own):
        return nuclei
    points = np.column_stack([nuclei.x, nuclei.y])
    tree = shapely.STRtree(regions.polygons()[glands])
    home = glands[tree.nearest(shapely.points(points[own]))]
    for region in np.unique(home):
        mine = own[home == region]
        depth = depths((regions.center, regions.radii), int(region), points[mine])
        out = mine[depth < _KEPT_UM]
        way = points[out] - regions.center[region]
        away = np.hypot(*way.T)[:, None]
        points[out] -= way / away * (_KEPT_UM - depth[depth < _KEPT_UM])[:, None]
    return replace(nuclei, x=points[:, 0].copy(), y=points[:, 1].copy())
