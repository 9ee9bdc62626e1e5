import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely import contains_xy, union_all

from curatome.slides.tissue import TissueMask, outline, tissue_fraction

masks = arrays(np.bool_, st.tuples(st.integers(1, 7), st.integers(1, 7)))
quarters = st.lists(st.integers(-8, 40), min_size=4, max_size=4)


@settings(max_examples=200, deadline=None)
@given(masks, st.lists(quarters, min_size=1, max_size=5))
def test_tissue_fraction_equals_counting_sub_pixels(pixels, corners):
    """Rectangles on quarter pixels, so counting a mask drawn four times finer is exact."""
    mask = TissueMask(pixels, 32.0, 20.0, {})
    pad = 60
    fine = np.pad(pixels.repeat(4, 0).repeat(4, 1), pad)
    boxes = np.array([[min(a, b), min(c, d), max(a, b), max(c, d)] for a, b, c, d in corners])
    expected = [
        fine[y0 + pad : y1 + pad, x0 + pad : x1 + pad].mean() if x1 > x0 and y1 > y0 else 0.0
        for x0, y0, x1, y1 in boxes
    ]
    found = tissue_fraction(mask, *(boxes * [8.0, 5.0, 8.0, 5.0]).T)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_tissue_fraction_broadcasts():
    mask = TissueMask(np.array([[True, False]]), 10.0, 10.0, {})
    left = np.array([0.0, 5.0, 10.0, 15.0])
    found = tissue_fraction(mask, left, 0.0, left + 10, np.array([[10.0], [20.0]]))
    np.testing.assert_allclose(found, [[1, 0.5, 0, 0], [0.5, 0.25, 0, 0]])


def test_tissue_fraction_of_a_large_mask_is_exact():
    mask = TissueMask(np.ones((3000, 3000), np.bool_), 32.0, 32.0, {})
    assert tissue_fraction(mask, 10.0, 20.0, 95000.0, 94000.0) == 1.0


@settings(max_examples=200, deadline=None)
@given(masks)
def test_outline_has_the_area_and_the_pixels_of_the_mask(pixels):
    mask = TissueMask(pixels, 3.0, 2.0, {})
    polygons = outline(mask)
    assert all(polygon.is_valid and polygon.geom_type == "Polygon" for polygon in polygons)
    np.testing.assert_allclose(sum(p.area for p in polygons), pixels.sum() * 6.0)
    rows, columns = np.indices(pixels.shape)
    inside = contains_xy(union_all(polygons), (columns + 0.5) * 3.0, (rows + 0.5) * 2.0)
    np.testing.assert_array_equal(inside, pixels)


def test_outline_of_a_ring_has_a_hole_and_few_corners():
    pixels = np.ones((6, 8), np.bool_)
    pixels[2:4, 3:5] = False
    (polygon,) = outline(TissueMask(pixels, 10.0, 10.0, {}))
    assert polygon.bounds == (0.0, 0.0, 80.0, 60.0)
    assert len(polygon.interiors) == 1
    assert len(polygon.exterior.coords) == 5
    assert outline(TissueMask(np.zeros((3, 3), np.bool_), 1.0, 1.0, {})) == []
