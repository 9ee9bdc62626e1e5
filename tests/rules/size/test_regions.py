from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.rules.rule import Inputs
from curatome.rules.size.regions import SMALL, TRANSITION
from tests.rules.clean.pictures import given
from tests.rules.datasets import annotations_of, looked, protocol_of, slides_of
from tests.rules.size.textures import squares, textured


@pytest.mark.parametrize("scale_px", [4, 8])
def test_the_integral_range_is_the_textures(scale_px):
    """4 π s², whatever the region."""
    regions = squares([70.0])
    (found,) = looked(SMALL, given(textured(scale_px), regions, ["tumor"] * 2, 2.0), pieces=1e9)[:1]
    assert found.evidence["integral_range_um2"] == pytest.approx(
        4 * np.pi * (2 * scale_px) ** 2, rel=0.25
    )
    assert found.evidence["correlation_um"] == pytest.approx(4 * scale_px, rel=0.1)


def test_a_region_of_one_piece_is_too_small_and_one_of_many_is_not():
    """s = 8 px = 16 µm: A = 3,217 µm², and 4 A are 113 µm squared."""
    regions = squares([80.0, 170.0])
    (found,) = looked(SMALL, given(textured(8), regions, ["tumor"] * 3, 2.0))
    assert found.evidence["annotation"] == "a0"
    assert "room for" in found.message


def test_fine_texture_lets_regions_be_small():
    assert not looked(SMALL, given(textured(2), squares([80.0, 170.0]), ["tumor"] * 3, 2.0))


def test_objects_are_no_regions():
    cells = [shapely.Point(30 + 30 * k, 30).buffer(5) for k in range(10)]
    assert not looked(SMALL, given(textured(8), cells, ["tumor"] * 10, 2.0))


def beside(gap_um, labels=("tumor", "stromal"), more=()):
    """Two squares of 200 µm with a gap; 1 µm/px."""
    rows = [
        {"annotation": "a", "shape": shapely.box(0, 0, 200, 200), "labels": [labels[0]]},
        {
            "annotation": "b",
            "shape": shapely.box(200 + gap_um, 0, 400 + gap_um, 200),
            "labels": [labels[1]],
        },
        *more,
    ]
    slides = slides_of([{"slide": "s", "mpp_x": 1.0, "mpp_y": 1.0}])
    return Inputs(protocol_of(), slides=slides, annotations=annotations_of(rows))


@pytest.mark.parametrize("gap", [0.0, 10.0, 29.0])
def test_neighbors_without_a_transition_are_noted(gap):
    (found,) = looked(TRANSITION, beside(gap))
    assert f"stromal and tumor lie side by side 1 time, at most {gap:.0f} µm apart" in found.message
    assert found.evidence["first"] == [["a", "b"]]


def test_regions_far_apart_or_of_one_class_are_not():
    assert not looked(TRANSITION, beside(31.0))
    assert not looked(TRANSITION, beside(10.0, ("tumor", "tumor")))


def test_an_annotated_transition_is_good():
    strip = {"shape": shapely.box(200, 0, 220, 200), "labels": ["mitosis"]}
    wide = {"shape": shapely.box(600, 0, 900, 400), "labels": ["mitosis"]}
    found = looked(TRANSITION, beside(20.0, more=[strip, wide]))
    assert all(one.evidence["classes"] != ["stromal", "tumor"] for one in found)
    assert looked(TRANSITION, beside(20.0, more=[wide]))


def test_a_transition_needs_none_itself():
    strip = {"shape": shapely.box(201, 0, 219, 800), "labels": ["mitosis"]}
    assert not looked(TRANSITION, beside(20.0, more=[strip]))
    touching = {"shape": shapely.box(200, 0, 220, 800), "labels": ["mitosis"]}
    assert not looked(TRANSITION, beside(20.0, more=[touching]))
    aside = {"shape": shapely.box(0, 200, 100, 400), "labels": ["mitosis"]}
    assert len(looked(TRANSITION, beside(20.0, more=[aside]))) == 2  # tumor with both others


def test_cells_have_no_transitions():
    rows = [
        {"shape": shapely.Point(10 * k, 0).buffer(4), "labels": [("tumor", "stromal")[k % 2]]}
        for k in range(20)
    ]
    slides = slides_of([{"slide": "s", "mpp_x": 1.0, "mpp_y": 1.0}])
    assert not looked(
        TRANSITION, Inputs(protocol_of(), slides=slides, annotations=annotations_of(rows))
    )
