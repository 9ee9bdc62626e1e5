"""BAL: classes that rest on few cases, imbalance, confounding and targets, by hand and planted."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from curatome.findings import Severity
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules import balance, confounding
from curatome.rules.rule import Inputs
from tests.rules.datasets import (
    annotations_of,
    items_of,
    looked,
    loud,
    phantom_inputs,
    protocol_of,
    slides_of,
)


def _design(cases: int) -> CleanDesign:
    return CleanDesign(objects=ObjectDesign(cases=cases, slides_per_case=2, objects_per_slide=20))


def _cells(counts, **protocol):
    """Cells of each class in each case: {class: [count in case 0, …]}."""
    rows = [
        {"kind": "cell", "case": f"c{k}", "slide": f"s{k}", "labels": [name]}
        for name, held in counts.items()
        for k, count in enumerate(held)
        for _ in range(count)
    ]
    return Inputs(protocol_of(**{"classes": [], **protocol}), items=items_of(rows))


def test_a_class_that_rests_on_one_case():
    inputs = _cells({"mitosis": [90, 1, 1, *[0] * 17], "tumor": [10] * 20})
    (found,) = looked(balance.FEW, inputs)
    assert found.subject == "class mitosis"
    assert found.evidence["effective_cases"] == pytest.approx(92**2 / (90**2 + 2), abs=0.005)
    assert (found.evidence["count"], found.evidence["cases"]) == (92, 3)
    assert "at least 4 more cases" in found.message


def test_a_class_of_many_cases_and_a_small_dataset_are_left_alone():
    assert looked(balance.FEW, _cells({"mitosis": [1] * 20, "tumor": [90] * 20})) == []
    assert looked(balance.FEW, _cells({"mitosis": [9, 0, 0, 0, 0], "tumor": [90] * 5})) == []


def test_a_class_that_nobody_has_is_told_unless_it_stands_for_narrower_ones():
    classes = [{"name": "cell"}, {"name": "tumor", "parent": "cell"}, {"name": "mitosis"}]
    (found,) = looked(balance.FEW, _cells({"tumor": [5] * 20}, classes=classes))
    assert (found.subject, found.evidence["count"]) == ("class mitosis", 0)


def test_the_plan_for_a_class_of_few_cases_is_enough():
    """With as many cases and labels as the message asks for, the class is told of no more."""
    held = [90, 1, 1, *[0] * 17]
    (found,) = looked(balance.FEW, _cells({"mitosis": held, "tumor": [10] * 20}))
    assert "at least 4 more cases with it, about 89 cells in each" in found.message  # 8102 / 92
    more = _cells({"mitosis": [*held, *[89] * 4], "tumor": [10] * 24})
    assert looked(balance.FEW, more) == []
    fewer = _cells({"mitosis": [*held, *[89] * 3], "tumor": [10] * 23})
    assert len(looked(balance.FEW, fewer)) == 1


def test_classes_that_are_called_otherwise_are_told_together():
    classes = [{"name": "mitotic figure"}, {"name": "tumor cell"}]
    (found,) = looked(
        balance.FEW, _cells({"mitosis": [5] * 20, "tumor": [5] * 20}, classes=classes)
    )
    assert found.evidence == {
        "absent": ["mitotic figure", "tumor cell"],
        "there": ["mitosis", "tumor"],
    }


def test_areas_of_circles_are_those_of_circles():
    """Stored as the square around it; 20 px at 0.25 µm/px are a radius of 5 µm."""
    square = shapely.box(0, 0, 40, 40)
    rows = [{"image": "s0", "shape": square, "labels": ["tumor"], "kind": "circle"}]
    rows += [{"image": f"s{k}", "shape": square, "labels": ["stroma"]} for k in range(20)]
    slides = slides_of([{"slide": f"s{k}"} for k in range(20)])
    inputs = Inputs(protocol_of(classes=[]), slides=slides, annotations=annotations_of(rows))
    (found,) = looked(balance.FEW, inputs)
    assert found.evidence["area_um2"] == pytest.approx(np.pi * 25, rel=0.002)  # 64 corners


def test_areas_count_as_well():
    """Squares of 40 px at 0.25 µm/px are 100 µm² each."""
    square = shapely.box(0, 0, 40, 40)
    rows = [{"image": f"s{k}", "shape": square, "labels": ["stroma"]} for k in range(20)]
    rows += [{"image": "s0", "shape": square, "labels": ["tumor"]} for _ in range(3)]
    slides = slides_of([{"slide": f"s{k}"} for k in range(20)])
    inputs = Inputs(protocol_of(classes=[]), slides=slides, annotations=annotations_of(rows))
    (found,) = looked(balance.FEW, inputs)
    assert found.subject == "class tumor"
    assert found.evidence["area_um2"] == 300
    assert found.evidence["effective_cases_by_area"] == 1


def test_what_annotations_count_is_not_counted_again_on_tiles():
    rows = [{"image": f"s{k}", "labels": ["tumor"]} for k in range(3)]
    tiles = [{"kind": "tile", "slide": "s0", "scale": "L", "labels": ["tumor", "old"]}] * 2
    inputs = Inputs(
        protocol_of(classes=[]), annotations=annotations_of(rows), items=items_of(tiles)
    )
    found = {one.what: one.labels.counts.tolist() for one in balance.counted(inputs)}
    assert found == {"annotation": [3], "tile": [2]}


def test_minority_and_its_plan():
    """12, 6, 2 in 4, 2, 1 cases: IRLbl of c is 6, the mean 3; 12 / 3 - 2 more, in one case."""
    inputs = _cells({"a": [3] * 4, "b": [3, 3, 0, 0], "c": [2, 0, 0, 0]})
    (found,) = looked(balance.MINORITY, inputs)
    assert (found.subject, found.severity) == ("class c", Severity.NOTE)
    assert (found.evidence["irlbl"], found.evidence["mean_ir"]) == (6, 3)
    assert (found.evidence["more_labels"], found.evidence["more_cases"]) == (2, 1)
    assert found.evidence["at_most_of_commonest"] == 6
    assert looked(balance.MINORITY, _cells({"a": [3] * 4, "b": [2] * 4})) == []  # mean 1.25


def test_no_minority_by_chance():
    """1 beside 2 in one case, and 2 beside 5 in two: both ratios are above the mean."""
    assert looked(balance.MINORITY, _cells({"a": [4], "b": [1], "c": [4]})) == []
    assert looked(balance.MINORITY, _cells({"a": [3, 2], "b": [1, 1], "c": [4, 1]})) == []


def test_severe_imbalance_needs_to_be_sure():
    sure = _cells({"a": [200] * 20, "b": [2] * 20})  # 100 times, the same in all cases
    assert [one.subject for one in looked(balance.SEVERE, sure)] == ["class b"]
    chance = _cells({"a": [40] * 5, "b": [0, 0, 0, 0, 2]})  # 100 times, in one of five cases
    assert looked(balance.SEVERE, chance) == []


def test_the_plan_for_severe_imbalance_where_the_mean_is_worse_still():
    """Beside a class 4,000 times rarer, MeanIR is above the 40 times of another one.

    To be 20 times rarer than 4,000, b needs 200; it has 100, 5 in each case.
    """
    inputs = _cells({"a": [200] * 20, "b": [5] * 20, "c": [1, *[0] * 19]})
    mean = (1 + 40 + 4000) / 3
    found, rarest = looked(balance.SEVERE, inputs)
    assert (found.subject, rarest.subject) == ("class b", "class c")
    assert found.evidence["mean_ir"] == pytest.approx(mean, abs=0.001)
    assert found.evidence["irlbl"] == 40
    assert (found.evidence["more_labels"], found.evidence["more_cases"]) == (100, 20)
    assert found.evidence["at_most_of_commonest"] == 2000
    assert "To bring it to 20 times, add about 100 in 20 more cases, or" in found.message


@pytest.mark.parametrize("seed", range(8))
def test_plans_ask_for_something_and_mend_what_they_are_about(seed):
    draw = np.random.default_rng(seed)
    held = {name: draw.poisson(draw.choice([0.1, 1, 5, 90]), 30).tolist() for name in "abcde"}
    held["z"] = [120] * 30
    for rule in (balance.MINORITY, balance.SEVERE):
        for one in looked(rule, _cells(held)):
            told = one.evidence
            assert told["more_labels"] > 0
            assert told["more_cases"] > 0
            assert 0 < told["at_most_of_commonest"] < 3600
            aim = told["mean_ir"] if rule is balance.MINORITY else min(20, told["mean_ir"])
            assert 3600 / (told["count"] + told["more_labels"]) <= aim
            assert told["at_most_of_commonest"] / told["count"] <= aim


def test_where_cases_of_a_rare_class_should_come_from():
    """Site y has a in none of its cases, site x in half; without sites, scanners say it."""
    rows = [
        {"case": f"c{k}", "slide": f"s{k}", place: ("x", "y")[k % 2], "labels": ["b"]}
        for place in ("site", "scanner")
        for k in range(20)
    ]
    for place in ("site", "scanner"):
        mine = [row for row in rows if place in row]
        mine += [{**mine[k], "labels": ["a"]} for k in (0, 4)]
        (found,) = looked(balance.FEW, Inputs(protocol_of(classes=[]), items=items_of(mine)))
        assert "3 more cases with it, first from y," in found.message


def test_rare_combinations_are_noted_where_items_have_several_labels():
    rows = [{"case": f"c{k}", "labels": ["a", "b"]} for k in range(12)]
    rows += [{"case": "c0", "labels": ["a", "c"]}, {"case": "c1", "labels": ["a", "c"]}]
    inputs = Inputs(protocol_of(classes=[]), items=items_of(rows))
    (found,) = looked(balance.COMBINATIONS, inputs)
    assert found.severity is Severity.NOTE
    assert (found.evidence["rare"], found.evidence["examples"]) == (1, [["a", "c"]])
    assert looked(balance.COMBINATIONS, _cells({"a": [1] * 20, "b": [1]})) == []


def test_confounding_says_which_cases_lack():
    rows = [
        {
            "case": f"c{k}",
            "slide": f"s{k}",
            "site": ("x", "y")[k % 2],
            "labels": [("p", "q")[k % 2]],
        }
        for k in range(20)
    ]
    inputs = Inputs(protocol_of(classes=[]), items=items_of(rows))
    (found,) = looked(confounding.CONFOUNDED, inputs)
    assert found.evidence["v"] == 1
    plan = {(p["class"], p["site"]): p["more_cases"] for p in found.evidence["plan"]}
    assert plan == {("p", "y"): 5, ("q", "x"): 5}


def test_many_items_of_few_cases_are_no_proof():
    rows = [
        {
            "case": f"c{k}",
            "slide": f"s{k}",
            "site": ("x", "y")[k % 2],
            "labels": [("p", "q")[k % 2]],
        }
        for k in range(4)
        for _ in range(500)
    ]
    inputs = Inputs(protocol_of(classes=[]), items=items_of(rows))
    assert looked(confounding.CONFOUNDED, inputs) == []


def test_targets_by_class_field_and_site():
    targets = {"class": {"a": 3, "b": 2}, "sex": {"f": 2}, "site": {"x": 1, "y": 1}}
    rows = [{"case": f"c{k}", "site": "x", "labels": ["a"]} for k in range(2)]
    rows += [{"case": f"c{k}", "labels": ["b"]} for k in range(2)]
    inputs = Inputs(
        protocol_of(classes=[], cohort={"targets": targets}),
        items=items_of(rows),
        cases={"c0": {"sex": "f"}, "c1": {"sex": "m"}, "c2": {"sex": None}},
    )
    found = {one.subject: one.evidence for one in looked(balance.TARGET, inputs)}
    assert {name: (e["cases"], e["target"]) for name, e in found.items()} == {
        "class a": (2, 3),
        "sex f": (1, 2),
        "site y": (0, 1),
    }


@pytest.mark.parametrize("cases", [5, 20, 60])
@pytest.mark.parametrize("seed", range(1001, 1006))
def test_a_clean_dataset_gives_nothing_above_note_level(cases, seed):
    assert loud(balance.RULES, phantom_inputs(make_tables(_design(cases), seed))) == []


def test_the_rare_class_of_the_phantom_is_noted():
    inputs = phantom_inputs(make_tables(_design(20), 1001))
    assert [one.subject for one in looked(balance.MINORITY, inputs)] == ["class mitosis"]
    assert np.isclose(
        looked(balance.MINORITY, inputs)[0].evidence["irlbl"],
        _ratio(inputs, "mitosis"),
        atol=1e-3,
    )


def _ratio(inputs, name):
    labels = [row[0] for row in inputs.annotations["labels"].to_pylist()]
    return max(labels.count(one) for one in set(labels)) / labels.count(name)
