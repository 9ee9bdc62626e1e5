"""Machine code judges as GEOS does: what it passes is sound, and what it measures is right."""

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.annotations import check, copies
from curatome.annotations.plain import edges, glance, neighbors
from tests.annotations.shapes import annotations
from tests.annotations.test_check import FRAMES, RING, raw_polygon

PLACE = st.tuples(st.integers(0, 6), st.integers(0, 6))
SHIFT = st.sampled_from([0.0, 40_000.1, 1e6 + 0.3])


def outlines(polygons):
    return pa.array([one if isinstance(one, bytes) else one.wkb for one in polygons], pa.binary())


def seen(*polygons):
    return glance(outlines(polygons), check.FARTHEST, check.THINNEST)


@settings(max_examples=500, deadline=None)
@given(st.lists(PLACE, min_size=3, max_size=9), SHIFT, st.sampled_from([1.0, 10.0, 0.37]))
def test_what_is_plain_has_no_fault(places, shift, size):
    points = [(x * size + shift, y * size + shift) for x, y in places]
    wkb = raw_polygon(*points, points[0])
    found = check.problems(annotations(("polygon", wkb)))
    if seen(wkb).plain[0]:
        assert found == []
        shape = shapely.from_wkb(wkb)
        assert seen(wkb).bounds[0].tolist() == list(shape.bounds)
        assert seen(wkb).area[0] == pytest.approx(shape.area, rel=1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(8, 12), min_size=5, max_size=40), SHIFT)
def test_round_outlines_are_plain(radii, shift):
    angles = np.arange(len(radii)) / len(radii) * 2 * np.pi
    points = shift + np.array(radii)[:, None] * np.c_[np.cos(angles), np.sin(angles)]
    assert seen(shapely.Polygon(points)).plain[0]


@pytest.mark.parametrize(
    "wkb",
    [
        raw_polygon(*RING),
        raw_polygon((0, 0), (np.nan, 9), (9, 9), (0, 0)),
        shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]).wkb,
        shapely.Polygon(RING, [[(20, 20), (20, 30), (30, 30)]]).wkb,
        shapely.Point(1, 2).wkb,
        shapely.Polygon().wkb,
        shapely.to_wkb(shapely.Polygon(RING), byte_order=0),
        shapely.Polygon(RING).wkb[:-1],
        b"\x01",
        b"",
    ],
)
def test_what_is_no_simple_ring_is_never_plain(wkb):
    assert not seen(wkb).plain[0]


@pytest.mark.parametrize("count", [3, 400])
def test_many_points_are_left_to_geos(count):
    angles = np.arange(count) / count * 2 * np.pi
    ring = shapely.Polygon(100 * np.c_[np.cos(angles), np.sin(angles)])
    assert seen(ring).plain[0] == (count < 256)


def test_bounds_are_those_of_geos():
    holed = shapely.Polygon(RING, [[(20, 20), (20, 30), (30, 30)]])
    sound = [shapely.Polygon(RING), holed, shapely.box(-3.5, 1, 2, 7)]
    assert np.array_equal(edges(outlines(sound)), shapely.bounds(sound))
    others = [raw_polygon(*RING), shapely.Point(1, 2), b"", shapely.Polygon().wkb, holed.wkb[:-1]]
    assert np.isnan(edges(outlines(others))).all()
    assert np.array_equal(edges(outlines([b"", *sound]).slice(1)), shapely.bounds(sound))


def test_neighbors_are_those_of_the_tree():
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 60, (600, 2))
    bounds = np.c_[low, low + rng.uniform(8, 10, (600, 2))]
    bounds[300:] = bounds[:300] + rng.uniform(-0.6, 0.6, (300, 4))
    group = rng.integers(0, 2, 600)
    own, other = copies._alike(bounds, group)
    pairs = {*zip(own.tolist(), other.tolist(), strict=True)}
    assert len(pairs) > 50
    own, other = neighbors(bounds, group, 1 - copies.ALIKE, copies.ALIKE - 0.1)
    assert {*zip(own.tolist(), other.tolist(), strict=True)} == pairs


def test_many_shapes_are_checked_as_few_are(monkeypatch):
    rng = np.random.default_rng(7)
    rows = [
        (
            kind,
            shapely.Polygon(rng.integers(0, 12, (corners, 2)) * 1.0 + 40 * rng.integers(0, 25, 2)),
        )
        for kind in ("polygon", "ellipse", "box")
        for corners in rng.integers(3, 7, 300)
    ]
    rows += [(kind, shapely.transform(one, lambda xy: xy + 0.01)) for kind, one in rows[::9]]
    rows += rows[::7]
    few = check.problems(annotations(*rows), FRAMES)
    assert {one.code for one in few} >= {"SYN004", "SYN008", "SYN013", "SYN014"}
    monkeypatch.setattr(check, "MANY", 0)
    monkeypatch.setattr(copies, "MANY", 0)
    assert check.problems(annotations(*rows), FRAMES) == few
