from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely

from curatome.phantom.objects import ObjectDesign, make_objects
from curatome.phantom.readers import Drift, Habit, Reader
from curatome.phantom.reading import read
from curatome.phantom.reads_drawn import outlines_of, points_of
from curatome.tables import ANNOTATIONS

DESIGN = ObjectDesign(cases=10, objects_per_slide=50)
READER = Reader.even("ada", DESIGN.classes, 0.2, 0.2, location_um=1.0, false_per_mm2=5.0)
MPP = np.array([0.25, 0.5] * 5)


@pytest.fixture(scope="module")
def objects():
    return make_objects(DESIGN, 1)


@pytest.fixture(scope="module")
def circles(objects):
    points = shapely.points(np.stack([objects.x, objects.y], axis=1))
    return shapely.buffer(points, objects.diameter / 2, quad_segs=32)


def shapes(table):
    return shapely.from_wkb(np.array(table["geometry"].to_pylist(), object))


def scale(table, objects):
    slides = dict(zip(objects.slides, MPP, strict=True))
    return np.array([slides[name] for name in table["image"].to_pylist()])


def test_marks_become_points_in_level_0_pixels(objects):
    reads = read(objects, READER, 1)
    table, marks = points_of(reads, MPP), reads.table()
    assert table.schema.equals(ANNOTATIONS.schema)
    places = shapely.get_coordinates(shapes(table)) * scale(table, objects)[:, None]
    assert places == pytest.approx(np.stack([marks["x_um"], marks["y_um"]], axis=1))
    assert [one[0] for one in table["labels"].to_pylist()] == marks["label"].to_pylist()
    for ours, theirs in (("reader", "reader"), ("read", "number"), ("time", "time")):
        assert table[ours].to_pylist() == marks[theirs].to_pylist()
    assert len(set(table["annotation"].to_pylist())) == table.num_rows


def test_outlines_widen_with_the_months_as_planted(objects, circles):
    reader = replace(READER, habit=Habit(margin_um=0.5), drift=Drift(margin_um=0.3))
    reads = read(objects, reader, 1)
    drawn = outlines_of(reads, MPP, circles, 1)
    truth = drawn.outlines.to_pydict()
    real = [k for k, items in enumerate(truth["items"]) if items]
    item = np.array([truth["items"][k][0] for k in real])
    area = shapely.area(shapes(drawn.annotations)) * scale(drawn.annotations, objects) ** 2
    margin = np.sqrt(area[real] / np.pi) - objects.diameter[item] / 2
    planted = 0.5 + 0.3 * reads.judged.months[item]
    assert margin == pytest.approx(planted, abs=0.05)
    assert np.array(truth["margin_um"])[real] == pytest.approx(planted)
    assert sorted(item) == sorted(reads.marks.item[reads.marks.item >= 0])
    assert len(truth["items"]) - len(real) == (reads.marks.item < 0).sum() > 20


def test_merged_and_split_outlines_keep_the_objects_and_the_slide(objects, circles):
    reader = replace(READER, habit=Habit(merge_rate=1.0, merge_reach_um=8.0, split_rate=0.3))
    reads = read(objects, reader, 1)
    drawn = outlines_of(reads, MPP, circles, 1)
    kinds = drawn.outlines["kind"].to_pylist()
    assert {"whole", "merged", "split"} == set(kinds)
    images = drawn.annotations["image"].to_pylist()
    for items, image in zip(drawn.outlines["items"].to_pylist(), images, strict=True):
        assert {objects.slides[objects.slide[k]] for k in items} <= {image}
    again = outlines_of(reads, MPP, circles, 1)
    assert again.annotations.equals(drawn.annotations)
    assert not outlines_of(reads, MPP, circles, 2).annotations.equals(drawn.annotations)


def test_a_reader_who_finds_nothing_draws_nothing(objects, circles):
    blind = Reader.even("ben", DESIGN.classes, 1.0, 0.0)
    reads = read(objects, blind, 1)
    drawn = outlines_of(reads, MPP, circles, 1)
    assert drawn.annotations.num_rows == drawn.outlines.num_rows == 0
    assert points_of(reads, MPP).num_rows == 0
    assert reads.truth()["missed"].to_pylist() == [True] * 500
