"""SYN020 to SYN025: names, coordinates and boxes that mean something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.compute as pc
import shapely

from curatome.findings import Finding
from curatome.phantom.faults import FAULTS, CleanDesign, Tables, make_tables
from curatome.phantom.faults.coordinates import on_level
from curatome.phantom.faults.tables import Draft, picked
from curatome.phantom.objects import ObjectDesign
from tests.rules.datasets import protocol_of
from tests.rules.promised.trial import (
    Promise,
    Trial,
    geometry,
    given,
    images_of,
    plant,
    rows_of,
    sizes,
)

LARGE = CleanDesign(ObjectDesign(cases=40, slides_per_case=2, objects_per_slide=20))
WIDE = replace(LARGE, objects=replace(LARGE.objects, size_um=(1600.0, 700.0)))
BOXES = replace(LARGE, boxes=1.0)
CROWDED = CleanDesign(
    ObjectDesign(
        cases=30, slides_per_case=1, objects_per_slide=576, diameters_um=(50.0,),
        size_um=(3360.0, 3360.0),
    ),
    boxes=1.0,
)  # fmt: skip
"""Objects so large that several lie within half their size of an edge."""

Misread = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(N, 4) bounds in px and (N, 2) width and height of the image, to bounds as misread."""


def _slides(tables: Tables, rows: frozenset[str]) -> frozenset[str]:
    return frozenset(f"image {name}" for name in images_of(tables, rows))


def _classes(strength: float, seed: int) -> Trial:
    planted = FAULTS["label_spelling"].plant(make_tables(LARGE, seed), strength, seed)
    wrong = {f"class {value[2:-2]}" for value in planted.changes["after"].to_pylist()}
    return Trial(given(planted.tables), frozenset(wrong))


