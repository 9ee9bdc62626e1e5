"""Weighted boxes fusion: one box from the boxes that readers drew around an object.

Solovyev, Wang & Gabruseva 2021, 10.1016/j.imavis.2021.104117. Their clustering depends on the
order of the boxes; here objects come from `matching`, which does not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely

from curatome.agreement.consensus.marks import Marks, fused_table
from curatome.errors import AnnotationError

Floats = npt.NDArray[np.float64]


def fuse_boxes(boxes: Floats, of: Marks) -> pa.Table:
    """The mean of each object's boxes, weighted by confidence and reader.

    Each edge is Σ w c x / Σ w c over the marks, with the reader's weight w and the mark's
    confidence c.

    Args:
        boxes: (M, 4) left, top, right and bottom, level-0 pixels.
        of: the marks.

    Returns:
        The table `tables.FUSED`.

    Raises:
        AnnotationError: a box is empty, or turned inside out.
    """
    flat = np.flatnonzero((boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1]))
    if len(flat):
        raise AnnotationError(
            f"box {flat[0]} of item {of.item[flat[0]]} has no area: {boxes[flat[0]].tolist()}. "
            "A box is left, top, right and bottom."
        )
    count = len(of.looked)
    weight = of.weight[of.reader] * of.confidence
    total = np.bincount(of.item, weight, count)
    sums = [np.bincount(of.item, weight * edge, count) for edge in boxes.T]
    with np.errstate(invalid="ignore"):
        edges = np.stack(sums, axis=1) / total[:, None]
    return fused_table(of, shapely.box(*boxes.T), shapely.box(*edges.T), ["mean of boxes"] * count)
