"""CLN, SIZ and CMP002: lines beside their edge, what regions hold, and sizes."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
import shapely
from shapely import affinity

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.findings import Finding
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.faults.tables import Draft, picked
from curatome.phantom.objects import ObjectDesign
from curatome.phantom.readers import Habit
from tests.rules.clean import pictures
from tests.rules.datasets import protocol_of
from tests.rules.promised.sections import beside, on_the_edge, section
from tests.rules.promised.trial import Promise, Trial, geometry, given, plant, rows_of
from tests.rules.size.textures import squares, textured

PLAIN = CleanDesign(ObjectDesign(cases=20, slides_per_case=2, objects_per_slide=20))
REGIONS = CleanDesign(
    ObjectDesign(
        cases=10, slides_per_case=1, objects_per_slide=9, diameters_um=(200.0,),
        size_um=(4000.0, 4000.0),
    ),
    boxes=1.0,
)  # fmt: skip


_WIDE_UM = 6.0


def _annotation(finding: Finding) -> list[str]:
    return [finding.evidence["annotation"]]


def _loose(margin: float, seed: int) -> Trial:
    return _drawn(Habit(margin_um=margin), seed)


def _tight(margin: float, seed: int) -> Trial:
    return _drawn(Habit(margin_um=-margin), seed)


def _shifted(shift: float, seed: int) -> Trial:
    """Promised are nuclei of some width: a narrow one that slides along itself looks the same."""
    trial = _drawn(Habit(shift_um=(shift, 0.0)), seed)
    wide = {f"a{k}" for k, one in enumerate(pictures.field(seed).shapes) if _width(one) >= _WIDE_UM}
    return replace(trial, planted=trial.planted & wide, beside=trial.planted)


def _width(shape: shapely.Polygon) -> float:
    """Shorter side of the smallest rectangle around a shape."""
    corners = np.asarray(shapely.oriented_envelope(shape).exterior.coords)
    return float(np.hypot(*np.diff(corners, axis=0).T).min())


def _drawn(habit: Habit, seed: int) -> Trial:
    """A fifth of the outlines of a field is drawn so, the others by a careful reader."""
    inputs, hit = pictures.planted(seed, habit)
    return Trial(inputs, frozenset(hit), named=_annotation)


def overlapped(draft: Draft, strength: float, rng: np.random.Generator, share: float) -> Draft:
    """Objects of another class lie across others and share so much of their area."""
    held = draft.tables.annotations
    able = np.flatnonzero(np.asarray(held["kind"]) == "polygon")
    rows = able[picked(rng, len(able), strength)]
    added = []
    for row, shape in zip(held.take(rows).to_pylist(), geometry(draft, rows), strict=True):
        other = "tumor" if row["labels"] != ["tumor"] else "stromal"
        wkb = shapely.to_wkb(aside(shape, share))
        name = str(uuid.UUID(bytes=rng.bytes(16), version=4))
        added.append(row | {"annotation": name, "labels": [other], "geometry": wkb})
    return draft.add("annotations", added, held["annotation"].take(rows).to_pylist())


def aside(shape: shapely.Polygon, share: float) -> shapely.Polygon:
    """The shape moved to the right until it shares so much of its area with itself."""
    left, _, right, _ = shape.bounds
    low, high = 0.0, right - left
    for _ in range(30):
        by = (low + high) / 2
        shared = shape.intersection(affinity.translate(shape, by)).area / shape.area
        low, high = (by, high) if shared > share else (low, by)
    return affinity.translate(shape, low)


def _overlapped(share: float, seed: int) -> Trial:
    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        return overlapped(draft, strength, rng, share)

    planted = plant(apply, make_tables(PLAIN, seed), 0.1, seed)

    def named(finding: Finding) -> list[str]:
        return [finding.evidence["annotation"], finding.evidence["with"]]

    due = rows_of(planted) | frozenset(planted.changes["source"].to_pylist())
    return Trial(given(planted.tables), due, named=named)


def _mixed(share: float, seed: int) -> Trial:
    """The tumor itself, and its outline moved three ways."""
    held = section(seed)
    moved = [beside(held, share, angle) for angle in (0.5, 2.5, 4.5)]
    shapes = [held.tumor.buffer(-5), *(one for one in moved if one is not None)]
    due = frozenset(f"a{k}" for k in range(1, len(shapes)))
    return Trial(held.inputs(shapes), due, named=_annotation)


def _glass(share: float, seed: int) -> Trial:
    """Discs at four places of the tissue's edge, and as many within the tissue."""
    held = section(seed)
    places = (0.05, 0.3, 0.55, 0.8)
    shapes = [on_the_edge(held, part, at) for part in (share, 0.0) for at in places]
    due = frozenset(f"a{k}" for k in range(len(places)))
    return Trial(held.inputs(shapes), due, named=_annotation)


