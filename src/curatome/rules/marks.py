"""Annotations without their shapes: all that rules about the whole dataset look at.

A mark says of one annotation what was measured of its shape, and which object it is about. It
depends on the annotations of its image alone, so that `curatome check` keeps the marks of images
that have not changed, and a rule about a million annotations needs to read no shape again.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curatome.rules.measured import measured
from curatome.rules.reads import first_reads
from curatome.rules.remembered import Remembered
from curatome.rules.rule import Inputs
from curatome.tables import ANNOTATIONS, Column, TableSpec

Floats = npt.NDArray[np.float64]

VERSION = 1
"""Raised when marks of the same annotations become others."""

_SAME = (
    "annotation",
    "image",
    "kind",
    "labels",
    "cannot_judge",
    "reader",
    "read",
    "guideline",
    "time",
    "basis",
)
EDGES = ("left", "top", "right", "bottom")

MARKS = TableSpec(
    "marks",
    (
        *(column for column in ANNOTATIONS.columns if column.name in _SAME),
        *(Column(edge, pa.float64(), "edge of its box; NaN: none", "level-0 px") for edge in EDGES),
        Column("area", pa.float64(), "of its shape; NaN: none", "px²"),
        Column("filled", pa.bool_(), "its shape is valid and has an area"),
        Column("object", pa.int64(), "on its image, if several readers read that", nullable=True),
    ),
)


def marks(inputs: Inputs) -> pa.Table:
    """`MARKS` of all annotations: those that are given, or made of the annotations that are."""
    if inputs.marks is not None:
        return inputs.marks
    return marks_of(inputs.annotations, inputs.slides)


@Remembered
def marks_of(annotations: pa.Table, slides: pa.Table) -> pa.Table:
    """`MARKS` of annotations, in their order.

    Circles, ellipses and masks are measured as they lie on the image.

    Args:
        annotations: `tables.ANNOTATIONS`.
        slides: `tables.SLIDES` of their images, for µm per px.
    """
    found = measured(annotations)
    columns = {name: annotations[name].combine_chunks() for name in _SAME}
    columns |= dict(zip(EDGES, found.bounds.T, strict=True))
    columns |= {"area": found.area, "filled": found.filled}
    return MARKS.from_columns(columns | {"object": _objects(annotations, slides)})


def bounds_of(table: pa.Table) -> Floats:
    """(N, 4) left, top, right, bottom of marks, level-0 px."""
    return np.stack([table[edge].to_numpy() for edge in EDGES], axis=1)


def _objects(annotations: pa.Table, slides: pa.Table) -> pa.Array:
    """The number of the object of each annotation, of first reads that were matched."""
    reads = first_reads(annotations, slides)
    if not len(reads.item):
        return pa.nulls(len(annotations), pa.int64())
    at = pc.index_in(annotations["annotation"], reads.table["annotation"].combine_chunks())
    return pa.array(reads.item).take(at.combine_chunks())
