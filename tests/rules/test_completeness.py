"""CMP: missed objects, bare tissue, unscreened sides and gates, by hand and planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.findings import Severity
from curatome.phantom.faults import FAULTS, CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules import completeness
from curatome.rules.rule import Inputs
from tests.rules.datasets import (
    CLASSES,
    annotations_of,
    looked,
    loud,
    phantom_inputs,
    protocol_of,
    slides_of,
)
from tests.rules.painted import painted

NUCLEI = ObjectDesign(
    cases=9,
    slides_per_case=1,
    objects_per_slide=20,
    size_um=(220.0, 220.0),
    classes=("tumor",),
    frequencies=(1.0,),
)
GATE = [{"measure": "completeness", "min": 0.9}]


def regions_of(*rows):
    """Regions that one reader declared for all classes, unless told otherwise."""
    same = {"kind": "polygon", "classes": list(CLASSES), "reader": "ann"}
    made = []
    for k, row in enumerate(rows):
        geometry = None if row.get("shape") is None else shapely.to_wkb(row["shape"])
        made.append({"region": f"r{k}", "image": "s", "geometry": geometry, **same, **row})
    return EXHAUSTIVE.from_rows(made)


def whole_slides(tables, classes=CLASSES):
    """Every slide's field is exhaustive."""
    images = tables.images.to_pylist()
    boxes: dict[str, list] = {}
    for row in images:
        x, y = row["x"], row["y"]
        tile = shapely.box(x, y, x + row["width"], y + row["height"])
        boxes.setdefault(row["slide"], []).append(tile)
    return regions_of(
        *(
            {"image": name, "shape": shapely.unary_union(some).envelope}
            for name, some in boxes.items()
        )
    )


def _field(points, region=None, **more):
    rows = [{"shape": shapely.Point(x, y).buffer(2), "labels": ["tumor"]} for x, y in points]
    return Inputs(
        more.pop("protocol", protocol_of()),
        slides=slides_of([{"slide": "s", "width": 1000, "height": 1000}]),
        annotations=annotations_of(rows),
        exhaustive=regions_of({"shape": region}),
        **more,
    )


def test_a_bare_side_is_told_with_its_place():
    """20 objects in the left 0.4: the right 0.6 would be empty once in 4 × 0.4^20."""
    points = [(20 + 20 * k, 30 + 45 * k) for k in range(20)]
    (found,) = looked(completeness.UNSCREENED, _field(points))
    assert found.subject == "slide s"
    assert found.place.x == pytest.approx(400)
    assert found.evidence["share"] == pytest.approx(0.6)
    few = points[::4]  # 5 objects: once in 4 × 0.4^5 = 0.04
    assert looked(completeness.UNSCREENED, _field(few)) == []


def test_a_region_without_anything_on_an_image_that_has_it_elsewhere():
    region = shapely.box(500, 0, 1000, 1000)
    (found,) = looked(completeness.UNSCREENED, _field([(100, 100)], region))
    assert "tumor is elsewhere" in found.message
    other = _field([(100, 100)], region)
    table = regions_of({"shape": region, "classes": ["mitosis"]})
    assert looked(completeness.UNSCREENED, Inputs(**(vars(other) | {"exhaustive": table}))) == []


def test_bare_tissue_where_every_class_is_annotated():
    """Tissue over the left 600 px; annotated up to 500 or 580: a sixth, or a thirtieth, is bare."""

    def pixels(image, box, mpp):
        side = round(1000 / mpp)
        canvas = np.full((side, side, 3), 245, np.uint8)
        canvas[:, : round(600 / mpp)] = (180, 110, 160)
        return canvas

    same = {"dataset": {"title": "t", "task": "segmentation"}, "classes": [{"name": "tumor"}]}
    for edge, expected in ((500, 1), (580, 0)):
        inputs = Inputs(
            protocol_of(**same),
            slides=slides_of(
                [{"slide": "s", "width": 1000, "height": 1000, "mpp_x": 1, "mpp_y": 1}]
            ),
            annotations=annotations_of([{"shape": shapely.box(0, 0, edge, 1000)}]),
            exhaustive=regions_of({"shape": None}),
            pixels=pixels,
        )
        found = looked(completeness.UNANNOTATED, inputs)
        assert len(found) == expected
        for one in found:
            assert one.evidence["share"] == pytest.approx(1 / 6, abs=0.03)
        of_others = protocol_of(**(same | {"classes": [{"name": "tumor"}, {"name": "else"}]}))
        some = Inputs(**(vars(inputs) | {"protocol": of_others}))
        assert looked(completeness.UNANNOTATED, some) == []  # `else` is not declared complete


def _two_readers(both, first, second):
    """Objects that both readers marked, and those that one of them did."""
    rows = []
    for k in range(both + first + second):
        disk = shapely.Point(30 + 60 * (k % 15), 30 + 60 * (k // 15)).buffer(10)
        if k < both + first:
            rows.append({"shape": disk})
        if k < both or k >= both + first:
            rows.append({"shape": disk, "reader": "joe"})
    return Inputs(
        protocol_of(gates=GATE),
        slides=slides_of([{"slide": "s"}]),
        annotations=annotations_of(rows),
    )


def test_completeness_below_the_gate():
    """60, 20 and 20: Chapman estimates 81 × 81 / 61 - 1 = 106.6 objects, of which 100 found."""
    (gate,) = completeness.completeness_of(_two_readers(60, 20, 20))[:1]
    assert gate.value == pytest.approx(100 / (81 * 81 / 61 - 1))
    assert looked(completeness.BELOW, _two_readers(60, 20, 20)) == []
    found = looked(completeness.BELOW, _two_readers(30, 30, 30))  # 90 of 119: 0.756
    assert {one.subject for one in found} >= {"class tumor"}
    assert all(one.evidence["value"] < 0.9 for one in found)


def test_doubtful_candidates_are_notes_and_places_lie_in_their_region():
    clean = make_tables(CleanDesign(objects=replace(NUCLEI, cases=5)), 1001)
    planted = FAULTS["missed_objects"].plant(clean, 0.15, 1001)
    regions = whole_slides(clean, ["tumor"])
    inputs = phantom_inputs(planted.tables, exhaustive=regions, pixels=painted(clean, 1001))
    found = looked(completeness.MISSED, inputs, sure=0.9)
    held = {one.severity: set() for one in found}
    for one in found:
        held[one.severity].add(one.evidence["probability"])
        assert min(one.place.x, one.place.y) >= 0
    assert min(held[Severity.WARNING]) > max(held[Severity.NOTE])


@pytest.mark.parametrize("cases", [5, 9])
def test_a_clean_dataset_gives_nothing_above_note_level(cases):
    clean = make_tables(CleanDesign(objects=replace(NUCLEI, cases=cases)), 1003)
    regions = whole_slides(clean, ["tumor"])
    inputs = phantom_inputs(clean, exhaustive=regions, pixels=painted(clean, 1003))
    assert loud(completeness.RULES, inputs) == []
