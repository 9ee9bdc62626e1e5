"""Boxes in another dialect, and boxes that only look so."""

from __future__ import annotations

import numpy as np
import pytest

from curatome.annotations.formats.base import Frame
from curatome.rules.syntax.dialects import dialect

IMAGE = Frame("s1", "s1.svs", 4000, 3000)
SIZE = np.array([4000.0, 3000.0])


def boxes(count=12, seed=0, side=40.0):
    """Boxes of about one size all over the image."""
    rng = np.random.default_rng(seed)
    sides = side * rng.uniform(0.7, 1.4, (count, 2))
    corner = rng.uniform(0, 1, (count, 2)) * (SIZE - sides)
    return np.hstack([corner, corner + sides])


def said(bounds, image=IMAGE):
    found = dialect(bounds, image)
    return None if found is None else found.assumed


def test_boxes_that_are_right() -> None:
    assert all(said(boxes(seed=seed)) is None for seed in range(50))
    assert all(said(boxes(seed=seed, side=800.0)) is None for seed in range(50))


def test_sizes_read_as_corners() -> None:
    right = boxes()
    sides = right[:, 2:] - right[:, :2]
    wrong = np.hstack([np.minimum(right[:, :2], sides), np.maximum(right[:, :2], sides)])
    found = dialect(wrong, IMAGE)
    assert (found.assumed, found.instead) == ("xywh", "x1y1x2y2")
    assert "all 12 boxes lie within 5" in found.evidence  # the largest side is 56 px


@pytest.mark.parametrize(
    "bounds",
    [
        np.tile([0.0, 0.0, 4000.0, 3000.0], (9, 1)),
        np.tile([5.0, 8.0, 3600.0, 2800.0], (9, 1)),
        np.array([[2.0, 300.0 * k + 5, 400.0 * k + 90, 300.0 * k + 200] for k in range(9)]),
        np.array([[3.0, 4.0, 900.0, 700.0], [4.0, 3.0, 2000.0, 1500.0]]),
    ],
    ids=["whole image", "nine readers, one region", "along one edge", "two regions"],
)
def test_boxes_that_begin_at_an_edge_for_a_reason(bounds) -> None:
    assert said(bounds) is None


def test_parts_and_per_cent() -> None:
    part = boxes() / np.tile(SIZE, 2)
    assert said(part) == "parts"
    assert said(100 * part) == "parts"
    assert "per cent" in dialect(100 * part, IMAGE).told
    added = np.hstack([part[:, :2], part[:, :2] + part[:, 2:]])  # corners read as sizes
    assert said(added) == "parts"


def test_cells_in_the_corner_of_a_small_image_are_no_per_cent() -> None:
    corner = boxes(count=6) / np.tile(SIZE, 2) * 100
    assert said(corner, Frame("s1", "s1.png", 240, 240)) is None


@pytest.mark.parametrize(("count", "expected"), [(9, None), (10, "center, size")])
def test_centers_read_as_corners_show_at_the_edges(count, expected) -> None:
    """1 in 2^n; nine boxes beyond the right edge are chance once in 512 times."""
    y = 100.0 + 250 * np.arange(count)
    true = np.stack([np.full(count, 3930.0), y, np.full(count, 3990.0), y + 60], axis=1)
    assert said(true + 30.0) == expected
    assert said(np.vstack([true + 30.0, [[-20.0, 50.0, 40.0, 110.0]]])) is None


def test_corners_read_as_centers_leave_the_other_sides() -> None:
    y = 100.0 + 250 * np.arange(11)
    true = np.stack([np.full(11, 10.0), y, np.full(11, 70.0), y + 60], axis=1)
    assert said(true - 30.0) == "corner, size"
