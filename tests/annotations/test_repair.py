"""A repair leaves valid shapes, keeps the area within its bounds, and touches nothing else."""

from itertools import pairwise

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, Polygon, box

from curatome.annotations.check import problems
from curatome.annotations.formats.base import Frame, Frames
from curatome.annotations.repair import REPAIRABLE, repair
from tests.annotations.shapes import annotations
from tests.annotations.test_check import EIGHT, RING, raw_polygon

FRAMES = Frames([Frame("A", "a.svs", 100, 100)])
_whole = st.integers(-20, 120)
_points = st.lists(st.tuples(_whole, _whole), min_size=3, max_size=12)


def mended(*rows, frames=FRAMES):
    table = annotations(*rows)
    return (table, *repair(table, problems(table, frames), frames))


def winding(shape, x, y):
    """How often a ring winds around a point (Sunday, 2001), an oracle apart from GEOS."""
    points = np.asarray(shape.exterior.coords)
    count = 0
    for (x0, y0), (x1, y1) in pairwise(points):
        left = (x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)
        count += int(y0 <= y < y1 and left > 0) - int(y1 <= y < y0 and left < 0)
    return count


@given(_points)
def test_any_outline_becomes_valid_and_stays_so(points):
    table, after, repairs = mended(("polygon", Polygon(points)))
    left = {one.code for one in problems(after, FRAMES)}
    if repairs:
        (shape,) = shapely.from_wkb(after["geometry"].to_pylist())
        assert shape.is_valid
        # A cut may uncover a spike or leave a sliver, which then are findings of their own.
        named = {one.code for one in problems(table, FRAMES)}
        assert not left & named & REPAIRABLE - {"SYN010"}
        again, more = repair(after, problems(table, FRAMES), FRAMES)
        assert more == ()
        assert again.equals(after)
    else:
        assert after.equals(table)


@given(_points)
def test_a_crossed_outline_becomes_what_it_winds_around(points):
    shape = Polygon(points)
    table = annotations(("polygon", shape))
    found = [one for one in problems(table) if one.code == "SYN004"]
    after, repairs = repair(table, found)
    if not repairs:
        return
    (filled,) = shapely.from_wkb(after["geometry"].to_pylist())
    assert filled.area <= shape.convex_hull.area + 1e-6
    assert repairs[0].area_change == pytest.approx(filled.area - shape.area)
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(-20, 120, (40, 2)):
        if shapely.Point(x, y).distance(shape.exterior) > 1e-6:
            assert filled.contains(shapely.Point(x, y)) == (winding(shape, x, y) != 0)


def test_nothing_but_the_named_shape_changes():
    other = ("polygon", Polygon(RING), {"labels": ["stroma"], "properties": '{"a":1}'})
    table, after, repairs = mended(("polygon", EIGHT), other, ("whole", None))
    assert [one.annotation for one in repairs] == ["a0"]
    assert after.slice(1).equals(table.slice(1))
    assert after.drop(["geometry", "kind"]).equals(table.drop(["geometry", "kind"]))
    assert after.schema.equals(table.schema, check_metadata=True)
    assert repairs[0].before == table["geometry"][0].as_py()
    assert repairs[0].after == after["geometry"][0].as_py()
    assert (repairs[0].kind_before, repairs[0].kind_after) == ("polygon", "multipolygon")
    assert repairs[0].done == "Filled an outline that crossed itself."


def test_only_what_a_person_chose_is_mended():
    table = annotations(("polygon", EIGHT), ("polygon", Polygon([*RING[:2], *RING[1:]])))
    chosen = [one for one in problems(table) if one.code == "SYN011"]
    after, repairs = repair(table, chosen)
    assert [(one.annotation, one.codes) for one in repairs] == [("a1", ("SYN011",))]
    assert after["geometry"][0] == table["geometry"][0]


def test_an_open_ring_is_closed():
    _, after, repairs = mended(("polygon", raw_polygon(*RING)))
    assert shapely.from_wkb(after["geometry"][0].as_py()).equals(Polygon(RING))
    assert repairs[0].codes == ("SYN003",)


def test_a_spike_goes_with_next_to_no_area():
    spiked = Polygon([(0, 0), (40, 0), (80, 0.1), (40, 0.2), (40, 40), (0, 40)])
    _, after, repairs = mended(("polygon", spiked))
    shape = shapely.from_wkb(after["geometry"][0].as_py())
    assert shape.bounds == (0, 0, 40, 40)
    assert -0.5 * 40 * 40.1 * np.sin(np.radians(1)) <= repairs[0].area_change < 0


def test_a_hole_that_lies_outside_goes():
    holes = [[(70, 70), (70, 80), (80, 80)], [(20, 20), (20, 30), (30, 30)]]
    _, after, _ = mended(("polygon", Polygon(RING, holes)))
    assert shapely.from_wkb(after["geometry"][0].as_py()).equals(Polygon(RING, holes[1:]))


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("box", box(90, 90, 120, 110), box(90, 90, 100, 100)),
        ("line", LineString([(90, 50), (120, 50)]), LineString([(90, 50), (100, 50)])),
        ("points", shapely.MultiPoint([(5, 5), (101, 5)]), shapely.MultiPoint([(5, 5)])),
        ("circle", box(90, 90, 110, 110), box(90, 90, 110, 110)),
    ],
)  # fmt: skip
def test_what_reaches_beyond_the_image_is_cut(kind, shape, expected):
    _, after, _ = mended((kind, shape))
    left = shapely.from_wkb(after["geometry"][0].as_py())
    assert left.equals(expected)
    assert left.geom_type == expected.geom_type
    assert after["kind"][0].as_py() == kind


def test_a_polygon_cut_in_two_becomes_a_multipolygon():
    comb = Polygon([(-10, 0), (50, 0), (50, 20), (-5, 20), (-5, 40), (50, 40), (50, 60), (-10, 60)])
    _, after, _ = mended(("polygon", comb))
    assert after["kind"][0].as_py() == "multipolygon"
    assert shapely.from_wkb(after["geometry"][0].as_py()).area == 2 * 50 * 20


def test_slivers_among_parts_go_and_a_lone_one_stays():
    thin = box(60, 0, 60.1, 90)
    parts = shapely.MultiPolygon([box(0, 0, 50, 50), thin])
    table, after, repairs = mended(("multipolygon", parts), ("polygon", thin))
    assert [one.annotation for one in repairs] == ["a0"]
    assert shapely.from_wkb(after["geometry"][0].as_py()).area == 2_500
    assert after["geometry"][1] == table["geometry"][1]


def test_rings_are_turned_and_the_area_stays():
    shape = Polygon(RING[::-1], [[(20, 20), (30, 30), (30, 20)]])
    _, after, repairs = mended(("polygon", shape))
    turned = shapely.from_wkb(after["geometry"][0].as_py())
    assert turned.exterior.is_ccw
    assert not turned.interiors[0].is_ccw
    assert repairs[0].area_change == 0


def test_what_nothing_would_remain_of_is_left_alone():
    table, after, repairs = mended(("polygon", Polygon([(1, 1), (9, 9), (5, 5)])))
    assert repairs == ()
    assert after.equals(table)
