from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.phantom.outlines import OUTLINES, redraw
from curatome.phantom.readers import Habit
from curatome.phantom.shapes import Form, directions, random_radii


def blobs(count=100, radius=6.0, pitch=16.0, seed=1):
    """Uneven shapes on a grid, (count,) polygons in µm."""
    side = int(np.ceil(np.sqrt(count)))
    centers = pitch * np.stack([np.arange(count) % side, np.arange(count) // side], axis=1)
    radii = random_radii(np.random.default_rng(seed), np.full(count, radius), Form(), 64)
    return shapely.polygons(centers[:, None] + radii[:, :, None] * directions(64))


def circles(count, radius):
    points = shapely.points(np.arange(count) * 4 * radius, np.zeros(count))
    return shapely.buffer(points, radius, quad_segs=64)


def items(drawn):
    return [tuple(one) for one in drawn.table["items"].to_pylist()]


def column(drawn, name):
    return drawn.table[name].to_numpy()


def test_no_habit_changes_nothing():
    shapes = blobs()
    drawn = redraw(shapes, Habit(), 1)
    assert items(drawn) == [(k,) for k in range(100)]
    assert shapely.area(shapely.symmetric_difference(drawn.shapes, shapes)).max() < 1e-9
    assert drawn.table.schema.equals(OUTLINES.schema)


def test_the_seed_decides():
    habit = Habit(1.0, 0.5, (1, 0), 0.5, 1.1, 0.3, 3.0, 0.3, 0.2, 6.0, 0.3)
    one, two, other = (redraw(blobs(), habit, seed) for seed in (1, 1, 2))
    assert one.table.equals(two.table)
    assert shapely.equals_exact(one.shapes, two.shapes).all()
    assert not one.table.equals(other.table)


@pytest.mark.parametrize("margin", [-2.0, -0.5, 0.7, 3.0])
def test_the_line_runs_at_the_planted_margin(margin):
    """A circle's radius changes by the margin, and a shape's border lies that far from its own."""
    drawn = redraw(circles(5, 8.0), Habit(margin_um=margin), 1)
    radius = np.sqrt(shapely.area(drawn.shapes) / np.pi)
    assert radius == pytest.approx(np.full(5, 8.0 + margin), abs=0.05)
    shapes = blobs(25)
    drawn = redraw(shapes, Habit(margin_um=margin), 1)
    for before, after in zip(shapes, drawn.shapes, strict=True):
        line = shapely.points(shapely.get_coordinates(after))
        assert shapely.distance(line, before.exterior).max() < abs(margin) + 0.02
        assert shapely.contains(after, before) == (margin > 0)


def test_margins_and_shifts_scatter_as_planted_and_the_truth_holds_each():
    habit = Habit(margin_um=1.0, margin_sd_um=0.4, shift_um=(2.0, -1.0), shift_sd_um=0.5)
    drawn = redraw(circles(2000, 8.0), habit, 3)
    margin = column(drawn, "margin_um")
    assert np.sqrt(shapely.area(drawn.shapes) / np.pi) == pytest.approx(8 + margin, abs=0.06)
    middles = shapely.get_coordinates(shapely.centroid(drawn.shapes))
    true = np.stack([np.arange(2000) * 32.0, np.zeros(2000)], axis=1)
    shift = np.stack([column(drawn, "shift_x_um"), column(drawn, "shift_y_um")], axis=1)
    assert middles - true == pytest.approx(shift, abs=1e-6)
    for found, mean, sd in ((margin, 1.0, 0.4), (shift[:, 0], 2.0, 0.5), (shift[:, 1], -1.0, 0.5)):
        assert abs(found.mean() - mean) < 3.6 * sd / np.sqrt(2000)
        assert abs(found.std() - sd) < 3.6 * sd / np.sqrt(4000)


def test_each_outline_may_have_a_margin_of_its_own():
    margins = np.linspace(-3, 3, 30)
    drawn = redraw(circles(30, 8.0), Habit(margin_um=9.0), 1, margins)
    assert column(drawn, "margin_um") == pytest.approx(margins)
    assert np.sqrt(shapely.area(drawn.shapes) / np.pi) == pytest.approx(8 + margins, abs=0.06)


def test_scaling_multiplies_the_area_about_the_middle():
    shapes = blobs()
    drawn = redraw(shapes, Habit(scale=0.7), 1)
    assert shapely.area(drawn.shapes) / shapely.area(shapes) == pytest.approx(0.49)
    assert shapely.distance(*map(shapely.centroid, (drawn.shapes, shapes))).max() < 1e-9


def test_objects_smaller_than_the_margin_are_not_drawn():
    shapes = np.concatenate([circles(1, 2.0), shapely.buffer(shapely.points([[50, 50]]), 8.0)])
    drawn = redraw(shapes, Habit(margin_um=-3.0, roughness_um=0.2, cut_rate=1.0), 1)
    assert items(drawn) == [(1,)]
    assert len(redraw(circles(3, 2.0), Habit(margin_um=-3.0, roughness_um=0.2), 1).shapes) == 0


@pytest.mark.parametrize("rough", [0.1, 0.4])
def test_the_line_wobbles_by_the_planted_amount(rough):
    drawn = redraw(circles(200, 8.0), Habit(roughness_um=rough), 1)
    off = []
    for k, shape in enumerate(drawn.shapes):
        points = shapely.get_coordinates(shape)[:-1] - [k * 32.0, 0]
        off.append(np.hypot(*points.T) - 8)
    off = np.concatenate(off)
    assert off.std() == pytest.approx(rough, rel=0.05)
    assert abs(off.mean()) < 0.02


def test_holes_survive_a_wobble():
    ring = shapely.difference(circles(1, 20.0)[0], circles(1, 8.0)[0])
    solid = circles(2, 9.0)
    drawn = redraw(np.array([ring, solid[1], ring], object), Habit(roughness_um=0.2), 1)
    assert [len(s.interiors) for s in drawn.shapes] == [1, 0, 1]
    assert shapely.area(drawn.shapes[0]) == pytest.approx(ring.area, rel=0.03)


def test_cut_outlines_lack_what_the_truth_says():
    shapes = blobs(400)
    drawn = redraw(shapes, Habit(cut_rate=0.4), 1)
    cut = column(drawn, "cut_fraction")
    gone = 1 - shapely.area(drawn.shapes) / shapely.area(shapes)
    assert cut == pytest.approx(gone, abs=1e-9)
    hit = cut > 0
    assert abs(hit.mean() - 0.4) < 3 * np.sqrt(0.24 / 400)
    assert 0.099 < cut[hit].min() < 0.15
    assert 0.45 < cut[hit].max() < 0.6
    assert shapely.covers(shapely.buffer(shapes, 1e-6), drawn.shapes).all()


def test_neighbors_within_reach_are_merged_at_the_planted_rate():
    """Pairs of circles 1 µm apart, the pairs far from each other."""
    left = shapely.points(np.arange(400) * 60.0, np.zeros(400))
    right = shapely.points(np.arange(400) * 60.0 + 13.0, np.zeros(400))
    shapes = shapely.buffer(np.stack([left, right], axis=1).ravel(), 6.0)
    drawn = redraw(shapes, Habit(merge_rate=0.3), 1)
    kinds = drawn.table["kind"].to_pylist()
    merged = [held for held, kind in zip(items(drawn), kinds, strict=True) if kind == "merged"]
    assert all(b == a + 1 and a % 2 == 0 for a, b in merged)
    assert abs(len(merged) - 120) < 3 * np.sqrt(400 * 0.21)
    assert sorted(k for held in items(drawn) for k in held) == list(range(800))
    for held, shape in zip(items(drawn), drawn.shapes, strict=True):
        assert shapely.covers(shape.buffer(0.05), shapely.union_all(shapes[list(held)]))
    assert (
        "merged"
        not in redraw(shapes, Habit(merge_rate=1, merge_reach_um=0.5), 1).table["kind"].to_pylist()
    )


def test_split_objects_are_two_outlines_with_a_gap():
    shapes = blobs(300)
    drawn = redraw(shapes, Habit(split_rate=0.25), 1)
    halves = {}
    for held, kind, shape in zip(
        items(drawn), drawn.table["kind"].to_pylist(), drawn.shapes, strict=True
    ):
        if kind == "split":
            halves.setdefault(held, []).append(shape)
    assert abs(len(halves) - 75) < 3 * np.sqrt(300 * 0.1875)
    for (k,), (a, b) in halves.items():
        assert shapely.distance(a, b) == pytest.approx(0.6, abs=0.01)
        assert 0.8 < (a.area + b.area) / shapes[k].area < 1
        assert min(a.area, b.area) > 0.25 * shapes[k].area
    assert len(drawn.shapes) == 300 + len(halves)


@settings(max_examples=40, deadline=None)
@given(
    margin=st.floats(-8, 8),
    scale=st.floats(0.2, 3),
    rough=st.floats(0, 3),
    rates=st.tuples(*[st.floats(0, 1)] * 3),
    seed=st.integers(0, 1000),
)
def test_every_habit_draws_valid_polygons_of_known_objects(margin, scale, rough, rates, seed):
    cut, merge, split = rates
    habit = Habit(margin, 1.0, (3, 3), 1.0, scale, rough, 2.0, cut, merge, 8.0, split)
    drawn = redraw(blobs(16, pitch=13.0), habit, seed)
    assert shapely.is_valid(drawn.shapes).all()
    assert (shapely.get_type_id(drawn.shapes) == shapely.GeometryType.POLYGON).all()
    assert (shapely.area(drawn.shapes) > 0).all()
    assert {k for held in items(drawn) for k in held} <= set(range(16))
    assert len(drawn.shapes) == drawn.table.num_rows


@pytest.mark.parametrize(
    "bad", [shapely.Point(0, 0), shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])]
)
def test_what_is_no_polygon_is_refused(bad):
    with pytest.raises(ValueError, match="shape 1 is not a valid polygon"):
        redraw(np.array([*circles(1, 3.0), bad], object), Habit(), 1)


@pytest.mark.parametrize("wrong", [{"cut_rate": 1.5}, {"scale": 0.0}, {"wobble_um": 0.0}])
def test_impossible_habits_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        Habit(**wrong)
