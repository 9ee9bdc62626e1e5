"""Weighted boxes by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.agreement.consensus.boxes import fuse_boxes
from curatome.agreement.consensus.marks import marks
from curatome.errors import AnnotationError, TableError
from curatome.tables import FUSED


def test_edges_confidence_and_dissent_by_hand():
    # Weighted boxes fusion with three models, of which two found the first object:
    # edges (0.9 · 0 + 0.6 · 3) / 1.5 = 1.2; confidence (0.9 + 0.6) / 2 · 2 / 3 = 0.5.
    boxes = np.array([[0, 0, 10, 10], [3, 0, 13, 10], [50, 50, 60, 70]], float)
    of = marks([0, 0, 1], ["ann", "joe", "eve"], confidence=[0.9, 0.6, 0.3])
    table = fuse_boxes(boxes, of)
    assert table.schema.equals(FUSED.schema)
    first, second = table.to_pylist()
    assert shapely.from_wkb(first["geometry"]).bounds == pytest.approx((1.2, 0, 11.2, 10))
    assert first["confidence"] == pytest.approx(0.5)
    assert (first["readers"], first["agreeing"], first["dissenters"]) == (3, 2, ["eve"])
    # IoU with the first box 88/112, with the second 82/118.
    assert first["overlap"] == pytest.approx((88 / 112 + 82 / 118) / 2)
    assert second["confidence"] == pytest.approx(0.1)
    assert second["overlap"] == 1
    assert second["dissenters"] == ["ann", "joe"]


def test_weights_of_readers_move_edges_and_confidence():
    boxes = np.array([[0, 0, 10, 10], [4, 0, 14, 10]], float)
    of = marks([0, 0], ["ann", "joe"], weight={"ann": 3.0}, readers=["ann", "eve", "joe"])
    row = fuse_boxes(boxes, of).to_pylist()[0]
    assert shapely.from_wkb(row["geometry"]).bounds == pytest.approx((1, 0, 11, 10))
    assert row["confidence"] == pytest.approx(4 / 5)


def test_who_did_not_look_does_not_dissent():
    looked = np.array([[True, True, False]])
    of = marks([0], ["ann"], readers=["ann", "eve", "joe"], looked=looked)
    row = fuse_boxes(np.array([[0, 0, 1, 1]], float), of).to_pylist()[0]
    assert (row["readers"], row["dissenters"], row["confidence"]) == (2, ["eve"], 0.5)


def test_items_without_a_mark_have_no_row():
    of = marks([2, 0], ["ann", "ann"])
    boxes = np.array([[0, 0, 1, 1], [5, 5, 7, 7]], float)
    table = fuse_boxes(boxes, of)
    assert table["item"].to_pylist() == [0, 2]
    assert shapely.from_wkb(table["geometry"][1].as_py()).bounds == (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"item": [0, 0], "reader": ["ann", "ann"]}, "ann marked item 0 twice"),
        ({"item": [0], "reader": ["ann"], "readers": ["joe"]}, "ann is none of joe"),
        ({"item": [0], "reader": ["ann"], "looked": np.array([[False]])}, "did not look there"),
        ({"item": [0], "reader": ["ann"], "weight": {"ann": 0}}, "must be above 0"),
    ],
)
def test_marks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(TableError, match=message):
        marks(**arguments)


def test_a_box_without_area_is_refused():
    with pytest.raises(AnnotationError, match="box 1 of item 7 has no area"):
        fuse_boxes(np.array([[0, 0, 1, 1], [5, 5, 5, 7]], float), marks([3, 7], ["a", "a"]))
