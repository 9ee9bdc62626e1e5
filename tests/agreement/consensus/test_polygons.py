"""Outlines whose fusion is known in closed form, and areas counted on a grid."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from curatome.agreement.consensus.marks import marks
from curatome.agreement.consensus.polygons import fuse_polygons, majority_area, median_outline
from curatome.errors import AnnotationError


def disk(radius, x=0.0, y=0.0):
    return shapely.Point(x, y).buffer(radius, quad_segs=64)


def fused(shapes, readers=None, **options):
    names = readers or [f"r{k}" for k in range(len(shapes))]
    table = fuse_polygons(np.array(shapes, object), marks([0] * len(shapes), names), **options)
    row = table.to_pylist()[0]
    return shapely.from_wkb(row["geometry"]), row


def test_of_three_nested_disks_the_middle_one_is_the_majority():
    shape, row = fused([disk(8), disk(10), disk(15)])
    assert shape.symmetric_difference(disk(10)).area < 1e-6
    assert row["decided_by"] == "majority area"
    assert row["overlap"] == pytest.approx((64 / 100 + 1 + 100 / 225) / 3, abs=1e-3)


def test_two_readers_have_what_both_drew_or_the_median_between_them():
    boxes = [shapely.box(0, 0, 10, 10), shapely.box(5, 0, 15, 10)]
    assert fused(boxes)[0].equals(shapely.box(5, 0, 10, 10))
    assert fused(boxes, share=0.0)[0].equals(shapely.box(0, 0, 15, 10))
    shape, row = fused([disk(8), disk(12)], how="outline")
    assert row["decided_by"] == "median outline"
    # 72 rays make a polygon of 72 corners: area ½ · 72 · sin(5°) · 10².
    assert shape.area == pytest.approx(36 * np.sin(np.radians(5)) * 100, rel=1e-3)
    assert shapely.hausdorff_distance(shape, disk(10)) < 0.05


def test_the_median_outline_ignores_one_who_strays():
    shape = median_outline(np.array([disk(10), disk(10.2), disk(30)], object))
    assert shapely.hausdorff_distance(shape, disk(10.2)) < 0.05


def test_without_a_common_middle_the_median_is_the_area():
    shape, row = fused([disk(3), disk(3, x=1), disk(3, x=100)], how="outline")
    assert row["decided_by"] == "majority area"
    assert shape.symmetric_difference(disk(3).intersection(disk(3, x=1))).area < 1e-6


def test_no_common_place_leaves_nothing():
    shape, row = fused([disk(1), disk(1, x=10)])
    assert shape.is_empty
    assert row["overlap"] == 0
    assert row["agreeing"] == 2


def test_weights_make_one_reader_the_majority():
    shapes = np.array([disk(5), disk(9), disk(9.5)], object)
    found = majority_area(shapes, np.array([5.0, 1.0, 1.0]))
    assert found.symmetric_difference(disk(5)).area < 1e-6


def test_one_mark_stays_as_it_is_and_holes_are_kept():
    ring = disk(10).difference(disk(4))
    assert fused([ring], ["ann"])[0].equals(ring)
    shape, _ = fused([ring, ring, disk(10)])
    assert shape.symmetric_difference(ring).area < 1e-9


def test_objects_are_fused_each_by_itself():
    shapes = np.array([disk(5), disk(2, x=50), disk(5), disk(4, x=50)], object)
    table = fuse_polygons(shapes, marks([1, 0, 1, 0], ["a", "a", "b", "b"]))
    areas = shapely.area(shapely.from_wkb(table["geometry"].to_pylist()))
    assert areas == pytest.approx([disk(2).area, disk(5).area])


@given(st.integers(2, 6), st.integers(0, 999))
def test_majority_is_where_a_grid_counts_more_than_half(count, seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 12, (count, 2))
    sides = rng.integers(1, 12, (count, 2))
    shapes = shapely.box(*corners.T, *(corners + sides).T)
    found = majority_area(np.asarray(shapes, object), np.ones(count))
    x, y = np.meshgrid(np.arange(24) + 0.5, np.arange(24) + 0.5)
    votes = sum(shapely.contains_xy(shape, x, y).astype(int) for shape in shapes)
    assert found.area == pytest.approx((votes > count / 2).sum())
    assert np.array_equal(shapely.contains_xy(found, x, y), votes > count / 2)


def test_a_shape_that_crosses_itself_is_refused():
    bow = shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    with pytest.raises(AnnotationError, match="mark 1 of item 0 is no valid shape"):
        fused([disk(1), bow])
