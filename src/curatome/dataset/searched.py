"""Where everything of a class was annotated, so that a place without it is known to have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from curatome.annotations.model import outline

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_EVERYWHERE = shapely.box(-1e12, -1e12, 1e12, 1e12)


@dataclass(frozen=True)
class Region:
    """A place in which everything of some classes was annotated.

    Attributes:
        shape: valid, level-0 px; of a whole image, a box that no image reaches the end of.
        classes: of which everything was annotated.
        name: its id.
    """

    shape: shapely.Geometry
    classes: frozenset[str]
    name: str


class Searched:
    """Exhaustively annotated regions, by image.

    Args:
        regions: table of `annotations.store.EXHAUSTIVE`.
    """

    def __init__(self, regions: pa.Table) -> None:
        self._by_image: dict[str, list[Region]] = {}
        self._areas: dict[tuple[str, str], shapely.Geometry] = {}
        for row in regions.to_pylist():
            if row["image"] is None:
                continue
            shape = _EVERYWHERE
            if row["geometry"] is not None:
                drawn = outline(row["kind"], shapely.from_wkb(row["geometry"]))
                shape = shapely.make_valid(drawn)
            one = Region(shape, frozenset(row["classes"]), row["region"])
            self._by_image.setdefault(row["image"], []).append(one)

    def __bool__(self) -> bool:
        return bool(self._by_image)

    def of(self, image: str | None) -> Sequence[Region]:
        """The regions of an image."""
        return self._by_image.get(image or "", ())

    def area(self, image: str | None, name: str) -> shapely.Geometry:
        """Where everything of a class was annotated, level-0 px; empty if nowhere."""
        key = image or "", name
        if key not in self._areas:
            shapes = [one.shape for one in self.of(image) if name in one.classes]
            self._areas[key] = shapely.union_all(shapes)
            shapely.prepare(self._areas[key])
        return self._areas[key]

    def whole(self, images: Sequence[str | None], boxes: Floats, classes: Sequence[str]) -> Flags:
        """Of which classes everything was annotated all over an item, (N, C) bool.

        Args:
            images: (N,) what the items were cut from.
            boxes: (N, 4) left, top, right, bottom, level-0 px; NaN of an item without a place.
            classes: (C,) names.
        """
        found = np.zeros((len(images), len(classes)), np.bool_)
        names = np.array([name or "" for name in images], object)
        placed = ~np.isnan(boxes).any(axis=1)
        for image in set(names) & set(self._by_image):
            rows = np.flatnonzero((names == image) & placed)
            tiles = shapely.box(*boxes[rows].T)
            for at, name in enumerate(classes):
                found[rows, at] = shapely.covers(self.area(image, name), tiles)
        return found
