"""The outlines of an image, field by field: which pixels are read, and at what scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import shapely

from curatome.rules.clean import likeness as looks
from curatome.rules.clean.drawn import LINED, Drawn, drawn, outer, scales
from curatome.rules.clean.fit import Fit, fit
from curatome.rules.clean.likeness import Contrast, Cover, Floats, Pixels, Shapes
from curatome.rules.rule import Inputs

ACROSS = 40.0
"""Objects are looked at this many px across, or at full scale if they are smaller there."""
_SIDE = 768
_MARGIN = 24
"""Pixels beyond a field that are read with it: an edge is looked for on both sides of a line."""
_SAMPLES = 6
"""Fields of an image whose colors tell its objects from their surroundings."""


@dataclass(frozen=True, eq=False)
class Measured:
    """Outlines of one image and how they fit.

    Attributes:
        objects: the annotations.
        fit: how they fit, in px of their field.
        step: (M,) level-0 px per px of the field.
        mpp: µm per level-0 px; None where the image has no scale.
    """

    objects: Drawn
    fit: Fit
    step: Floats
    mpp: float | None


@dataclass(frozen=True, eq=False)
class _Lens:
    """How an image is looked at: µm per level-0 px along x and y, and µm per px of a field.

    Where the image has no scale, a level-0 px counts as a µm.
    """

    image: str
    mpp: Floats
    step: float

    def on(self, shapes: Shapes, corner: Floats) -> Shapes:
        """Shapes in px of a field that begins at a corner, µm."""
        out: Shapes = shapely.transform(shapes, lambda xy: (xy * self.mpp - corner) / self.step)
        return out


@dataclass(frozen=True, eq=False)
class _Field:
    """A part of an image: which outlines are measured in it, its pixels, and what covers them."""

    rows: looks.Whole
    shapes: Shapes
    rgb: Pixels
    where: Cover


_latest: list[tuple[object, object, list[Measured]]] = []


def measured(inputs: Inputs, largest_um: float) -> list[Measured]:
    """How the outlines of one image fit, class by class.

    The last answer is kept, because several rules ask for the same.

    Args:
        inputs: of one image, with its pixels.
        largest_um: across; larger ones are no objects but regions.
    """
    key = (inputs.annotations, inputs.pixels)
    for held in _latest:
        if held[0] is key[0] and held[1] is key[1]:
            return held[2]
    found = list(_measured(inputs, largest_um))
    _latest[:] = [(*key, found)]
    return found


def _measured(inputs: Inputs, largest_um: float) -> Iterator[Measured]:
    everything = drawn(inputs.annotations, LINED)
    if not len(everything):
        return
    image = str(everything.table["image"][0].as_py())
    mpp = scales(inputs).get(image)
    scale = np.array(mpp or (1.0, 1.0))
    unit = float(np.sqrt(scale.prod()))
    objects = everything.take(everything.across * unit <= largest_um)
    shapes = outer(objects.shapes)
    for label in np.unique(objects.labels).tolist():
        rows = np.flatnonzero(objects.labels == label)
        across = float(np.median(objects.across[rows]))
        lens = _Lens(image, scale, unit * max(1.0, across / ACROSS))
        found = _fitted(inputs, lens, shapes, rows)
        if found is not None:
            at, fits = found
            step = np.full(len(at), lens.step / unit)
            yield Measured(objects.take(at), fits, step, unit if mpp else None)


def _fitted(
    inputs: Inputs, lens: _Lens, shapes: Shapes, rows: looks.Whole
) -> tuple[looks.Whole, Fit] | None:
    """Rows that were measured, and how they fit."""
    middle = shapely.get_coordinates(shapely.centroid(shapes[rows])) * lens.mpp / lens.step
    cell = np.floor(middle / _SIDE).astype(np.int64)
    cells, of = np.unique(cell, axis=0, return_inverse=True)
    tree = shapely.STRtree(shapes)

    def read(number: int) -> _Field:
        return _field(inputs, lens, (shapes, tree), (cells[number], rows[of.reshape(-1) == number]))

    chosen = np.unique(
        np.linspace(0, len(cells) - 1, min(_SAMPLES, len(cells))).round().astype(int)
    )
    held = {int(number): read(int(number)) for number in chosen}
    seen = _contrast(list(held.values()))
    if seen is None:
        return None
    at, fits = [], []
    for number in range(len(cells)):
        part = held.pop(number, None) or read(number)
        at.append(part.rows)
        fits.append(fit(part.rgb, part.shapes, part.where, seen))
    return np.concatenate(at), _joined(fits)


def _contrast(parts: list[_Field]) -> Contrast | None:
    pairs = [looks.samples(part.rgb, part.where) for part in parts]
    inside, outside = (np.concatenate(kind) for kind in zip(*pairs, strict=True))
    return looks.contrast(inside, outside)


def _field(
    inputs: Inputs,
    lens: _Lens,
    drawing: tuple[Shapes, shapely.STRtree],
    part: tuple[looks.Whole, looks.Whole],
) -> _Field:
    """The smallest part of a cell that holds its outlines, and a margin."""
    shapes, tree = drawing
    _, rows = part
    bounds = shapely.bounds(shapes[rows]) * np.tile(lens.mpp, 2) / lens.step
    low = np.floor(bounds[:, :2].min(axis=0)) - _MARGIN
    high = np.ceil(bounds[:, 2:].max(axis=0)) + _MARGIN
    box = np.concatenate([low, high]) * lens.step / np.tile(lens.mpp, 2)
    assert inputs.pixels is not None
    left, top, right, bottom = (float(v) for v in box)
    rgb = inputs.pixels(lens.image, (left, top, right, bottom), lens.step)
    corner = low * lens.step
    others = lens.on(shapes[np.sort(tree.query(shapely.box(*box)))], corner)
    return _Field(rows, lens.on(shapes[rows], corner), rgb, looks.cover(others, rgb.shape[:2]))


def _joined(fits: list[Fit]) -> Fit:
    return Fit(
        **{f.name: np.concatenate([getattr(one, f.name) for one in fits]) for f in fields(Fit)}
    )
