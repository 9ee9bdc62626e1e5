"""Bounds and areas of all shapes of a table: several rules ask for them, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.annotations.check import FARTHEST, load_shapes
from curatome.annotations.plain import glance
from curatome.annotations.rings import THINNEST

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of N annotations; NaN of whole images and of what cannot be read.

    Attributes:
        bounds: (N, 4) left, top, right, bottom, level-0 px.
        area: (N,) level-0 px².
    """

    bounds: Floats
    area: Floats


_last: tuple[pa.Table | None, Measured] = (None, Measured(np.zeros((0, 4)), np.zeros(0)))


def measured(annotations: pa.Table) -> Measured:
    """Bounds and areas; those of the table that was asked for last are at hand.

    Args:
        annotations: `tables.ANNOTATIONS`.
    """
    global _last  # noqa: PLW0603 - of one table, until another one is asked for
    if _last[0] is not annotations:
        _last = (annotations, _measure(annotations))
    return _last[1]


def _measure(annotations: pa.Table) -> Measured:
    count = len(annotations)
    bounds, area = np.full((count, 4), np.nan), np.full(count, np.nan)
    there = np.flatnonzero(pc.is_valid(annotations["geometry"]).to_numpy(zero_copy_only=False))
    wkb = annotations["geometry"].drop_null()
    start = 0
    for chunk in wkb.chunks:
        rows = there[start : start + len(chunk)]
        start += len(chunk)
        if not len(chunk):
            continue
        seen = glance(chunk, FARTHEST, THINNEST)
        bounds[rows], area[rows] = seen.bounds, np.where(seen.plain, seen.area, np.nan)
        rest = np.flatnonzero(~seen.plain)
        content = chunk.take(pa.array(rest)).to_numpy(zero_copy_only=False).astype(object)
        shapes, _ = load_shapes(content)
        bounds[rows[rest]], area[rows[rest]] = shapely.bounds(shapes), shapely.area(shapes)
    return Measured(bounds, area)
