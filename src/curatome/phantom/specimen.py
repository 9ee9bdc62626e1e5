"""One nucleus with given traits among its neighbors: for looking at, and for contact sheets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from curatome.phantom.cells import CLASSES, PHASES, TRAIT_FREQUENCIES, TUMOR
from curatome.phantom.compiled import compiled
from curatome.phantom.noise import Texture, sample, texture
from curatome.phantom.nuclei import Nuclei, shaped, spread_out
from curatome.phantom.optics import SCANNERS, SITES, Planes, reach, scan
from curatome.phantom.paint import paint_nuclei
from curatome.phantom.traits import CROWDING, MARKED, OVERLAPPING, TRAITS

Floats = NDArray[np.float64]

_PITCH_UM = 13.5


@compiled
def _cytoplasm(field: Texture, grid: tuple[float, float, float], dyes: Planes) -> None:
    """Fill hematoxylin and eosin (3, H, W) with granular cytoplasm."""
    x0, y0, mpp = grid
    for j in range(dyes.shape[1]):
        y = y0 + j * mpp
        for i in range(dyes.shape[2]):
            x = x0 + i * mpp
            grain = sample(field, x / 0.8, y / 0.8) - 0.5 + sample(field, x / 5.0, y / 5.0) - 0.5
            dyes[0, j, i] = np.float32(0.12 + 0.06 * grain)
            dyes[1, j, i] = np.float32(0.27 + 0.14 * grain)


def _places() -> Floats:
    """The origin and two rings of places (19, 2) around it, µm."""
    steps = [(i, j) for i in range(-2, 3) for j in range(-2, 3) if abs(i + j) <= 2]
    points = np.array([(i + j / 2, j * math.sqrt(0.75)) for i, j in steps]) * _PITCH_UM
    return points[np.argsort(np.hypot(*points.T), kind="stable")]


def one_nucleus(
    kind: str, strengths: Mapping[str, float], phase: str = "", seed: int = 0
) -> Nuclei:
    """A nucleus at (0, 0) as the first of nineteen; the others are plain tumor nuclei.

    Args:
        kind: its class, of `CLASSES`.
        strengths: its traits, of `TRAITS`; those not named are 0. The neighbors share crowding,
            and one of them overlaps if the nucleus does.
        phase: of `PHASES`, for a mitosis.
        seed: decides everything else.

    Raises:
        ValueError: a class, phase or trait has another name, or the class is not graded.
    """
    number = CLASSES.index(kind)
    rng = np.random.default_rng([seed, 0x0E])
    points = _places()
    points[1:] += rng.uniform(-0.8, 0.8, points[1:].shape)
    kinds = np.full(len(points), TUMOR)
    kinds[0] = number
    turns = rng.uniform(0, math.pi, len(points))
    rows = np.column_stack([points, turns, kinds, np.ones(len(points)), np.zeros(len(points))])
    traits = np.zeros((len(points), len(TRAITS)), np.float32)
    for name, value in strengths.items():
        traits[0, TRAITS.index(name)] = value
    traits[:, CROWDING] = traits[0, CROWDING]
    traits[1, OVERLAPPING] = traits[0, OVERLAPPING]
    partner = np.full(len(points), -1)
    if traits[0, OVERLAPPING] >= MARKED:
        partner[:2] = 1, 0
    if number not in TRAIT_FREQUENCIES:
        if strengths:
            raise ValueError(f"nuclei of class {kind} are not graded. Got {', '.join(strengths)}.")
        traits[0] = np.nan
    nuclei = shaped(rng, rows, traits, np.full(len(points), PHASES.index(phase)))
    nuclei = spread_out(nuclei, partner)
    return replace(nuclei, x=nuclei.x - nuclei.x[0], y=nuclei.y - nuclei.y[0])


def draw_nucleus(
    kind: str,
    strengths: Mapping[str, float],
    phase: str = "",
    *,
    seed: int = 0,
    mpp: float = 0.25,
    side_um: float = 24.0,
) -> NDArray[np.uint8]:
    """A picture (H, W, 3) of `one_nucleus` in its middle, `side_um` wide at `mpp` µm/px.

    Raises:
        ValueError: as `one_nucleus`.
    """
    nuclei = one_nucleus(kind, strengths, phase, seed)
    scanner = replace(SCANNERS["cirrus"], mpp=mpp)
    side = round(side_um / mpp) + 2 * reach(scanner)
    grid = ((0.5 - side / 2) * mpp, (0.5 - side / 2) * mpp, mpp)
    dyes = np.zeros((3, side, side), np.float32)
    _cytoplasm(texture(1), grid, dyes)
    paint_nuclei(texture(1), nuclei, grid, dyes)
    site = SITES["north"]
    vectors = np.array([site.hematoxylin, site.eosin, (0.0, 0.0, 0.0)])
    return scan(dyes, vectors, scanner, texture(1), (0, 0))
