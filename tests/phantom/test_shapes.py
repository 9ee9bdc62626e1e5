from __future__ import annotations

import numpy as np
import pytest

from curatome.phantom.noise import cell_distances, sample, texture
from curatome.phantom.shapes import Blobs, Form, directions, locate, random_radii


def test_directions_are_unit_vectors_around_the_circle():
    ways = directions(64)
    assert np.allclose(np.hypot(*ways.T), 1)
    assert np.allclose(ways[[0, 16, 32, 48]], [[1, 0], [0, 1], [-1, 0], [0, -1]])


def test_located_area_and_depth_of_a_circle_are_known():
    blobs = Blobs(np.array([[60.0, 50.0]]), np.full((1, 256), 40.0), np.zeros(1, np.int64))
    index, depth = np.full((200, 240), -1, np.int32), np.zeros((200, 240), np.float32)
    locate(blobs.center, blobs.radii, (0.25, 0.25, 0.5), index, depth)
    assert (index == 0).sum() * 0.25 == pytest.approx(np.pi * 1600, rel=0.005)
    assert depth.max() == pytest.approx(40, abs=0.6)
    assert depth[100, 160] == pytest.approx(40 - 20.25, abs=0.1)


def test_pixels_agree_with_polygons():
    rng = np.random.default_rng(2)
    radii = random_radii(rng, np.array([30.0, 45.0]), Form(1.6, 0.15))
    blobs = Blobs(np.array([[50.0, 50.0], [160.0, 60.0]]), radii, np.zeros(2, np.int64))
    index, depth = np.full((240, 440), -1, np.int32), np.zeros((240, 440), np.float32)
    locate(blobs.center, blobs.radii, (0.25, 0.25, 0.5), index, depth)
    for n, polygon in enumerate(blobs.polygons()):
        assert polygon.is_valid
        assert (index == n).sum() * 0.25 == pytest.approx(polygon.area, rel=0.01)
    assert np.allclose(radii.max(axis=1), [30, 45])


def test_texture_is_uniform_tileable_and_passes_through_its_texels():
    field = texture(1)
    assert field.mean() == pytest.approx(0.5, abs=0.02)
    assert np.quantile(field, [0.25, 0.75]) == pytest.approx([0.25, 0.75], abs=0.03)
    assert sample(field, 7.0, 9.0) == field[9, 7]
    assert sample(field, -505.0, 9.0 + 512) == field[9, 7]
    assert sample(field, 511.5, 3.0) == pytest.approx((field[3, 511] + field[3, 0]) / 2, abs=1e-6)


def test_cells_have_a_wall_halfway_between_seeds():
    xs = np.linspace(3, 6, 4000)
    found = [cell_distances(float(x), 4.3, 9) for x in xs]
    first, wall = np.array(found).T
    # Along a line, the distance to the nearest seed turns over exactly where the wall is at zero.
    assert wall.min() < 1e-3
    assert (wall >= 0).all()
    assert (np.abs(np.diff(first)) <= np.diff(xs)[0] * 1.0001).all()
