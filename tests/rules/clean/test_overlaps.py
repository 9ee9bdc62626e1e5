from __future__ import annotations

import pytest
import shapely

from curatome.rules.clean import OVERLAP
from curatome.rules.rule import Inputs
from tests.rules.datasets import annotations_of, looked, protocol_of


def box(x, y, side=100.0):
    """A polygon, not a box along the axes."""
    return shapely.box(x, y, x + side, y + side)


def two(second, labels=("tumor", "stromal"), **more):
    rows = [
        {"annotation": "a", "shape": box(0, 0), "labels": [labels[0]]},
        {"annotation": "b", "shape": second, "labels": [labels[1]]} | more,
    ]
    return Inputs(protocol_of(), annotations=annotations_of(rows))


def test_two_classes_that_share_a_third_are_told_with_the_place():
    (found,) = looked(OVERLAP, two(box(70, 0)))
    assert found.message == "tumor a and stromal b share 30% of the smaller one's area."
    assert (found.place.x, found.place.y) == (70, 0)
    assert (found.place.width, found.place.height) == (30, 100)
    assert found.evidence["part"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    "good",
    [
        two(box(100, 0)),  # they touch
        two(box(95, 0)),  # by a hand's tremor
        two(box(200, 0)),
        two(box(70, 0), ("tumor", "tumor")),
        two(box(70, 0), reader="ben"),  # somebody else's opinion
        two(box(70, 0), read=2),
        two(box(70, 0), image="t"),
        two(box(40, 40, 10.0)),  # a cell in a region
        two(box(5, 0)),  # one object with two labels
        two(box(70, 0), cannot_judge=True),
    ],
)
def test_what_is_no_overlap(good):
    assert not looked(OVERLAP, good)


def test_a_class_may_lie_in_its_parent():
    classes = [{"name": "tumor"}, {"name": "stromal", "parent": "tumor"}]
    inputs = two(box(70, 0))
    allowed = Inputs(protocol_of(classes=classes), annotations=inputs.annotations)
    assert looked(OVERLAP, inputs)
    assert not looked(OVERLAP, allowed)


def test_boxes_of_crowded_objects_may_share_corners():
    rows = [
        {"shape": box(0, 0), "labels": ["tumor"], "kind": "box"},
        {"shape": box(70, 0), "labels": ["stromal"], "kind": "box"},
    ]
    assert looked(OVERLAP, two(box(70, 0), kind="box"))  # a box and a polygon
    assert not looked(OVERLAP, Inputs(protocol_of(), annotations=annotations_of(rows)))
