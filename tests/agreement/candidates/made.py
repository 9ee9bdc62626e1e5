"""Rendered tiles of the phantom with some of their objects left unmarked."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc

from curatome.agreement.candidates import Tile
from curatome.phantom import make_scene, render
from curatome.phantom.design import CohortDesign
from curatome.phantom.designed import design_cohort
from curatome.phantom.truth import nuclei_table


def tiles(cases, seed, kind="mitosis", found=0.7, per_slide=3, side_um=220.0):
    """Tiles around objects of a class, and of each the places of those that are not marked."""
    design = CohortDesign(cases=cases, slides_per_case=(1.0,), biopsies=0.0)
    rng = np.random.default_rng(seed)
    for plan in design_cohort(design, seed).plans(1500.0):
        scene = make_scene(plan)
        table = nuclei_table(scene)
        own = table.filter(pc.equal(table["class"], kind))
        places = np.stack([np.asarray(own["x_um"]), np.asarray(own["y_um"])], axis=1)
        marked = rng.random(len(places)) < found
        mpp, corners = plan.mpp, []
        for center in places[rng.permutation(len(places))]:
            size = np.array((plan.width_um, plan.height_um))
            corner = np.round(np.clip(center - side_um / 2, 0, size - side_um) / mpp)
            if all(np.abs(corner - other).max() > side_um / mpp for other in corners):
                corners.append(corner)
            if len(corners) == per_slide:
                break
        for corner in corners:
            side = int(side_um / mpp)
            low = corner * mpp
            inside = ((places > low) & (places < low + side * mpp)).all(axis=1)
            pixels = render(scene, plan.optics, (int(corner[0]), int(corner[1]), side, side))
            tile = Tile(plan.name, plan.name, pixels, mpp, places[inside & marked],
                        corner_um=(float(low[0]), float(low[1])))  # fmt: skip
            yield tile, places[inside & ~marked]


def precision(table, made, radius_um=4.0):
    """Which ranked candidates are missed objects, each counted once; how many there are."""
    places = {}
    for tile, missed in made:
        places.setdefault(tile.image, []).append(missed)
    places = {name: np.concatenate(parts) for name, parts in places.items()}
    taken = {name: np.zeros(len(points), bool) for name, points in places.items()}
    hits = np.zeros(len(table), bool)
    for row, (name, x, y) in enumerate(
        zip(*(table[c].to_pylist() for c in ("image", "x_um", "y_um")), strict=True)
    ):
        distance = np.where(taken[name], np.inf, np.hypot(*(places[name] - (x, y)).T))
        if len(distance) and distance.min() < radius_um:
            taken[name][distance.argmin()] = hits[row] = True
    return hits, sum(map(len, places.values()))
