"""The project's annotations as reads: who means the same object, and what they say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.matching import (
    MITOSIS_RADIUS_UM,
    NOTHING,
    match_points,
    match_shapes,
    read_table,
)
from curatome.agreement.ratings import MISSING, Ratings
from curatome.annotations.model import outline
from curatome.errors import AnnotationError
from curatome.project import Project, SlideEntry
from curatome.workflows.annotation_check import annotation_store

Shapes = npt.NDArray[np.object_]
Whole = npt.NDArray[np.int64]
Match = Literal["auto", "distance", "iou", "overlap"]

REFERENCE = "the reference"
"""The reader that adjudicated annotations stand for: a consensus, or whoever decided."""

_NO_OBJECT = ("line", "points")


@dataclass(frozen=True)
class Matching:
    """When two readers' objects are one.

    Attributes:
        by: distance between centers, IoU, or overlap of the smaller; `auto` takes the distance
            for points and for detection, else the IoU.
        radius_um: farthest distance, µm.
        threshold: least IoU or overlap.
    """

    by: Match = "auto"
    radius_um: float = MITOSIS_RADIUS_UM
    threshold: float = 0.5


@dataclass(frozen=True, eq=False)
class ProjectReads:
    """What readers say.

    Attributes:
        objects: rows of `tables.ANNOTATIONS` that were matched, first reads of every reader.
        items: (M,) which item each of them is.
        table: columns item, reader, label, image, case, site, scanner, stain; also what whole
            images were called.
        repeats: the same of all reads of readers who read again, with `read`; items matched over
            all of them.
        shapes: (M,) outlines of the objects, µm where the scale is known, else level-0 px.
        scaled: (M,) whether the scale is known.
        how: how objects were matched, for people.
        left_out: how many annotations took no part, by why.
    """

    objects: pa.Table
    items: Whole
    table: pa.Table
    repeats: pa.Table
    shapes: Shapes
    scaled: npt.NDArray[np.bool_]
    how: str
    left_out: dict[str, int]

    @property
    def readers(self) -> list[str]:
        """Who read, sorted."""
        return sorted(pc.unique(self.table["reader"]).to_pylist())


def project_reads(
    project: Project,
    matching: Matching | None = None,
    readers: Sequence[str] = (),
    reference: bool = False,
) -> ProjectReads:
    """Match what the project's readers annotated.

    A reader has read an image if they annotated anything on it, or declared a region of it
    exhaustive. Annotations without a reader are no reads; adjudicated ones are those of the
    reader `REFERENCE`, if asked for.

    Args:
        project: the project.
        matching: when two readers' objects are one.
        readers: only these; all by default.
        reference: what was adjudicated is a read, too.

    Raises:
        AnnotationError: nobody annotated anything, a reader is not known, or distances are asked
            for on an image whose scale is not known.
    """
    matching = matching or Matching()
    with annotation_store(project) as store:
        table, regions = store.current(), store.regions()
    entries = {entry.slide: entry for entry in project.store.slides()}
    table, left_out = _eligible(table, readers, reference)
    whole = pc.equal(table["kind"], "whole")
    objects = table.filter(pc.invert(whole))
    shapes = _shapes(objects)
    sound = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    objects, shapes = objects.filter(pa.array(sound)), shapes[sound]
    left_out["without a shape"] = int((~sound).sum())
    by = _criterion(project, matching, objects)
    shapes = _scaled(objects, shapes, entries, by == "distance")
    if by != "distance":
        area = shapely.area(shapes) > 0
        objects, shapes = objects.filter(pa.array(area)), shapes[area]
        left_out["without an area"] = int((~area).sum())
    items = _items(objects, shapes, by, matching)
    first = pc.equal(objects["read"], 1).to_numpy()
    seen = _seen(table, regions)
    images = _images(table, entries)
    again = _reread(table)
    one = objects.filter(pa.array(first))
    own = _items(one, shapes[first], by, matching)
    parts = [_long(one, own, seen, images), _of_images(table.filter(whole), images, 1)]
    repeats = _repeats(objects, items, table.filter(whole), images, again)
    told = {name: count for name, count in left_out.items() if count}
    names = one["image"].to_pylist()
    scaled = np.array([_mpp(entries.get(name)) is not None for name in names], np.bool_)
    return ProjectReads(
        one,
        own,
        pa.concat_tables(parts),
        repeats,
        shapes[first],
        scaled,
        _how(by, matching),
        told,
    )


def named(said: Ratings) -> Ratings:
    """Only what readers call what they marked: silence is no label."""
    if NOTHING not in said.labels:
        return said
    nothing = said.labels.index(NOTHING)
    codes = said.codes.copy()
    codes[codes == nothing] = MISSING
    codes[codes > nothing] -= 1
    labels = tuple(one for one in said.labels if one != NOTHING)
    return Ratings(codes, said.items, said.readers, labels, said.cases)


def _eligible(
    table: pa.Table, readers: Sequence[str], reference: bool
) -> tuple[pa.Table, dict[str, int]]:
    """Annotations that are reads of objects or images, and how many are not, by why."""
    left: dict[str, int] = {}
    decided = pc.equal(table["basis"], "adjudicated")
    if reference:
        who = pc.if_else(decided, REFERENCE, table["reader"])
        table = table.set_column(table.schema.get_field_index("reader"), "reader", who)
        read = pc.if_else(decided, pa.scalar(1, pa.int16()), table["read"])
        table = table.set_column(table.schema.get_field_index("read"), "read", read)

    def keep(mask: pa.ChunkedArray, why: str) -> None:
        nonlocal table
        mask = pc.fill_null(mask, False)
        left[why] = len(table) - int(pc.sum(mask).as_py() or 0)
        table = table.filter(mask)

    if not reference:
        keep(pc.invert(decided), "adjudicated")
    keep(pc.is_valid(table["image"]), "without an image")
    keep(pc.is_valid(table["reader"]), "without a reader")
    kinds = pc.invert(pc.is_in(table["kind"], pa.array(_NO_OBJECT)))
    keep(kinds, "lines and groups of points")
    if readers:
        known = sorted(pc.unique(table["reader"]).to_pylist())
        strangers = [one for one in readers if one not in known]
        if strangers:
            raise AnnotationError(
                f'nobody called "{strangers[0]}" annotated anything. There are: '
                f"{', '.join(known) or 'no readers yet'}."
            )
        keep(pc.is_in(table["reader"], pa.array([*readers, REFERENCE])), "of other readers")
    if not len(table):
        raise AnnotationError(
            "there are no annotations with a reader to compare. Bring some in: "
            "curatome import PATH --reader NAME"
        )
    return table, left


def _shapes(objects: pa.Table) -> Shapes:
    """Outlines, level-0 px, made valid."""
    shapes = shapely.from_wkb(objects["geometry"].to_numpy(zero_copy_only=False))
    kinds = np.array(objects["kind"].to_pylist(), object)
    for row in np.flatnonzero(np.isin(kinds, ("circle", "ellipse"))):
        shapes[row] = outline(kinds[row], shapes[row])
    found: Shapes = shapely.make_valid(shapes)
    return found


def _criterion(project: Project, matching: Matching, objects: pa.Table) -> str:
    if matching.by != "auto":
        return matching.by
    points = "point" in pc.unique(objects["kind"]).to_pylist()
    return "distance" if points or project.protocol.dataset.task == "detection" else "iou"


def _scaled(
    objects: pa.Table, shapes: Shapes, entries: dict[str, SlideEntry], needed: bool
) -> Shapes:
    """Shapes in µm; in level-0 px on images of unknown scale, where only shares are asked for."""
    images = objects["image"].to_pylist()
    scale = np.ones((len(images), 2))
    known = {name: _mpp(entries.get(name)) for name in set(images)}
    for row, name in enumerate(images):
        mpp = known[name]
        if mpp is not None:
            scale[row] = mpp
        elif needed:
            entry = entries.get(name)
            called = entry.name if entry else name
            raise AnnotationError(
                f"{called} has no µm per pixel, so distances on it cannot be told. Set it with "
                f"`curatome slides set-mpp`, or match by IoU: --match iou"
            )
    counts = shapely.get_num_coordinates(shapes)
    coordinates = shapely.get_coordinates(shapes) * np.repeat(scale, counts, axis=0)
    found: Shapes = shapely.set_coordinates(shapes.copy(), coordinates)
    return found


def _mpp(entry: SlideEntry | None) -> tuple[float, float] | None:
    return None if entry is None or entry.mpp is None else (entry.mpp.x, entry.mpp.y)


def _items(objects: pa.Table, shapes: Shapes, by: str, matching: Matching) -> Whole:
    """(M,) items; repeat reads of one reader are matched like those of another."""
    who = pc.binary_join_element_wise(
        objects["reader"], pc.cast(objects["read"], pa.string()), "\x1f"
    ).to_pylist()
    image = objects["image"].to_pylist()
    if by == "distance":
        x, y = shapely.get_coordinates(shapely.centroid(shapes)).T
        return match_points(x, y, who, image, matching.radius_um, label=_labels(objects))
    way: Any = by
    return match_shapes(shapes, who, image, matching.threshold, way, label=_labels(objects))


def _labels(table: pa.Table) -> list[str]:
    """The label of each row; several are one text, none is empty."""
    return ["; ".join(sorted(labels)) for labels in table["labels"].to_pylist()]


def _said(table: pa.Table) -> list[str | None]:
    """The same, null where the reader could not judge or said nothing."""
    doubt = table["cannot_judge"].to_pylist()
    return [
        None if unsure or not label else label
        for unsure, label in zip(doubt, _labels(table), strict=True)
    ]


def _seen(table: pa.Table, regions: pa.Table) -> pa.Table:
    both = [part.select(["image", "reader"]) for part in (table, regions)]
    return pa.concat_tables(both).drop_null().group_by(["image", "reader"]).aggregate([])


def _images(table: pa.Table, entries: dict[str, SlideEntry]) -> pa.Table:
    """What is known of each image; an image without a case is a case of its own."""
    rows = []
    for name in sorted(pc.unique(table["image"]).to_pylist()):
        entry = entries.get(name)
        declared = entry.declared if entry else {}
        row = {"image": name, "case": (entry.case if entry else None) or name}
        row |= {field: declared.get(field) for field in ("site", "stain")}
        rows.append(row | {"scanner": entry.scanner if entry else None})
    columns = ("image", "case", "site", "stain", "scanner")
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in columns})


def _long(objects: pa.Table, items: Whole, seen: pa.Table, images: pa.Table) -> pa.Table:
    image = objects["image"].to_pylist()
    table = read_table(
        items,
        objects["reader"].to_pylist(),
        _said(objects),
        image=image,
        seen=seen,
        images=images,
    )
    item = pc.binary_join_element_wise("object", pc.cast(table["item"], pa.string()), " ")
    names = ["item", "reader", "label", "image", "case", "site", "stain", "scanner"]
    schema = pa.schema([(name, pa.string()) for name in names])
    return table.set_column(0, "item", item).select(names).cast(schema)


def _of_images(whole: pa.Table, images: pa.Table, read: int) -> pa.Table:
    """What whole images were called, as items of their own."""
    mine = whole.filter(pc.equal(whole["read"], read))
    rows = {name: row for row in images.to_pylist() for name in [row["image"]]}
    latest: dict[tuple[str, str], str | None] = {}
    for image, reader, label in zip(
        mine["image"].to_pylist(), mine["reader"].to_pylist(), _said(mine), strict=True
    ):
        latest[image, reader] = label
    columns = ("case", "site", "stain", "scanner")
    found = [
        {"item": f"image {image}", "reader": reader, "label": label, "image": image}
        | {name: rows[image][name] for name in columns}
        for (image, reader), label in latest.items()
    ]
    names = ("item", "reader", "label", "image", *columns)
    return pa.table({n: pa.array([row[n] for row in found], pa.string()) for n in names})


def _reread(table: pa.Table) -> set[str]:
    """Readers who read something again."""
    again = table.filter(pc.greater(table["read"], 1))
    return set(pc.unique(again["reader"]).to_pylist())


def _repeats(
    objects: pa.Table, items: Whole, whole: pa.Table, images: pa.Table, again: set[str]
) -> pa.Table:
    """Items of images that a reader read twice; what was marked only once is nothing the other."""
    rows: list[dict[str, Any]] = []
    case = dict(zip(images["image"].to_pylist(), images["case"].to_pylist(), strict=True))
    for table, name in ((objects, "object"), (whole, "image")):
        readers, reads = table["reader"].to_pylist(), table["read"].to_pylist()
        places, labels = table["image"].to_pylist(), _said(table)
        what = [f"{name} {k}" for k in (items.tolist() if name == "object" else places)]
        twice = _read_twice(readers, reads, places)
        said: dict[tuple[str, str], dict[int, str | None]] = {}
        where: dict[str, str] = {}
        for item, reader, read, image, label in zip(
            what, readers, reads, places, labels, strict=True
        ):
            if reader in again and (reader, image) in twice:
                said.setdefault((item, reader), {})[read] = label
                where[item] = image
        for (item, reader), by_read in said.items():
            for read in twice[reader, where[item]]:
                label = by_read.get(read, NOTHING if name == "object" else None)
                row = {"item": item, "reader": reader, "read": read, "label": label}
                rows.append(row | {"case": case[where[item]]})
    kinds = {"item": pa.string(), "reader": pa.string(), "read": pa.int16()}
    kinds |= {"label": pa.string(), "case": pa.string()}
    return pa.table({n: pa.array([row[n] for row in rows], kind) for n, kind in kinds.items()})


def _read_twice(
    readers: Sequence[str], reads: Sequence[int], places: Sequence[str]
) -> dict[tuple[str, str], list[int]]:
    """The reads of each reader on each image, where there are several."""
    found: dict[tuple[str, str], set[int]] = {}
    for reader, read, image in zip(readers, reads, places, strict=True):
        found.setdefault((reader, image), set()).add(read)
    return {key: sorted(one) for key, one in found.items() if len(one) > 1}


def _how(by: str, matching: Matching) -> str:
    if by == "distance":
        return f"objects whose centers lie within {matching.radius_um:g} µm are one"
    share = "IoU" if by == "iou" else "overlap"
    return f"objects with an {share} of at least {matching.threshold:g} are one"
