"""What lies on an item: shapes cut to it and moved into its pixels, and where was searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from shapely import affinity

from curatome.dataset.export.base import Entry, Job, Loss, slides_of
from curatome.dataset.labels import reference_of, shapes_of
from curatome.geometry import rasterize

_NOT_DRAWN = {"line": "a line", "points": "several points", "whole": "a label of a whole image"}
_LEAST = 1e-6  # px²: less is left over of arithmetic


@dataclass(frozen=True, eq=False)
class Placed:
    """One annotation on one item.

    Attributes:
        annotation: its id.
        kind: of `annotations.model.KINDS`, as it was drawn.
        labels: of the classes that are exported.
        shape: polygons or a point, px of the item's image.
        whole: nothing of it lies beyond the item.
        order: where it stands among all; the same on every item.
    """

    annotation: str
    kind: str
    labels: tuple[str, ...]
    shape: shapely.Geometry
    whole: bool
    order: int


@dataclass(frozen=True, eq=False)
class Scene:
    """What lies on one item.

    Attributes:
        side: edge of its image, px.
        objects: what was annotated.
        unsure: what the reader could not judge, px; without labels, it may be any class.
        searched: where everything of each class was annotated, px, by class; a class that was
            searched for nowhere is missing.
    """

    side: int
    objects: tuple[Placed, ...]
    unsure: tuple[Placed, ...]
    searched: dict[str, shapely.Geometry]

    def unknown(self, classes: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Pixels where some of these classes may be there, unmarked, (side, side) bool."""
        known = np.full((self.side, self.side), bool(classes))
        for name in classes:
            known &= pixels_of(self.searched.get(name, shapely.Polygon()), self.side)
        return ~known


