"""What is wrong with the shapes of annotations: findings SYN001 to SYN014.

`problems` looks and changes nothing; `annotations.repair` mends those that can be mended without
a person's eye. Shapes are looked at a hundred thousand at a time, in bulk.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import shapely

from curatome.annotations import model
from curatome.annotations.copies import MANY, Drawn, near_copies, same_shapes
from curatome.annotations.formats.base import Frames
from curatome.annotations.rings import THINNEST, is_spike, repeats, slender, vertices, wound
from curatome.findings import Finding, Place, Severity

Shapes = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FARTHEST = 1e7
"""Level-0 px; the largest slides have about half a million."""
_BEYOND = 0.01
"""Level-0 px by which rounding may put a shape outside its image."""
_CHUNK = 100_000
_LOCATION = re.compile(r"\[(\S+) (\S+)\]")

_TYPES: dict[str, frozenset[shapely.GeometryType]] = {
    "point": frozenset({shapely.GeometryType.POINT}),
    "points": frozenset({shapely.GeometryType.MULTIPOINT}),
    "line": frozenset({shapely.GeometryType.LINESTRING, shapely.GeometryType.MULTILINESTRING}),
    "multipolygon": frozenset({shapely.GeometryType.MULTIPOLYGON}),
}
_POLYGON = frozenset({shapely.GeometryType.POLYGON})
_CLASHES = ("Self-intersection", "Ring Self-intersection")

CODES: dict[str, tuple[Severity, str]] = {
    "SYN001": (Severity.ERROR, "Draw it again, or import it from a sound file."),
    "SYN002": (Severity.ERROR, "Import it from a sound file; check unit and image."),
    "SYN003": (Severity.WARNING, "`curatome check --fix` closes it; look at it first."),
    "SYN004": (Severity.ERROR, "`curatome check --fix` fills the outline; or draw it again."),
    "SYN005": (Severity.ERROR, "`curatome check --fix` mends holes and parts; or draw it again."),
    "SYN006": (Severity.ERROR, "Delete it, or draw it again."),
    "SYN007": (Severity.ERROR, "Check that it belongs to this image, and its unit and level."),
    "SYN008": (Severity.WARNING, "`curatome check --fix` cuts it at the edge; or leave it."),
    "SYN009": (Severity.WARNING, "`curatome check --fix` takes the spike off."),
    "SYN010": (Severity.WARNING, "Delete it; of several parts, `curatome check --fix` drops it."),
    "SYN011": (Severity.NOTE, "`curatome check --fix` drops the repetitions."),
    "SYN012": (Severity.NOTE, "`curatome check --fix` turns the rings."),
    "SYN013": (Severity.WARNING, "Delete one of the two."),
    "SYN014": (Severity.WARNING, "Look at both and delete one."),
}
"""What each code means: how much it matters, and what to do."""


@dataclass(frozen=True)
class _Chunk:
    """Shapes that are looked at together; all arrays have one entry per shape."""

    ids: npt.NDArray[np.object_]
    kinds: npt.NDArray[np.object_]
    shapes: Shapes
    bounds: Floats
    sizes: Floats
    sound: Flags
    valid: Flags

    @property
    def usable(self) -> Shapes:
        """The shapes, None for those that are not sound."""
        shapes = self.shapes.copy()
        shapes[~self.sound] = None
        return shapes


def problems(table: pa.Table, frames: Frames | None = None) -> list[Finding]:
    """Everything that is wrong with the shapes of a table, by code and row.

    Args:
        table: `tables.ANNOTATIONS`.
        frames: the images, to tell what lies outside of them; those not known are not checked.
    """
    drawn = table.filter(table["geometry"].is_valid())
    sizes = _sizes(drawn, frames or Frames())
    found: list[Finding] = []
    there = np.ones(len(drawn), np.bool_)
    bounds, areas = np.full((len(drawn), 4), np.nan), np.zeros(len(drawn))

    def look_at(start: int) -> list[Finding]:
        rows = drawn.slice(start, _CHUNK)
        part = slice(start, start + len(rows))
        closer = np.arange(len(rows))
        if len(drawn) >= MANY:
            plain, bounds[part], areas[part] = _plain(rows, sizes[part])
            closer = np.flatnonzero(~plain)
        chunk, seen = _load(rows.take(pa.array(closer)), sizes[part][closer])
        there[start + closer], bounds[start + closer] = chunk.sound, chunk.bounds
        areas[start + closer] = shapely.area(chunk.shapes)
        for look in (_validity, _extent, _outside, _drawing, _winding):
            seen += look(chunk)
        return seen

    # Machine code, Shapely and NumPy leave the interpreter free, so that threads help.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for seen in pool.map(look_at, range(0, len(drawn), _CHUNK)):
            found += seen
    found += _copies(drawn, bounds, areas, there)
    return sorted(found, key=lambda finding: finding.code)


def _plain(rows: pa.Table, sizes: Floats) -> tuple[Flags, Floats, Floats]:
    """Which outlines need no closer look, their bounds and areas."""
    from curatome.annotations.plain import glance

    seen = glance(rows["geometry"].combine_chunks(), FARTHEST, THINNEST)
    kinds = rows["kind"].combine_chunks()
    plain = seen.plain & pc.is_in(kinds, pa.array(["polygon", "box"])).to_numpy(False)
    plain &= ~_beyond(seen.bounds, sizes)
    return plain, seen.bounds, seen.area


def load_shapes(wkb: npt.NDArray[np.object_]) -> tuple[Shapes, Flags]:
    """Shapes in two dimensions, rings closed; None where there is no reading it.

    Args:
        wkb: (N,) of bytes.

    Returns:
        (N,) shapes, (N,) bool whether rings had to be closed.
    """
    with np.errstate(invalid="ignore"):
        shapes = shapely.force_2d(shapely.from_wkb(wkb, on_invalid="ignore"))
    opened = np.zeros(len(wkb), np.bool_)
    for row in np.flatnonzero(shapely.is_missing(shapes)):
        try:
            shapes[row] = shapely.force_2d(shapely.from_wkb(wkb[row], on_invalid="fix"))
        except shapely.errors.GEOSException:
            continue
        opened[row] = shapes[row] is not None
    return shapes, opened


def _load(rows: pa.Table, sizes: Floats) -> tuple[_Chunk, list[Finding]]:
    ids, kinds = _objects(rows["annotation"]), _objects(rows["kind"])
    shapes, opened = load_shapes(_objects(rows["geometry"]))
    usable = _fits_kind(shapes, kinds)
    bounds, valid = shapely.bounds(shapes), shapely.is_valid(shapes)
    far = usable & ~_reasonable(shapes, bounds, valid)
    sound = usable & ~far
    chunk = _Chunk(ids, kinds, shapes, bounds, sizes, sound, valid)
    found = [
        _finding("SYN001", chunk, row, f"is no {kinds[row]}{_but(shapes[row])}")
        for row in np.flatnonzero(~usable)
    ]
    found += [
        _finding("SYN002", chunk, row, "has coordinates that are not finite or beyond any slide")
        for row in np.flatnonzero(far)
    ]
    found += [
        _finding("SYN003", chunk, row, "has a ring that does not end where it began")
        for row in np.flatnonzero(opened & sound)
    ]
    return chunk, found


def _fits_kind(shapes: Shapes, kinds: npt.NDArray[np.object_]) -> Flags:
    """(N,) bool: a shape that is not empty and of a type that its kind may have."""
    types = shapely.get_type_id(shapes)
    fits = np.zeros(len(shapes), np.bool_)
    for kind in set(kinds):
        allowed = [int(one) for one in _TYPES.get(kind, _POLYGON)]
        fits |= (kinds == kind) & np.isin(types, allowed)
    return np.asarray(fits & ~shapely.is_empty(shapes))


def _reasonable(shapes: Shapes, bounds: Floats, valid: Flags) -> Flags:
    with np.errstate(invalid="ignore"):
        good = np.asarray((np.abs(bounds) <= FARTHEST).all(axis=1))
    # Bounds pass over NaN, but no shape with NaN is valid.
    suspects = np.flatnonzero(~valid)
    points, owner = shapely.get_coordinates(shapes[suspects], return_index=True)
    good[suspects[owner[~np.isfinite(points).all(axis=1)]]] = False
    return good


def _validity(chunk: _Chunk) -> Iterator[Finding]:
    wrong = np.flatnonzero(chunk.sound & ~chunk.valid)
    for row, reason in zip(wrong, shapely.is_valid_reason(chunk.shapes[wrong]), strict=True):
        if not _area(chunk.shapes[row]):
            continue
        where = _LOCATION.search(reason)
        place = Place(float(where[1]), float(where[2])) if where else None
        what = reason.split("[")[0]
        if what in _CLASHES:
            at = f" at ({place.x:,.1f}, {place.y:,.1f})" if place else ""
            yield _finding("SYN004", chunk, row, f"crosses itself{at}", place)
        else:
            told = f"has holes or parts that do not fit together: {what.lower()}"
            yield _finding("SYN005", chunk, row, told, place)


def _extent(chunk: _Chunk) -> Iterator[Finding]:
    """Nothing to measure, or too thin."""
    flat = shapely.get_dimensions(chunk.shapes)
    area, length = shapely.area(chunk.shapes), shapely.length(chunk.shapes)
    little = chunk.sound & (((flat == 2) & (area < 1e-6)) | ((flat == 1) & (length == 0)))
    nothing = np.zeros(len(little), np.bool_)
    for row in np.flatnonzero(little):
        # The two halves of an eight cancel each other.
        nothing[row] = flat[row] == 1 or _area(chunk.shapes[row]) < 1e-6
        if nothing[row]:
            what = "length" if flat[row] == 1 else "area"
            yield _finding("SYN006", chunk, row, f"has no {what}")
    parts, owner = shapely.get_parts(chunk.shapes, return_index=True)
    slivers = (shapely.get_dimensions(parts) == 2) & (chunk.sound & ~nothing)[owner]
    slivers &= slender(parts)
    slivers[slivers] = shapely.is_valid(parts[slivers])
    for row in np.unique(owner[slivers]):
        count = int(slivers[owner == row].sum())
        parts_told = "is" if chunk.kinds[row] != "multipolygon" else f"has {count} parts"
        told = f"{parts_told} less than {THINNEST} px wide on average"
        yield _finding("SYN010", chunk, row, told)


def _outside(chunk: _Chunk) -> Iterator[Finding]:
    bounds = chunk.bounds
    known = chunk.sound & ~np.isnan(chunk.sizes).any(axis=1)
    leaves = known & _beyond(bounds, chunk.sizes)
    for row in np.flatnonzero(leaves & np.isin(chunk.kinds, ("circle", "ellipse"))):
        bounds[row] = shapely.bounds(model.outline(chunk.kinds[row], chunk.shapes[row]))
    leaves = known & _beyond(bounds, chunk.sizes)
    for row in np.flatnonzero(leaves):
        width, height = chunk.sizes[row]
        image = f"its image of {width:,.0f} × {height:,.0f} px"
        if (bounds[row, :2] >= chunk.sizes[row]).any() or (bounds[row, 2:] <= 0).any():
            yield _finding("SYN007", chunk, row, f"lies outside of {image}")
        else:
            by = max(*-bounds[row, :2], *(bounds[row, 2:] - chunk.sizes[row]))
            told = f"reaches {by:,.1f} px beyond {image}"
            yield _finding("SYN008", chunk, row, told, beyond=float(by))


def _beyond(bounds: Floats, sizes: Floats) -> Flags:
    with np.errstate(invalid="ignore"):
        low = (bounds[:, :2] < -_BEYOND).any(axis=1)
        return np.asarray(low | (bounds[:, 2:] > sizes + _BEYOND).any(axis=1))


def _drawing(chunk: _Chunk) -> Iterator[Finding]:
    """Spikes and repeated points."""
    points = vertices(chunk.usable)
    again = repeats(points)
    for row, count in zip(*np.unique(points.shape[again], return_counts=True), strict=True):
        told = f"has {count:,} points that repeat the one before"
        yield _finding("SYN011", chunk, row, told, points=int(count))
    if again.any():
        points = points.only(~again)
    tips = is_spike(points)
    rows, firsts = np.unique(points.shape[tips], return_index=True)
    for row, first in zip(rows, firsts, strict=True):
        x, y = points.xy[tips][first]
        told = f"has a spike without area at ({x:,.1f}, {y:,.1f})"
        yield _finding("SYN009", chunk, row, told, Place(float(x), float(y)))


def _winding(chunk: _Chunk) -> Iterator[Finding]:
    for row in np.flatnonzero(chunk.sound & ~wound(chunk.usable)):
        told = "has rings that do not wind as shells and holes should, one against the other"
        yield _finding("SYN012", chunk, row, told)


def _copies(drawn: pa.Table, bounds: Floats, areas: Floats, there: Flags) -> Iterator[Finding]:
    def load(rows: npt.NDArray[np.int64]) -> Shapes:
        return load_shapes(_objects(drawn["geometry"].take(pa.array(rows))))[0]

    def finding(code: str, row: int, first: int, told: str, **evidence: Any) -> Finding:
        name, other = (drawn["annotation"][at].as_py() for at in (row, first))
        mine, its = (", ".join(drawn["labels"][at].as_py()) or "nothing" for at in (row, first))
        called = "" if mine == its else f", and is called {mine}, not {its}"
        what = drawn["kind"][row].as_py(), told.format(f"annotation {other}") + called
        return _made(code, name, what, _place(bounds[row]), {"of": other, **evidence})

    outlines = Drawn(bounds, areas, _groups(drawn), load)
    for row, first in same_shapes(outlines, there):
        there[row] = False
        yield finding("SYN013", row, first, "is the same shape as {}")
    for row, first, overlap in near_copies(outlines, there):
        told = f"covers the same as {{}} but for {1 - overlap:.1%}"
        yield finding("SYN014", row, first, told, iou=overlap)


def _groups(drawn: pa.Table) -> npt.NDArray[np.int64]:
    """(N,) one number for each image, reader, read and kind."""
    group = np.zeros(len(drawn), np.int64)
    for name in ("image", "reader", "read", "kind"):
        codes = drawn[name].combine_chunks().dictionary_encode("encode").indices
        codes = codes.to_numpy(zero_copy_only=False).astype(np.int64)
        group = np.unique(group * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    return group


def _sizes(drawn: pa.Table, frames: Frames) -> Floats:
    """(N, 2) width and height of each shape's image, NaN where unknown."""
    encoded = drawn["image"].combine_chunks().dictionary_encode("encode")
    found = [
        frames.find(name) if name is not None else None for name in encoded.dictionary.to_pylist()
    ]
    pairs = [(one.width, one.height) if one else (np.nan, np.nan) for one in found]
    known = np.asarray(pairs, np.float64).reshape(-1, 2)
    sizes: Floats = known[encoded.indices.to_numpy(zero_copy_only=False)]
    return sizes


