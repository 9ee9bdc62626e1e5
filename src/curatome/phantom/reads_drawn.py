"""Reads as annotations: points where a reader clicked, or outlines as that reader draws."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from curatome.phantom.objects import Floats, Whole
from curatome.phantom.outlines import OUTLINES, Shapes, redraw, scaled
from curatome.phantom.reads import Reads
from curatome.tables import ANNOTATIONS


@dataclass(frozen=True)
class Annotated:
    """One read as a tool would export it.

    Attributes:
        annotations: table `tables.ANNOTATIONS`.
        outlines: table `outlines.OUTLINES`; `outline` is the row of `annotations`, and `items`
            are the objects, none at a false positive.
    """

    annotations: pa.Table
    outlines: pa.Table


def points_of(reads: Reads, mpp: Floats) -> pa.Table:
    """A read as table `tables.ANNOTATIONS` of points.

    Args:
        reads: a read.
        mpp: (S,) scale of each slide, µm per level-0 px.
    """
    marks = reads.marks
    places = np.stack([marks.x, marks.y], axis=1) / mpp[marks.slide][:, None]
    return _annotations(reads, np.arange(len(places)), "point", shapely.points(places))


def outlines_of(reads: Reads, mpp: Floats, shapes: Shapes, seed: int) -> Annotated:
    """A read as polygons drawn by the reader's habit, with the margins of their time.

    Marks are merged only within a slide; the first of them gives the label. Where nothing is, the
    reader outlines a circle of the objects' median diameter.

    Args:
        reads: a read.
        mpp: (S,) scale of each slide, µm per level-0 px.
        shapes: (N,) true outline of every object, valid polygons, µm.
        seed: with the reader's name and the number of the read it decides the single line.

    Raises:
        ValueError: a shape is not a valid polygon.
    """
    marks, reader = reads.marks, reads.reader
    targets = _targets(reads, shapes)
    margins = reader.margins(marks.months, reads.session.guidelines)
    rng = np.random.default_rng([seed, reads.session.number, *reader.name.encode()])
    lines = rng.integers(1 << 32, size=len(mpp))
    drawn, held, tables = [np.empty(0, object)], [], []
    for slide in np.unique(marks.slide):
        rows = np.flatnonzero(marks.slide == slide)
        one = redraw(targets[rows], reader.habit, int(lines[slide]), margins[rows])
        drawn.append(scaled(one.shapes, np.full(len(one.shapes), 1 / mpp[slide])))
        held += [rows[items] for items in one.table["items"].to_pylist()]
        tables.append(one.table)
    first = np.array([rows[0] for rows in held], np.int64)
    annotations = _annotations(reads, first, "polygon", np.concatenate(drawn))
    items = [marks.item[rows][marks.item[rows] >= 0].tolist() for rows in held]
    truth = pa.concat_tables(tables or [OUTLINES.schema.empty_table()]).to_pydict()
    truth |= {"outline": list(range(len(items))), "items": items}
    return Annotated(annotations, OUTLINES.from_columns(truth))


def _targets(reads: Reads, shapes: Shapes) -> Shapes:
    """(M,) what each mark is about: the object's true outline, or a circle."""
    marks, out = reads.marks, np.empty(len(reads.marks.item), object)
    true = marks.item >= 0
    out[true] = shapes[marks.item[true]]
    if not true.all():
        points = shapely.points(np.stack([marks.x[~true], marks.y[~true]], axis=1))
        diameters = reads.objects.diameter
        out[~true] = shapely.buffer(points, float(np.median(diameters)) / 2)
    return out


def _annotations(reads: Reads, rows: Whole, kind: str, shapes: Shapes) -> pa.Table:
    """Marks `rows` as annotations."""
    table, count = reads.table().take(rows), len(rows)
    who = f"{reads.reader.name}/{reads.session.number}"
    return ANNOTATIONS.from_columns(
        {
            **dict.fromkeys(ANNOTATIONS.schema.names, pa.nulls(count)),
            "annotation": [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{who}/{k}")) for k in range(count)],
            "image": table["slide"].combine_chunks(),
            "kind": [kind] * count,
            "geometry": shapely.to_wkb(shapes).tolist(),
            "labels": [[label] for label in table["label"].to_pylist()],
            "cannot_judge": [False] * count,
            "confidence": table["confidence"].combine_chunks(),
            "reader": table["reader"].combine_chunks(),
            "read": table["number"].combine_chunks(),
            "guideline": table["guideline"].combine_chunks(),
            "time": table["time"].combine_chunks(),
            "tool": ["curatome"] * count,
            "basis": ["drawn"] * count,
            "parents": [[]] * count,
            "properties": ["{}"] * count,
        }
    )
