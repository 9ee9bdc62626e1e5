import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import affinity

from curatome.geometry import outlines, rasterize

HOLED = shapely.Polygon([(2, 2), (8, 2), (8, 7), (2, 7)], [[(4, 3), (6, 3), (6, 5), (4, 5)]])


def test_pixels_whose_centers_lie_inside():
    mask = rasterize(HOLED, (0, 0), (1, 1), 10)
    expected = np.zeros((10, 10), bool)
    expected[2:7, 2:8] = True
    expected[3:5, 4:6] = False
    assert np.array_equal(mask, expected)
    assert mask.sum() == HOLED.area


def test_the_grid_has_a_corner_and_a_step():
    mask = rasterize(HOLED, (1, 2), (0.5, 1.0), 12)
    whole = rasterize(HOLED, (0, 0), (1, 1), 14)[2:14, 1:7]
    assert np.array_equal(mask, np.repeat(whole, 2, axis=1))


def test_what_has_no_area_covers_nothing():
    for shape in (shapely.Point(3, 3), shapely.LineString([(0, 0), (9, 9)]), shapely.Polygon()):
        assert not rasterize(shape, (0, 0), (1, 1), 10).any()


def test_neighbours_share_no_pixel_and_leave_none_out():
    left = shapely.Polygon([(0, 0), (4.5, 0), (6.5, 10), (0, 10)])
    right = shapely.Polygon([(4.5, 0), (10, 0), (10, 10), (6.5, 10)])
    masks = [rasterize(shape, (0, 0), (1, 1), 10) for shape in (left, right)]
    assert (masks[0] ^ masks[1]).all()


@given(st.integers(0, 2**32 - 1))
def test_agrees_with_shapely(seed):
    rng = np.random.default_rng(seed)
    radius = rng.uniform(3, 14, 24)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    star = shapely.Polygon(np.stack([np.cos(angle), np.sin(angle)], 1) * radius[:, None])
    shape = affinity.translate(star, *rng.uniform(8, 20, 2))
    y, x = np.mgrid[:32, :32] + 0.5
    inside = shapely.contains_xy(shape, x, y)
    assert np.array_equal(rasterize(shape, (0, 0), (1, 1), 32), inside)


@given(st.integers(0, 2**32 - 1))
def test_labels_to_outlines_and_back(seed):
    labels = np.random.default_rng(seed).integers(0, 4, (9, 9)).astype(np.uint16)
    found = outlines(labels)
    assert sorted(found) == sorted(set(labels.ravel().tolist()) - {0})
    for label, shape in found.items():
        assert shape.is_valid
        assert np.array_equal(rasterize(shape, (0, 0), (1, 1), 9), labels == label)


def test_an_empty_label_image_has_no_outlines():
    assert outlines(np.zeros((4, 4), np.int32)) == {}


def test_real_label_images_survive(data):
    from PIL import Image

    paths = sorted((data / "nuclei/dsb2018-brightfield/masks").iterdir())[:8]
    checked = 0
    for path in paths:
        labels = np.asarray(Image.open(path))
        side = max(labels.shape)
        for label, shape in outlines(labels).items():
            mask = rasterize(shape, (0, 0), (1, 1), side)[: labels.shape[0], : labels.shape[1]]
            assert np.array_equal(mask, labels == label), f"{path.name} {label}"
            assert shape.area == pytest.approx((labels == label).sum())
            checked += 1
    assert checked > 100
