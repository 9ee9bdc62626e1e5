"""Overlap and borders against SimpleITK, geometry worked out by hand, and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
import SimpleITK as sitk  # noqa: N813 - the usual name
from hypothesis import given
from hypothesis import strategies as st

from curatome.agreement.segmentation import compare_masks, compare_shapes, overlap_measures
from curatome.errors import TableError


def blob(seed, shape=(40, 50), margin=3):
    """A few overlapping rectangles, away from the edge of the image."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    for _ in range(4):
        top, left = rng.integers(margin, shape[0] - 14), rng.integers(margin, shape[1] - 14)
        mask[top : top + rng.integers(3, 11), left : left + rng.integers(3, 11)] = True
    return mask


def image(mask, spacing):
    found = sitk.GetImageFromArray(mask.astype(np.uint8))
    found.SetSpacing((spacing[1], spacing[0]))
    return found


def distances(contour):
    squared = sitk.SignedMaurerDistanceMap(contour, squaredDistance=True, useImageSpacing=True)
    return np.sqrt(np.abs(sitk.GetArrayFromImage(squared).astype(np.float64)))


def border_distances(one, other, spacing):
    """Distances between SimpleITK's contours; spacings with exact squares in single precision."""
    contours = [sitk.LabelContour(image(mask, spacing)) for mask in (one, other)]
    away = [distances(contour) for contour in contours]
    at = [sitk.GetArrayFromImage(contour) > 0 for contour in contours]
    return away[1][at[0]], away[0][at[1]]


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5), (0.25, 1.0)])
@pytest.mark.parametrize("seed", range(4))
def test_simpleitk(seed, spacing):
    one, other = blob(seed), blob(seed + 100)
    found = compare_masks(one, other, spacing, tolerance_um=1.5)
    measures = sitk.LabelOverlapMeasuresImageFilter()
    measures.Execute(image(one, spacing), image(other, spacing))
    assert found.dice == pytest.approx(measures.GetDiceCoefficient(), abs=1e-9)
    assert found.iou == pytest.approx(measures.GetJaccardCoefficient(), abs=1e-9)
    there, back = border_distances(one, other, spacing)
    ends = [np.quantile(each, 0.95, method="inverted_cdf") for each in (there, back)]
    assert found.hd95_um == pytest.approx(max(ends), abs=1e-9)
    near = (there <= 1.5).sum() + (back <= 1.5).sum()
    assert found.surface_share == pytest.approx(near / (len(there) + len(back)), abs=1e-9)


def test_spacing_is_down_and_across():
    one, other = np.zeros((30, 30), bool), np.zeros((30, 30), bool)
    one[5:15, 5:15], other[9:19, 5:15] = True, True
    down = compare_masks(one, other, (0.5, 10.0))
    across = compare_masks(one.T, other.T, (0.5, 10.0))
    assert down.hd95_um == 2.0  # four pixels of 0.5 µm
    assert across.hd95_um == 40.0
    assert down.areas_um2 == (500.0, 500.0, 300.0)
    assert down.dice == 0.6
    assert down.iou == pytest.approx(3 / 7)


def test_a_region_at_the_edge_of_the_image_has_a_border_there():
    one, other = np.zeros((10, 10), bool), np.zeros((10, 10), bool)
    one[:6], other[:] = True, True
    found = compare_masks(one, other, (1.0, 1.0), tolerance_um=0.0)
    # Borders: the rims of 6 x 10 (28) and of 10 x 10 (36); shared are the top row and both sides
    # of the five rows below it.
    assert found.surface_share == pytest.approx((20 + 20) / (28 + 36))


def test_circles_apart_by_a_known_shift():
    """A shift by d is felt as d |cos| around the circle."""
    ring = {"quad_segs": 400}
    one = shapely.Point(0, 0).buffer(500, **ring)
    other = shapely.Point(3, 0).buffer(500, **ring)
    found = compare_shapes(one, other)
    assert found.hd95_um == pytest.approx(3 * math.cos(0.05 * math.pi / 2), abs=2e-3)
    assert found.surface_share == pytest.approx(2 * math.asin(1 / 3) / math.pi, abs=1e-3)
    half = 2 * math.acos(3 / 1000)
    lens = 500**2 * (half - math.sin(half))
    assert found.iou == pytest.approx(lens / (2 * math.pi * 500**2 - lens), abs=1e-4)


