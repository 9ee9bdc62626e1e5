"""Bounds and areas, by machine code and by GEOS, as Shapely gives them one by one."""

from __future__ import annotations

import numpy as np
import shapely

from curatome.annotations.masks import mask_png
from curatome.rules.measured import measured
from tests.rules.made import annotation, annotations


def test_as_shapely_measures() -> None:
    rng = np.random.default_rng(1)
    shapes = [shapely.Point(*rng.uniform(0, 900, 2)).buffer(rng.uniform(5, 50)) for _ in range(40)]
    shapes += [
        shapely.Polygon(shapely.box(0, 0, 90, 90).exterior.coords, [[(5, 5), (9, 5), (9, 9)]]),
        shapely.MultiPolygon([shapely.box(0, 0, 9, 9), shapely.box(20, 20, 25, 29)]),
        shapely.Point(3, 4),
        shapely.LineString([(0, 0), (5, 9)]),
    ]
    rows = [annotation(f"a{k}", shape) for k, shape in enumerate(shapes)]
    rows.insert(7, annotation("whole"))
    rows.append(annotation("broken", shapes[0], geometry=b"\x01\x03"))
    found = measured(annotations(*rows))
    there = [k for k, row in enumerate(rows) if row["annotation"] not in ("whole", "broken")]
    assert np.allclose(found.bounds[there], shapely.bounds(shapes))
    assert np.allclose(found.area[there], shapely.area(shapes))
    assert np.isnan(found.bounds[[7, len(rows) - 1]]).all()
    assert np.isnan(found.area[[7, len(rows) - 1]]).all()


def test_circles_and_masks_as_they_lie_on_the_image() -> None:
    """Both are stored as the box around them; the mask is the left half of a box of 4 x 2 px."""
    half = mask_png(np.array([[True, False], [True, False]]))
    found = measured(
        annotations(
            annotation("circle", shapely.box(0, 0, 40, 40), kind="circle"),
            annotation("mask", shapely.box(0, 0, 4, 2), kind="mask", mask=half),
            annotation("no picture", shapely.box(0, 0, 4, 2), kind="mask", mask=b"none"),
            annotation("no box", shapely.Point(3, 3), kind="circle"),
        )
    )
    assert np.isclose(found.area[0], np.pi * 400, rtol=0.002)
    assert found.bounds[0].tolist() == [0, 0, 40, 40]
    assert (found.area[1], found.bounds[1].tolist()) == (4, [0, 0, 2, 2])
    assert found.filled.tolist() == [True, True, False, False]


def test_what_counts_as_filled() -> None:
    crossed = shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])
    shapes = [shapely.box(0, 0, 9, 9), crossed, shapely.Point(1, 1)]
    kinds = ["polygon", "polygon", "point"]
    rows = [
        annotation(f"a{k}", shape, kind=kind)
        for k, (shape, kind) in enumerate(zip(shapes, kinds, strict=True))
    ]
    rows.append(annotation("line", shapely.LineString([(0, 0), (9, 0), (9, 9)]), kind="line"))
    assert measured(annotations(*rows)).filled.tolist() == [True, False, False, False]


def test_another_table_is_measured_anew() -> None:
    one, other = (annotations(annotation("a", shapely.box(0, 0, k, k))) for k in (4, 5))
    assert measured(one).area.tolist() == [16.0]
    assert measured(other).area.tolist() == [25.0]
    assert measured(one) is measured(one)
    assert len(measured(annotations()).area) == 0
