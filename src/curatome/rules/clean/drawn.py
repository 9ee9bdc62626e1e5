"""Annotations of one image as outlines, and the scale they lie on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.annotations import model
from curatome.annotations.masks import mask_outline
from curatome.dataset.imbalance import label_sets, labels_of
from curatome.findings import Place
from curatome.rules.rule import Inputs

Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]

LINED = ("polygon", "multipolygon", "ellipse", "circle", "mask")
"""Kinds whose line follows what they hold; a box does not."""
FILLED = (*LINED, "box")
"""Kinds that have an area."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """Annotations with an area.

    Attributes:
        table: their rows of `tables.ANNOTATIONS`.
        shapes: (N,) valid polygons or multipolygons, level-0 px.
        labels: (N,) index into `sets`; -1, its last, is without labels.
        sets: combinations of labels.
    """

    table: pa.Table
    shapes: Shapes
    labels: Whole
    sets: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.shapes)

    def take(self, rows: npt.NDArray[np.bool_] | Whole) -> Drawn:
        """Some of them."""
        at = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        kept = self.table.take(pa.array(at))
        return Drawn(kept, self.shapes[at], self.labels[at], self.sets)

    def annotation(self, row: int) -> str:
        """Its identity."""
        return str(self.table["annotation"][row].as_py())

    def label(self, row: int) -> str:
        """What it is called."""
        return " + ".join(self.sets[int(self.labels[row])]) or "nothing"

    def place(self, row: int) -> Place:
        """The box around it."""
        left, top, right, bottom = (float(v) for v in shapely.bounds(self.shapes[row]))
        return Place(left, top, right - left, bottom - top)

    @property
    def across(self) -> Floats:
        """(N,) diameter of a circle of each one's area, level-0 px."""
        out: Floats = 2 * np.sqrt(shapely.area(self.shapes) / np.pi)
        return out


def drawn(table: pa.Table, kinds: tuple[str, ...] = FILLED) -> Drawn:
    """Annotations with an area that can be read; `SYN` tells of the others.

    Args:
        table: `tables.ANNOTATIONS`.
        kinds: which to take.
    """
    wanted = pc.and_(pc.is_in(table["kind"], pa.array(kinds)), pc.is_valid(table["geometry"]))
    table = table.filter(pc.and_(wanted, pc.invert(table["cannot_judge"])))
    shapes = shapely.from_wkb(_objects(table["geometry"]), on_invalid="ignore")
    kind = np.asarray(table["kind"].to_pylist(), dtype=object)
    for row in np.flatnonzero(np.isin(kind, ("circle", "ellipse"))):
        shapes[row] = model.outline(kind[row], shapes[row])
    masks = table["mask"]
    for row in np.flatnonzero(kind == "mask"):
        png = masks[int(row)].as_py()
        shapes[row] = mask_outline(png, shapes[row]) if png else None
    labels, sets = label_sets(labels_of(table["labels"]))
    sound = shapely.is_valid(shapes) & (shapely.area(shapes) > 0)
    return Drawn(table, shapes, labels, (*sets, ())).take(np.asarray(sound, np.bool_))


def outer(shapes: Shapes) -> Shapes:
    """The largest polygon of each shape, without its holes: (N,)."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    order = np.lexsort((shapely.area(parts), owner))
    out = shapes.copy()
    out[owner[order]] = parts[order]  # the last one written for an owner is the largest
    filled: Shapes = shapely.polygons(shapely.get_exterior_ring(out))
    return filled


def scales(inputs: Inputs) -> dict[str, tuple[float, float]]:
    """µm per level-0 px along x and y, of each image that has a scale."""
    slides = inputs.slides.select(["slide", "mpp_x", "mpp_y"]).to_pylist()
    known = [row for row in slides if row["mpp_x"] and row["mpp_y"]]
    return {row["slide"]: (row["mpp_x"], row["mpp_y"]) for row in known}


def number(inputs: Inputs, name: str) -> float:
    """A setting of the rule that is a number."""
    return float(inputs.settings[name])


def _objects(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.asarray(column.to_numpy(), dtype=object)
