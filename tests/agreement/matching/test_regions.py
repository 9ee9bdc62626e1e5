"""Regions that are the same, not there, or cut up in another way."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.agreement.matching import compare_regions

BOX = shapely.box(0, 0, 10, 10)
HALVES = shapely.box([0, 5], [0, 0], [5, 10], [10, 10])
FAR = shapely.box(50, 50, 60, 60)


def kinds(first, second, **options):
    table = compare_regions(np.array(first, object), np.array(second, object), **options)
    return [(r["kind"], r["first"], r["second"]) for r in table.to_pylist()]


def test_each_kind_at_once():
    first = [
        FAR,
        BOX,
        shapely.box(20, 0, 25, 10),
        shapely.box(25, 0, 30, 10),
        shapely.box(0, 30, 9, 39),
    ]
    second = [
        *HALVES,
        shapely.box(20, 0, 30, 10),
        shapely.box(70, 0, 71, 1),
        shapely.box(0, 31, 9, 40),
    ]
    assert kinds(first, second) == [
        ("missed", [0], []),
        ("split", [1], [0, 1]),
        ("merged", [2, 3], [2]),
        ("matched", [4], [4]),
        ("added", [], [3]),
    ]


def test_a_split_from_the_other_side_is_a_merger():
    assert kinds(HALVES, [BOX]) == [("merged", [0, 1], [0])]


def test_cut_along_and_across_is_tangled():
    across = shapely.box([0, 0], [0, 5], [10, 10], [5, 10])
    assert kinds(HALVES, across, threshold=0.5) == [("tangled", [0, 1], [0, 1])]
    assert [k for k, *_ in kinds(HALVES, across, threshold=0.51)] == ["missed"] * 2 + ["added"] * 2


def test_areas_of_a_split():
    """10 x 10 drawn as 5 x 10 and 3 x 10 of it, and 2 x 10 beyond: common 80, joint 120."""
    parts = shapely.box([0, 7], [0, 0], [5, 12], [10, 10])
    row = compare_regions(np.array([BOX]), parts).to_pylist()[0]
    assert row["kind"] == "split"
    assert row["common"] == pytest.approx(80)
    assert row["iou"] == pytest.approx(80 / 120)


def test_regions_of_different_images_are_apart():
    assert kinds([BOX, BOX], [BOX], images=(["A", "B"], ["B"])) == [
        ("missed", [0], []),
        ("matched", [1], [0]),
    ]


def test_none_on_one_side():
    assert kinds([], [BOX]) == [("added", [], [0])]
    assert kinds([], []) == []