def _bare(share: float, seed: int) -> Trial:
    """Four exhaustive regions of a section; so much of the tissue of two of them has no class."""
    held = section(seed)
    left, top, right, bottom = held.tissue.bounds
    x, y = held.tissue.centroid.coords[0]
    quarters = [
        shapely.box(left, top, x, y), shapely.box(x, top, right, y),
        shapely.box(left, y, x, bottom), shapely.box(x, y, right, bottom),
    ]  # fmt: skip
    shapes, due = [], set()
    for k, quarter in enumerate(quarters):
        tissue = held.tissue.intersection(quarter)
        if (k + seed) % 2:
            tissue = cut_off(tissue, share)
            due.add(_corner(*quarter.bounds[:2]))
        shapes += [one for one in shapely.get_parts(tissue) if one.geom_type == "Polygon"]
    protocol = protocol_of(
        dataset={"title": "t", "task": "segmentation"}, classes=[{"name": "tumor"}]
    )
    same = {"image": "s", "kind": "polygon", "classes": ["tumor"], "reader": "ann"}
    rows = [
        same | {"region": f"r{k}", "geometry": shapely.to_wkb(one)}
        for k, one in enumerate(quarters)
    ]
    inputs = held.inputs(shapes, exhaustive=EXHAUSTIVE.from_rows(rows))

    def named(finding: Finding) -> list[str]:
        return [_corner(finding.place.x, finding.place.y)]

    return Trial(replace(inputs, protocol=protocol), frozenset(due), named=named)


def cut_off(shape: shapely.Geometry, share: float) -> shapely.Geometry:
    """A shape without so much of its area, at its right."""
    left, top, right, bottom = shape.bounds
    low, high = left, right
    for _ in range(30):
        x = (low + high) / 2
        part = shape.intersection(shapely.box(left, top, x, bottom)).area
        low, high = (x, high) if part < (1 - share) * shape.area else (low, x)
    return shape.intersection(shapely.box(left, top, low, bottom))


def _corner(x: float, y: float) -> str:
    return f"{x:.0f} {y:.0f}"


def _small(ranges: float, seed: int) -> Trial:
    """A square of so many integral ranges beside large ones, on texture of a known range."""
    side = np.sqrt(ranges * 4 * np.pi) * 16.0
    inputs = pictures.given(textured(8, seed), squares([side]), ["tumor"] * 2, 2.0)
    return Trial(inputs, frozenset({"a0"}), named=_annotation)


def resized(draft: Draft, strength: float, rng: np.random.Generator, times: float) -> Draft:
    """Some outlines have so many times the median area of their class, or so small a part of it."""
    held = draft.tables.annotations
    mpp = dict(zip(*(draft.tables.images[n].to_pylist() for n in ("slide", "mpp")), strict=True))
    every = geometry(draft, np.arange(held.num_rows))
    scale = np.array([mpp[name] for name in held["image"].to_pylist()])
    area = shapely.area(every) * scale**2
    label = np.array([one[0] for one in held["labels"].to_pylist()])
    rows = picked(rng, held.num_rows, strength)
    factor = np.where(rng.random(len(rows)) < 0.5, times, 1 / times)
    usual = np.array([np.median(area[label == label[row]]) for row in rows])
    by = np.sqrt(factor * usual / area[rows])
    news = [
        shapely.to_wkb(affinity.scale(shape, one, one))
        for shape, one in zip(every[rows], by, strict=True)
    ]
    return draft.change("annotations", rows, {"geometry": news})


def _resized(times: float, seed: int) -> Trial:
    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        return resized(draft, strength, rng, times)

    planted = plant(apply, make_tables(replace(PLAIN, boxes=0.0), seed), 0.03, seed)
    return Trial(given(planted.tables), rows_of(planted), named=_annotation)


