"""Annotations as reads: which objects of several readers, or of several reads, are one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.agreement.matching import (
    MITOSIS_RADIUS_UM,
    match_points,
    match_shapes,
    read_table,
)
from curatome.agreement.ratings import Ratings, ratings
from curatome.dataset.imbalance import label_sets, labels_of
from curatome.findings import Place
from curatome.protocol import Protocol
from curatome.rules.kinship import exclusive
from curatome.rules.remembered import Remembered

Whole = npt.NDArray[np.int64]
Shapes = npt.NDArray[np.object_]

REFERENCE = "\x1freference"
"""The reader that adjudicated annotations stand for."""

_SHAPES = ("point", "box", "circle", "ellipse", "polygon", "multipolygon", "whole")


@dataclass(frozen=True, eq=False)
class Reads:
    """M annotations that several readers, or one reader several times, could have made.

    Attributes:
        table: rows of `tables.ANNOTATIONS`; who adjudicated is `REFERENCE`.
        item: (M,) number of the object that each of them is about.
        shapes: (M,) as drawn, level-0 px; none of whole images.
        kind: (M,) number of its combination of labels, -1 where it has none.
        sets: the combinations.
        settled: (M,) whether an adjudicated annotation is about the same object.
    """

    table: pa.Table
    item: Whole
    shapes: Shapes
    kind: Whole
    sets: list[tuple[str, ...]]
    settled: npt.NDArray[np.bool_]

    def labels(self, row: int) -> tuple[str, ...]:
        """Labels of an annotation."""
        return self.sets[self.kind[row]] if self.kind[row] >= 0 else ()

    def place(self, row: int) -> Place | None:
        """Where an annotation lies."""
        shape = self.shapes[row]
        if shape is None:
            return None
        left, top, right, bottom = shapely.bounds(shape).tolist()
        return Place(left, top, right - left, bottom - top)

    def differing(self, protocol: Protocol, same_reader: bool) -> list[list[int]]:
        """Rows of each object that was called differently, by readers or by one reader again.

        Args:
            protocol: names the parents of classes.
            same_reader: compare reads of one reader, not first reads of several.
        """
        reader = _codes(self.table["reader"])
        read = self.table["read"].to_numpy().astype(np.int64)
        decided = pc.equal(self.table["reader"], REFERENCE).to_numpy()
        use = np.flatnonzero((self.kind >= 0) & ~decided & (same_reader | (read == 1)))
        group = self.item * (reader.max(initial=0) + 1) + reader if same_reader else self.item
        use = use[np.lexsort((read[use], reader[use], group[use]))]
        edges = np.flatnonzero(np.diff(group[use], prepend=-1, append=-1))
        begin = np.repeat(edges[:-1], np.diff(edges))
        clash = exclusive(protocol, self.sets, self.kind[use[begin]], self.kind[use])
        wanted = np.unique(begin[clash])
        end = dict(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        return [use[at : end[at]].tolist() for at in wanted.tolist()]


@Remembered
def first_reads(annotations: pa.Table, slides: pa.Table) -> Reads:
    """`reads_of` of first reads."""
    return reads_of(annotations, slides)


def reads_of(annotations: pa.Table, slides: pa.Table, *, repeats: bool = False) -> Reads:
    """Match objects on the images that were read more than once.

    Where an image has points, objects are one whose centers lie within 7.5 µm; else those with an
    IoU of at least 0.5. Points on an image of unknown scale are left out.

    Args:
        annotations: `tables.ANNOTATIONS`.
        slides: `tables.SLIDES`, for µm per px.
        repeats: match all reads, on images that a reader read again; by default first reads and
            what was adjudicated, on images of several readers.
    """
    table = _eligible(annotations, repeats)
    shapes = shapely.from_wkb(table["geometry"].to_numpy(zero_copy_only=False), on_invalid="ignore")
    table, shapes, middle, by_point = _usable(table, shapes, slides)
    item = np.full(len(table), -1, np.int64)
    read = pc.cast(table["read"], pa.string())
    who = pc.binary_join_element_wise(table["reader"], read, "\x1f").to_pylist()
    image = table["image"].to_pylist()
    whole = pc.equal(table["kind"], "whole").to_numpy()
    number = _codes(table["image"])
    item[whole] = number[whole]
    taken = int(number.max(initial=-1)) + 1
    for rows, points in (
        (np.flatnonzero(by_point & ~whole), True),
        (_rest(by_point, whole), False),
    ):
        own = ([who[r] for r in rows], [image[r] for r in rows])
        if points:
            x, y = middle[rows].T
            found = match_points(x, y, *own, MITOSIS_RADIUS_UM)
        else:
            found = match_shapes(shapes[rows], *own)
        item[rows] = found + taken
        taken = int(item.max(initial=taken - 1)) + 1
    kind, sets = label_sets(labels_of(table["labels"]))
    return Reads(table, item, shapes, kind, sets, _settled(table, item, annotations))


def ratings_of(marks: pa.Table, slides: pa.Table, *, objects: bool = False) -> Ratings | None:
    """What every reader said of every object, silence included; None where there are no reads.

    Args:
        marks: `rules.marks.MARKS`.
        slides: `tables.SLIDES`, for cases; an image without one is a case of its own.
        objects: leave out what was said of whole images.
    """
    table = marks.filter(pc.is_valid(marks["object"]))
    decided = pc.equal(table["basis"], "adjudicated")
    reader = pc.if_else(decided, REFERENCE, table["reader"])
    table = table.set_column(table.schema.get_field_index("reader"), "reader", reader)
    seen = table.select(["image", "reader"]).group_by(["image", "reader"]).aggregate([])
    if objects:
        table = table.filter(pc.not_equal(table["kind"], "whole"))
    if not len(table):
        return None
    image, number = _codes(table["image"]), table["object"].to_numpy()
    item = np.unique(image * (number.max() + 1) + number, return_inverse=True)[1]
    # Of two words of a reader about one whole image the first counts; CON004 tells of both.
    who = _codes(table["reader"])
    once = np.sort(np.unique(item * (who.max() + 1) + who, return_index=True)[1])
    table, item = table.take(pa.array(once)), item[once]
    images = pc.unique(table["image"])
    at = pc.index_in(images, slides["slide"].combine_chunks())
    case = pc.coalesce(slides["case"].combine_chunks().take(at), images)
    of, sets = label_sets(labels_of(table["labels"]))
    words = np.array([*(" + ".join(one) for one in sets), None], object)  # -1 is the last one
    said = words[np.where(table["cannot_judge"].to_numpy(), -1, of)]
    long = read_table(
        item,
        table["reader"].to_pylist(),
        said.tolist(),
        image=table["image"].to_pylist(),
        seen=seen,
        images=pa.table({"image": images, "case": case}),
    )
    return ratings(long)


def _settled(table: pa.Table, item: Whole, annotations: pa.Table) -> npt.NDArray[np.bool_]:
    """(M,) whether something adjudicated lies there, or was made from an annotation of there."""
    final = annotations.filter(pc.equal(annotations["basis"], "adjudicated"))
    parents = pc.list_flatten(final["parents"].combine_chunks())
    used = pc.is_in(table["annotation"], parents).to_numpy()
    decided = pc.equal(table["reader"], REFERENCE).to_numpy()
    found: npt.NDArray[np.bool_] = np.isin(item, item[used | decided])
    return found


def _rest(by_point: npt.NDArray[np.bool_], whole: npt.NDArray[np.bool_]) -> Whole:
    return np.flatnonzero(~by_point & ~whole)


def _eligible(annotations: pa.Table, repeats: bool) -> pa.Table:
    """Annotations of images with several reads; what was adjudicated is that of `REFERENCE`."""
    decided = pc.equal(annotations["basis"], "adjudicated")
    reader = pc.if_else(decided, REFERENCE, annotations["reader"])
    read = pc.if_else(decided, pa.scalar(1, pa.int16()), annotations["read"])
    at = annotations.schema.get_field_index
    table = annotations.set_column(at("reader"), "reader", reader)
    table = table.set_column(at("read"), "read", read)
    keep = pc.and_(pc.is_valid(table["image"]), pc.is_valid(table["reader"]))
    keep = pc.and_(keep, pc.is_in(table["kind"], pa.array(_SHAPES)))
    keep = pc.and_(keep, pc.not_equal(table["basis"], "proposed"))
    if not repeats:
        keep = pc.and_(keep, pc.equal(table["read"], 1))
    table = table.filter(keep)
    kinds = table.group_by(["image", "reader", "read"]).aggregate([])
    people = kinds.filter(pc.not_equal(kinds["reader"], REFERENCE))
    many = people.group_by(["image", "reader"] if repeats else "image")
    many = many.aggregate([([], "count_all")])
    images = many.filter(pc.greater(many["count_all"], 1))["image"].combine_chunks()
    return table.filter(pc.is_in(table["image"], images))


def _usable(
    table: pa.Table, shapes: Shapes, slides: pa.Table
) -> tuple[pa.Table, Shapes, npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """What can be matched; middles in µm; and whether it lies on an image with points."""
    number = _codes(table["image"])
    point = pc.equal(table["kind"], "point").to_numpy()
    on = np.zeros(int(number.max(initial=-1)) + 1, np.bool_)
    on[number[point]] = True
    by_point = on[number]
    at = pc.index_in(table["image"].combine_chunks(), slides["slide"].combine_chunks())
    mpp = [slides[n].combine_chunks().take(at).to_numpy(False) for n in ("mpp_x", "mpp_y")]
    centers = shapely.centroid(shapes)
    middle = np.stack([shapely.get_x(centers) * mpp[0], shapely.get_y(centers) * mpp[1]], axis=1)
    whole = pc.equal(table["kind"], "whole").to_numpy()
    fit = np.where(
        by_point, np.isfinite(middle).all(axis=1), shapely.is_valid(shapes) & _sized(shapes)
    )
    kept = np.flatnonzero(fit | whole)
    shapes, middle, by_point = shapes[kept], middle[kept], by_point[kept]
    return table.take(pa.array(kept)), shapes, middle, by_point


def _sized(shapes: Shapes) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = shapely.area(shapes) > 0
    return found


def _codes(column: pa.ChunkedArray) -> Whole:
    coded = pc.dictionary_encode(column.combine_chunks())
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)
