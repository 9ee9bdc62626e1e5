"""Items by IoU and overlap: other libraries' IoU, all ways tried, and no dependence on order."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco

from curatome.agreement.matching import match_shapes, pair_shapes
from curatome.agreement.matching.shapes import Outlines, covers
from curatome.errors import TableError
from tests.agreement.matching.brute import best, worth_of

BOXES = st.lists(
    st.tuples(
        st.integers(0, 8), st.integers(0, 6), st.integers(1, 6), st.integers(1, 6),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=8,
)  # fmt: skip


def blobs(count, side, seed):
    """Regular 12-gons of several sizes, which overlap."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centers, radii = rng.uniform(0, side, (count, 2)), rng.uniform(3, 8, count)
    return shapely.polygons(centers[:, None] + radii[:, None, None] * ring)


def iou(boxes):
    """(N, N) by hand: corners in, common over joint area out."""
    x, y, w, h = boxes.T
    wide = np.minimum(x[:, None] + w[:, None], x + w) - np.maximum(x[:, None], x)
    high = np.minimum(y[:, None] + h[:, None], y + h) - np.maximum(y[:, None], y)
    common = np.maximum(wide, 0) * np.maximum(high, 0)
    return common / ((w * h)[:, None] + w * h - common)


def test_iou_of_boxes_is_that_of_pycocotools():
    rng = np.random.default_rng(1)
    boxes = np.hstack([rng.uniform(0, 30, (40, 2)), rng.uniform(1, 20, (40, 2))])
    expected = coco.iou(boxes, boxes, [0] * 40)
    first, second = np.triu_indices(40, 1)
    x, y, w, h = boxes.T
    kept, found = covers(Outlines.of(shapely.box(x, y, x + w, y + h)), first, second, 0.05, "iou")
    assert kept.tolist() == np.flatnonzero(expected[first, second] >= 0.05).tolist()
    np.testing.assert_allclose(found, expected[first, second][kept], atol=1e-12)


def test_cover_of_polygons_is_that_of_fine_masks():
    """Areas counted on a grid of 0.05; bounds take no shortcut that changes them."""
    shapes = blobs(10, 20, 2)
    shapes[3] = shapely.box(4, 4, 12, 14)
    grid = np.stack(np.meshgrid(np.arange(-10, 30, 0.05), np.arange(-10, 30, 0.05)), -1)
    masks = np.array([shapely.contains_xy(s, grid[..., 0], grid[..., 1]) for s in shapes])
    first, second = np.triu_indices(10, 1)
    common = (masks[first] & masks[second]).sum(axis=(1, 2))
    area = masks.sum(axis=(1, 2))
    for by, of in (
        ("iou", area[first] + area[second] - common),
        ("overlap", np.minimum(area[first], area[second])),
    ):
        kept, found = covers(Outlines.of(shapes), first, second, 0.02, by)
        np.testing.assert_allclose(found, (common / of)[kept], atol=0.01)
        assert set(np.flatnonzero(common / of > 0.03)) <= set(kept.tolist())


def test_the_threshold_belongs_to_the_match():
    """Two boxes of 3 x 1 shifted by 1: common 2, joint 4."""
    boxes = shapely.box([0, 1], [0, 0], [3, 4], [1, 1])
    assert match_shapes(boxes, ["ann", "joe"], [1, 1], 0.5).tolist() == [0, 0]
    assert match_shapes(boxes, ["ann", "joe"], [1, 1], 0.501).tolist() == [0, 1]
    assert match_shapes(boxes, ["ann", "joe"], [1, 2], 0.5).tolist() == [0, 1]


def test_overlap_matches_a_part_with_the_whole():
    shapes = np.array([shapely.box(0, 0, 10, 10), shapely.Point(5, 5).buffer(2)])
    assert match_shapes(shapes, ["ann", "joe"], [1, 1], by="overlap").tolist() == [0, 0]
    assert match_shapes(shapes, ["ann", "joe"], [1, 1], by="iou").tolist() == [0, 1]


def test_most_matches_before_the_best_one():
    """Joe's first box covers both of Ann's; taking his better partner away saves a match."""
    ann = shapely.box([0, 2], [0, 0], [4, 6], [1, 1])
    joe = shapely.box([1.2, 3.3], [0, 0], [5.2, 7.3], [1, 1])
    # IoU of ann 1, joe 1: 2.8 / 5.2; of ann 2, joe 1: 3.2 / 4.8; of ann 2, joe 2: 2.7 / 5.3
    assert pair_shapes(ann, joe).tolist() == [[0, 0], [1, 1]]
    assert pair_shapes(ann[1:], joe).tolist() == [[0, 0]]


@settings(max_examples=100, deadline=None)
@given(BOXES)
def test_no_other_way_is_better(rows):
    *corner, width, height, reader = np.array(rows).T
    boxes = np.stack([*corner, width, height], axis=1).astype(float)
    x, y = corner
    shapes = shapely.box(x, y, x + width, y + height)
    items = match_shapes(shapes, reader, np.zeros(len(x), int), 0.25)
    share = iou(boxes)
    worth = np.where(share >= 0.25, 1 - share, np.inf)
    pairs, cost = worth_of(items, worth, reader)
    most, least = best(worth, reader)
    assert pairs == most
    assert cost == pytest.approx(least, abs=1e-9)


@pytest.mark.parametrize("by", ["iou", "overlap"])
def test_neither_rows_nor_names_matter(by):
    shapes = blobs(200, 60, 3)
    rng = np.random.default_rng(4)
    reader, image = rng.integers(0, 4, 200), rng.integers(0, 2, 200)
    items = match_shapes(shapes, reader, image, 0.3, by)
    rows, names = rng.permutation(200), np.array(["d", "a", "c", "b"])
    again = match_shapes(shapes[rows], names[reader][rows], image[rows], 0.3, by)
    assert again.tolist() == items[rows].tolist()


def test_equal_outlines_of_all_readers_are_one_item():
    shape = shapely.Point(0, 0).buffer(5)
    items = match_shapes(np.array([shape] * 4), ["a", "b", "c", "d"], [1] * 4, 1.0)
    assert items.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("shape", "threshold", "message"),
    [
        (shapely.Point(1, 1), 0.5, "row 2 has no area"),
        (shapely.Polygon([(0, 0), (2, 2), (2, 0), (0, 4)]), 0.5, "row 2 is not valid: Self-inter"),
        (shapely.box(0, 0, 1, 1), 0.0, "threshold must be above 0"),
    ],
)
def test_what_cannot_be_compared_is_refused(shape, threshold, message):
    shapes = np.array([shapely.box(0, 0, 1, 1), shape])
    with pytest.raises(TableError, match=message):
        match_shapes(shapes, ["ann", "joe"], [1, 1], threshold)


def test_none_give_none():
    assert match_shapes(np.empty(0, object), [], []).tolist() == []
    assert pair_shapes(np.empty(0, object), np.empty(0, object)).tolist() == []