def _narrow(share: float, seed: int) -> Trial:
    """Such a part of one class is ten times longer than the field of 30 µm is made for."""
    tables = make_tables(PLAIN, seed)

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        labels = draft.tables.annotations["labels"].to_pylist()
        mine = np.flatnonzero([held == ["lymphocyte"] for held in labels])
        rows = mine[picked(rng, len(mine), strength)]
        shapes = geometry(draft, rows)
        news = [shapely.to_wkb(affinity.scale(one, 10, 10)) for one in shapes]
        return draft.change("annotations", rows, {"geometry": news})

    planted = plant(apply, tables, share, seed)
    scales = [{"name": "S", "mpp": 0.5, "side_px": 60}, {"name": "L", "mpp": 0.5, "side_px": 600}]

    def named(finding: Finding) -> list[str]:
        return [f"{finding.subject} {finding.evidence['class']}"]

    inputs = given(planted.tables, protocol=protocol_of(scales=scales))
    return Trial(inputs, frozenset({"scale S lymphocyte"}), named=named)


def neighbored(draft: Draft, strength: float, rng: np.random.Generator, gap_um: float) -> Draft:
    """Regions get a neighbor of another class to the right, so many µm away."""
    held = draft.tables.annotations
    mpp = dict(zip(*(draft.tables.images[n].to_pylist() for n in ("slide", "mpp")), strict=True))
    rows = picked(rng, held.num_rows, strength)
    added = []
    for row, shape in zip(held.take(rows).to_pylist(), geometry(draft, rows), strict=True):
        left, _, right, _ = shape.bounds
        moved = affinity.translate(shape, right - left + gap_um / mpp[row["image"]])
        other = "stromal" if row["labels"] != ["stromal"] else "tumor"
        name = str(uuid.UUID(bytes=rng.bytes(16), version=4))
        added.append(row | {"annotation": name, "labels": [other],
                            "geometry": shapely.to_wkb(moved)})  # fmt: skip
    return draft.add("annotations", added, held["annotation"].take(rows).to_pylist())


def _neighbored(gap_um: float, seed: int) -> Trial:
    """Told are classes that lie side by side on an image."""

    def apply(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
        return neighbored(draft, strength, rng, gap_um)

    planted = plant(apply, make_tables(REGIONS, seed), 0.1, seed)
    rows = {row["annotation"]: row for row in planted.tables.annotations.to_pylist()}
    pairs = zip(*(planted.changes[n].to_pylist() for n in ("row", "source")), strict=True)
    due = {
        " ".join([rows[one]["image"], *sorted(rows[one]["labels"] + rows[other]["labels"])])
        for one, other in pairs
    }

    def named(finding: Finding) -> list[str]:
        image = finding.subject.removeprefix("image ")
        return [" ".join([image, *finding.evidence["classes"]])]

    return Trial(given(planted.tables), frozenset(due), named=named)


PROMISES = (
    Promise("CLN001", "outline of a nucleus so many µm too wide, a fifth", _loose, 1.5,
            (0.5, 1.0, 2.0), 6),
    Promise("CLN002", "outline of a nucleus so many µm too narrow, a fifth", _tight, 1.0,
            (0.5, 0.75, 1.5), 6),
    Promise("CLN003", "outline of a nucleus 6 µm wide or more so many µm aside, a fifth", _shifted,
            2.0, (1.0, 1.5, 2.5, 3.0, 4.0), 20, first=4001, short=True),
    Promise("CLN004", "two classes, share of the smaller one's area", _overlapped, 0.15,
            (0.05, 0.3), 2, exact=True),
    Promise("CLN005", "region, share that is the tissue beside it", _mixed, 0.4, (0.2, 0.3, 0.5),
            12, first=4001, short=True),
    Promise("CLN006", "region, share that is glass", _glass, 0.2, (0.05, 0.15, 0.3), 12),
    Promise("CMP002", "share of the tissue without a class", _bare, 0.15, (0.05, 0.25), 12),
    Promise("SIZ001", "region of so many integral ranges", _small, 2.0, (1.0, 3.0, 6.0), 20),
    Promise("SIZ002", "area so many times larger or smaller", _resized, 10.0,
            (2.0, 4.0, 8.0), 10, first=4001),
    Promise("SIZ003", "share of a class longer than the field", _narrow, 0.6, (0.3, 0.9), 20,
            exact=True),
    Promise("SIZ004", "regions of two classes so many µm apart", _neighbored, 29.0,
            (0.0, 15.0, 40.0), 4, exact=True),
)  # fmt: skip
