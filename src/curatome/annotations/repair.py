"""Mending shapes that can be mended without a person's eye. Offered, never done silently.

    found = problems(table, frames)
    table, repairs = repair(table, found, frames)

Each `Repair` has the shape before and after, for the store to record as an event that can be
undone. What can be mended, and what it does to the area:

    SYN003  a ring that does not end where it began is closed
    SYN004  an outline that crosses itself becomes the surface it winds around (the nonzero rule),
            which holds all that the even-odd rule holds and lies in its convex hull
    SYN005  holes outside of their shell go, holes that overlap are joined, and so are parts
    SYN008  what lies beyond the image is cut off (not of circles, ellipses and masks)
    SYN009  spikes go, with at most half a leg's length times sin 1° of area for each px of leg
    SYN010  parts of a multipolygon that are slivers go, if others remain
    SYN011  points that repeat the one before go; the area stays
    SYN012  shells wind counter-clockwise in their numbers, as RFC 7946 has it, so clockwise to the
            eye, and holes the other way; the area stays
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import shapely

from curatome.annotations.check import load_shapes
from curatome.annotations.formats.base import Frame, Frames
from curatome.annotations.rings import Vertices, is_spike, redrawn, repeats, slender
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
_SURFACES = ("polygon", "multipolygon")
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
        area_change: area after less area before, level-0 px²; of an outline that crosses itself
            by the shoelace formula, in which the halves of an eight cancel each other.
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
    for row, held in zip(rows, table.take(pa.array(rows, pa.int64())).to_pylist(), strict=True):
        frame = (frames or Frames()).find(held["image"]) if held["image"] else None
        done = _mend(held["annotation"], held["kind"], held["geometry"], wanted[ids[row]], frame)
        if done is not None:
            repairs[row] = done
    return _with(table, repairs), tuple(repairs.values())


def _mend(
    name: str, kind: str, before: bytes, codes: set[str], frame: Frame | None
) -> Repair | None:
    """One annotation; None if nothing can be done, or nothing of it would remain."""
    shape = load_shapes(np.array([before], object))[0][0]
    if shape is None or (kind in _SURFACES and not _fill(shape, kind, frame).area):
        return None
    now, becomes, done = shape, kind, {"SYN003"} & codes
    for _ in range(_ROUNDS):
        start = now
        for code, step in _STEPS:
            if code not in codes:
                continue
            mended = step(now, becomes, frame)
            if not shapely.equals_identical(mended, now):
                becomes, now = _as_kind(becomes, mended)
                done = done | {code}
            if now.is_empty:
                return None
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
        becomes,
        float(now.area - shape.area),
    )


def _repeated(shape: shapely.Geometry, _kind: str, _frame: Frame | None) -> shapely.Geometry:
    return redrawn(shape, lambda curve: curve.only(~repeats(curve)))


def _spikes(shape: shapely.Geometry, _kind: str, _frame: Frame | None) -> shapely.Geometry:
    return redrawn(shape, _blunted)


def _blunted(curve: Vertices) -> Vertices:
    """Without its spikes, one after the other, as each may uncover the next."""
    while (tips := np.flatnonzero(is_spike(curve))).size:
        curve = curve.only(np.arange(len(curve.xy)) != tips[0])
        curve = curve.only(~repeats(curve))
    return curve


def _fill(shape: shapely.Geometry, kind: str, _frame: Frame | None) -> shapely.Geometry:
    if kind not in _SURFACES or shape.is_valid:
        return shape
    parts = [_wound_around(*shapely.get_rings(part)) for part in shapely.get_parts(shape)]
    return shapely.union_all(parts)


def _wound_around(shell: shapely.Geometry, *holes: shapely.Geometry) -> shapely.Geometry:
    """The surface that a shell winds around, less those that its holes wind around."""
    surfaces = [
        shapely.make_valid(shapely.Polygon(ring), method="structure", keep_collapsed=False)
        for ring in (shell, *holes)
    ]
    return shapely.difference(surfaces[0], shapely.union_all(surfaces[1:]))


def _cut(shape: shapely.Geometry, kind: str, frame: Frame | None) -> shapely.Geometry:
    if frame is None or kind not in _CUT or not shape.is_valid:
        return shape
    image = shapely.box(0, 0, frame.width, frame.height)
    return shape if image.covers(shape) else shape.intersection(image)


def _slivers(shape: shapely.Geometry, kind: str, _frame: Frame | None) -> shapely.Geometry:
    parts = shapely.get_parts(shape)
    thin = slender(parts) & shapely.is_valid(parts)
    if kind not in _SURFACES or not thin.any() or thin.all():
        return shape
    return shapely.multipolygons(parts[~thin])


def _turn(shape: shapely.Geometry, kind: str, _frame: Frame | None) -> shapely.Geometry:
    return shapely.orient_polygons(shape) if kind in _SURFACES else shape


_Step = Callable[[shapely.Geometry, str, Frame | None], shapely.Geometry]
_STEPS: tuple[tuple[str, _Step], ...] = (
    ("SYN011", _repeated),
    ("SYN009", _spikes),
    ("SYN004", _fill),
    ("SYN005", _fill),
    ("SYN008", _cut),
    ("SYN010", _slivers),
    ("SYN012", _turn),
)


def _as_kind(kind: str, shape: shapely.Geometry) -> tuple[str, shapely.Geometry]:
    """The kind and shape that remain: only what has the kind's dimension, in its type."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    dimension = 0 if kind == "points" else 1 if kind == "line" else 2
    parts = parts[(shapely.get_dimensions(parts) == dimension) & ~shapely.is_empty(parts)]
    if kind == "points":
        return kind, shapely.multipoints(parts)
    if kind == "multipolygon" or (len(parts) > 1 and kind == "polygon"):
        return "multipolygon", shapely.multipolygons(parts)
    if len(parts) == 1:
        return kind, parts[0]
    return kind, shapely.multilinestrings(parts) if kind == "line" else shapely.Polygon()


def _with(table: pa.Table, repairs: Mapping[int, Repair]) -> pa.Table:
    for name, of in (("geometry", "after"), ("kind", "kind_after")):
        values = table[name].to_pylist()
        for row, done in repairs.items():
            values[row] = getattr(done, of)
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        table = table.set_column(at, field, pa.array(values, field.type))
    return table