def test_squares_one_in_the_other():
    one, other = shapely.box(0, 0, 10, 10), shapely.box(2, 2, 8, 8)
    found = compare_shapes(one, other, tolerance_um=2.0, step_um=0.1)
    assert (found.dice, found.iou) == (2 * 36 / 136, 0.36)
    # All of the inner border is 2 µm off; of each outer side 6 of 10 µm.
    assert found.surface_share == pytest.approx((24 + 24) / (24 + 40), abs=1e-9)
    # The corner pieces' ends lie up to 2 √2 off; 5 % of the outer border (2 µm) is the last
    # 0.25 µm on both sides of four corners: sqrt(2² + 1.75²), to half a step.
    assert found.hd95_um == pytest.approx(math.hypot(2, 1.75), abs=0.05)


def test_holes_have_borders():
    ring = shapely.box(0, 0, 10, 10).difference(shapely.box(4, 4, 6, 6))
    found = compare_shapes(ring, shapely.box(0, 0, 10, 10), tolerance_um=0.5)
    assert found.surface_share == pytest.approx((40 + 40) / (48 + 40))


def test_masks_and_shapes_say_the_same():
    yy, xx = np.mgrid[:400, :400] * 0.5
    masks = [np.hypot(xx - x, yy - 100) <= 60 for x in (100, 105)]
    shapes = [shapely.Point(x, 100).buffer(60, quad_segs=100) for x in (100, 105)]
    one = compare_masks(*masks, (0.5, 0.5), tolerance_um=2.0)
    other = compare_shapes(*shapes, tolerance_um=2.0)
    assert one.dice == pytest.approx(other.dice, abs=0.002)
    assert one.hd95_um == pytest.approx(other.hd95_um, abs=0.5)


EMPTY = np.zeros((8, 8), bool)
FULL = np.ones((8, 8), bool)


@pytest.mark.parametrize(
    ("compare", "nothing", "region"),
    [
        (lambda a, b: compare_masks(a, b, (1.0, 1.0)), EMPTY, FULL),
        (compare_shapes, shapely.Polygon(), shapely.box(0, 0, 8, 8)),
    ],
)
def test_empty_regions(compare, nothing, region):
    both = compare(nothing, nothing)
    assert all(math.isnan(one) for one in (both.dice, both.iou, both.hd95_um, both.surface_share))
    for found in (compare(nothing, region), compare(region, nothing)):
        assert (found.dice, found.iou, found.surface_share) == (0.0, 0.0, 0.0)
        assert found.hd95_um == math.inf
    same = compare(region, region)
    assert (same.dice, same.iou, same.hd95_um, same.surface_share) == (1.0, 1.0, 0.0, 1.0)


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_who_is_first_does_not_matter(one, other):
    first, second = blob(one), blob(other)
    there = compare_masks(first, second, (0.5, 0.25))
    back = compare_masks(second, first, (0.5, 0.25))
    assert (there.dice, there.iou, there.hd95_um) == (back.dice, back.iou, back.hd95_um)
    assert there.surface_share == pytest.approx(back.surface_share)
    assert there.iou == pytest.approx(there.dice / (2 - there.dice))


def test_means_over_regions():
    parts = [(EMPTY, EMPTY), (EMPTY, FULL), (FULL, FULL), (FULL, np.tril(FULL))]
    overlaps = [compare_masks(*each, (1.0, 1.0)) for each in parts]
    dice, iou, distance, _ = overlap_measures(overlaps, np.array([0, 0, 1, 2]), "class tumor")
    assert dice.value == pytest.approx((0 + 1 + 72 / 100) / 3)
    assert iou.value == pytest.approx((0 + 1 + 36 / 64) / 3)
    assert (dice.n, dice.clusters, dice.subject) == (3, 3, "class tumor")
    assert dice.low == 0.0
    assert dice.high == 1.0
    assert (distance.n, distance.clusters, distance.unit) == (2, 2, "µm")
    nothing = overlap_measures(overlaps[:1], np.array([0]))[0]
    assert math.isnan(nothing.value)
    assert "undefined: no region was outlined" in nothing.method


def test_what_cannot_be_is_refused():
    with pytest.raises(TableError, match=r"of one shape. Got \(8, 8\) and \(4, 4\)"):
        compare_masks(EMPTY, np.zeros((4, 4)), (1.0, 1.0))
    with pytest.raises(TableError, match="spacing must be positive"):
        compare_masks(EMPTY, EMPTY, (1.0, 0.0))
    with pytest.raises(TableError, match="step_um must be positive"):
        compare_shapes(shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 1), step_um=0)
    bow = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    with pytest.raises(TableError, match="second shape is not valid: Self-intersection"):
        compare_shapes(shapely.box(0, 0, 1, 1), bow)