class Scenes:
    """The shapes that a version's reference annotations put on items.

    Args:
        job: what is to be written; told are annotations that no item can show.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._told: set[tuple[str, str]] = set()
        slides = {slide for one in job.splits.values() for slide in slides_of(one)}
        table = job.version.table("annotations")
        table = table.filter(pc.is_in(table["image"], pa.array(sorted(slides), pa.string())))
        drawn = pc.not_equal(table["basis"], "proposed")
        judged = pc.invert(table["cannot_judge"])
        self._sure = _ByImage(self._drawn(reference_of(table)), job.classes)
        unsure = table.filter(pc.and_(drawn, pc.invert(judged)))
        self._unsure = _ByImage(self._drawn(unsure), job.classes)
        self._several_readers(reference_of(table))

    def on(self, entry: Entry) -> Scene:
        """What lies on an item; nothing on one without a place on a slide."""
        row = entry.row
        side = int(row["side_px"])
        if row["slide"] is None or any(row[name] is None for name in ("x", "y", "width", "height")):
            return Scene(side, (), (), {})
        left, top, width, height = (float(row[name]) for name in ("x", "y", "width", "height"))
        box = shapely.box(left, top, left + width, top + height)
        moved = _Moved(box, (side / width, side / height))
        searched = {}
        for name in self._job.classes:
            area = moved(self._job.version.searched.area(row["slide"], name))
            if area.area > _LEAST:
                searched[name] = area
        sure, unsure = (one.on(row["slide"], moved) for one in (self._sure, self._unsure))
        return Scene(side, tuple(sure), tuple(unsure), searched)

    def tell(self, placed: Placed, field: str, reason: str) -> None:
        """Tell that something of an annotation is lost; once, on however many items it shows."""
        if (placed.annotation, field) not in self._told:
            self._told.add((placed.annotation, field))
            self._job.lose(Loss(placed.annotation, field, reason))

    def tell_unshaped(self, entry: Entry, scene: Scene, title: str) -> None:
        """Tell the labels of an item that no shape on it carries."""
        shown = {name for one in scene.objects for name in one.labels}
        rest = [name for name in entry.labels if name not in shown]
        if rest:
            told = f"{title} holds shapes, and no shape of {', '.join(rest)} lies on the item."
            self._job.lose(Loss(entry.item, "labels", told))

    def finish(self) -> None:
        """Tell which annotations lay on no item, once all items were asked for."""
        for name in self._sure.unseen():
            self._job.lose(Loss(name, "geometry", "no exported item shows it."))

    def _drawn(self, table: pa.Table) -> pa.Table:
        """Annotations that have a place; others are told."""
        kinds = pa.array(list(_NOT_DRAWN), pa.string())
        lost = table.filter(pc.is_in(table["kind"], kinds))
        for row in lost.select(["annotation", "kind"]).to_pylist():
            told = f"{_NOT_DRAWN[row['kind']]} lies on no item; it was left out."
            self._job.lose(Loss(row["annotation"], "geometry", told))
        return table.filter(pc.invert(pc.is_in(table["kind"], kinds)))

    def _several_readers(self, table: pa.Table) -> None:
        decided = pc.equal(table["basis"], "adjudicated")
        readers: dict[str, set[str]] = {}
        for row in table.filter(pc.invert(decided)).select(["image", "reader"]).to_pylist():
            readers.setdefault(row["image"], set()).add(row["reader"] or "")
        for image, names in readers.items():
            if len(names) > 1:
                told = (
                    f"{len(names)} readers annotated it and nothing was adjudicated; what each of "
                    "them drew was written, one thing perhaps several times."
                )
                self._job.lose(Loss(image, "reader", told))


class _Moved:
    """Cuts shapes to a box on the slide and moves them into the pixels of its image."""

    def __init__(self, box: shapely.Geometry, step: tuple[float, float]) -> None:
        self.box = box
        left, top = box.bounds[:2]
        self._matrix = [step[0], 0, 0, step[1], -left * step[0], -top * step[1]]

    def __call__(self, shape: shapely.Geometry) -> shapely.Geometry:
        """Polygons of a shape with an area, else its point, within the box, image px."""
        cut = shapely.intersection(shape, self.box)
        if shape.area > 0:
            parts = shapely.get_parts(cut)
            kept = parts[shapely.area(parts) > 0]
            cut = kept[0] if len(kept) == 1 else shapely.union_all(kept)
        return affinity.affine_transform(cut, self._matrix)


class _ByImage:
    """Shapes of annotations by the image that they lie on."""

    def __init__(self, table: pa.Table, classes: Sequence[str]) -> None:
        self._names = table["annotation"].to_pylist()
        self._kinds = table["kind"].to_pylist()
        shapes, labels = shapes_of(table)
        self._shapes = shapes
        self._labels = [tuple(one for one in names if one in classes) for names in labels]
        wanted = [bool(kept) or not names for kept, names in zip(self._labels, labels, strict=True)]
        self._seen = ~np.array(wanted, np.bool_)
        images = np.array(table["image"].to_pylist(), object)
        self._of: dict[str, tuple[npt.NDArray[np.int64], shapely.STRtree]] = {}
        for image in dict.fromkeys(images.tolist()):
            rows = np.flatnonzero((images == image) & ~self._seen)
            self._of[image] = rows, shapely.STRtree(shapes[rows])

    def on(self, image: str, moved: _Moved) -> Iterator[Placed]:
        """Annotations that show on an item, in their order."""
        if image not in self._of:
            return
        rows, tree = self._of[image]
        for at in np.sort(rows[tree.query(moved.box, predicate="intersects")]).tolist():
            whole = self._shapes[at]
            shape = moved(whole)
            point = shape.geom_type == "Point" and not _on_far_edge(whole, moved.box)
            if not point and shape.area <= _LEAST:
                continue
            self._seen[at] = True
            inside = bool(shapely.covers(moved.box, whole))
            yield Placed(self._names[at], self._kinds[at], self._labels[at], shape, inside, at)

    def unseen(self) -> list[str]:
        """Annotations that no item showed."""
        return [self._names[at] for at in np.flatnonzero(~self._seen).tolist()]


def _on_far_edge(point: shapely.Geometry, box: shapely.Geometry) -> bool:
    """Whether a point belongs to the next item, as in `dataset.labels`."""
    right, bottom = box.bounds[2:]
    return bool(point.x >= right or point.y >= bottom)


def pixels_of(shape: shapely.Geometry, side: int) -> npt.NDArray[np.bool_]:
    """Pixels of an image whose centers lie in a shape, (side, side) bool."""
    return rasterize(shape, (0.0, 0.0), (1.0, 1.0), side)
