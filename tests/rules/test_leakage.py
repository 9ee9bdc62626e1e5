"""LEK: every leak that is planted is found and named; a sound division gives nothing."""

from __future__ import annotations

import pytest

from curatome.findings import Severity
from curatome.phantom.faults import CleanDesign, make_tables
from curatome.phantom.objects import ObjectDesign
from curatome.rules import leakage
from curatome.rules.rule import Inputs
from tests.rules.datasets import items_of, looked, loud, near_of, phantom_inputs, protocol_of

SMALL = CleanDesign(objects=ObjectDesign(cases=5, slides_per_case=2, objects_per_slide=10))


def _inputs(rows, near=None, **protocol):
    return Inputs(protocol_of(**protocol), items=items_of(rows), near=near)


def test_a_case_whose_slides_lie_in_two_splits():
    rows = [{"case": "c", "slide": f"s{k}", "split": s} for k, s in enumerate(("train", "test"))]
    (found,) = looked(leakage.CASE, _inputs(rows))
    assert found.subject == "case c"
    assert found.severity is Severity.ERROR
    assert found.evidence == {"splits": ["test", "train"], "items": 1}
    assert looked(leakage.SLIDE, _inputs(rows)) == []


def test_a_slide_in_two_splits_is_told_once_where_it_is_its_own_case():
    rows = [{"case": "f", "slide": "f", "split": s} for s in ("train", "train", "val", "test")]
    (found,) = looked(leakage.SLIDE, _inputs(rows))
    assert found.evidence == {"splits": ["test", "train", "val"], "items": 2}
    assert looked(leakage.CASE, _inputs(rows)) == []


def test_overlapping_boxes_count_and_touching_ones_do_not():
    box = {"case": "c", "slide": "s", "y": 0.0, "width": 10.0, "height": 10.0}
    rows = [box | {"x": 0.0, "split": "train"}, box | {"x": 10.0, "split": "test"}]
    assert looked(leakage.OVERLAP, _inputs(rows)) == []
    (found,) = looked(leakage.OVERLAP, _inputs([*rows, box | {"x": 9.0, "split": "test"}]))
    assert found.evidence["pairs"] == 1
    assert (found.place.x, found.place.width) == (0.0, 10.0)


def test_near_duplicates_but_not_those_with_the_same_bytes():
    rows = [
        {"case": f"c{k}", "slide": f"s{k}", "split": split, "hash": content}
        for k, (split, content) in enumerate(
            [("train", "a"), ("test", "b"), ("train", "x"), ("test", "x")]
        )
    ]
    near = near_of([("i0", "i1"), ("i2", "i3")])
    (found,) = looked(leakage.NEAR, _inputs(rows, near))
    assert {found.subject, found.evidence["other"]} == {"item i0", "i1"} or {
        found.subject,
        found.evidence["other"],
    } == {"item i1", "i0"}
    (same,) = looked(leakage.IDENTICAL, _inputs(rows, near))
    assert same.evidence["members"] == ["i2", "i3"]


def test_sites_in_one_split_are_noted_unless_that_is_meant():
    rows = [
        {"case": f"c{k}", "slide": f"s{k}", "site": site, "scanner": "x", "split": split}
        for k, (site, split) in enumerate(
            [("a", "train"), ("a", "test"), *[("b", "train")] * 3, *[("c", "test")] * 2]
        )
    ]
    (found,) = looked(leakage.DOMAIN, _inputs(rows))  # c has fewer cases than there are splits
    assert (found.subject, found.severity) == ("site b", Severity.NOTE)
    assert looked(leakage.DOMAIN, _inputs(rows, split={"site_preserved": True})) == []


def test_a_split_by_site_is_a_warning_unless_that_is_meant():
    rows = [
        {"case": f"c{k}", "slide": f"s{k}", "site": "ab"[k % 2], "split": ("train", "test")[k % 2]}
        for k in range(20)
    ]
    (found,) = looked(leakage.CONFOUNDED, _inputs(rows))
    assert found.evidence["v"] == 1.0
    assert looked(leakage.CONFOUNDED, _inputs(rows, split={"site_preserved": True})) == []
    few = looked(leakage.CONFOUNDED, _inputs(rows[:6]))  # 1 deal in 10 is as uneven
    assert few == []


@pytest.mark.parametrize("design", [CleanDesign(), SMALL], ids=["20 cases", "5 cases"])
@pytest.mark.parametrize("seed", range(1001, 1011))
def test_a_clean_dataset_gives_nothing_above_note_level(design, seed):
    inputs = phantom_inputs(make_tables(design, seed), near=near_of([]))
    assert loud(leakage.RULES, inputs) == []
