"""A dataset without pixels and without faults, to plant faults in."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from curatome.phantom.faults.tables import IMAGES, Tables
from curatome.phantom.objects import ObjectDesign, Objects, make_objects
from curatome.phantom.outlines import Shapes, scaled
from curatome.phantom.shapes import Form, directions, random_radii
from curatome.tables import ANNOTATIONS

SPLITS = ("train", "train", "train", "val", "test")
"""In turn for each case."""
SITES = ("north", "south", "east", "west")
SCANNERS = ("Hamamatsu XR", "Leica GT450", "Aperio AT2", "3DHistech P1000")
DIAGNOSES = ("benign", "in situ", "invasive")
MPP = (0.2200, 0.2520, 0.4990, 0.2430)
"""Of each scanner, µm/px."""
GUIDELINES = ("1.0", "2.0")
_START = datetime.datetime(2025, 1, 6, 8, tzinfo=datetime.UTC)
_CORNERS = 32
_GAP_UM = 1.0
_OBJECTS = ObjectDesign(cases=20, slides_per_case=2, objects_per_slide=20)


@dataclass(frozen=True)
class CleanDesign:
    """How large the dataset is.

    Attributes:
        objects: cases, slides, and objects, each of which becomes an annotation.
        tiles: tiles along each axis of a slide's field; they touch and do not overlap.
        boxes: share of annotations that are boxes; the others are polygons.
        readers: who annotates, in turn by slide.
    """

    objects: ObjectDesign = field(default=_OBJECTS)
    tiles: int = 2
    boxes: float = 0.3
    readers: tuple[str, ...] = ("ada", "ben", "cyd")


def make_tables(design: CleanDesign, seed: int) -> Tables:
    """A dataset in which no rule has anything to find but chance.

    Sites, and with them scanners, are dealt to cases without regard to the diagnosis. All was
    annotated under the newer guideline.

    Args:
        design: how large it is.
        seed: decides everything.

    Raises:
        ValueError: a slide's field is too small for so many objects.
    """
    rng = np.random.default_rng([seed, 0xFA])
    objects = _apart(make_objects(design.objects, seed), rng)
    count = design.objects.cases
    cases = np.arange(len(objects.slides)) // design.objects.slides_per_case
    site = rng.permutation(np.arange(count) % len(SITES))[cases]
    diagnosis = rng.permutation(np.arange(count) % len(DIAGNOSES))[cases]
    split = rng.permutation(np.arange(count) % len(SPLITS))[cases]
    images = [
        _image(objects, (s, i, j), (int(site[s]), int(diagnosis[s]), int(split[s])), design.tiles)
        | _hashes(rng)
        for s in range(len(objects.slides))
        for i in range(design.tiles)
        for j in range(design.tiles)
    ]
    mpp = np.asarray(MPP)[site]
    return Tables(_annotations(objects, design, mpp, rng), IMAGES.from_rows(images))


def _apart(objects: Objects, rng: np.random.Generator) -> Objects:
    """The objects, each in a cell of its own, so that none touches another or an edge."""
    counts = np.bincount(objects.slide, minlength=len(objects.slides))
    number = np.arange(len(objects)) - (np.cumsum(counts) - counts)[objects.slide]
    side = np.maximum(1, np.ceil(np.sqrt(counts)).astype(int))[objects.slide]
    cell = objects.size_um[objects.slide] / side[:, None]
    inset = objects.diameter[:, None] / 2 + _GAP_UM
    free = cell - 2 * inset
    if free.size and free.min() < 0:
        row = int(free.min(axis=1).argmin())
        raise ValueError(f"slide {objects.slides[objects.slide[row]]} has no room for its objects.")
    corner = np.stack([number % side, number // side], axis=1) * cell
    x, y = (corner + inset + free * rng.random(free.shape)).T
    return replace(objects, x=x, y=y)


def _hashes(rng: np.random.Generator) -> dict[str, str]:
    return {"hash": rng.bytes(16).hex(), "turned_hash": rng.bytes(16).hex()}


def _image(
    objects: Objects, place: tuple[int, int, int], of: tuple[int, int, int], tiles: int
) -> dict[str, object]:
    (slide, column, row), (site, diagnosis, split) = place, of
    width, height = objects.size_um[slide] / MPP[site] / tiles
    name = f"{objects.slides[slide]}_{column}_{row}"
    return {
        "image": name,
        "file": f"{name}.png",
        "case": objects.cases[slide],
        "slide": objects.slides[slide],
        "site": SITES[site],
        "scanner": SCANNERS[site],
        "split": SPLITS[split],
        "label": DIAGNOSES[diagnosis],
        "x": column * width,
        "y": row * height,
        "width": width,
        "height": height,
        "mpp": MPP[site],
    }


def _annotations(
    objects: Objects, design: CleanDesign, mpp: NDArray[np.float64], rng: np.random.Generator
) -> pa.Table:
    count = len(objects)
    shapes = true_outlines(objects, rng)
    box = rng.random(count) < design.boxes
    shapes[box] = shapely.box(*shapely.bounds(shapes[box]).T)
    shapes = scaled(shapes, 1 / mpp[objects.slide])
    minutes = np.sort(rng.uniform(0, 90 * 24 * 60, count)).tolist()
    return ANNOTATIONS.from_columns(
        {
            **dict.fromkeys(ANNOTATIONS.schema.names, [None] * count),
            "annotation": [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(count)],
            "image": [objects.slides[s] for s in objects.slide],
            "kind": np.where(box, "box", "polygon").tolist(),
            "geometry": shapely.to_wkb(shapes).tolist(),
            "labels": [[objects.classes[k]] for k in objects.kind],
            "cannot_judge": [False] * count,
            "reader": [design.readers[s % len(design.readers)] for s in objects.slide],
            "read": [1] * count,
            "guideline": [GUIDELINES[-1]] * count,
            "time": [_START + datetime.timedelta(minutes=m) for m in minutes],
            "tool": ["curatome"] * count,
            "basis": ["drawn"] * count,
            "parents": [[]] * count,
            "properties": ["{}"] * count,
        }
    )


def true_outlines(objects: Objects, rng: np.random.Generator) -> Shapes:
    """An uneven outline of each object's diameter about its place: (N,) polygons, µm."""
    radii = random_radii(rng, objects.diameter / 2, Form(), _CORNERS)
    centers = np.stack([objects.x, objects.y], axis=1)[:, None]
    out: Shapes = shapely.polygons(centers + radii[:, :, None] * directions(_CORNERS))
    return out
