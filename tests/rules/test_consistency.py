"""CON: one thing under two labels is found; what only seems to differ is not."""

from __future__ import annotations

import pytest
import shapely
from shapely import affinity

from curatome.phantom.faults import FAULTS, CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules import consistency
from curatome.rules.rule import Inputs
from tests.rules.datasets import (
    annotations_of,
    items_of,
    looked,
    loud,
    near_of,
    phantom_inputs,
    protocol_of,
    slides_of,
)

DISK = shapely.Point(100, 100).buffer(20)
KINDS = [{"name": "carcinoma"}, {"name": "ductal", "parent": "carcinoma"}, {"name": "benign"}]
SMALL = CleanDesign(objects=ObjectDesign(cases=5, slides_per_case=2, objects_per_slide=10))


def _items(*pairs, **more):
    rows = [{"hash": content, "labels": labels} for content, labels in pairs]
    return Inputs(protocol_of(classes=KINDS), items=items_of(rows), **more)


def _marks(*rows, **protocol):
    return Inputs(
        protocol_of(**protocol),
        slides=slides_of([{"slide": "s"}]),
        annotations=annotations_of(rows),
    )


def test_identical_items_with_other_labels_are_one_finding():
    inputs = _items(("x", ["benign"]), ("x", ["ductal"]), ("x", ["benign"]), ("y", ["ductal"]))
    (found,) = looked(consistency.IDENTICAL, inputs)
    assert found.evidence["items"] == ["i0", "i1", "i2"]
    assert "benign" in found.message


@pytest.mark.parametrize(
    "other",
    [["carcinoma"], ["ductal"], [], ["ductal", "carcinoma"]],
    ids=["broader class", "equal", "no label", "order and broader"],
)
def test_labels_that_do_not_exclude_each_other(other):
    inputs = _items(("x", ["ductal"]), ("x", other), near=near_of([("i0", "i1")]))
    assert looked(consistency.IDENTICAL, inputs) == []
    inputs = _items(("x", ["ductal"]), ("y", other), near=near_of([("i0", "i1")]))
    assert looked(consistency.NEAR, inputs) == []


def test_similar_items_are_told_in_groups_and_identical_pairs_left_out():
    inputs = _items(
        ("x", ["benign"]),
        ("y", ["ductal"]),
        ("z", ["benign"]),
        ("z", ["ductal"]),
        (None, ["benign"]),
        (None, ["ductal"]),
        near=near_of([("i0", "i1"), ("i2", "i3"), ("i4", "i5"), ("i0", "gone")]),
    )
    found = looked(consistency.NEAR, inputs)
    assert [one.evidence["items"] for one in found] == [["i0", "i1"], ["i4", "i5"]]


def test_one_reader_who_says_two_things_in_two_reads():
    first = {"shape": DISK, "labels": ["tumor"], "read": 1}
    second = first | {"labels": ["stromal"], "read": 2, "shape": affinity.translate(DISK, 3)}
    (found,) = looked(consistency.REPEAT, _marks(first, second))
    assert found.evidence["labels"] == [["tumor"], ["stromal"]]
    assert looked(consistency.REPEAT, _marks(first, second | {"labels": ["tumor"]})) == []
    assert looked(consistency.REPEAT, _marks(first, second | {"reader": "joe"})) == []
    far = second | {"shape": affinity.translate(DISK, 30)}
    assert looked(consistency.REPEAT, _marks(first, far)) == []
    decided = first | {"basis": "adjudicated", "reader": "mia"}
    assert looked(consistency.REPEAT, _marks(first, second, decided)) == []


def test_points_and_whole_images_are_read_again_too():
    point = {"shape": shapely.Point(10, 10), "labels": ["mitosis"]}
    near = {"shape": shapely.Point(38, 10), "labels": ["tumor"], "read": 2}  # 7 µm away
    assert len(looked(consistency.REPEAT, _marks(point, near))) == 1
    far = near | {"shape": shapely.Point(42, 10)}  # 8 µm away
    assert looked(consistency.REPEAT, _marks(point, far)) == []
    whole = [{"labels": ["tumor"]}, {"labels": ["stromal"], "read": 2}]
    assert len(looked(consistency.REPEAT, _marks(*whole))) == 1


def test_two_classes_on_one_object():
    other = {"shape": affinity.scale(DISK, 0.9, 0.9), "labels": ["stromal"]}  # IoU 0.81
    (found,) = looked(consistency.CONTRADICTION, _marks({"shape": DISK}, other))
    assert found.evidence["image"] == "s"
    assert (found.place.x, found.place.width) == (80.0, 40.0)


@pytest.mark.parametrize(
    "other",
    [
        {"shape": affinity.scale(DISK, 0.8, 0.8), "labels": ["stromal"]},  # IoU 0.64
        {"shape": DISK, "labels": ["tumor"]},
        {"shape": DISK, "labels": ["stromal"], "reader": "joe"},
        {"shape": DISK, "labels": ["stromal"], "read": 2},
        {"shape": DISK, "labels": ["stromal"], "basis": "proposed"},
        {"shape": DISK, "labels": ["stromal"], "image": "t"},
        {"shape": DISK, "labels": ["stromal", "mitosis"]},
    ],
    ids=["nucleus in cell", "same", "reader", "read", "proposal", "image", "multi-label"],
)
def test_what_is_no_contradiction(other):
    assert looked(consistency.CONTRADICTION, _marks({"shape": DISK}, other)) == []


def test_contradictory_points_and_words_about_an_image():
    at = {"shape": shapely.Point(10, 10)}
    near = {"shape": shapely.Point(17, 10), "labels": ["mitosis"]}  # 1.75 µm away
    assert len(looked(consistency.CONTRADICTION, _marks(at, near))) == 1
    far = near | {"shape": shapely.Point(19, 10)}  # 2.25 µm away
    assert looked(consistency.CONTRADICTION, _marks(at, far)) == []
    said = [{"labels": ["tumor"]}, {"labels": ["stromal"]}]
    assert len(looked(consistency.CONTRADICTION, _marks(*said))) == 1


@pytest.mark.parametrize("fault", ["duplicate_image", "duplicate_turned"])
def test_copies_with_the_same_label_do_not_contradict(fault):
    planted = FAULTS[fault].plant(make_tables(CleanDesign(), 1001), 0.3, 1001)
    assert looked(consistency.IDENTICAL, phantom_inputs(planted.tables)) == []


@pytest.mark.parametrize("design", [CleanDesign(), SMALL], ids=["20 cases", "5 cases"])
@pytest.mark.parametrize("seed", range(1001, 1006))
def test_a_clean_dataset_gives_nothing(design, seed):
    inputs = phantom_inputs(make_tables(design, seed), near=near_of([]))
    assert loud(consistency.RULES, inputs) == []
