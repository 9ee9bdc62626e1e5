"""Rendered tiles of the phantom with some of their objects left unmarked, and how they rank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.agreement.candidates import Tile
from curatome.phantom import make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.phantom.truth import nuclei_table

Floats = npt.NDArray[np.float64]
Made = tuple[Tile, Floats]
"""A tile, and the places (µm) of objects on it that are not marked."""


def tiles(
    cases: int, seed: int, found: float = 0.7, per_slide: int = 3, side_um: float = 220.0
) -> Iterator[Made]:
    """Tiles of H&E slides around mitoses, `found` of which are marked."""
    design = CohortDesign(cases=cases, slides_per_case=(1.0,), biopsies=0.0)
    rng = np.random.default_rng(seed)
    for plan in design_cohort(design, seed).plans(1500.0):
        scene = make_scene(plan)
        table = nuclei_table(scene)
        own = table.filter(pc.equal(table["class"], "mitosis"))
        places = np.stack([np.asarray(own["x_um"]), np.asarray(own["y_um"])], axis=1)
        marked = rng.random(len(places)) < found
        size = np.array((plan.width_um, plan.height_um))
        side = int(side_um / plan.mpp)
        for corner in _corners(places[rng.permutation(len(places))], size, side_um, per_slide):
            pixel = np.round(corner / plan.mpp).astype(int)
            low = pixel * plan.mpp
            inside = ((places > low) & (places < low + side * plan.mpp)).all(axis=1)
            pixels = render(scene, plan.optics, (int(pixel[0]), int(pixel[1]), side, side))
            where = (float(low[0]), float(low[1]))
            tile = Tile(
                plan.name, plan.name, pixels, plan.mpp, places[inside & marked], corner_um=where
            )
            yield tile, places[inside & ~marked]


def _corners(places: Floats, size: Floats, side_um: float, most: int) -> list[Floats]:
    """Corners of tiles around places that do not overlap."""
    out: list[Floats] = []
    for center in places:
        corner = np.clip(center - side_um / 2, 0, size - side_um)
        if all(np.abs(corner - other).max() > side_um for other in out):
            out.append(corner)
    return out[:most]


def precision(
    table: pa.Table, made: Sequence[Made], radius_um: float = 4.0
) -> tuple[npt.NDArray[np.bool_], int]:
    """Which ranked candidates are missed objects, each counted once; how many there are."""
    parts: dict[str, list[Floats]] = {}
    for tile, missed in made:
        parts.setdefault(tile.image, []).append(missed)
    places = {name: np.concatenate(some) for name, some in parts.items()}
    taken = {name: np.zeros(len(points), bool) for name, points in places.items()}
    hits = np.zeros(len(table), bool)
    for row, (name, x, y) in enumerate(
        zip(*(table[c].to_pylist() for c in ("image", "x_um", "y_um")), strict=True)
    ):
        distance = np.where(taken[name], np.inf, np.hypot(*(places[name] - (x, y)).T))
        if len(distance) and distance.min() < radius_um:
            taken[name][distance.argmin()] = hits[row] = True
    return hits, sum(map(len, places.values()))