def nameless(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """The reader of some annotations is not known."""
    rows = picked(rng, draft.tables.annotations.num_rows, strength)
    return draft.change("annotations", rows, {"reader": [None] * len(rows)})


def _fields(strength: float, seed: int) -> Trial:
    tables = make_tables(LARGE, seed)
    planted = plant(nameless, tables, strength, seed)

    def named(finding: Finding) -> list[str]:
        return finding.evidence["first"]

    inputs = given(planted.tables, protocol=_protocol())
    return Trial(inputs, rows_of(planted), named=named)


def _protocol() -> object:
    """The guideline of the phantom's annotations."""
    changes = [{"version": f"{k}.0", "date": f"202{k}-01-01", "change": "new"} for k in (1, 2)]
    return protocol_of(guideline={"version": "2.0", "changelog": changes})


def _lost_slides(strength: float, seed: int) -> Trial:
    inputs = given(make_tables(LARGE, seed))
    rng = np.random.default_rng([seed, 25])
    gone = picked(rng, len(inputs.slides), strength)
    names = inputs.slides["slide"].take(gone)
    kept = inputs.slides.filter(pc.invert(pc.is_in(inputs.slides["slide"], names)))
    lost = frozenset(f"image {name}" for name in names.to_pylist())
    return Trial(replace(inputs, slides=kept), lost)


def is_promised(before: str, after: str) -> bool:
    """Other case or separators, or a letter inside a word of five letters or more."""
    plain = ["".join(c for c in word.casefold() if c.isalnum()) for word in (before, after)]
    if plain[0] == plain[1]:
        return True
    pair = zip(before.split(), after.split(), strict=True)
    ((was, now),) = [words for words in pair if words[0] != words[1]]
    return len(was) >= 5 and not was.startswith(now) and not now.startswith(was)


def _spelled(fault: str, strength: float, seed: int) -> Trial:
    """Promised are spellings that occur a tenth as often as the right one, or less."""
    planted = FAULTS[fault].plant(make_tables(LARGE, seed), strength, seed)
    column = fault.removesuffix("_spelling")
    changes = planted.changes.to_pylist()
    inputs = given(planted.tables, protocol=protocol_of(classes=[]))
    if column == "label":
        column, names = "class", [one[0] for one in inputs.annotations["labels"].to_pylist()]
        wrong = {row["after"][2:-2]: row["before"][2:-2] for row in changes}
    else:
        names = inputs.slides[column].to_pylist()
        wrong = {row["after"]: row["before"] for row in changes}
    count = Counter(names)
    rare = {one: meant for one, meant in wrong.items() if 10 * count[one] <= count[meant]}
    due = {f"{column} {one}" for one, meant in rare.items() if is_promised(meant, one)}
    return Trial(inputs, frozenset(due), frozenset(f"{column} {one}" for one in wrong))


def _level(downsample: float, seed: int) -> Trial:
    tables = make_tables(LARGE, seed)
    misread = partial(on_level, downsample=downsample)
    planted = FAULTS["wrong_level"].plant(tables, 0.4, seed, misread=misread)
    return Trial(given(planted.tables), _slides(tables, rows_of(planted)))


def _coordinates(fault: str, design: CleanDesign, strength: float, seed: int) -> Trial:
    tables = make_tables(design, seed)
    planted = FAULTS[fault].plant(tables, strength, seed)
    return Trial(given(planted.tables), _slides(tables, rows_of(planted)))


def misread_boxes(misread: Misread) -> Callable[..., Draft]:
    """All boxes of some slides, read otherwise than they were written."""

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        held = draft.tables.annotations
        image, size = np.asarray(held["image"]).astype(str), sizes(draft.tables)
        box = np.asarray(held["kind"]) == "box"
        slides = np.unique(image[box])
        hit = slides[picked(rng, len(slides), strength)]
        rows = np.flatnonzero(box & np.isin(image, hit))
        bounds = shapely.bounds(geometry(draft, rows))
        news = misread(bounds, np.array([size[name] for name in image[rows]]).reshape(-1, 2))
        wrong = shapely.to_wkb(shapely.box(*news.T)).tolist()
        return draft.change("annotations", rows, {"geometry": wrong})

    return apply


def corner_as_size(bounds: np.ndarray, _: np.ndarray) -> np.ndarray:
    """x1, y1, x2, y2 read as x, y, w, h."""
    return np.hstack([bounds[:, :2], bounds[:, :2] + bounds[:, 2:]])


def size_as_corner(bounds: np.ndarray, _: np.ndarray) -> np.ndarray:
    """x, y, w, h read as x1, y1, x2, y2."""
    corner, size = bounds[:, :2], bounds[:, 2:] - bounds[:, :2]
    return np.hstack([np.minimum(corner, size), np.maximum(corner, size)])


def center_as_corner(bounds: np.ndarray, _: np.ndarray) -> np.ndarray:
    """The center, w, h read as x, y, w, h."""
    return bounds + np.tile(bounds[:, 2:] - bounds[:, :2], 2) / 2


def corner_as_center(bounds: np.ndarray, _: np.ndarray) -> np.ndarray:
    """x, y, w, h read as the center, w, h."""
    return bounds - np.tile(bounds[:, 2:] - bounds[:, :2], 2) / 2


def center_as_both_corners(bounds: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The center, w, h read as x1, y1, x2, y2."""
    return size_as_corner(center_as_corner(bounds, size), size)


def parts_as_pixels(bounds: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Parts of the image read as pixels."""
    return bounds / np.tile(size, 2)


def yolo_as_pixels(bounds: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Centers and sizes as parts of the image, read as x, y, w, h in pixels."""
    return parts_as_pixels(center_as_corner(bounds, size), size)


def per_cent_as_pixels(bounds: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Per cent of the image read as pixels."""
    return 100 * parts_as_pixels(bounds, size)


def _boxes(misread: Misread, count: float, seed: int) -> Trial:
    """A third of the slides, each of all slides with so many boxes, or as many as there are."""
    tables = make_tables(BOXES, seed)
    image = np.asarray(tables.annotations["image"]).astype(str)
    chance = np.random.default_rng([seed, 24]).random(len(image))
    rank = np.array([(chance[image == image[k]] < chance[k]).sum() for k in range(len(image))])
    tables = replace(tables, annotations=tables.annotations.filter(rank < count))
    planted = plant(misread_boxes(misread), tables, 0.33, seed)
    return Trial(given(planted.tables), _slides(tables, rows_of(planted)))


def _off_center(misread: Misread, count: float, seed: int) -> Trial:
    """A third of the slides, so many boxes of each of which cross the edge."""
    tables = make_tables(CROWDED, seed)
    planted = plant(misread_boxes(misread), tables, 0.33, seed)
    held, size = planted.tables.annotations, sizes(tables)
    bounds = shapely.bounds(shapely.from_wkb(np.array(held["geometry"].to_pylist(), object)))
    image = np.asarray(held["image"]).astype(str)
    edge = np.ceil([size[name] for name in image])
    crossing = (bounds[:, :2] < 0).any(axis=1) | (bounds[:, 2:] > edge).any(axis=1)
    number = np.zeros(len(image))
    for name in np.unique(image):
        number[image == name] = np.cumsum(crossing[image == name])
    kept = ~crossing | (number <= count)
    enough = {f"image {name}" for name in np.unique(image[number >= count])}
    inputs = given(replace(planted.tables, annotations=held.filter(kept)))
    wrong = _slides(tables, rows_of(planted))
    return Trial(inputs, wrong & enough, wrong)


_READ = (
    ("corners read as x, y, w, h", corner_as_size),
    ("x, y, w, h read as corners", size_as_corner),
    ("center, w, h read as corners", center_as_both_corners),
    ("parts of the image read as pixels", parts_as_pixels),
    ("YOLO's centers and parts read as pixels", yolo_as_pixels),
)
_OFF = (
    ("center, w, h read as x, y, w, h", center_as_corner),
    ("x, y, w, h read as center, w, h", corner_as_center),
)
PROMISES = (
    Promise("SYN020", "class written otherwise, share of annotations", _classes, 0.02,
            (0.005, 0.1), 4, exact=True),
    Promise("SYN021", "reader not known, share of annotations", _fields, 0.02, (0.005, 0.1), 2,
            exact=True),
    Promise("SYN022", "scanner written otherwise, share of slides",
            partial(_spelled, "scanner_spelling"), 0.1, (0.05, 0.3), 6),
    Promise("SYN022", "site written otherwise, share of slides",
            partial(_spelled, "site_spelling"), 0.1, (0.05, 0.3), 6),
    Promise("SYN022", "class written otherwise, share of annotations",
            partial(_spelled, "label_spelling"), 0.1, (0.02, 0.3), 4),
    Promise("SYN023", "coordinates so many times too small, on 4 of 10 slides", _level, 4.0,
            (2.0, 8.0), 2),
    Promise("SYN023", "x and y swapped, image not square, share of slides",
            partial(_coordinates, "swapped_axes", WIDE), 0.4, (0.05, 1.0), 2),
    Promise("SYN023", "µm for pixels, share of slides",
            partial(_coordinates, "wrong_unit", LARGE), 1.0, (0.4, 0.7), 1),
    *(Promise("SYN024", f"{what}, boxes on an image", partial(_boxes, misread), 6, (2, 4, 20), 2)
      for what, misread in _READ),
    Promise("SYN024", "per cent of the image read as pixels, boxes on an image",
            partial(_boxes, per_cent_as_pixels), 12, (6, 9, 20), 2),
    *(Promise("SYN024", f"{what}, boxes that cross an edge", partial(_off_center, misread), 10,
              (5, 15), 4) for what, misread in _OFF),
    Promise("SYN025", "slide not added, share of slides", _lost_slides, 0.1, (0.02, 0.5), 3,
            exact=True),
)  # fmt: skip
