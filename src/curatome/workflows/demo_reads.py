"""Two readers of the demo: what they outline on one field of each slide, as QuPath saves it.

Ada is careful. Ben is in a hurry: his lines run outside, he misses small nuclei, takes some for
others, and wrote "stroma" for "stromal" on some days. So there is something to find.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import Frames, format_named
from curatome.phantom import make_scene
from curatome.phantom.cells import CLASSES as KINDS
from curatome.phantom.contours import outlines
from curatome.phantom.objects import Objects
from curatome.phantom.plan import SlidePlan
from curatome.phantom.readers import Habit, Reader
from curatome.phantom.reading import read
from curatome.phantom.reads import Session
from curatome.phantom.reads_drawn import outlines_of
from curatome.tables import ANNOTATIONS

CLASSES = ("tumor", "epithelial", "lymphocyte", "stromal", "mitosis", "other")

_SIDE_UM = 200.0
_STEP_UM = 50.0
_ENOUGH = 25
"""More nuclei of one class make a field no better."""
_FEWEST = 20
"""Nuclei on a field; slides without such a field are not read."""

Names = npt.NDArray[np.str_]
Shapes = npt.NDArray[np.object_]
Box = tuple[float, float, float, float]


READERS = (
    Reader.even("ada", CLASSES, 0.03, 0.02, habit=Habit(margin_sd_um=0.1, roughness_um=0.1)),
    Reader.even(
        "ben",
        CLASSES,
        0.12,
        0.08,
        habit=Habit(margin_um=0.9, margin_sd_um=0.4, roughness_um=0.15),
    ),
)
_SPELLED = {"ben": {"stromal": "stroma"}}
"""Names that a reader writes otherwise on every third slide."""
_MONTHS = 0.5
"""How long a slide takes; they are read one after the other."""


def read_slide(folder: Path, plan: SlidePlan, number: int) -> int:
    """Write `READER/SLIDE.geojson` of both readers.

    Args:
        folder: where to.
        plan: the slide.
        number: of the slide; every third one Ben writes in his own spelling.

    Returns:
        How many outlines were drawn; 0 for a slide with hardly any nuclei.
    """
    scene = make_scene(plan)
    shapes = outlines(scene.nuclei)
    kinds = np.array([name if name in CLASSES else "other" for name in KINDS])[scene.nuclei.kind]
    sound = shapely.is_valid(shapes) & (shapely.get_type_id(shapes) == 3)
    shapes, kinds = shapes[sound], kinds[sound]
    box = _varied(shapes, kinds, (plan.width_um, plan.height_um))
    inside = shapely.covers(shapely.box(*box), shapely.centroid(shapes))
    if inside.sum() < _FEWEST:
        return 0
    objects = _objects(shapes[inside], kinds[inside], plan)
    session = Session(start=number * _MONTHS, months=_MONTHS)
    drawn = 0
    for reader in READERS:
        reads = read(objects, reader, plan.seed, session)
        table = outlines_of(reads, np.array([plan.mpp]), shapes[inside], plan.seed).annotations
        names = _SPELLED.get(reader.name, {}) if number % 3 == 2 else {}
        table = _as_written(table, names)
        path = folder / reader.name / f"{plan.name}.geojson"
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = Frames(regions=[_searched(plan, box, reader.name)])
        format_named("qupath").write(table, path, frames, {})
        drawn += len(table)
    return drawn


def _varied(shapes: Shapes, kinds: Names, size: tuple[float, float]) -> Box:
    """The field with the most nuclei of every class, tumor first, µm."""
    bounds = shapely.bounds(shapes)
    x, y = (bounds[:, :2] + bounds[:, 2:]).T / 2
    best: tuple[int, Box] = (-1, (0.0, 0.0, _SIDE_UM, _SIDE_UM))
    for left in np.arange(0, max(size[0] - _SIDE_UM, 1), _STEP_UM).tolist():
        for top in np.arange(0, max(size[1] - _SIDE_UM, 1), _STEP_UM).tolist():
            box = (left, top, left + _SIDE_UM, top + _SIDE_UM)
            held = kinds[(x > left) & (x < box[2]) & (y > top) & (y < box[3])]
            names, counts = np.unique(held, return_counts=True)
            worth = np.where(np.isin(names, ("tumor", "mitosis")), 3, 1)
            best = max(best, (int((worth * np.minimum(counts, _ENOUGH)).sum()), box))
    return best[1]


def _searched(plan: SlidePlan, box: Box, reader: str) -> Region:
    """The field, of which a reader says that all nuclei on it are outlined."""
    scaled = shapely.box(*(value / plan.mpp for value in box))
    return {
        "region": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{plan.name}/{reader}/field")),
        "image": plan.name,
        "kind": "box",
        "geometry": shapely.to_wkb(scaled),
        "classes": list(CLASSES),
        "reader": reader,
        "guideline": None,
        "time": None,
    }


def _objects(shapes: Shapes, kinds: Names, plan: SlidePlan) -> Objects:
    """The nuclei of a field as objects to be read."""
    rng = np.random.default_rng([plan.seed, len(shapes)])
    middles = shapely.get_coordinates(shapely.centroid(shapes))
    return Objects(
        classes=CLASSES,
        slides=(plan.name,),
        cases=(plan.case.name,),
        size_um=np.full((1, 2), _SIDE_UM),
        slide=np.zeros(len(shapes), np.int64),
        kind=np.array([CLASSES.index(name) for name in kinds]),
        x=middles[:, 0],
        y=middles[:, 1],
        diameter=2 * np.sqrt(shapely.area(shapes) / np.pi),
        difficulty=rng.standard_normal(len(shapes)),
        ambiguity=rng.standard_normal(len(shapes)),
        screened=np.ones(len(shapes), np.bool_),
    )


def _as_written(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Annotations with classes as somebody writes them, and ids that no other slide's have."""
    rows = table.to_pylist()
    for row in rows:
        own = f"{row['image']}/{row['annotation']}"
        row["annotation"] = str(uuid.uuid5(uuid.NAMESPACE_OID, own))
        row["labels"] = [names.get(one, one) for one in row["labels"]]
    return ANNOTATIONS.from_rows(rows)
