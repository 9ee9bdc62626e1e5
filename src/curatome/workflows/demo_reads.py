"""Two readers of the demo: what they outline on one field of each slide, as QuPath saves it.

Ada is careful. Ben is in a hurry: his lines run outside, he misses small nuclei, takes some for
others, and wrote "stroma" for "stromal" on some days. So there is something to find.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from curatome.annotations.exhaustive import Region
from curatome.annotations.formats import Frames, format_named
from curatome.annotations.formats.rows import imported
from curatome.phantom import make_scene
from curatome.phantom.cells import CLASSES as KINDS
from curatome.phantom.contours import outlines
from curatome.phantom.outlines import redraw
from curatome.phantom.plan import SlidePlan
from curatome.phantom.readers import Habit
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


@dataclass(frozen=True)
class Reader:
    """How somebody reads.

    Attributes:
        name: of the folder that the files lie in.
        habit: how lines are drawn.
        missed: share of the nuclei that is passed over.
        mistaken: share that gets the name of another class on the field.
        spelled: names of classes that are written otherwise on some slides.
    """

    name: str
    habit: Habit
    missed: float
    mistaken: float
    spelled: dict[str, str]


READERS = (
    Reader("ada", Habit(margin_sd_um=0.1, roughness_um=0.1), 0.03, 0.02, {}),
    Reader(
        "ben",
        Habit(margin_um=0.9, margin_sd_um=0.4, roughness_um=0.15),
        0.12,
        0.08,
        {"stromal": "stroma"},
    ),
)


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
    drawn = 0
    for reader in READERS:
        names = reader.spelled if number % 3 == 2 else {}
        table = _outlined(reader, shapes[inside], kinds[inside], plan, names)
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


def _outlined(
    reader: Reader, shapes: Shapes, kinds: Names, plan: SlidePlan, names: dict[str, str]
) -> pa.Table:
    """A reader's annotations of a field."""
    rng = np.random.default_rng([plan.seed, *reader.name.encode()])
    seen = rng.random(len(shapes)) >= reader.missed
    mistaken = rng.random(len(shapes)) < reader.mistaken
    labels = np.where(mistaken, rng.permutation(kinds), kinds)[seen]
    drawn = redraw(shapes[seen], reader.habit, int(rng.integers(1 << 31)))
    first = [items[0] for items in drawn.table["items"].to_pylist()]
    rows = [
        imported(
            "polygon",
            shapely.to_wkb(shapely.transform(shape, lambda xy: xy / plan.mpp)),
            annotation=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{plan.name}/{reader.name}/{k}")),
            image=plan.name,
            labels=[names.get(str(labels[item]), str(labels[item]))],
        )
        for k, (item, shape) in enumerate(zip(first, drawn.shapes, strict=True))
    ]
    return ANNOTATIONS.from_rows(rows)
