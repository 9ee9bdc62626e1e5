"""Mending shapes that can be mended without a person's eye. Offered, never done silently.

    found = problems(table, frames)
    table, repairs = repair(table, found, frames)

Each `Repair` has the shape before and after, for the store to record as an event that can be
undone. What can be mended, and what it does to the area:

    SYN003  a ring that does not end where it began is closed
    SYN004  an outline that crosses itself becomes the surface it winds around; the area never
            shrinks below that of the even-odd rule
    SYN005  holes outside of their shell go, holes that overlap are joined, and so are parts
    SYN008  what lies beyond the image is cut off (not of circles, ellipses and masks)
    SYN009  spikes go, with at most half a leg's length times sin 1° of area for each px of leg
    SYN010  parts of a multipolygon that are slivers go, if others remain
    SYN011  points that repeat the one before go; the area stays
    SYN012  shells wind clockwise as seen on the image, holes the other way; the area stays
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.check import load_shapes, slender
from curatome.annotations.formats.base import Frame, Frames
from curatome.annotations.rings import is_spike, repeats, vertices
from curatome.findings import Finding

_DONE = {
    "SYN003": "closed a ring",
    "SYN004": "filled an outline that crossed itself",
    "SYN005": "put holes and parts right",
    "SYN008": "cut it at the edge of its image",
    "SYN009": "took a spike off",
    "SYN010": "dropped parts that were slivers",
    "SYN011": "dropped repeated points",
    "SYN012": "turned rings",
}
REPAIRABLE = frozenset(_DONE)
_CUT = ("line", "box", "polygon", "multipolygon", "points")
_ROUNDS = 8
"""A cut can leave a spike, and a spike taken off can leave a repeated point."""


@dataclass(frozen=True)
class Repair:
    """What was done to one annotation.

    Attributes:
        annotation: its id.
        codes: of the findings that were mended.
        done: in words.
        before: geometry as it was, WKB.
        after: geometry as it is now, WKB.
        kind_before: a polygon that falls apart becomes a multipolygon.
        kind_after: likewise.
        area_change: area after less area before, level-0 px²; before by the even-odd rule.
    """

    annotation: str
    codes: tuple[str, ...]
    done: str
    before: bytes
    after: bytes
    kind_before: str
    kind_after: str
    area_change: float


def repair(
    table: pa.Table, problems: Iterable[Finding], frames: Frames | None = None
) -> tuple[pa.Table, tuple[Repair, ...]]:
    """A table with the shapes mended that the findings name, and what was done.

    An annotation of which nothing would remain is left as it is, and so is all that no finding of
    `REPAIRABLE` names.

    Args:
        table: `tables.ANNOTATIONS`.
        problems: what `check.problems` found, or those of it that a person chose.
        frames: the images, which shapes are cut to.
    """
    wanted: dict[str, set[str]] = {}
    for finding in problems:
        if finding.code in REPAIRABLE:
            wanted.setdefault(str(finding.evidence["annotation"]), set()).add(finding.code)
    ids = table["annotation"].to_pylist()
    rows = [row for row, name in enumerate(ids) if name in wanted]
    repairs = {}
    for row, held in zip(rows, table.take(rows).to_pylist(), strict=True):
        frame = (frames or Frames()).find(held["image"]) if held["image"] else None
        done = _mend(held["annotation"], held["kind"], held["geometry"], wanted[ids[row]], frame)
        if done is not None:
            repairs[row] = done
    return _with(table, repairs), tuple(repairs.values())


def _mend(
    name: str, kind: str, before: bytes, codes: set[str], frame: Frame | None
) -> Repair | None:
    shape = load_shapes(np.array([before], object))[0][0]
    if shape is None:
        return None
    now, done = shape, {"SYN003"} & codes
    for _ in range(_ROUNDS):
        start = now
        for code, step in _STEPS:
            if code not in codes:
                continue
            mended = step(now, kind, frame)
            if mended.is_empty:
                return None
            if not shapely.equals_identical(mended, now):
                now, done = mended, done | {code}
        if shapely.equals_identical(now, start):
            break
    if not done:
        return None
    told = ", ".join(_DONE[code] for code in sorted(done))
    return Repair(
        name,
        tuple(sorted(done)),
        f"{told[0].upper()}{told[1:]}.",
        before,
        shapely.to_wkb(now),
        kind,
        _kind(kind, now),
        float(now.area - even_odd_area(shape)),
    )


def even_odd_area(shape: shapely.Geometry) -> float:
    """Area of the points from which a ray crosses the outline an odd number of times."""
    total = shapely.make_valid(shape, method="linework")
    return float(total.area)


def _repeated(shape: shapely.Geometry, _kind: str, _frame: Frame | None) -> shapely.Geometry:
    return _without(shape, lambda points: repeats(points))


def _spikes(shape: shapely.Geometry, _kind: str, _frame: Frame | None) -> shapely.Geometry:
    def tips(points):  # type: ignore[no-untyped-def]
        return is_spike(points)
    return _without(shape, tips)


def _fill(shape: shapely.Geometry, _kind: str, _frame: Frame | None) -> shapely.Geometry:
    if shape.is_valid or shapely.get_dimensions(shape) != 2:
        return shape
    return _surface(shapely.make_valid(shape, method="structure", keep_collapsed=False))


def _cut(shape: shapely.Geometry, kind: str, frame: Frame | None) -> shapely.Geometry:
    if frame is None or kind not in _CUT or not shape.is_valid:
        return shape
    image = shapely.box(0, 0, frame.width, frame.height)
    if image.covers(shape):
        return shape
    cut = shape.intersection(image)
    return _surface(cut) if shapely.get_dimensions(shape) == 2 else cut
