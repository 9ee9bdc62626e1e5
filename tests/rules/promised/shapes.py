"""SYN001 to SYN014: outlines of the phantom that are broken in one way each."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import partial

import numpy as np
import shapely
from shapely import affinity

from curatome.findings import Finding
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.faults.tables import Draft, picked
from curatome.phantom.objects import ObjectDesign
from tests.rules.promised.trial import Promise, Trial, geometry, given, plant, rows_of, sizes

DESIGN = CleanDesign(ObjectDesign(cases=20, slides_per_case=1, objects_per_slide=20))

Spoil = Callable[[shapely.Polygon, tuple[float, float]], bytes]
"""(outline, size of its image in px) to the WKB of the spoiled one."""


def _ring(shape: shapely.Polygon) -> np.ndarray:
    return np.asarray(shape.exterior.coords)


def _polygon(points: np.ndarray) -> bytes:
    return shapely.to_wkb(shapely.Polygon(points))


def unreadable(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """The file broke off within the shape."""
    return shapely.to_wkb(shape)[:100]


def impossible(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """Numbers of another grid, far from any slide."""
    return shapely.to_wkb(affinity.translate(shape, 3e8, 0))


def open_ring(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """The last point, which closes the ring, was not written."""
    points = _ring(shape)[:-1]
    head = shapely.to_wkb(shape)[:9] + len(points).to_bytes(4, "little")
    return head + points.tobytes()


def self_crossing(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """Two points were exchanged."""
    points = _ring(shape).copy()
    points[[4, 16]] = points[[16, 4]]
    return _polygon(points)


def misfitting(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """A hole lies beside its shell."""
    left, _, right, _ = shape.bounds
    hole = affinity.translate(affinity.scale(shape, 0.3, 0.3), 2 * (right - left), 0)
    return shapely.to_wkb(shapely.Polygon(_ring(shape), [_ring(hole)]))


def no_extent(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """All points lie on one line."""
    points = _ring(shape).copy()
    points[:, 1] = points[0, 1]
    return _polygon(points)


def outside(shape: shapely.Polygon, size: tuple[float, float]) -> bytes:
    """The shape belongs to a larger image."""
    return shapely.to_wkb(affinity.translate(shape, size[0] + 100, 0))


def beyond_edge(shape: shapely.Polygon, size: tuple[float, float]) -> bytes:
    """Its middle lies on the image's right edge."""
    return shapely.to_wkb(affinity.translate(shape, size[0] - shape.centroid.x, 0))


def spike(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """The pen slipped, out and back."""
    points = _ring(shape)
    out = points[8] + 4 * (points[8] - np.asarray(shape.centroid.coords)[0])
    return _polygon(np.insert(points, 9, [out, points[8]], axis=0))


def sliver(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """What remained where two outlines were subtracted from each other."""
    left, _, right, _ = shape.bounds
    y = shape.centroid.y
    return shapely.to_wkb(shapely.box(left, y, right, y + 0.3))


def repeated(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """One point was written twice."""
    points = _ring(shape)
    return _polygon(np.insert(points, 5, points[5], axis=0))


def wrong_winding(shape: shapely.Polygon, _: tuple[float, float]) -> bytes:
    """A hole winds as its shell does."""
    shell = shapely.orient_polygons(shape)
    hole = affinity.scale(shell, 0.4, 0.4)
    return shapely.to_wkb(shapely.Polygon(_ring(shell), [_ring(hole)]))


def _spoiled(spoil: Spoil) -> Callable[..., Draft]:
    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        held = draft.tables.annotations
        able = np.flatnonzero(np.asarray(held["kind"]) == "polygon")
        rows = able[picked(rng, len(able), strength)]
        size = sizes(draft.tables)
        image = held["image"].take(rows).to_pylist()
        pairs = zip(geometry(draft, rows), image, strict=True)
        news = [spoil(shape, size[name]) for shape, name in pairs]
        return draft.change("annotations", rows, {"geometry": news})

    apply.__name__ = spoil.__name__
    return apply


def copied(factor: float) -> Callable[..., Draft]:
    """Outlines are there twice, the second one scaled about its middle."""

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        held = draft.tables.annotations
        able = np.flatnonzero(np.asarray(held["kind"]) == "polygon")
        names = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in able]
        hit = picked(rng, len(able), strength)
        rows = held.take(able[hit]).to_pylist()
        shapes = [affinity.scale(one, factor, factor) for one in geometry(draft, able[hit])]
        added = [
            row | {"annotation": names[k], "geometry": shapely.to_wkb(shape)}
            for k, row, shape in zip(hit, rows, shapes, strict=True)
        ]
        return draft.add("annotations", added, [row["annotation"] for row in rows])

    return apply


def _annotation(finding: Finding) -> set[str]:
    return {finding.subject.removeprefix("annotation ")}


def _broken(apply: Callable[..., Draft], strength: float, seed: int) -> Trial:
    tables = make_tables(DESIGN, seed)
    planted = plant(apply, tables, strength, seed)
    return Trial(given(planted.tables), rows_of(planted), named=_annotation)


def _twice(factor: float, strength: float, seed: int) -> Trial:
    """Either of two copies may be named: what counts is that the pair is."""
    planted = plant(copied(factor), make_tables(DESIGN, seed), strength, seed)
    pairs = dict(zip(*(planted.changes[n].to_pylist() for n in ("row", "source")), strict=True))

    def named(finding: Finding) -> set[str]:
        (name,) = _annotation(finding)
        return {pairs.get(name, name)}

    return Trial(given(planted.tables), frozenset(pairs.values()), named=named)


_BROKEN = (
    ("SYN001", "shape broken off", unreadable),
    ("SYN002", "coordinate beyond any slide", impossible),
    ("SYN003", "ring left open", open_ring),
    ("SYN004", "two points exchanged", self_crossing),
    ("SYN005", "hole beside its shell", misfitting),
    ("SYN006", "all points on a line", no_extent),
    ("SYN007", "shape beside its image", outside),
    ("SYN008", "shape across an edge", beyond_edge),
    ("SYN009", "spike", spike),
    ("SYN010", "sliver of 0.3 px", sliver),
    ("SYN011", "point repeated", repeated),
    ("SYN012", "hole winding as its shell", wrong_winding),
)
_SHARE = "share of the outlines"
PROMISES = (
    *(
        Promise(code, f"{what}, {_SHARE}", partial(_broken, _spoiled(spoil)), 0.1, (0.01, 0.5), 2,
                exact=True)
        for code, what, spoil in _BROKEN
    ),
    Promise("SYN013", f"outline drawn twice, {_SHARE}", partial(_twice, 1.0), 0.1, (0.01, 0.5), 2,
            exact=True),
    Promise("SYN014", f"outline drawn again at 0.99 of its size, {_SHARE}", partial(_twice, 0.99),
            0.1, (0.01, 0.5), 2, exact=True),
)  # fmt: skip
