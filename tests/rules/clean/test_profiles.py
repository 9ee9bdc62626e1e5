from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.rules.clean.profiles import PLACES, POINTS, contours, profiles


def circle(x=40.0, y=30.0, radius=10.0):
    return shapely.Point(x, y).buffer(radius, quad_segs=64)


def test_points_lie_on_the_line_and_normals_point_outward():
    lines = contours(np.array([circle(), circle().reverse()]))
    away = lines.points - np.array([40.0, 30.0])
    assert np.hypot(*np.moveaxis(away, -1, 0)) == pytest.approx(np.full((2, POINTS), 9.9), abs=0.1)
    assert (lines.normals * away).sum(axis=-1) == pytest.approx(np.full((2, POINTS), 9.9), abs=0.1)


def test_lines_along_the_edges_of_pixels_are_smoothed():
    """A disk of pixels has normals within 15° of the circle's."""
    y, x = np.mgrid[:40, :40]
    cells = shapely.box(x, y, x + 1, y + 1)[np.hypot(x - 19.5, y - 19.5) <= 12]
    lines = contours(np.array([shapely.union_all(cells.ravel())]))
    away = lines.points[0] - 20.0
    way = away / np.hypot(*away.T)[:, None]
    assert (lines.normals[0] * way).sum(axis=1).min() > np.cos(np.radians(15))


def test_a_slope_is_read_exactly():
    """Bilinear values of a plane are the plane's, at pixel centers and between."""
    y, x = np.mgrid[:60, :80] + 0.5
    plane = (0.1 * x - 0.05 * y).astype(np.float32)
    lines = contours(np.array([circle()]))
    got = profiles(plane, np.zeros(plane.shape, np.uint8), lines)[0]
    at = lines.points[0][:, None] + PLACES[None, :, None] * lines.normals[0][:, None]
    outside = PLACES > -0.75  # nothing covers the inside: it is not the object's own
    want = 0.1 * at[..., 0] - 0.05 * at[..., 1]
    assert got[:, outside] == pytest.approx(want[:, outside], abs=1e-4)


def test_other_outlines_and_what_lies_behind_them_are_not_seen():
    y, x = np.mgrid[:60, :80] + 0.5
    own = np.hypot(x - 40, y - 30) < 10
    wall = (x > 54) & (x < 56)
    count = own.astype(np.uint8) + wall
    got = profiles(np.ones(own.shape, np.float32), count, contours(np.array([circle()])))[0]
    lines = contours(np.array([circle()]))
    right = int(np.argmax(lines.points[0, :, 0]))
    seen = PLACES[np.isfinite(got[right])]
    assert seen.max() == pytest.approx(54 - 50, abs=0.6)
    left = int(np.argmin(lines.points[0, :, 0]))
    assert np.isfinite(got[left, PLACES > 0]).all()


def test_nothing_is_seen_beyond_the_image_nor_deeper_than_the_middle():
    got = profiles(
        np.ones((60, 80), np.float32),
        np.ones((60, 80), np.uint8),
        contours(np.array([circle(5.0, 30.0, 10.0)])),
    )[0]
    lines = contours(np.array([circle(5.0, 30.0, 10.0)]))
    left = int(np.argmin(lines.points[0, :, 0]))
    assert np.isnan(got[left]).all()  # at x = -5
    right = int(np.argmax(lines.points[0, :, 0]))
    assert -0.7 * 10 <= PLACES[np.isfinite(got[right])].min() < -0.7 * 10 + 1
