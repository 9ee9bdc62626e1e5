"""Exhaustively annotated regions, with all that is annotated on their images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import shapely

from curatome.dataset.labels import shapes_of
from curatome.rules.rule import Inputs

Floats = npt.NDArray[np.float64]
Shapes = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class Field:
    """An exhaustively annotated region with what lies in it.

    Attributes:
        region: its id.
        image: the slide.
        case: of the slide.
        shape: its outline, level-0 px.
        classes: of which everything is said to be annotated.
        mpp: (2,) µm per px.
        shapes: of all annotations on the image, level-0 px.
        labels: of each of them.
    """

    region: str
    image: str
    case: str
    shape: shapely.Geometry
    classes: frozenset[str]
    mpp: Floats
    shapes: Shapes
    labels: list[list[str]]

    def of(self, name: str | None = None) -> Shapes:
        """Annotations of a class, or of any that the region is exhaustive for."""
        wanted = self.classes if name is None else {name}
        kept = [k for k, held in enumerate(self.labels) if wanted & set(held)]
        return self.shapes[kept]


def fields(inputs: Inputs) -> Iterator[Field]:
    """Exhaustive regions on slides of known size and scale; a whole slide is its own region."""
    if inputs.exhaustive is None:
        return
    slides = {row["slide"]: row for row in inputs.slides.to_pylist()}
    marks: dict[str, tuple[Shapes, list[list[str]]]] = {}
    for row in inputs.exhaustive.to_pylist():
        slide = slides.get(row["image"])
        if slide is None or not slide["mpp_x"]:
            continue
        if row["image"] not in marks:
            mine = inputs.annotations.filter(pc.equal(inputs.annotations["image"], row["image"]))
            mine = mine.filter(pc.not_equal(mine["basis"], "proposed"))
            marks[row["image"]] = shapes_of(mine)
        shape = _outline(row, slide)
        if shape is not None:
            case = slide["case"] or slide["slide"]
            mpp = np.array([slide["mpp_x"], slide["mpp_y"]])
            classes = frozenset(row["classes"])
            yield Field(
                row["region"], row["image"], case, shape, classes, mpp, *marks[row["image"]]
            )


def _outline(row: dict[str, Any], slide: dict[str, Any]) -> shapely.Geometry | None:
    if row["geometry"] is not None:
        return shapely.make_valid(shapely.from_wkb(row["geometry"]))
    if slide["width"] and slide["height"]:
        return shapely.box(0, 0, slide["width"], slide["height"])
    return None
