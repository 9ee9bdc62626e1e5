"""Common area of shapes: by hand, and as GEOS cuts them."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.agreement.matching import area
from curatome.agreement.matching.area import common_area


def star(rng, middle, corners):
    """A polygon that is far from convex."""
    angle = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(2, 10, corners)
    return shapely.Polygon(middle + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1))


def odd_shapes(seed, offset):
    """Stars, rings with several holes, boxes and shapes of several parts, some on one edge."""
    rng = np.random.default_rng(seed)
    made = [star(rng, offset + rng.uniform(0, 12, 2), rng.integers(3, 40)) for _ in range(25)]
    holes = shapely.union_all(shapely.box([2, 6, 2], [2, 2, 7], [4, 9, 9], [5, 5, 9]))
    for x, y in offset + rng.integers(0, 8, (6, 2)):
        made.append(shapely.affinity.translate(shapely.box(0, 0, 10, 10) - holes, x, y))
        made.append(shapely.box(x, y, x + 5, y + 5))
        made.append(shapely.union_all(shapely.box([x, x + 6], [y, y + 1], [x + 5, x + 9], y + 8)))
    return np.array([m if m.is_valid else m.buffer(0) for m in made])


def test_by_hand():
    """A triangle and a square: the square's half below the diagonal, less a hole of 1 x 1."""
    triangle = shapely.Polygon([(0, 0), (4, 0), (4, 4)])
    square = shapely.box(0, 0, 4, 4) - shapely.box(2, 0.5, 3, 1.5)
    pair = np.array([triangle, square])
    assert common_area(pair, np.array([0, 0, 1]), np.array([1, 0, 1])) == pytest.approx([7, 8, 15])


@pytest.mark.parametrize("offset", [0.0, -50.0, 90_000.0])
def test_equals_geos(offset):
    shapes = odd_shapes(1, offset)
    first, second = np.triu_indices(len(shapes))
    expected = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    assert (expected > 0).mean() > 0.5
    np.testing.assert_allclose(common_area(shapes, first, second), expected, atol=1e-8)


def test_which_way_an_outline_runs_does_not_matter():
    shapes = odd_shapes(2, 0.0)
    turned = shapely.reverse(shapes)
    both = np.concatenate([shapes, turned])
    here = np.arange(len(shapes))
    expected = common_area(shapes, here, here[::-1])
    np.testing.assert_allclose(common_area(both, here + len(here), here[::-1]), expected, atol=1e-9)


def test_long_outlines_are_left_to_geos(monkeypatch):
    shapes = np.array([shapely.Point(0, 0).buffer(5, 100), shapely.Point(3, 0).buffer(5, 100)])
    expected = shapely.intersection(*shapes).area
    for most in (0, 10**9):
        monkeypatch.setattr(area, "_LONG", most)
        assert common_area(shapes, np.array([0]), np.array([1])) == pytest.approx(expected)


def test_no_pairs():
    none = np.empty(0, np.int64)
    assert len(common_area(np.array([shapely.box(0, 0, 1, 1)]), none, none)) == 0