def _finding(
    code: str, chunk: _Chunk, row: Any, told: str, place: Place | None = None, **evidence: Any
) -> Finding:
    what = str(chunk.kinds[row]), told
    place = place or _place(chunk.bounds[row])
    return _made(code, str(chunk.ids[row]), what, place, evidence)


def _made(
    code: str, name: str, what: tuple[str, str], place: Place | None, evidence: dict[str, Any]
) -> Finding:
    severity, remedy = CODES[code]
    kind, told = what
    return Finding(
        code,
        severity,
        f"annotation {name}",
        f"{kind} {told}.",
        remedy,
        place,
        {"annotation": name, **evidence},
    )


def _place(bounds: Floats) -> Place | None:
    if not np.isfinite(bounds).all():
        return None
    left, top, right, bottom = (float(value) for value in bounds)
    return Place(left, top, right - left, bottom - top)


def _area(shape: shapely.Geometry) -> float:
    return float(shapely.make_valid(shape, method="structure", keep_collapsed=False).area)


def _but(shape: shapely.Geometry | None) -> str:
    if shape is None:
        return ", and no other shape either"
    return " but empty" if shape.is_empty else f" but a {shape.geom_type}"


def _objects(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    found: npt.NDArray[np.object_] = column.to_numpy().astype(object)
    return found
