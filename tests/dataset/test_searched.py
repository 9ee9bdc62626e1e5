"""Where everything of a class was annotated."""

import numpy as np
import pytest
import shapely

from curatome.annotations.exhaustive import EXHAUSTIVE
from curatome.dataset.searched import Searched


def _region(image, kind, shape, *classes):
    wkb = None if shape is None else shapely.to_wkb(shape)
    said = {"image": image, "kind": kind, "geometry": wkb, "classes": list(classes)}
    return {"region": str(shape), **said, "reader": None, "guideline": None, "time": None}


@pytest.fixture(scope="module")
def searched():
    rows = [
        _region("a", "box", shapely.box(0, 0, 10, 10), "tumor", "fat"),
        _region("a", "box", shapely.box(10, 0, 20, 10), "tumor"),
        _region("b", "whole", None, "fat"),
        _region("c", "circle", shapely.box(0, 0, 10, 10), "fat"),
        _region(None, "whole", None, "tumor"),
    ]
    return Searched(EXHAUSTIVE.from_rows(rows))


def test_an_item_is_known_where_regions_together_cover_it(searched):
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [15, 0, 25, 10], [np.nan] * 4], float)
    found = searched.whole(["a"] * 4, boxes, ("tumor", "fat"))
    assert found.tolist() == [[True, True], [True, False], [False, False], [False, False]]
    found = searched.whole(["b", None, "x", "c"], boxes[[0, 0, 0, 0]], ("fat",))
    assert found[:, 0].tolist() == [True, False, False, False]  # a circle leaves the corners


def test_areas_are_those_of_the_regions(searched):
    assert searched.area("a", "tumor").area == 200
    assert searched.area("a", "fat").area == 100
    assert searched.area("c", "fat").area == pytest.approx(np.pi * 25, rel=0.01)
    assert searched.area("b", "tumor").is_empty
    assert bool(searched)
    assert not Searched(EXHAUSTIVE.schema.empty_table())
