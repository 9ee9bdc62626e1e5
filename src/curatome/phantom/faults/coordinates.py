"""Numbers that mean something else: another level, another unit, other axes, other corners."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray

from curatome.phantom.faults.tables import Draft, Fault, picked
from curatome.phantom.outlines import Shapes, scaled

Floats = NDArray[np.float64]
Misread = Callable[[Shapes, Floats], Shapes]
"""(N,) shapes in level-0 px and their slide's µm per px, to the shapes as misread."""


def on_level(shapes: Shapes, mpp: Floats, downsample: float = 4.0) -> Shapes:
    """In pixels of a coarser level."""
    return scaled(shapes, np.full(len(mpp), 1 / downsample))


def in_micrometers(shapes: Shapes, mpp: Floats) -> Shapes:
    """In µm where pixels are meant."""
    return scaled(shapes, mpp)


def swapped(shapes: Shapes, _: Floats) -> Shapes:
    """With x and y exchanged."""
    points = shapely.get_coordinates(shapes)
    out: Shapes = shapely.set_coordinates(shapes.copy(), points[:, ::-1])
    return out


def size_as_corner(shapes: Shapes, _: Floats) -> Shapes:
    """Boxes written as x, y, width, height and read as two corners."""
    left, top, right, bottom = shapely.bounds(shapes).T
    width, height = right - left, bottom - top
    ends = (np.minimum, np.maximum)
    (x0, x1), (y0, y1) = ([end(a, b) for end in ends] for a, b in ((left, width), (top, height)))
    out: Shapes = shapely.box(x0, y0, x1, y1)
    return out


def corner_as_size(shapes: Shapes, _: Floats) -> Shapes:
    """Boxes written as two corners and read as x, y, width, height."""
    left, top, right, bottom = shapely.bounds(shapes).T
    out: Shapes = shapely.box(left, top, left + right, top + bottom)
    return out


def _misread(
    draft: Draft, strength: float, rng: np.random.Generator, *, misread: Misread, boxes: bool
) -> Draft:
    """All annotations, or all boxes, of some slides."""
    held = draft.tables.annotations
    scale = dict(
        zip(
            draft.tables.images["slide"].to_pylist(),
            draft.tables.images["mpp"].to_pylist(),
            strict=True,
        )
    )
    slide = np.asarray(held["image"]).astype(str)
    able = np.asarray(held["geometry"].is_valid())
    if boxes:
        able = able & (np.asarray(held["kind"]) == "box")
    slides = np.unique(slide[able])
    hit = slides[picked(rng, len(slides), strength)]
    rows = np.flatnonzero(able & np.isin(slide, hit))
    shapes = shapely.from_wkb(np.array(held["geometry"].take(rows).to_pylist(), object))
    wrong = misread(shapes, np.array([scale[s] for s in slide[rows]]))
    return draft.change("annotations", rows, {"geometry": shapely.to_wkb(wrong).tolist()})


FAULTS = tuple(
    Fault(
        name,
        "coordinates",
        f"share of the slides {what}",
        _misread,
        {"misread": misread, "boxes": boxes},
    )
    for name, what, misread, boxes in (
        (
            "wrong_level",
            "whose annotations are in pixels of a level 4 times coarser",
            on_level,
            False,
        ),
        ("wrong_unit", "whose annotations are in µm", in_micrometers, False),
        ("swapped_axes", "whose annotations have x and y exchanged", swapped, False),
        ("box_size_as_corner", "whose x, y, w, h were read as corners", size_as_corner, True),
        ("box_corner_as_size", "whose corners were read as x, y, w, h", corner_as_size, True),
    )
)
